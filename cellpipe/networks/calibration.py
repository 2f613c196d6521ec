"""Probability that an object is real, from the predictions of the network for it.

    maps, image  ──►  features of each object  ──►  logistic regression  ──►  object probability

A mean foreground probability measures the certainty of an object's pixels; of 100 objects
with 0.9, far more or fewer than 90 may be real. The regression is fitted on held-out objects whose
truth is known (`cellpipe.training.calibration`), so that 90 of 100 are. It is Platt scaling (Platt
1999, Advances in Large Margin Classifiers) over several scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import njit

from cellpipe.errors import CellpipeError

FEATURES = ("foreground", "peak", "log_area", "contrast", "halo")
RING_PX = 2  # outside of an object: where its halo and its background are


@dataclass(frozen=True)
class Calibration:
    """probability = 1 / (1 + exp(-(intercept + standardised features @ coefficients))).

    mean, spread, coefficients : one per feature
    scores : of held-out objects, by side: expected calibration error, Brier score, counts
    least : what is less probably real lowers F1 and is better dropped; None: not known
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    scores: Mapping[str, Mapping[str, float]]
    least: float | None = None

    @classmethod
    def of_card(cls, stored: Mapping[str, Any]) -> Calibration:
        """From a card. Raises CellpipeError for one by other features than are computed here."""
        if tuple(stored["features"]) != FEATURES:
            raise CellpipeError(
                seen=f"a calibration by the features {', '.join(stored['features'])}",
                wanted=f"one by {', '.join(FEATURES)}",
                do="calibrate the network again: scripts/calibrate_network.py",
            )
        lists = {k: tuple(stored[k]) for k in ("features", "mean", "spread", "coefficients")}
        return cls(
            **lists,
            intercept=stored["intercept"],
            scores=stored["scores"],
            least=stored.get("least"),
        )

    def for_card(self) -> dict[str, Any]:
        return asdict(self)

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Of each object to be real; features (n, F), float32 (n,)."""
        standard = (features - np.array(self.mean)) / np.array(self.spread)
        score = np.clip(self.intercept + standard @ np.array(self.coefficients), -30, 30)
        return (1 / (1 + np.exp(-score))).astype(np.float32)


def object_features(labels: np.ndarray, maps: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Features of the predictions for each object, float32 (n, F), columns `FEATURES`.

    foreground : mean foreground probability
    peak : largest normalised distance to the border
    log_area : of the area in pixels of the network's scale
    contrast : mean of the normalised image, less that of a ring around
    halo : mean foreground probability in that ring

    Parameters
    ----------
    labels : (Y, X), values 1..n
    maps : foreground logit and distance, (outputs, Y, X)
    image : first channel (Y, X) on the network's grey scale
    """
    sums = _sums(labels, maps[0], maps[1], image, int(labels.max(initial=0)))
    area, foreground, light, peak, ring, halo, ground = sums[1:].T
    inside, outside = np.maximum(area, 1), np.maximum(ring, 1)
    columns = (
        foreground / inside,
        peak,
        np.log(inside),
        light / inside - ground / outside,  # a ring that others fill counts as dark background
        halo / outside,
    )
    return np.stack(columns, axis=1).astype(np.float32)


@njit(cache=True, nogil=True)
def _sums(
    labels: np.ndarray, logit: np.ndarray, distance: np.ndarray, image: np.ndarray, n: int
) -> np.ndarray:
    """Per value: area, foreground, light, peak; of its ring: pixels, foreground, light."""
    height, width = labels.shape
    sums = np.zeros((n + 1, 7))
    sums[:, 3] = -1.0
    for y in range(height):
        for x in range(width):
            probability = 1 / (1 + np.exp(-float(logit[y, x])))
            value = labels[y, x]
            if value:
                own = sums[value]
                own[0] += 1
                own[1] += probability
                own[2] += image[y, x]
                own[3] = max(own[3], distance[y, x])
                continue
            seen = 0
            for k in range(4):  # the ring is the surroundings of an object, along either axis
                v = y + (RING_PX if k == 0 else -RING_PX if k == 1 else 0)
                u = x + (RING_PX if k == 2 else -RING_PX if k == 3 else 0)
                if 0 <= v < height and 0 <= u < width:
                    value = labels[v, u]
                    if value and value != seen:
                        seen = value
                        sums[value, 4] += 1
                        sums[value, 5] += probability
                        sums[value, 6] += image[y, x]
    return sums
