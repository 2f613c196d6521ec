"""From a network's maps to instance labels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed


def labels_from_maps(
    maps: np.ndarray,
    *,
    probability_threshold: float = 0.5,
    seed_level: float = 0.55,
    contact_weight: float = 0.3,
    min_area_px: int = 10,
) -> np.ndarray:
    foreground = maps[0] > np.log(probability_threshold / (1 - probability_threshold))
    contact = 1 / (1 + np.exp(-maps[2]))
    height = ndimage.gaussian_filter(maps[1], 1.0) - contact_weight * contact
    seeds, _ = ndimage.label((height > seed_level) & foreground)
    # small nuclei may not reach the seed level: a foreground island without seed is one object
    islands, n = ndimage.label(foreground)
    seeded = np.zeros(n + 1, bool)
    seeded[islands[seeds > 0]] = True
    lone = (islands > 0) & ~seeded[islands]
    seeds = np.where(lone, islands + seeds.max(), seeds)
    labels = watershed(-height, seeds, mask=foreground)
    area = np.bincount(labels.ravel())
    keep = area >= min_area_px
    keep[0] = False
    table = np.cumsum(keep) * keep
    return table[labels].astype(np.uint32)


def object_probability(labels: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Mean foreground probability of each object, float32 (n,), for labels 1..n."""
    inside = labels > 0
    values = labels[inside]
    total = np.bincount(values, 1 / (1 + np.exp(-logit[inside])), int(labels.max()) + 1)
    area = np.bincount(values, minlength=len(total))
    return (total[1:] / np.maximum(area[1:], 1)).astype(np.float32)
