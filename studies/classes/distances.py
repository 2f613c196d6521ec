"""An unseen class of blood cells: five distances to the training cells beside each other.

CELLPIPE_DATA=path/to/data python studies/classes/distances.py [--out folder]

Each class in turn is left out of the training; area under the ROC curve of its cells against those
of the other classes, all of images that were held out (five folds).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blood import boxes, cells_of, points
from scipy import stats
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from cellpipe.classify.cells import feature_columns
from cellpipe.classify.folds import folds_of
from cellpipe.classify.standard import centre_and_spread, matrix_of, standardise

NEIGHBOURS = 5
# (training cells, their classes, other cells) → distances of these
Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="keeps the measured cells here")
    options = parser.parse_args()
    data = Path(os.environ["CELLPIPE_DATA"])
    for name, read in (("class-points-rbc12", points), ("class-bccd-blood", boxes)):
        cells = cells_of(data / name, read, options.out)
        cells = cells[cells["class"].ne("")].reset_index(drop=True)
        classes = cells["class"].to_numpy(str)
        folds, _ = folds_of(classes, cells["image"].to_numpy(str), 5, 0)
        matrix = matrix_of(cells, feature_columns(cells.drop(columns=["class"])))
        for what, distance in DISTANCES.items():
            found = [auroc(distance, matrix, classes, folds, left) for left in np.unique(classes)]
            print(f"{name}, {what}: {np.mean(found):.3f}", flush=True)


def auroc(distance: Distance, matrix: np.ndarray, classes: np.ndarray, folds, left: str) -> float:
    """How well a class that was left out is told from the others."""
    found = np.full(len(classes), np.nan)
    for train, test in folds:
        used = train[classes[train] != left]
        fill, scale = centre_and_spread(matrix[used])
        known, other = (standardise(matrix[rows], fill, scale) for rows in (used, test))
        found[test] = distance(known, classes[used], other)
    novel, usual = found[classes == left], found[classes != left]
    return float(stats.mannwhitneyu(novel, usual).statistic / (len(novel) * len(usual)))


def nearest(known: np.ndarray, classes: np.ndarray, other: np.ndarray) -> np.ndarray:
    found, _ = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(known).kneighbors(other)
    return found.mean(axis=1)


def of_components(known: np.ndarray, classes: np.ndarray, other: np.ndarray) -> np.ndarray:
    fit = PCA(0.95, whiten=True).fit(known)
    return nearest(fit.transform(known), classes, fit.transform(other))


def whitening(known: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(means of the classes, matrix that makes their shared covariance one)."""
    kinds = np.unique(classes)
    means = np.stack([known[classes == kind].mean(axis=0) for kind in kinds])
    shared = np.mean(
        [
            ledoit_wolf(known[classes == kind] - mean, assume_centered=True)[0]
            for kind, mean in zip(kinds, means, strict=True)
        ],
        axis=0,
    )
    size, axes = np.linalg.eigh(shared)
    kept = size > 1e-9 * size.max()
    return means, axes[:, kept] / np.sqrt(size[kept])


def of_class(known: np.ndarray, classes: np.ndarray, other: np.ndarray) -> np.ndarray:
    means, white = whitening(known, classes)
    apart = np.stack([(((other - mean) @ white) ** 2).sum(axis=1) for mean in means])
    return np.sqrt(apart.min(axis=0))


def whitened(known: np.ndarray, classes: np.ndarray, other: np.ndarray) -> np.ndarray:
    _, white = whitening(known, classes)
    return nearest(known @ white, classes, other @ white)


def relative(known: np.ndarray, classes: np.ndarray, other: np.ndarray) -> np.ndarray:
    everything = np.full(len(known), "")
    return of_class(known, classes, other) ** 2 - of_class(known, everything, other) ** 2


DISTANCES: dict[str, Distance] = {
    "five nearest cells, standardised features": nearest,
    "five nearest cells, principal components of 95 %": of_components,
    "nearest class (Mahalanobis, Ledoit-Wolf)": of_class,
    "five nearest cells, whitened within classes": whitened,
    "nearest class relative to all cells": relative,
}


if __name__ == "__main__":
    main()
