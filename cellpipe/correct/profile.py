"""The light over a field, and the dark level of the camera, from images of many fields.

    grey value = dark level + light(y, x) · (background + objects)

A field shows the light of the lamp times what is in it. Over many fields what is in them averages
out and the light stays: that is retrospective correction (Likar et al., J. Microsc. 197:285, 2000;
Singh et al., J. Microsc. 256:231, 2014, doi:10.1111/jmi.12178). Here, as in CIDRE (Smith et al.,
Nat. Methods 12:404, 2015, doi:10.1038/nmeth.3323), light and offset are found together; as in BaSiC
(Peng et al., Nat. Commun. 8:14836, 2017, doi:10.1038/ncomms14836), the light is smooth, each image
has a brightness of its own, and outliers have no say.

The model is additive in logarithms: of part l of an image (`shades`) at place g,

    log(mean_lg - dark level) = brightness_l + light_g + noise

fitted by iteratively reweighted least squares (Tukey's biweight), with noise of its own for dark
and for bright parts: whichever of background and objects shows the light better decides. The dark
level is where both show the same light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellpipe.correct.shades import GRID, PLACES, Parts, divide
from cellpipe.correct.surface import Fit, K, light_of

STIFFNESS = (0.003, 0.03, 0.3)  # of the surface; which is found by fields that are not in the fit
ROUNDS = 6  # light → parts → light …; the last ones change nothing
SETTLED = 5e-4  # mean change of the light, relative
CUT = 4.0  # standard deviations from which on a place of an image has no say
LEAST_NOISE = 2e-3  # relative; less would let one part decide alone
FULL = 0.1  # of a place: more pixels than that make its mean hardly better
COVERED = 0.02  # of the field: a smaller part shows no light
FEW_PLACES = PLACES / 8  # full ones of all images: of fewer the light is not known
HALVES = 4  # ways of dividing the fields in two
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Found:
    """What images showed of the light of a channel.

    coefficients : of the logarithm of the light, mean 0 over the field, (K, K)
    dark_level : grey value without light; 0 where the images do not show it
    dark_seen : whether they do
    explained : share of the unevenness (mean square) of fields that the profile is not made from,
        that the profile of the other half of the fields removes; below 0 for noise
    stiffness : of the surface
    """

    coefficients: np.ndarray
    dark_level: float
    dark_seen: bool
    explained: float
    stiffness: float

    @property
    def light(self) -> np.ndarray:
        """The light at places of the field, mean 1, (GRID, GRID)."""
        return light_of(self.coefficients, (GRID, GRID))


def find_light(
    images: np.ndarray,
    groups: Sequence[str],
    *,
    seed: int = 0,
    dark_level: float | None = None,
    top: float = np.inf,
) -> Found:
    """The light of a channel from images of its fields.

    Parameters
    ----------
    images : float32 (N, Y, X), N > 1; means of pixels, about 128 of them along the shorter edge
    groups : of each image, its field or well: images of one group are never in both halves
    seed : of the division in halves
    dark_level : where it is known; None: it is found where the images show it
    top : grey value from which pixels are saturated
    """
    fit = Fit((GRID, GRID))
    flat, dark, seen = np.ones(images.shape[1:], np.float32), dark_level or 0.0, False
    coefficients = np.zeros((K, K))
    for turn in range(ROUNDS):
        parts = divide(images, flat, dark, top)
        if dark_level is None and turn:
            dark, seen = _dark_level(fit, parts)
        coefficients = _fitted(fit, parts, dark, STIFFNESS[0])[0]
        last, flat = flat, light_of(coefficients, images.shape[1:])
        if turn > 1 and np.abs(np.log(flat / last)).mean() < SETTLED:
            break
    stiffness, explained = _held_out(fit, parts, dark, groups, np.random.default_rng(seed))
    coefficients = _fitted(fit, parts, dark, stiffness)[0]
    return Found(coefficients, dark, seen, explained, stiffness)


def _fitted(
    fit: Fit, parts: Parts, dark_level: float, stiffness: float, turns: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (K, K) of log light; and at each place: it, what was seen of it, the weight."""
    values, base = _logarithms(parts, dark_level)
    kinds = [parts.bright == kind for kind in (False, True)]
    kinds = [rows for rows in kinds if base[rows].any()]
    weights, light = base.copy(), np.zeros(PLACES)
    coefficients, mean, total = np.zeros((K, K)), light, np.zeros(PLACES)
    for _ in range(turns):
        brightness = (weights * (values - light)).sum(1) / np.maximum(weights.sum(1), 1e-9)
        residual = values - brightness[:, None] - light
        precision = np.zeros(len(values))
        for rows in kinds:
            known = base[rows] > 0
            noise = max(1.4826 * np.median(np.abs(residual[rows][known])), LEAST_NOISE)
            precision[rows] = noise**-2
        weights = base * _biweight(residual * np.sqrt(precision)[:, None] / CUT)
        scaled = weights * precision[:, None]
        total = scaled.sum(0)
        mean = (scaled * (values - brightness[:, None])).sum(0) / np.maximum(total, 1e-12)
        coefficients = fit(mean, total, stiffness)
        light = fit.at(coefficients)
        coefficients = coefficients - light.mean()  # splines add up to 1 everywhere
        light = light - light.mean()
    return coefficients, light, mean, total


def _logarithms(parts: Parts, dark_level: float) -> tuple[np.ndarray, np.ndarray]:
    """log(means - dark level) and weights, (L, PLACES); weight 0 where there is no value."""
    level = parts.means - dark_level
    known = np.isfinite(level) & (parts.pixels > 0)
    usual = np.array(
        [np.median(row[ok]) if ok.any() else 1.0 for row, ok in zip(level, known, strict=True)]
    )
    floor = 1e-3 * np.maximum(usual, 1e-6)[:, None]  # below the dark level by noise
    values = np.log(np.maximum(np.where(known, level, 1.0), floor))
    weights = np.where(known, parts.pixels / (parts.pixels + FULL * parts.whole_px), 0.0)
    return values, weights * (weights.sum(1) > COVERED * PLACES)[:, None]


def _biweight(scaled: np.ndarray) -> np.ndarray:
    return np.where(np.abs(scaled) < 1, (1 - scaled**2) ** 2, 0.0)


def _dark_level(fit: Fit, parts: Parts) -> tuple[float, bool]:
    """The offset at which dark and bright parts show the same light; 0, False if they cannot."""
    halves = [parts.of(parts.bright == kind) for kind in (False, True)]
    if any(_logarithms(half, 0.0)[1].sum() < FEW_PLACES for half in halves):
        return 0.0, False

    def apart(dark_level: float) -> float:
        dark, bright = (_fitted(fit, half, dark_level, STIFFNESS[1], 6)[1] for half in halves)
        return float(np.mean((dark - bright) ** 2))

    highest = float(np.nanmin(halves[0].means))
    if highest <= 0:
        return 0.0, False
    tried = highest * (1 - np.append(np.geomspace(0.01, 0.7, 9), 1.0))  # denser near the top
    distances = [apart(level) for level in tried]
    best = int(np.argmin(distances))
    if best == len(tried) - 1:
        return 0.0, True
    low, high = tried[best + 1], tried[max(best - 1, 0)]
    return _least(apart, low, high), True


def _least(value: Callable[[float], float], low: float, high: float, turns: int = 7) -> float:
    """Where a function with one valley is least, by golden section."""
    inner = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at = value(inner[0]), value(inner[1])
    for _ in range(turns):
        if at[0] < at[1]:
            high, inner = inner[1], (inner[1] - _GOLDEN * (inner[1] - low), inner[0])
            at = value(inner[0]), at[0]
        else:
            low, inner = inner[0], (inner[1], inner[0] + _GOLDEN * (high - inner[0]))
            at = at[1], value(inner[1])
    return (low + high) / 2


def _held_out(
    fit: Fit, parts: Parts, dark_level: float, groups: Sequence[str], rng: np.random.Generator
) -> tuple[float, float]:
    """The stiffness that predicts the other half of the fields best, and how much it explains.

    Each half shows its light; what the profile of one half leaves of that of the other, of what
    there was.
    """
    names, of_image = np.unique(np.asarray(groups), return_inverse=True)
    errors, explained = np.zeros(len(STIFFNESS)), np.zeros(len(STIFFNESS))
    for _ in range(HALVES):
        first = np.zeros(len(names), bool)
        first[rng.permutation(len(names))[: len(names) // 2]] = True
        rows = np.repeat(first[of_image], 2)
        for k, stiffness in enumerate(STIFFNESS):
            one, other = (
                _fitted(fit, parts.of(half), dark_level, stiffness) for half in (rows, ~rows)
            )
            errors[k] += _missed(one[1], *other[2:]) + _missed(other[1], *one[2:])
            before = (np.mean(one[1] ** 2) + np.mean(other[1] ** 2)) / 2
            after = np.mean((one[1] - other[1]) ** 2)
            explained[k] += (1 - after / max(before, 1e-12)) / HALVES
    best = int(np.argmin(errors))
    return STIFFNESS[best], float(explained[best])


def _missed(light: np.ndarray, seen: np.ndarray, weights: np.ndarray) -> float:
    """Mean square of what is seen at places less a light, weighted, but for a constant."""
    left = seen - light
    left = left - np.average(left, weights=weights + 1e-12)
    return float(np.average(left**2, weights=weights + 1e-12))
