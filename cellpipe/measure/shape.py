"""Shapes of all objects of a frame at once: ellipses, perimeters, convex hulls.

Objects are ranks 0 .. N-1; ``y`` and ``x`` list the pixels of all objects, object after object and
in raster order within each: object ``i`` has ``count[i]`` of them from ``start[i]``. Definitions
are those of ``skimage.measure.regionprops``, against which the tests hold them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Perimeter of a shape by the 2 x 2 patterns along its outline: intersections with lines in four
# directions after Cauchy-Crofton (Legland, Kieu & Devaux, Image Anal. Stereol. 26, 2007). The
# pattern of a window is the sum of 8, 2, 4, 1 over its top-left, top-right, bottom-left and
# bottom-right pixels that belong to the object.
_D, _S = np.pi / (4 * np.sqrt(2)), np.pi / 4  # diagonal and straight lines
CROFTON = np.array(
    [0, _S + _D, _D, 2 * _D, 0, _S + _D, 0, _D, _S, 2 * _S, _D, _D, _S, 2 * _S, 0, 0]
)


@dataclass(frozen=True)
class Ellipses:
    """Centroid, full axes (pixels) and eccentricity of N objects, each of shape (N,)."""

    y_px: np.ndarray
    x_px: np.ndarray
    major_px: np.ndarray
    minor_px: np.ndarray
    eccentricity: np.ndarray


def ellipse(y: np.ndarray, x: np.ndarray, start: np.ndarray, count: np.ndarray) -> Ellipses:
    """The ellipse that has the same second moments as each object."""

    def mean(value: np.ndarray) -> np.ndarray:
        return np.add.reduceat(value, start) / count

    y_px, x_px = mean(y), mean(x)
    dy, dx = y - np.repeat(y_px, count), x - np.repeat(x_px, count)
    yy, xx, xy = mean(dy * dy), mean(dx * dx), mean(dy * dx)
    middle, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    large, small = middle + spread, np.maximum(middle - spread, 0)
    # a single pixel has no axes: it counts as round
    flatness = np.divide(small, large, out=np.ones(len(count)), where=large > 0)
    return Ellipses(
        y_px, x_px, 4 * np.sqrt(large), 4 * np.sqrt(small), np.sqrt(np.maximum(1 - flatness, 0))
    )


def ranked(shape: tuple[int, ...], y: np.ndarray, x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Image of ranks with a rim of background, int32, shape (Y + 2, X + 2); -1 background."""
    ranks = np.full((shape[0] + 2, shape[1] + 2), -1, dtype=np.int32)
    ranks[y + 1, x + 1] = np.repeat(np.arange(len(count), dtype=np.int32), count)
    return ranks


def touches_border(ranks: np.ndarray, n: int) -> np.ndarray:
    """Whether an object has a pixel in the frame's outermost rows or columns, bool, (N,)."""
    touching = np.zeros(n + 1, dtype=bool)  # the last entry takes the background's rank, -1
    for edge in (ranks[1], ranks[-2], ranks[:, 1], ranks[:, -2]):
        touching[edge] = True
    return touching[:n]


def crofton(y_edge: float = 1.0, x_edge: float = 1.0) -> np.ndarray:
    """Weight of each pattern, for pixels of any edges; those of squares are `CROFTON`.

    A line of a direction counts with the distance to its neighbour (the pixel's area over the
    step along the line), and each direction with its share of the half circle (Legland et al.).
    """
    if y_edge == x_edge:
        return CROFTON * y_edge
    diagonal = np.arctan2(y_edge, x_edge)
    along_x = y_edge * diagonal
    along_y = x_edge * (np.pi / 2 - diagonal)
    slanted = np.pi / 4 * y_edge * x_edge / np.hypot(y_edge, x_edge)
    # crossings in each pattern: of lines along x (leaving at the top), along y (entering at the
    # right), and along both diagonals
    n_x = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0])
    n_y = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0])
    n_slanted = np.array([0, 1, 1, 2, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0])
    return n_x * along_x + n_y * along_y + n_slanted * slanted


def perimeter(ranks: np.ndarray, n: int, weights: np.ndarray = CROFTON) -> np.ndarray:
    """Crofton perimeter of each object in pixels, (N,); neighbours do not disturb each other.

    weights : of the 16 patterns, (16,), see `crofton`
    """
    corners = (ranks[:-1, :-1], ranks[:-1, 1:], ranks[1:, :-1], ranks[1:, 1:])
    outline = np.zeros(corners[0].shape, dtype=bool)
    for corner in corners[1:]:
        outline |= corner != corners[0]
    windows = [corner[outline] for corner in corners]  # four of shape (W,)
    total = np.zeros(n)
    for place, rank in enumerate(windows):
        # each object once per window: at the first of its corners
        first = rank >= 0
        for earlier in windows[:place]:
            first &= rank != earlier
        pattern = np.zeros(len(rank), dtype=np.int64)
        for other, weight in zip(windows, (8, 2, 4, 1), strict=True):
            pattern += weight * (other == rank)
        total += np.bincount(rank[first], weights[pattern[first]], n)
    return total


def hull_area(y: np.ndarray, x: np.ndarray, start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Number of pixels in each object's convex hull, int64, (N,).

    The hull is that of the midpoints of all pixel edges; a pixel counts when its centre is in
    it. Each object's left and right outlines are lists of points that run down its rows, and all
    lists are concatenated, so that every object's hull is found in the same few passes.
    """
    if not len(start):
        return np.zeros(0, dtype=np.int64)  # there is nothing to interpolate in an empty frame
    top, bottom = y[start], y[start + count - 1]
    height = bottom - top + 1
    offset = np.cumsum(height) - height
    row = np.repeat(offset - top, count) + y
    left = np.full(height.sum(), np.inf)
    right = np.full(height.sum(), -np.inf)
    # within a row pixels run from left to right, and the last assignment counts
    right[row] = x
    left[row[::-1]] = x[::-1]
    # the right side is the left side of the mirror image
    first, last = first_in_hull(left, offset, height), -first_in_hull(-right, offset, height)
    return np.add.reduceat(last - first + 1, offset)


def first_in_hull(side: np.ndarray, offset: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Leftmost pixel of the hull in every row of every object, int64, shape (R,).

    Parameters
    ----------
    side : array, shape (R,)
        Leftmost pixel of each row, object after object; inf in a row without any.
    offset, height : arrays, shape (N,)
        Where each object's rows begin, and how many they are.
    """
    y, x, fixed = edge_points(side, offset, height)
    while True:
        # A point on or right of the line between its neighbours is no corner of the hull; as
        # this holds whichever points go with it, all such points go at once.
        slope = (x[2:] - x[:-2]) / (y[2:] - y[:-2])
        line = x[:-2] + slope * (y[1:-1] - y[:-2])
        keep = np.ones(len(x), dtype=bool)
        keep[1:-1] = (x[1:-1] < line - 1e-9) | fixed[1:-1]
        if keep.all():
            break
        y, x, fixed = y[keep], x[keep], fixed[keep]
    rows = np.arange(len(side)) + np.repeat(np.arange(len(offset)), height)
    return np.ceil(np.interp(rows, y, x) - 1e-9).astype(np.int64)


def edge_points(
    side: np.ndarray, offset: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints of the pixel edges along one side: y, x and whether it ends an object's list.

    Objects are placed below each other with one row between them, so y ascends throughout.
    """
    n = len(offset)
    gap = np.arange(n)
    middle = np.arange(len(side)) + np.repeat(gap, height)
    # the upper and lower edges of a row are half a pixel right of its side edge
    y = np.concatenate([middle - 0.5, middle, middle + 0.5]).astype(np.float64)
    x = np.concatenate([side, side - 0.5, side])
    order = np.lexsort((x, y))
    y, x = y[order], x[order]
    # two rows share an edge: the outer of the two points is kept
    single = np.isfinite(x) & (np.diff(y, prepend=-1) > 0)
    y, x = y[single], x[single]
    top = offset + gap - 0.5
    return y, x, np.isin(y, np.concatenate([top, top + height]))
