"""Zernike moments of shapes, and of the light in them, about the smallest circle around an object.

A moment (n, m) is the mean of a polynomial on the unit disc, of radial order n and m-fold about its
centre; its magnitude stays when the object is turned. All up to n = 9 are measured (Boland et al.,
Cytometry 33, 366, 1998), by the conventions of CellProfiler: shapes are divided by the area of the
circle, light by the number of pixels, and a phase is the angle from the axis of y.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numba import njit

from cellpipe.measure.columns import ZERNIKE, ZERNIKE_ORDER


def _polynomials() -> np.ndarray:
    """Coefficients of r^(n - 2k) in the radial polynomial of each moment, (30, 5)."""
    rows = np.zeros((len(ZERNIKE), ZERNIKE_ORDER // 2 + 1))
    for row, (n, m) in zip(rows, ZERNIKE, strict=True):
        for k in range((n - m) // 2 + 1):
            below = factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k)
            row[k] = (-1) ** k * factorial(n - k) / below
    return rows


POLYNOMIALS = _polynomials()
INDEX = np.array(ZERNIKE)


def circles(flat: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """The smallest circle around the pixel centres of each object: y, x, radius, (N, 3)."""
    out = np.zeros((len(start) - 1, 3))
    _circles(flat, start, width, out)
    return out


def moments(
    flat: np.ndarray, start: np.ndarray, width: int, circle: np.ndarray, value: np.ndarray | None
) -> np.ndarray:
    """Sums of the moments' polynomials over the pixels of each object, complex (N, 30).

    NaN for an object of one pixel, which has no circle.

    Parameters
    ----------
    flat, start : see `texture.haralick`; width : of the frame
    circle : see `circles`
    value : weights of the pixels (P,); None: 1 each
    """
    out = np.full((len(start) - 1, len(ZERNIKE)), np.nan, np.complex128)
    weight = np.ones(len(flat)) if value is None else value.astype(np.float64)
    _moments(flat, start, width, circle, weight, POLYNOMIALS, INDEX, out)
    return out


def shape_magnitudes(sums: np.ndarray, circle: np.ndarray) -> np.ndarray:
    """Magnitudes of `moments` without weights, (N, 30)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(sums) / (np.pi * circle[:, 2:] ** 2)


def light_magnitudes(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Magnitudes of `moments` with grey values as weights, (N, 30)."""
    return np.abs(sums) / count[:, None]


def light_phases(sums: np.ndarray) -> np.ndarray:
    """Phases of `moments`, in radians, (N, 30)."""
    return np.arctan2(sums.real, sums.imag)


@njit(cache=True, nogil=True)
def _moments(
    flat: np.ndarray,
    start: np.ndarray,
    width: int,
    circle: np.ndarray,
    weight: np.ndarray,
    polynomials: np.ndarray,
    index: np.ndarray,
    out: np.ndarray,
) -> None:
    powers = np.empty(ZERNIKE_ORDER + 1, np.complex128)
    for k in range(len(start) - 1):
        radius = circle[k, 2]
        if radius == 0:
            continue
        sums = np.zeros(len(index), np.complex128)
        for place in range(start[k], start[k + 1]):
            y = (flat[place] // width - circle[k, 0]) / radius
            x = (flat[place] % width - circle[k, 1]) / radius
            square = y * y + x * x
            if square > 1 + 1e-9:  # those on the circle are in, whatever they are rounded to
                continue
            powers[0] = 1.0
            for m in range(1, ZERNIKE_ORDER + 1):
                powers[m] = powers[m - 1] * complex(y, x)
            for i in range(len(index)):
                n, m = index[i, 0], index[i, 1]
                radial = 0.0  # r^m is in the power
                for j in range((n - m) // 2 + 1):
                    radial = radial * square + polynomials[i, j]
                sums[i] += weight[place] * radial * powers[m]
        out[k] = sums


@njit(cache=True, nogil=True)
def _circles(flat: np.ndarray, start: np.ndarray, width: int, out: np.ndarray) -> None:
    for k in range(len(start) - 1):
        points = _ends_of_rows(flat[start[k] : start[k + 1]], width)
        out[k] = _circle(points)


@njit(cache=True, nogil=True)
def _ends_of_rows(own: np.ndarray, width: int) -> np.ndarray:
    """First and last pixel of each row of an object: its hull is theirs; (Q, 2)."""
    points = np.empty((2 * len(own), 2))
    n = 0
    for i in range(len(own)):
        y, x = own[i] // width, own[i] % width
        first = i == 0 or own[i - 1] // width != y
        last = i == len(own) - 1 or own[i + 1] // width != y
        if first or last:
            points[n, 0], points[n, 1] = y, x
            n += 1
    return points[:n]


@njit(cache=True, nogil=True)
def _circle(points: np.ndarray) -> np.ndarray:
    """Smallest circle around points (Q, 2): that of two or three of them.

    Incremental, as in Welzl (1991), New Results and New Trends in Computer Science, 359; the order
    of the points is shuffled by a fixed rule, since sorted ones are the slow case.
    """
    n = len(points)
    order = (np.arange(n) * 7919) % n if n % 7919 else np.arange(n)
    p = points[order]
    circle = np.array([p[0, 0], p[0, 1], 0.0])
    for i in range(1, n):
        if _inside(circle, p[i]):
            continue
        circle = np.array([p[i, 0], p[i, 1], 0.0])
        for j in range(i):
            if _inside(circle, p[j]):
                continue
            circle = _by_two(p[i], p[j])
            for k in range(j):
                if not _inside(circle, p[k]):
                    circle = _by_three(p[i], p[j], p[k])
    return circle


@njit(cache=True, nogil=True)
def _inside(circle: np.ndarray, point: np.ndarray) -> bool:
    return np.hypot(point[0] - circle[0], point[1] - circle[1]) <= circle[2] * (1 + 1e-12) + 1e-12


@njit(cache=True, nogil=True)
def _by_two(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    y, x = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    return np.array([y, x, np.hypot(a[0] - y, a[1] - x)])


@njit(cache=True, nogil=True)
def _by_three(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Circle through three points; of the two farthest, should they be on a line."""
    by, bx, cy, cx = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    cross = 2 * (by * cx - bx * cy)
    if cross == 0:
        best = _by_two(a, b)
        for other in (_by_two(a, c), _by_two(b, c)):
            if other[2] > best[2]:
                best = other
        return best
    bb, cc = by * by + bx * bx, cy * cy + cx * cx
    y, x = (cx * bb - bx * cc) / cross, (by * cc - cy * bb) / cross
    return np.array([a[0] + y, a[1] + x, np.hypot(y, x)])
