"""Fit the F1 that is expected of an image, on held-out images whose truth is known.

The fit sees the side "validation", with simulated nuclei and cells of any kind: held-out images are
too much like those that were learned from, so that hardly one is bad. The side "test" scores it.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import overlap, true_positives
from cellpipe.networks.expected import FEATURES, Expectation, image_features
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import Network
from cellpipe.networks.scale_search import Seen
from cellpipe.networks.views import kept
from cellpipe.training import familiar

log = logging.getLogger(__name__)
PENALTY = 1.0  # on squared coefficients of standardised features, as that of so many images
WITHIN = 0.8  # share of the images that the interval holds
LEAST_IMAGES = 20


def fit(network: Network, pairs: pd.DataFrame, fields: pd.DataFrame) -> Expectation:
    """Fit on the side "validation" of images and simulated fields, and score both sides.

    Parameters
    ----------
    network : with a calibration in its card
    pairs : set, side, file, pair (what reads it), as `Plan.split` gives them
    fields : the same of simulated fields, as `expectation_fields` gives them

    Raises
    ------
    BadConfig : too few images with objects
    """
    held_out = pairs[pairs["side"] != "train"]
    images = judged_images(network, pd.concat([held_out, fields], ignore_index=True))
    known = images[images["side"] == "validation"].dropna()
    if len(known) < LEAST_IMAGES:
        raise BadConfig(
            seen=f"{len(known)} validation images, simulated ones among them, in which objects are "
            "found",
            wanted=f"{LEAST_IMAGES}, to learn how F1 follows from their probabilities",
            do="give more images, or a larger share of them in held_out, or simulate some: "
            "'simulation.expectation_fields'",
        )
    fitted = linear(known[list(FEATURES)].to_numpy(float), known["f1"].to_numpy())
    known_images = familiar.fit(network, pairs)
    if known_images is not None:
        fitted = replace(fitted, familiar=asdict(known_images))
    return scored(fitted, images)


def judged_images(network: Network, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row per image: set, side, file, `FEATURES`, and F1 at an IoU of 0.5."""
    rows = []
    for pair in pairs.itertuples():
        pixels, truth = pair.pair.read()
        found = find_objects(pixels, network)
        real = found.probable()
        features = image_features(found.object_probability, found.probability, real)
        seen = kept(Seen(np.asarray(found.labels), found.object_probability), real)
        compared = overlap(truth, seen.labels)
        f1 = 2 * true_positives(compared, 0.5) / max(compared.n_truth + len(seen.probability), 1)
        rows.append((pair.set, pair.side, pair.file, *features, f1))
    return pd.DataFrame(rows, columns=["set", "side", "file", *FEATURES, "f1"])


def linear(features: np.ndarray, f1: np.ndarray) -> Expectation:
    """Ridge regression of F1 (n,) on features (n, F), and the quantiles of what it leaves."""
    mean, spread = features.mean(0), np.maximum(features.std(0), 1e-6)
    standard = (features - mean) / spread
    squares = standard.T @ standard + PENALTY * np.eye(features.shape[1])
    slopes = np.linalg.solve(squares, standard.T @ (f1 - f1.mean())) / spread
    left = f1 - np.clip(f1.mean() + (features - mean) @ slopes, 0, 1)
    low, high = np.quantile(left, [(1 - WITHIN) / 2, (1 + WITHIN) / 2])
    return Expectation(
        features=FEATURES,
        coefficients=tuple(round(float(v), 6) for v in slopes),
        intercept=round(float(f1.mean() - mean @ slopes), 6),
        below=round(max(float(-low), 0.0), 4),
        above=round(max(float(high), 0.0), 4),
        scores={},
    )


def scored(expectation: Expectation, images: pd.DataFrame) -> Expectation:
    """The same with its scores on each side: Spearman's rank correlation, mean absolute error, and
    the share of images within the interval."""
    scores = {}
    for side, rows in images.dropna().groupby("side"):
        expected = np.array([expectation.of(row) for row in rows[list(FEATURES)].to_numpy(float)])
        f1 = rows["f1"].to_numpy()
        scores[str(side)] = {
            "images": len(rows),
            "spearman": round(float(spearmanr(expected[:, 0], f1).statistic), 4),
            "error": round(float(np.abs(expected[:, 0] - f1).mean()), 4),
            "within": round(float(((expected[:, 1] <= f1) & (f1 <= expected[:, 2])).mean()), 4),
        }
        log.info("expected F1 of side %s: %s", side, scores[str(side)])
    return Expectation.of_card({**expectation.for_card(), "scores": scores})
