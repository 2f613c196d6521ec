"""A background with a pattern of its own: a dark field.

Light that does not come through the sample (reflections, stray light, glow of the plate) is added
to all images alike, and objects do not get brighter by it. Then no offset makes dark and bright
parts of images show the same light, by far more than either is uncertain. The light is that of
objects, and what the background has besides is taken off before:

    grey value = dark field(y, x) + light(y, x) · (background + objects)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.correct import two_way
from cellpipe.correct.shades import PLACES, Parts
from cellpipe.correct.surface import Fit

COMPARED = 0.03  # stiffness of surfaces that are compared
STIFFNESS = 0.003  # of those that are taken off
DIFFER = 2.0  # times as far apart as both are uncertain; planted light stays below 1.6
LEAST = 0.02  # relative; less does not matter
FEW_PLACES = PLACES / 2  # full ones of bright parts: of fewer the light of objects is too uncertain
TURNS = 3
WAYS = 2  # of dividing the fields in two


def differ(fit: Fit, data: two_way.Data, light: np.ndarray, halves: Sequence[np.ndarray]) -> bool:
    """Whether dark and bright parts show different light, by more than halves of the fields do.

    light : where to begin, (PLACES,)
    """
    both = [data.of(kind) for kind in (0, 1)]
    if any(part.weights.sum() < FEW_PLACES for part in both):
        return False
    dark, bright = (two_way.robust(fit, part, COMPARED, light, turns=3).light for part in both)
    uncertain = 0.0
    for first in halves[:WAYS]:
        for part in both:
            sides = part.halves(first)
            one, other = (two_way.robust(fit, side, COMPARED, light, 3).light for side in sides)
            # of the mean of both halves, which is half as far off as they are apart
            uncertain += float(np.mean((one - other) ** 2)) / 4 / WAYS
    apart = float(np.mean((dark - bright) ** 2))
    return apart > DIFFER**2 * uncertain and apart > LEAST**2


def taken_off(
    fit: Fit, parts: Parts, data: two_way.Data, dark_level: float
) -> tuple[np.ndarray, two_way.Data]:
    """The dark field, coefficients (K, K) in grey values, and the bright parts above it.

    Its mean over the field is the dark level; background of the usual level is even after it is
    taken off and the light of objects is corrected.
    """
    dark = data.of(0)
    shown = two_way.robust(fit, dark, STIFFNESS)
    levels = two_way.brightness(dark.values, shown.weights, shown.light)
    usual = float(np.exp(np.median(levels[dark.weights.any(axis=1)])))
    background = dark_level + usual * np.exp(shown.light)
    bright, field = data.of(1), np.full(PLACES, dark_level)
    for _ in range(TURNS):
        light = np.exp(two_way.robust(fit, bright, STIFFNESS).light)
        light = light / light.mean()
        field = background - (background.mean() - dark_level) * light
        bright = two_way.logarithms(parts, field).of(1)
    return fit(field, np.ones(PLACES), 1e-6), bright
