"""Spots as peaks of the Laplacian of Gaussian, and the response of that filter to any spot."""

from __future__ import annotations

import numpy as np

from cellpipe.detect.evidence import Tests, are_spots
from cellpipe.detect.filters import (
    DIAMETER_TO_SIGMA,
    WIDER,
    Answer,
    blob_answer,
    peaks,
    width_from_two_scales,
)

USUAL = Tests()


def locate_by_log(
    image: np.ndarray, sigma_px: float, threshold: float, min_roundness: float
) -> np.ndarray:
    """Peaks of the scale-normalised Laplacian of Gaussian: y, x and `measures`, (S, 5).

    Lindeberg, Int. J. Comput. Vis. 30, 1998. Position: the top of the paraboloid through the
    3 x 3 filtered pixels around the peak.
    """
    answer = blob_answer(image, sigma_px)
    if answer is None:
        return np.zeros((0, 5))
    # within one radius there is one spot: a saturated one answers with a ring of peaks
    radius_px = max(1, round(DIAMETER_TO_SIGMA * sigma_px / 2))
    y, x = peaks(answer.filtered, radius_px, least=answer.middle + threshold * answer.noise)
    shift_y, shift_x, roundness = paraboloid(answer.filtered, y, x)
    good = roundness >= min_roundness
    tests = USUAL if min_roundness else Tests(least_roundness=-np.inf)
    good[good] = looks_like_spots(image, answer, y[good], x[good], sigma_px, tests)
    y, x, shift_y, shift_x = y[good], x[good], shift_y[good], shift_x[good]
    measured = measures(answer, y, x, sigma_px)
    return np.column_stack([y + shift_y, x + shift_x, measured])


def looks_like_spots(
    image: np.ndarray,
    answer: Answer,
    y: np.ndarray,
    x: np.ndarray,
    sigma_px: float,
    tests: Tests = USUAL,
) -> np.ndarray:
    """Whether there is a spot at pixels, bool (S,): for the places that any engine proposes."""
    good = are_spots(image, answer.pixel_noise, y, x, sigma_px, tests)
    width = measures(answer, y[good], x[good], sigma_px)[:, 1]
    # where no width explains the light, it may be one
    good[good] = ~((width > tests.widest * sigma_px) | (width < tests.narrowest * sigma_px))
    return good


def measures(answer: Answer, y: np.ndarray, x: np.ndarray, sigma_px: float) -> np.ndarray:
    """Height in counts, sigma in pixels, height in standard deviations nearby, at pixels; (S, 3).

    Height is that over the local background. The same for spots of any engine that has no
    measures of its own.
    """
    height = answer.filtered[y, x]
    width = width_from_two_scales(height, answer.wide[y, x], sigma_px, WIDER * sigma_px)
    # a Gaussian of height 1 and this very sigma answers with 1/2
    return np.stack([2 * height, width, (height - answer.middle) / answer.noise[y, x]], axis=1)


def paraboloid(
    filtered: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shift in y and x to the top of each peak (at most half a pixel), and its roundness.

    Roundness is the smaller curvature divided by the larger: 1 on a spot, near 0 on an edge.
    """
    near = [[filtered[y + dy, x + dx] for dx in (-1, 0, 1)] for dy in (-1, 0, 1)]
    slope_y, slope_x = (near[2][1] - near[0][1]) / 2, (near[1][2] - near[1][0]) / 2
    yy = near[2][1] - 2 * near[1][1] + near[0][1]
    xx = near[1][2] - 2 * near[1][1] + near[1][0]
    xy = (near[2][2] - near[2][0] - near[0][2] + near[0][0]) / 4
    middle, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    roundness = np.divide(middle + spread, middle - spread, out=np.zeros(len(y)), where=middle < 0)
    determinant = yy * xx - xy**2
    safe = np.where(determinant > 0, determinant, np.inf)
    shift_y = (xy * slope_x - xx * slope_y) / safe
    shift_x = (xy * slope_y - yy * slope_x) / safe
    return np.clip(shift_y, -0.5, 0.5), np.clip(shift_x, -0.5, 0.5), roundness
