"""How far outlines of nuclei lie from those that people drew, and whether the image tells why.

CELLPIPE_DATA=path/to/data python studies/nuclei/outlines.py

BBBC039, on the sides of the split in the card of the shipped weights. Of the objects that are found
(IoU of 0.5 or more): the error of their radius, and how many have an IoU of 0.9 or more; how many
would have one if each object could choose the threshold of the foreground probability that suits
its label best, which only the label can tell; and how much of the error of the radius can be told
from the image: gradient boosting learns it from light, slope and probability along the outlines of
the training side (there: six-fold, whole images held out).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict

from cellpipe.image.normalise import normalise
from cellpipe.metrics.overlap import overlap
from cellpipe.networks.instances import labels_from_maps
from cellpipe.networks.load import load_network
from cellpipe.networks.predict import image_maps
from cellpipe.training.pairs import read_pair

FOLDER = "nuclei-bbbc039"
SHELLS_PX = (-6.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0, 7.0)  # below 0 outside
THRESHOLDS = np.linspace(0.1, 0.97, 30)
WIDE = 0.1  # least probability of what a threshold may choose from
GROSS_PX = 2.0  # an error of the radius above this is one of what belongs together


def profile(found: np.ndarray, light: np.ndarray, probability: np.ndarray, others: np.ndarray):
    """Means of light, of its slope and of probability in shells along the outline of a mask."""
    depth = ndimage.distance_transform_edt(found) - ndimage.distance_transform_edt(~found)
    slope = ndimage.gaussian_gradient_magnitude(light, 1)
    top, ground = np.percentile(light[found], 90), np.median(light)
    values = [np.log(found.sum()), top, light[found].std(), ground, others.sum() / found.sum()]
    for low, high in itertools.pairwise(SHELLS_PX):
        shell = (depth > low) & (depth <= high) & ~others
        for plane in (light, (light - ground) / (top - ground + 0.02), slope, probability):
            values.append(plane[shell].mean() if shell.any() else np.nan)
    return values


def best_iou(mask: np.ndarray, basin: np.ndarray, probability: np.ndarray) -> float:
    """Greatest IoU of a true mask with its basin, cut at any threshold."""
    inside = probability[basin][:, None] > THRESHOLDS
    shared = (inside & mask[basin][:, None]).sum(0)
    return float((shared / (inside.sum(0) + mask.sum() - shared)).max())


def of_image(maps: np.ndarray, truth: np.ndarray, light: np.ndarray) -> list[tuple]:
    """Per found object: error of the radius, IoU, best IoU, then its profile."""
    probability = 1 / (1 + np.exp(-maps[0]))
    labels, wide = labels_from_maps(maps), labels_from_maps(maps, probability_threshold=WIDE)
    shared = overlap(truth, labels)
    iou = shared.iou.tocoo()
    rows = []
    for t, p, value in zip(iou.row, iou.col, iou.data, strict=True):
        if value < 0.5:
            continue
        true, found = truth == shared.truth[t], labels == shared.predicted[p]
        y, x = np.nonzero(true | found)
        box = tuple(slice(max(c.min() - 8, 0), c.max() + 9) for c in (y, x))
        true, found, seen = true[box], found[box], probability[box]
        basin = wide[box] == np.bincount(wide[box][found]).argmax()
        others = (labels[box] > 0) & ~found
        error = (np.sqrt(found.sum()) - np.sqrt(true.sum())) / np.sqrt(np.pi)
        best = max(value, best_iou(true, basin, seen))
        rows.append((error, value, best, *profile(found, light[box], seen, others)))
    return rows


def of_side(data: Path, side: str) -> pd.DataFrame:
    """One row per matched object, with the number of its image; attrs: objects, true and found."""
    network = load_network("nuclei")
    tables, objects = [], 0
    for i, file in enumerate(network.card.extra["split"][f"bbbc039/{side}"]):
        label = data / FOLDER / "labels" / f"{Path(file).stem}.png"
        pixels, truth = read_pair(data / FOLDER / "images" / file, label)
        light = normalise(pixels)
        maps = image_maps(network.module, light)
        tables.append(pd.DataFrame(of_image(maps, truth, light)).assign(image=i))
        objects += int(truth.max()) + int(labels_from_maps(maps).max())
    table = pd.concat(tables, ignore_index=True).rename(columns={0: "error", 1: "iou", 2: "best"})
    table.attrs["objects"] = objects
    return table


def pooled_ap(iou: pd.Series, objects: int) -> float:
    """AP at an IoU of 0.9 of all objects together; `objects` counts true and found ones."""
    right = int((iou >= 0.9).sum())
    return right / (objects - right)


def main() -> None:
    data = Path(os.environ["CELLPIPE_DATA"])
    sides = {side: of_side(data, side) for side in ("train", "validation", "test")}
    features = [c for c in sides["train"] if isinstance(c, int)]
    model = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=150, learning_rate=0.05, min_samples_leaf=30, random_state=0
    )
    learn = sides["train"]
    held_out = cross_val_predict(
        model, learn[features], learn["error"], groups=learn["image"], cv=GroupKFold(6)
    )
    model.fit(learn[features], learn["error"])
    rows = []
    for side, table in sides.items():
        told = held_out if side == "train" else model.predict(table[features])
        fine = table["error"].abs() < GROSS_PX
        error, left = table["error"][fine], (table["error"] - told)[fine]
        rows.append(
            {
                "side": side,
                "found": len(table),
                "radius error, mean px": error.mean(),
                "sd px": error.std(),
                "sd left px": left.std(),
                "correlation": np.corrcoef(error, told[fine])[0, 1],
                "IoU >= 0.9": (table["iou"] >= 0.9).mean(),
                "AP@0.9 of all": pooled_ap(table["iou"], table.attrs["objects"]),
                "by own thresholds": pooled_ap(table["best"], table.attrs["objects"]),
            }
        )
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
