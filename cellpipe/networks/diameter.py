"""The size of objects in an image, and the scale of the image for a network.

A network is trained on objects of some diameters (its card's `diameter_px`). An image whose
objects are smaller or larger is rescaled first. If no diameter is given, it is searched for
(`cellpipe.networks.scale_search`).
"""

from __future__ import annotations

import numpy as np

# objects that are too small are brought well into the range: at its lower end a network is weak
ENLARGED_TO = 1.75
MOST_ENLARGED = 3.0  # small objects may be debris, and the work grows with the square
STEPS = 4  # scales are quarters: a pixel more or less changes nothing
LEAST_SCALE = 1 / 16

Range = tuple[float, float]


def working_scale(
    diameter_px: float | None, known_px: Range | None, enlarged_to: float = 1.0
) -> float:
    """Factor that brings objects of a diameter to those that a network was trained on.

    1 where either is not known. Smaller objects are brought to `enlarged_to` times the least
    diameter, larger ones to the largest.
    """
    if diameter_px is None or known_px is None:
        return 1.0
    low, high = known_px
    if diameter_px < low:
        return enlarged_to * low / diameter_px
    return min(1.0, high / diameter_px)


def reachable_px(known_px: Range | None) -> Range | None:
    """Diameters in an image that can be brought to those that a network was trained on."""
    if known_px is None:
        return None
    return ENLARGED_TO * known_px[0] / MOST_ENLARGED, known_px[1] / LEAST_SCALE


def scaled_shape(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    """(Y, X) at another scale, at least one pixel."""
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def typical_diameter_px(areas_px: np.ndarray) -> float:
    """Diameter of a disc of the median area."""
    return float(2 * np.sqrt(np.median(areas_px) / np.pi))


def prevailing_diameter_px(areas_px: np.ndarray) -> float:
    """Median diameter, of objects that count by their diameter.

    So neither debris nor a few huge objects determine the size of the others.
    """
    diameters = np.sort(2 * np.sqrt(areas_px / np.pi))
    half = np.searchsorted(np.cumsum(diameters), diameters.sum() / 2)
    return float(diameters[half])


def island_diameter_px(mask: np.ndarray, pixel_px: float = 1.0) -> float:
    """Diameter of the largest disc within an island of a mask (Y, X), of those that prevail.

    pixel_px : edge of the mask's pixels in those of the image. Returns 0 for an empty mask.
    """
    from scipy import ndimage  # here, because most images do not need it

    distance = ndimage.distance_transform_edt(np.pad(ndimage.binary_fill_holes(mask), 1))
    islands, n = ndimage.label(distance > 0)
    if n == 0:
        return 0.0
    radius = np.asarray(ndimage.maximum(distance, islands, np.arange(1, n + 1)))
    return pixel_px * prevailing_diameter_px(np.pi * radius**2)


def stepped_scale(diameter_px: float, known_px: Range | None) -> float:
    """As `working_scale`, in steps and within limits: for diameters that are not quite certain."""
    scale = min(working_scale(diameter_px, known_px, ENLARGED_TO), MOST_ENLARGED)
    return scale if scale < 1 else round(scale * STEPS) / STEPS
