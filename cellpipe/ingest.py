"""Put the planes of one frame together, and say what they look like.

Arrays in, arrays out: reading files is the script's, storing is `plate`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from cellpipe.errors import BadImage


def assemble(
    planes: Mapping[tuple[str, int], np.ndarray],
    channels: Sequence[str],
    *,
    shape: tuple[int, int],
    dtype: str,
    n_z: int,
    project_z: bool,
) -> np.ndarray:
    """Stack planes into a frame.

    Parameters
    ----------
    planes : (channel, z) → plane (Y, X)
    channels : in the order of the channel axis
    shape, dtype : of every plane, as laid out
    n_z : planes that each channel should have; a channel with one plane is a projection already
    project_z : give the maximum over z

    Returns
    -------
    array, shape (C, Z, Y, X); Z is 1 if `project_z`

    Raises
    ------
    BadImage
        If a channel or a plane is missing, or a plane has another shape or dtype.
    """
    stacks = []
    for channel in channels:
        stack = [plane for (name, _), plane in sorted(planes.items()) if name == channel]
        _refuse_holes(channel, len(stack), n_z, project_z)
        for plane in stack:
            _refuse_other(plane, channel, shape, dtype)
        stacks.append(np.max(stack, axis=0)[None] if project_z else np.stack(stack))
    return np.stack(stacks)


def _refuse_holes(channel: str, found: int, n_z: int, project_z: bool) -> None:
    if found == n_z or (found == 1 and project_z):
        return
    raise BadImage(
        seen=f"channel '{channel}' is missing" if not found else f"{found} planes of '{channel}'",
        wanted=f"{n_z} plane(s) of every channel",
        do="copy the missing files from the microscope, then inspect the plate again",
    )


def _refuse_other(plane: np.ndarray, channel: str, shape: tuple[int, int], dtype: str) -> None:
    if plane.shape != tuple(shape) or plane.dtype != np.dtype(dtype):
        raise BadImage(
            seen=f"a plane of '{channel}' is {plane.shape[0]} × {plane.shape[1]}, {plane.dtype}",
            wanted=f"{shape[0]} × {shape[1]}, {dtype}, like the others of the field",
            do="export the field again with one camera setting",
        )


def frame_figures(frame: np.ndarray, channels: Sequence[str]) -> dict[str, float]:
    """Mean, and the fraction of saturated pixels, of each channel of a frame (C, Z, Y, X)."""
    figures = {}
    for channel, stack in zip(channels, frame, strict=True):
        figures[f"{channel}_mean"] = float(stack.mean())
        top = np.iinfo(stack.dtype).max if stack.dtype.kind in "ui" else np.inf
        figures[f"{channel}_saturated"] = float((stack == top).mean())
    return figures


def pixel_digest(frame: np.ndarray) -> str:
    """sha256 of a frame's shape, dtype and pixels: equal pixels, equal digest, wherever they lie."""
    digest = hashlib.sha256(f"{frame.shape} {frame.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()[:32]


def contrast_window(samples: Sequence[np.ndarray]) -> tuple[float, float]:
    """Display range of a channel: darkest to all but the brightest 0.1 % of sampled planes."""
    pixels = np.concatenate([plane.ravel()[::7] for plane in samples])
    low, high = np.percentile(pixels, [0.5, 99.9])
    return float(low), float(max(high, low + 1))
