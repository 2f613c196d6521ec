"""The light over a field, and the dark level of the camera, from images of many fields.

    grey value = dark level + light(y, x) · (background + objects)

A field shows the light of the lamp times what is in it. Over many fields what is in them averages
out and the light stays: that is retrospective correction (Likar et al., J. Microsc. 197:285, 2000;
Singh et al., J. Microsc. 256:231, 2014, doi:10.1111/jmi.12178). Here, as in CIDRE (Smith et al.,
Nat. Methods 12:404, 2015, doi:10.1038/nmeth.3323), light and offset are found together; as in BaSiC
(Peng et al., Nat. Commun. 8:14836, 2017, doi:10.1038/ncomms14836), the light is smooth, each image
has a brightness of its own, and outliers have no say.

    light ──► images divided into dark and bright parts ──► dark level ──► light …

until nothing changes. The dark level is where both parts show the same light (`two_way`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellpipe.correct import ground, offset, two_way
from cellpipe.correct.shades import GRID, PLACES, Parts, divide
from cellpipe.correct.surface import Fit, light_of

STIFFNESS = (0.003, 0.03, 0.3)  # of the surface; which is found by fields that are not in the fit
ROUNDS = 8  # at most
SETTLED = 2e-3  # mean change of the light, relative
FEW_PLACES = PLACES / 8  # full ones of all images: of fewer the light is not known
HALVES = 4  # ways of dividing the fields in two
DISTANCES = np.geomspace(1, 0.02, 12)  # of the dark level to the darkest place, relative
ALIKE = 0.02  # errors of surfaces; of those the softest is taken
NEAR = 3.5  # times as far, or as near, as it was found last
REFINED = 4  # parabolas through the three best of them


@dataclass(frozen=True)
class Found:
    """What images showed of the light of a channel.

    coefficients : of the logarithm of the light, mean 0 over the field, (K, K)
    dark_level : grey value without light; 0 where the images do not show it
    dark_seen : whether they do
    explained : share of the unevenness (mean square) of fields that the profile is not made from,
        that the profile of the other half of the fields removes; below 0 for noise
    stiffness : of the surface
    dark_field : of grey values without light, (K, K), with a mean of `dark_level`, where the
        background has a pattern of its own; None where it is the same all over the field
    """

    coefficients: np.ndarray
    dark_level: float
    dark_seen: bool
    explained: float
    stiffness: float
    dark_field: np.ndarray | None = None

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
    fit, shape = Fit((GRID, GRID)), images.shape[1:]
    flat, light = np.ones(shape, np.float32), np.zeros(PLACES)
    dark, seen, better = dark_level or 0.0, dark_level is not None, None
    for turn in range(ROUNDS):
        parts = divide(images, flat, dark, top)
        if dark_level is None and turn:
            dark, seen = (better, True) if better else _dark_level(fit, parts, dark, light)
        data = two_way.logarithms(parts, dark)
        # the light of the last turn is a start from which few turns are enough
        shown = two_way.robust(fit, data, STIFFNESS[0], light, turns=3 if turn else 8)
        if dark_level is None and turn and seen:
            better = offset.refined(parts, data, shown, dark)
        settled = np.abs(shown.light - light).mean() < SETTLED
        light, flat = shown.light, light_of(shown.coefficients, shape)
        if turn > 1 and settled:
            break
    halves = _halves(groups, np.random.default_rng(seed))
    field = None
    if ground.differ(fit, data, light, halves):
        field, data = ground.taken_off(fit, parts, data, dark)
    stiffness, explained = _held_out(fit, data, shown.light, halves)
    shown = two_way.robust(fit, data, stiffness, light)
    return Found(shown.coefficients, dark, seen, explained, stiffness, field)


def _dark_level(fit: Fit, parts: Parts, start: float, light: np.ndarray) -> tuple[float, bool]:
    """The offset at which dark and bright parts show the same light; 0, False if they cannot.

    It is looked for by its distance to the darkest place, which it is below; `start` and
    `light` are where outliers are found.
    """
    highest = parts.lowest * (1 - 1e-3)
    data = two_way.logarithms(parts, min(start, 0.9 * highest))
    both = [data.of(kind) for kind in (0, 1)]
    if highest <= 0 or any(half.weights.sum() < FEW_PLACES for half in both):
        return 0.0, False
    shown = [two_way.robust(fit, half, STIFFNESS[1], light, turns=3) for half in both]

    solve = [fit.prepared(own.weights.sum(0), STIFFNESS[1]) for own in shown]

    def apart(distance: float) -> float:
        data = two_way.logarithms(parts, highest * (1 - distance))
        dark, bright = (
            two_way.linear(solve[k], fit, data.of(k).values, own.weights, own.light)
            for k, own in enumerate(shown)
        )
        return float(np.mean((dark - bright) ** 2))

    tried = DISTANCES
    if start > 0:  # known roughly from the last turn
        last = 1 - min(start, highest) / highest
        tried = tried[(tried > last / NEAR) & (tried < last * NEAR)]
    values = [apart(float(distance)) for distance in tried]
    best = int(np.argmin(values))
    if tried[best] == 1:
        return 0.0, True
    nearby = slice(max(best - 1, 0), best + 2)
    x, y = np.log(tried[nearby]), np.array(values[nearby])
    for _ in range(REFINED):
        if len(x) < 3:  # at the darkest place itself
            break
        fitted = np.polyfit(x - x[1], y, 2)
        at = float(x[1] - fitted[1] / (2 * fitted[0])) if fitted[0] > 0 else float(x[1])
        at = float(np.clip(at, min(x), max(x)))
        if np.abs(x - at).min() < 1e-3:
            break
        x, y = np.append(x, at), np.append(y, apart(float(np.exp(at))))
        order = np.argsort(x)
        x, y = x[order], y[order]
        middle = int(np.clip(np.argmin(y), 1, len(x) - 2))
        x, y = x[middle - 1 : middle + 2], y[middle - 1 : middle + 2]
    return float(highest * (1 - np.exp(x[np.argmin(y)]))), True


def _halves(groups: Sequence[str], rng: np.random.Generator) -> list[np.ndarray]:
    """Which images are in the first half, (N,) of bool, for each way of dividing them."""
    names, of_image = np.unique(np.asarray(groups), return_inverse=True)
    found = []
    for _ in range(HALVES):
        first = np.zeros(len(names), bool)
        first[rng.permutation(len(names))[: len(names) // 2]] = True
        found.append(first[of_image])
    return found


def _held_out(
    fit: Fit, data: two_way.Data, light: np.ndarray, halves: Sequence[np.ndarray]
) -> tuple[float, float]:
    """The stiffness that predicts the other half of the fields best, and how much it explains.

    Each half shows its light, with outliers of its own (`light` is where to begin); what the
    profile of one half leaves of that of the other, of what there was.
    """
    errors, explained = np.zeros(len(STIFFNESS)), np.zeros(len(STIFFNESS))
    for first in halves:
        sides = data.halves(first)
        shown = [two_way.robust(fit, side, STIFFNESS[1], light, turns=3) for side in sides]
        pairs = list(zip(sides, shown, strict=True))
        there = [two_way.seen(side.values, own.weights, own.light) for side, own in pairs]
        for k, stiffness in enumerate(STIFFNESS):
            one, other = (
                two_way.linear(
                    fit.prepared(own.weights.sum(0), stiffness),
                    fit,
                    side.values,
                    own.weights,
                    own.light,
                )
                for side, own in pairs
            )
            errors[k] += _missed(one, *there[1]) + _missed(other, *there[0])
            before = (np.mean(one**2) + np.mean(other**2)) / 2
            after = np.mean((one - other) ** 2)
            explained[k] += (1 - after / max(before, 1e-12)) / len(halves)
    # contents of fields make nearly all of the errors: by less than this no surface is better
    best = int(np.flatnonzero(errors <= (1 + ALIKE) * errors.min())[0])
    return STIFFNESS[best], float(explained[best])


def _missed(light: np.ndarray, seen: np.ndarray, weights: np.ndarray) -> float:
    """Mean square of what is seen at places less a light, weighted, but for a constant."""
    left, total = seen - light, weights.sum() + 1e-12
    left = left - (left @ weights) / total
    return float((left**2 @ weights) / total)
