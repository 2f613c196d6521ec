"""Cells grown from their nuclei, and what lies between the two outlines."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.axes import Image, plain
from cellpipe.image.checks import check_plane
from cellpipe.image.tiles import Box, Place, Plane, blocks, boxes_of, widened

SAMPLE_PX = 1 << 22  # pixels that grey levels of an image of several blocks are taken from
SMOOTH_PX = 1.5  # takes noise out of the cytoplasm


def grow_cells(
    nuclei: Plane,
    pixels: Plane | None = None,
    *,
    pixel_size_um: float,
    method: Literal["ring", "grow"] = "ring",
    max_distance_um: float = 5.0,
) -> Plane:
    """Cells around nuclei; each keeps its nucleus's value and contains all of it.

    Parameters
    ----------
    nuclei : labels (Y, X); in several blocks, each is worked on with a halo of twice the reach
    pixels : cytoplasm channel (Y, X); needed by "grow". Grey levels are those of the whole plane;
        in several blocks, from an even sample
    method : "ring" takes every pixel nearest to a nucleus within `max_distance_um`; "grow" also
        asks for cytoplasm signal above a threshold and puts borders where the signal is low or
        changes steeply

    Returns
    -------
    uint32 (Y, X), the same values as in `nuclei`

    Sources: seeded watershed, Meyer 1994; Li & Tam 1998, doi:10.1016/S0167-8655(98)00057-9.
    """
    if method not in ("ring", "grow"):
        raise BadConfig(
            seen=f"method {method!r}", wanted="ring or grow", do="correct segment.cells.method"
        )
    image, reach_px = Image.of(nuclei, "yx"), max_distance_um / pixel_size_um
    halo_px = int(np.ceil(2 * reach_px)) + 32
    levels: Levels | None = None
    if method == "grow" and pixels is not None and not image.one_block:
        levels = _sampled_levels(image, Image.of(pixels, "yx"), reach_px, halo_px)

    def grown(place: Place) -> np.ndarray:
        seeds = image[place].astype(np.uint32, copy=False)
        if not seeds.any():
            return seeds.copy()
        if method == "ring":
            return _ring(seeds, reach_px)
        distance = ndimage.distance_transform_edt(seeds == 0)
        cytoplasm = None if pixels is None else np.asarray(pixels[place])
        _check_channel(cytoplasm, seeds)
        assert cytoplasm is not None
        smooth = smoothed(cytoplasm)
        known = levels or levels_of(smooth, distance, reach_px)
        return _grow_on_signal(seeds, smooth, distance / reach_px, known)

    return image.by_block(grown, np.uint32, halo_px)


def _sampled_levels(nuclei: Image, pixels: Image, reach_px: float, halo_px: int) -> Levels:
    """Grey levels of the cytoplasm, from an even sample of its smoothed pixels."""
    step = nuclei.sample_step(SAMPLE_PX)
    smooth, distance = [], []
    for place in nuclei.blocks(step):
        outer, inner = widened(place, halo_px, nuclei.shape)
        seen, ground = pixels[outer], nuclei[outer] == 0
        check_plane(seen)
        far = np.full(seen.shape, np.inf)  # a block without nuclei
        away = far if ground.all() else ndimage.distance_transform_edt(ground)
        smooth.append(smoothed(seen)[inner][::step, ::step].ravel())
        distance.append(away[inner][::step, ::step].ravel())
    return levels_of(np.concatenate(smooth), np.concatenate(distance), reach_px)


def _ring(nuclei: np.ndarray, reach_px: float) -> np.ndarray:
    """Of each pixel (Y, X) the nearest nucleus, no farther away than that; else 0."""
    y, x = ndimage.distance_transform_edt(nuclei == 0, return_distances=False, return_indices=True)
    off_y = y - np.arange(len(y), dtype=y.dtype)[:, None]
    off_x = x - np.arange(y.shape[1], dtype=x.dtype)
    near = off_y * off_y + off_x * off_x <= reach_px**2 * (1 + 1e-12)
    out = np.zeros(nuclei.shape, np.uint32)
    out[near] = nuclei[y[near], x[near]]
    return out


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


class Levels(NamedTuple):
    """Grey levels of a cytoplasm channel: where cells begin, the darkest pixel, and what is bright
    inside of cells."""

    threshold: float
    low: float
    high: float


def smoothed(pixels: np.ndarray) -> np.ndarray:
    """Cytoplasm (Y, X) as cells are grown on it; float32."""
    return ndimage.gaussian_filter(pixels.astype(np.float32), SMOOTH_PX)


def levels_of(smooth: np.ndarray, distance: np.ndarray, reach_px: float) -> Levels:
    """Grey levels of smoothed pixels, by Li's minimum cross entropy.

    distance : of each pixel from the nearest nucleus, in pixels, 0 inside; same shape as `smooth`
    """
    from skimage.filters import threshold_li

    low = float(smooth.min())
    threshold = float(threshold_li(smooth)) if smooth.max() > low else np.inf
    inside = smooth[((distance <= reach_px) & (smooth > threshold)) | (distance == 0)]
    return Levels(threshold, low, float(np.percentile(inside, 99)) if inside.size else low)


def _grow_on_signal(
    nuclei: np.ndarray, smooth: np.ndarray, distance: np.ndarray, levels: Levels
) -> np.ndarray:
    """Cells (Y, X); `distance` from the nearest nucleus, in units of the reach."""
    from skimage.segmentation import watershed

    inside = ((distance <= 1) & (smooth > levels.threshold)) | (nuclei > 0)
    signal = np.clip((smooth - levels.low) / max(levels.high - levels.low, 1e-6), 0, 1)
    # flood from the nuclei over bright ground first; distance keeps cells compact where it is even
    cells = watershed(1 - signal + 0.5 * distance, nuclei.astype(np.int32), mask=inside)
    return cells.astype(np.uint32)


def cells_of_nuclei(nuclei: Plane, predicted: Plane) -> Plane:
    """Predicted cells, assigned to their nuclei; each contains its nucleus.

         ╭───────────────╮     a nucleus belongs to the predicted cell that covers most of it; of
         │  (3)  :  (4)  │     two in one cell, each takes the pixels that it is nearest to
         ╰───────────────╯

    nuclei, predicted : labels (Y, X), values 1..n

    Returns
    -------
    uint32 (Y, X), the values of `nuclei`. Predicted cells without a nucleus are discarded; a
    nucleus without a predicted cell becomes its own cell.
    """
    image = Image.of(nuclei, "yx")
    whole = image.zeros(np.uint32)
    home = _home(nuclei, predicted)
    held = np.bincount(home[home > 0], minlength=1)
    owner = np.zeros(len(held), np.uint32)
    owner[home] = np.arange(len(home))  # right where a cell holds one nucleus
    owner[0] = 0
    shared: dict[int, Box] = {}
    for place in blocks(image.shape):
        seeds, cells = image[place], np.asarray(predicted[place])
        cells = np.where(cells < len(held), cells, 0)  # the last ones may hold none
        whole[place] = np.where(seeds > 0, seeds, owner[cells])
        for value, box in boxes_of(np.where(held[cells] > 1, cells, 0), place):
            shared[value] = box | shared.get(value, box)
    for value, box in shared.items():
        _share(nuclei, predicted, whole, home, value, box.place)
    return plain(whole)


def _share(
    nuclei: Plane, predicted: Plane, cells: Plane, home: np.ndarray, value: int, box: Place
) -> None:
    """Assign the pixels of a predicted cell to the nearest of the nuclei in it."""
    seeds = np.asarray(nuclei[box]).astype(np.uint32)
    inside = (np.asarray(predicted[box]) == value) & (seeds == 0)
    seeds[home[seeds] != value] = 0
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    cells[box] = np.where(inside, seeds[tuple(nearest)], cells[box])


def _home(nuclei: Plane, predicted: Plane) -> np.ndarray:
    """For each value of `nuclei`, the predicted cell covering most of it; 0 for none. (n + 1,)"""
    keys, counts = [], []
    for place in blocks(nuclei.shape):
        seeds, cells = np.asarray(nuclei[place]), np.asarray(predicted[place])
        inside = seeds > 0
        pairs = seeds[inside].astype(np.uint64) << np.uint64(32) | cells[inside].astype(np.uint64)
        key, count = np.unique(pairs, return_counts=True)
        keys.append(key)
        counts.append(count)
    key, pair = np.unique(np.concatenate(keys), return_inverse=True)
    shared = np.bincount(pair, np.concatenate(counts))
    nucleus, cell = ((key >> np.uint64(32)).astype(np.int64), (key & 0xFFFFFFFF).astype(np.int64))
    shared[cell == 0] = 0  # outside of every cell counts only where there is no other
    home = np.zeros(int(nucleus.max(initial=0)) + 1, np.int64)
    order = np.argsort(shared, kind="stable")  # the largest overlap is written last
    home[nucleus[order]] = cell[order]
    return home


def cytoplasm(cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Cell minus nucleus, uint32 (Y, X), the same values; a cell may have none."""
    return np.where(nuclei > 0, 0, cells).astype(np.uint32)
