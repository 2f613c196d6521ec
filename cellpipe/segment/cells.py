"""Cells grown from their nuclei, and what lies between the two outlines."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig, BadImage


def grow_cells(
    nuclei: np.ndarray,
    pixels: np.ndarray | None = None,
    *,
    pixel_size_um: float,
    method: Literal["ring", "grow"] = "ring",
    max_distance_um: float = 5.0,
    threshold: float | None = None,
    smooth_px: float = 1.5,
) -> np.ndarray:
    """Cells around nuclei; each keeps its nucleus's value and contains all of it.

    Parameters
    ----------
    nuclei : labels (Y, X)
    pixels : cytoplasm channel (Y, X); needed by "grow"
    method : "ring" takes every pixel nearest to a nucleus within `max_distance_um`; "grow" also
        asks for cytoplasm signal above `threshold` and puts borders where the signal is low or
        changes steeply
    threshold : intensity; None chooses it by Li's minimum cross entropy

    Returns
    -------
    uint32 (Y, X), the same values as in `nuclei`

    Sources: seeded watershed, Meyer 1994; Li & Tam 1998, doi:10.1016/S0167-8655(98)00057-9.
    """
    nuclei = nuclei.astype(np.uint32, copy=False)
    reach_px = max_distance_um / pixel_size_um
    if method not in ("ring", "grow"):
        raise BadConfig(
            seen=f"method {method!r}", wanted="ring or grow", do="correct segment.cells.method"
        )
    if not nuclei.any():
        return nuclei.copy()
    distance, nearest = ndimage.distance_transform_edt(nuclei == 0, return_indices=True)
    near = distance <= reach_px
    if method == "ring":
        return np.where(near, nuclei[tuple(nearest)], 0).astype(np.uint32)
    _check_channel(pixels, nuclei)
    assert pixels is not None
    return _grow_on_signal(nuclei, pixels, near, distance / reach_px, threshold, smooth_px)


def _check_channel(pixels: np.ndarray | None, nuclei: np.ndarray) -> None:
    if pixels is None:
        raise BadConfig(
            seen="no cytoplasm channel",
            wanted="a channel for method grow",
            do="name segment.cells.channel, or choose method ring",
        )
    if pixels.shape != nuclei.shape or not np.isfinite(pixels).all():
        raise BadImage(
            seen=f"cytoplasm pixels of shape {pixels.shape}",
            wanted=f"finite pixels of shape {nuclei.shape}, as the nuclei",
            do="check that both channels come from the same field",
        )


def _grow_on_signal(
    nuclei: np.ndarray,
    pixels: np.ndarray,
    near: np.ndarray,
    distance: np.ndarray,
    threshold: float | None,
    smooth_px: float,
) -> np.ndarray:
    from skimage.filters import threshold_li
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), smooth_px)
    if threshold is None:
        flat = not smooth.max() > smooth.min()
        threshold = np.inf if flat else float(threshold_li(smooth))
    inside = (near & (smooth > threshold)) | (nuclei > 0)
    top = np.percentile(smooth[inside], 99) - smooth.min()
    signal = np.clip((smooth - smooth.min()) / max(top, 1e-6), 0, 1)
    # flood from the nuclei over bright ground first; distance keeps cells compact where it is even
    cells = watershed(1 - signal + 0.5 * distance, nuclei.astype(np.int32), mask=inside)
    return cells.astype(np.uint32)


def cells_of_nuclei(nuclei: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Cells that a network drew, given to their nuclei; each contains its nucleus.

         ╭───────────────╮     a nucleus belongs to the drawn cell that covers most of it; of two
         │  (3)  :  (4)  │     in one cell, each takes the pixels that it is nearest to
         ╰───────────────╯

    Parameters
    ----------
    nuclei, drawn : labels (Y, X)

    Returns
    -------
    uint32 (Y, X), the values of `nuclei`. A drawn cell without nucleus is left out, and a nucleus
    without drawn cell is a cell by itself.
    """
    home = _home(nuclei, drawn)
    held = np.bincount(home[home > 0], minlength=int(drawn.max(initial=0)) + 1)
    owner = np.zeros(len(held), np.uint32)
    owner[home] = np.arange(len(home))  # right where a cell holds one nucleus
    owner[0] = 0
    cells = owner[drawn]
    boxes = ndimage.find_objects(drawn.astype(np.int32)) if (held > 1).any() else []
    for value in np.flatnonzero(held > 1):
        box = boxes[value - 1]
        inside, seeds = drawn[box] == value, nuclei[box].astype(np.uint32)
        seeds[home[seeds] != value] = 0
        nearest = ndimage.distance_transform_edt(
            seeds == 0, return_distances=False, return_indices=True
        )
        cells[box][inside] = seeds[tuple(nearest)][inside]
    return np.where(nuclei > 0, nuclei, cells).astype(np.uint32)


def _home(nuclei: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """For each value of `nuclei`, the drawn cell that covers most of it; 0 for none. (n + 1,)"""
    both = (nuclei > 0) & (drawn > 0)
    pairs, shared = np.unique(
        np.stack([nuclei[both], drawn[both]]).astype(np.int64), axis=1, return_counts=True
    )
    home = np.zeros(int(nuclei.max(initial=0)) + 1, np.int64)
    order = np.argsort(shared, kind="stable")  # the largest overlap is written last
    home[pairs[0, order]] = pairs[1, order]
    return home


def cytoplasm(cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Cell minus nucleus, uint32 (Y, X), the same values; a cell may have none."""
    return np.where(nuclei > 0, 0, cells).astype(np.uint32)
