"""Objects before any light: who is where, how deep within, how far outside, how bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellpipe.simulate.kinds.noise import Shape


@dataclass(frozen=True)
class Bodies:
    """Labels of a field and what follows from them alone; arrays (Y, X).

    labels : uint32, 1..n
    depth_px : distance to the border of the own object, 0 outside
    share : depth over the object's largest, 0 outside, 1 in its middle
    away_px : distance to the nearest object, 0 inside
    """

    labels: np.ndarray
    depth_px: np.ndarray
    share: np.ndarray
    away_px: np.ndarray

    @property
    def shape(self) -> Shape:
        return self.labels.shape[0], self.labels.shape[1]

    @property
    def inside(self) -> np.ndarray:
        return self.labels > 0

    @property
    def n(self) -> int:
        return int(self.labels.max())

    @property
    def size_px(self) -> float:
        """Edge length of a square of the median object's area; 10 where there is none."""
        if not self.n:
            return 10.0
        area = np.bincount(self.labels.ravel(), minlength=self.n + 1)[1:]
        return float(np.sqrt(np.median(area)))

    def each(self, values: np.ndarray) -> np.ndarray:
        """Values of objects (n,) on their pixels, 0 outside."""
        return np.concatenate([[0.0], values])[self.labels]


def bodies_of(labels: np.ndarray) -> Bodies:
    """Bodies of labels (Y, X), 1..n without gaps."""
    inside = labels > 0
    # pixels beside another value: the border runs between them
    border = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels.astype(np.int64), axis=axis) != 0
        border |= np.insert(differs, 0, False, axis=axis)
        border |= np.insert(differs, differs.shape[axis], False, axis=axis)
    if border.any():
        distance = ndimage.distance_transform_edt(~border) + 0.5
    else:
        distance = np.full(labels.shape, float(max(labels.shape)))
    depth = np.where(inside, distance, 0.0)
    n = int(labels.max())
    deepest = np.concatenate([[1.0], ndimage.maximum(depth, labels, np.arange(1, n + 1))])
    share = depth / np.maximum(deepest, 1.0)[labels]
    return Bodies(labels, depth, share, np.where(inside, 0.0, distance))


def levels(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """A brightness for each object, (Y, X): alike or very different."""
    spread = rng.choice([0.1, 0.3, 0.7], p=[0.4, 0.4, 0.2])
    values = np.exp(rng.normal(0, spread, bodies.n))
    values[rng.random(bodies.n) < rng.choice([0.0, 0.05])] *= 4.0  # mitotic, dying
    return bodies.each(np.clip(values, 0.08, 8.0))


def dome(bodies: Bodies, power: float) -> np.ndarray:
    """1 in the middle of each object, falling to its border as fast as `power` says; 0: flat."""
    return np.where(bodies.inside, (1 - (1 - bodies.share) ** 2) ** power, 0.0)
