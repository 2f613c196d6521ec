"""Shapes of all objects of a frame beyond their ellipse and hull: outline, width, radii, moments.

Definitions are those of `skimage.measure.regionprops` where it has them, of CellProfiler's
MeasureObjectSizeShape else. Arguments `rank`, `flat`, `start` are those of `texture.haralick`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import njit
from scipy import ndimage

from cellpipe.measure.columns import NORMALISED, RAW
from cellpipe.measure.shape import perimeter

# Euler number of a shape by the 2 × 2 patterns along its outline, of which diagonal pixels touch;
# numbered as in `shape.CROFTON`
EULER = np.array([0, 1, 1, 0, 1, 0, -2, -1, 1, -2, 0, -1, 0, -1, -1, 0]) / 4
STRAIGHT, DIAGONAL, CORNER = 1.0, np.sqrt(2), (1 + np.sqrt(2)) / 2


def euler_number(padded: np.ndarray, n: int) -> np.ndarray:
    """Pieces less holes of each object, (n,); `padded` as `shape.ranked` gives it."""
    return np.rint(perimeter(padded, n, EULER))


def edge_distances(rank: np.ndarray, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel to the nearest that is not of its object, in pixels, (P,) twice.

    First with the border of the frame as an edge, then without: an object may go on behind it.
    """
    closed, opened = np.zeros(rank.shape), np.zeros(rank.shape)
    for number, box in enumerate(ndimage.find_objects(rank + 1)):
        if box is None:
            continue
        own = rank[box] == number
        inside = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1][own]
        closed[box][own] = opened[box][own] = inside
        if all(c.start and c.stop < n for c, n in zip(box, rank.shape, strict=True)):
            continue
        around = tuple(slice(max(0, cut.start - 1), cut.stop + 1) for cut in box)
        own = rank[around] == number
        # without any edge, all of the object is equally far
        opened[around][own] = 1.0 if own.all() else ndimage.distance_transform_edt(own)[own]
    return closed.ravel()[flat], opened.ravel()[flat]


def filled_count(rank: np.ndarray, n: int) -> np.ndarray:
    """Pixels of each object with its holes, (n,); what lies in a hole counts too."""
    count = np.zeros(n)
    for number, box in enumerate(ndimage.find_objects(rank + 1, n)):
        if box is not None:
            count[number] = ndimage.binary_fill_holes(rank[box] == number).sum()
    return count


def medians(start: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Median of the values (P,) of each object's pixels, (N,)."""
    return np.array([np.median(value[a:b]) for a, b in pairwise(start)])


def boxes(flat: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """Height and width of the box around each object, in pixels, (N, 2)."""
    y, x = np.divmod(flat, width)
    first = start[:-1]
    return np.stack(
        [np.maximum.reduceat(v, first) - np.minimum.reduceat(v, first) + 1 for v in (y, x)], axis=1
    )


def outline_length(rank: np.ndarray, flat: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Length of each outline from pixel to pixel along the edge, (N,): Benkrid & Crookes (2000), as
    `skimage.measure.perimeter`."""
    out = np.zeros(len(start) - 1)
    _outline_length(rank, flat, start, out)
    return out


def feret_diameters(flat: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """Least and greatest distance of parallel lines around the pixel centres, (N, 2)."""
    out = np.zeros((len(start) - 1, 2))
    _feret_diameters(flat, start, width, out)
    return out


def moments(flat: np.ndarray, start: np.ndarray, width: int) -> dict[str, np.ndarray]:
    """Moments of the pixels of each object, in pixels, each of shape (N,).

    moment_p_q from the corner of its box, central_moment_p_q, normalised_moment_p_q, hu_moment_k
    (Hu 1962), inertia_p_q and its eigenvalues inertia_0, inertia_1; p counts y, q counts x.
    """
    first, count = start[:-1], np.diff(start)
    y, x = (v.astype(np.float64) for v in np.divmod(flat, width))
    y, x = (v - np.repeat(np.minimum.reduceat(v, first), count) for v in (y, x))
    dy, dx = (v - np.repeat(np.add.reduceat(v, first) / count, count) for v in (y, x))
    columns = {f"moment_{p}_{q}": np.add.reduceat(y**p * x**q, first) for p, q in RAW}
    central = {(p, q): np.add.reduceat(dy**p * dx**q, first) for p in range(4) for q in range(4)}
    columns |= {f"central_moment_{p}_{q}": central[p, q] for p, q in RAW}
    normalised = {(p, q): central[p, q] / count ** ((p + q) / 2 + 1) for p, q in NORMALISED}
    columns |= {f"normalised_moment_{p}_{q}": normalised[p, q] for p, q in NORMALISED}
    columns |= _hu(normalised)
    yy, xx, yx = (central[k] / count for k in ((2, 0), (0, 2), (1, 1)))
    half, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    return columns | {
        "inertia_0_0": xx,
        "inertia_0_1": -yx,
        "inertia_1_0": -yx,
        "inertia_1_1": yy,
        "inertia_0": half + spread,
        "inertia_1": np.maximum(half - spread, 0),
        "orientation": np.degrees(_orientation(yy, xx, yx)),
    }


def _orientation(yy: np.ndarray, xx: np.ndarray, yx: np.ndarray) -> np.ndarray:
    """Angle of the long axis from that of y, in radians, as regionprops has it."""
    tied = xx == yy
    turned = np.where(yx > 0, np.pi / 4, -np.pi / 4)
    # a shape as wide as high lies along a diagonal, or along none
    return np.where(tied, turned, 0.5 * np.arctan2(2 * yx, yy - xx))


def _hu(n: dict[tuple[int, int], np.ndarray]) -> dict[str, np.ndarray]:
    """Hu's seven moments, which stay when an object is turned, moved or enlarged."""
    a, b = n[3, 0] + n[1, 2], n[2, 1] + n[0, 3]
    c, d = n[3, 0] - 3 * n[1, 2], 3 * n[2, 1] - n[0, 3]
    e = n[2, 0] - n[0, 2]
    hu = (
        n[2, 0] + n[0, 2],
        e**2 + 4 * n[1, 1] ** 2,
        c**2 + d**2,
        a**2 + b**2,
        c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
        e * (a**2 - b**2) + 4 * n[1, 1] * a * b,
        d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
    )
    return {f"hu_moment_{k}": value for k, value in enumerate(hu)}


@njit(cache=True, nogil=True)
def _at_edge(rank: np.ndarray, y: int, x: int, k: int) -> bool:
    """Whether a pixel is of object k, and next to one that is not, or to the frame's border."""
    height, width = rank.shape
    if y < 0 or x < 0 or y >= height or x >= width or rank[y, x] != k:
        return False
    if y == 0 or x == 0 or y == height - 1 or x == width - 1:
        return True
    return rank[y - 1, x] != k or rank[y + 1, x] != k or rank[y, x - 1] != k or rank[y, x + 1] != k


@njit(cache=True, nogil=True)
def _outline_length(rank: np.ndarray, flat: np.ndarray, start: np.ndarray, out: np.ndarray) -> None:
    width = rank.shape[1]
    for k in range(len(start) - 1):
        for place in range(start[k], start[k + 1]):
            y, x = flat[place] // width, flat[place] % width
            if not _at_edge(rank, y, x, k):
                continue
            sides = corners = 0
            for v in range(-1, 2):
                for u in range(-1, 2):
                    if (v or u) and _at_edge(rank, y + v, x + u, k):
                        if v and u:
                            corners += 1
                        else:
                            sides += 1
            pattern = 1 + 2 * sides + 10 * corners
            if pattern in (5, 7, 15, 17, 25, 27):
                out[k] += STRAIGHT
            elif pattern in (21, 33):
                out[k] += DIAGONAL
            elif pattern in (13, 23):
                out[k] += CORNER


@njit(cache=True, nogil=True)
def _feret_diameters(flat: np.ndarray, start: np.ndarray, width: int, out: np.ndarray) -> None:
    for k in range(len(start) - 1):
        hull = _hull(flat[start[k] : start[k + 1]], width)
        n = len(hull)
        for i in range(n):
            for j in range(i):
                far = np.hypot(hull[i, 0] - hull[j, 0], hull[i, 1] - hull[j, 1])
                out[k, 1] = max(out[k, 1], far)
        if n < 3:
            continue  # a line has no width
        least = np.inf
        for i in range(n):
            a, b = hull[i], hull[(i + 1) % n]
            dy, dx = b[0] - a[0], b[1] - a[1]
            far = 0.0
            for j in range(n):
                far = max(far, abs(dy * (hull[j, 1] - a[1]) - dx * (hull[j, 0] - a[0])))
            least = min(least, far / np.hypot(dy, dx))
        out[k, 0] = least


@njit(cache=True, nogil=True)
def _hull(own: np.ndarray, width: int) -> np.ndarray:
    """Convex hull of pixel centres, which come row by row (Andrew's monotone chain); (H, 2)."""
    points = np.empty((len(own), 2), np.float64)
    for i in range(len(own)):
        points[i, 0], points[i, 1] = own[i] // width, own[i] % width
    hull = np.empty((2 * len(own) + 1, 2), np.float64)
    n = 0
    for way in range(2):
        least = n + 2
        for i in range(len(points)):
            p = points[i] if way == 0 else points[len(points) - 1 - i]
            while n >= least and _turn(hull[n - 2], hull[n - 1], p) <= 0:
                n -= 1
            hull[n] = p
            n += 1
        n -= 1  # the last point begins the other half
    return hull[: max(n, 1)]


@njit(cache=True, nogil=True)
def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
