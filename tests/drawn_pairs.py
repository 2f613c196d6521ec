"""Drawn pairs of images and labels, as folders and as a plate."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from drawn_plate import inspected, laid_out

from cellpipe.training.augment import (
    Augmentation,
)
from cellpipe.training.pairs import PairSet

PLAIN = Augmentation(resample=0, light=0, uneven=0, blur=0, noise=0, empty=0)


CONFIG = {
    "name": "discs",
    "kind": "segmentation",
    "sets": [
        {"name": "discs", "images": "images", "labels": "labels", "licence": "CC0-1.0",
         "held_out": [0.25, 0.25]}
    ],
    "network": {"widths": [8, 16, 24]},
    "schedule": {"steps": 60, "batch": 4, "crop_px": 64, "learning_rate": 0.01,
                 "warmup_steps": 5, "average_decay": 0.9, "validate_every": 30,
                 "checkpoint_every": 20, "mixed_precision": False, "seed": 3},
    "augmentation": {"resample": 0.0, "noise": 0.2, "blur": 0.0},
}  # fmt: skip


def disc_field(seed: int, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of a field of discs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.uint8)
    for value, (cy, cx) in enumerate(
        [(a, b) for a in range(16, size, 32) for b in range(16, size, 32)], start=1
    ):
        cy, cx = cy + rng.uniform(-5, 5), cx + rng.uniform(-5, 5)
        labels[np.hypot(y - cy, x - cx) < rng.uniform(7, 10)] = value
    pixels = 20 + 150 * (labels > 0) + 8 * rng.standard_normal(labels.shape)
    return pixels.clip(0, 255).astype(np.uint8), labels


def write_set(folder: Path, names: list[str]) -> PairSet:
    for i, name in enumerate(names):
        pixels, labels = disc_field(i)
        for kind, array in (("images", pixels), ("labels", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            iio.imwrite(folder / kind / f"{name}.png", array)
    return PairSet("discs", "images", "labels", "CC0-1.0")


def labelled_plate(folder: Path, version: str) -> np.ndarray:
    """A drawn plate with two channels and labels in all wells but B05; the labels of B02."""
    wells = {f"B{column:02d}": [(2, 2, 1, 96, 96)] for column in range(2, 6)}
    plate = laid_out(folder, inspected(wells), labels=["nuclei"], ngff_version=version)
    for seed, well in enumerate(wells):
        for t in range(2):
            pixels, labels = disc_field(2 * seed + t)
            for c in range(2):
                plane = pixels.astype(np.uint16) * (c + 1)
                plate.write_plane(well, 1, t, c, 0, plane)
            if well != "B05":
                plate.write_labels(well, 1, t, "nuclei", 10 * labels.astype(np.uint32))
    return disc_field(0)[1]
