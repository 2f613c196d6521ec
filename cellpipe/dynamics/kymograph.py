"""Kymographs: intensities along a line, frame below frame.

    x ──►                  position along the line ──►
·  a ──●── b      t = 0    · ● · · ·
                  t = 1    · · ● · ·        a spot that moves along the line is a slope:
                  t = 2    · · · ● ·        position / time = velocity
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates


def kymograph(pixels: np.ndarray, line: np.ndarray, width_px: float = 1) -> np.ndarray:
    """Intensity along a line over time.

    Parameters
    ----------
    pixels : array, shape (T, Y, X)
    line : array, shape (N, 2)
        y and x of the line's corners, in pixels from the centre of the top-left pixel.
    width_px : float
        Width of the band that is averaged across the line.

    Returns
    -------
    array, shape (T, S), float64
        One column per pixel of length, from the first corner on; S is the length, rounded down,
        plus 1. NaN where the band leaves the image.
    """
    places = band(line, width_px)
    return np.stack([line_profile(plane, places) for plane in pixels])


def line_profile(plane: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Mean over a band (from `band`) of one plane (Y, X), shape (S,)."""
    values = map_coordinates(
        plane.astype(np.float64), places, order=1, mode="constant", cval=np.nan
    )
    return values.mean(axis=0)


def band(line: np.ndarray, width_px: float) -> np.ndarray:
    """y and x of the positions along and across a line, shape (2, W, S), a pixel apart."""
    corners = np.asarray(line, np.float64)
    corners = corners[np.r_[True, (np.diff(corners, axis=0) != 0).any(axis=1)]]
    sides = np.diff(corners, axis=0)
    length = np.hypot(*sides.T)
    start = np.r_[0, np.cumsum(length)]
    along = np.arange(np.floor(start[-1] + 1e-9) + 1)
    side = np.clip(np.searchsorted(start, along, side="right") - 1, 0, len(sides) - 1)
    direction = sides / length[:, None]
    at = corners[side] + (along - start[side])[:, None] * direction[side]  # (S, 2)
    across = direction[side] @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    n_lines = max(1, round(width_px))
    offset = np.arange(n_lines) - (n_lines - 1) / 2
    return at.T[:, None, :] + offset[None, :, None] * across.T[:, None, :]
