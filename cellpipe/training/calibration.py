"""Fit the probability that an object is real, on held-out images whose truth is known.

    validation images ──► objects found, each real (IoU ≥ 0.5 with a true one) or not ──► fit
    test images       ──► the same, not seen by the fit                            ──► scores

It can be done for any network of ours, at the end of its training or later
(scripts/calibrate_network.py); the network's weights stay unchanged.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from cellpipe.errors import BadConfig
from cellpipe.metrics.calibration import brier_score, expected_calibration_error
from cellpipe.metrics.labels import matches, overlap
from cellpipe.networks.calibration import FEATURES, Calibration
from cellpipe.networks.infer import described_objects
from cellpipe.networks.load import Network

log = logging.getLogger(__name__)
PENALTY = 1.0  # on squared coefficients of standardised features
LEAST_OBJECTS = 10  # of the real, and of the others


def fit(network: Network, pairs: pd.DataFrame) -> Calibration:
    """Fit on the side "validation", score it and the side "test".

    Parameters
    ----------
    network : predicts foreground and distance, in that order
    pairs : set, side, file, pair (what reads it), as `Plan.split` gives them

    Raises
    ------
    BadConfig : too few objects on the side "validation", or all of them of one kind
    """
    objects, labelled = found_objects(network, pairs[pairs["side"] != "train"])
    known = objects[objects["side"] == "validation"]
    features, real = known[list(FEATURES)].to_numpy(float), known["real"].to_numpy(bool)
    if min(real.sum(), (~real).sum()) < LEAST_OBJECTS:
        raise BadConfig(
            seen=f"{real.sum()} real and {(~real).sum()} false objects in the validation images",
            wanted=f"{LEAST_OBJECTS} of each, to learn which are real",
            do="give more images, or a larger share of them in held_out",
        )
    least = least_probability(int(real.sum()), len(real), labelled["validation"])
    return scored(replace(logistic(features, real), least=least), objects)


def least_probability(real: int, found: int, labelled: int) -> float:
    """What an object has to exceed to raise F1: half of F1 (Lipton et al. 2014, arXiv:1402.1892).

    F1 is that of all objects found, before any is dropped.
    """
    return round(real / (found + labelled), 2)


def found_objects(network: Network, pairs: pd.DataFrame) -> tuple[pd.DataFrame, Counter[str]]:
    """One row per object found: set, side, file, `FEATURES`, and whether it is real; and the
    number of labelled objects of each side.

    Real is an object with an IoU of 0.5 or more with a true one. Without a threshold of its own,
    the network's objects are those of its foreground above 0.5.
    """
    tables, labelled = [], Counter[str]()
    for pair in pairs.itertuples():
        pixels, truth = pair.pair.read()
        labels, features, *_ = described_objects(pixels, network)
        table = pd.DataFrame(features, columns=list(FEATURES))
        real = np.zeros(len(table), bool)
        compared = overlap(truth, np.asarray(labels))
        labelled[pair.side] += compared.n_truth
        real[compared.predicted[matches(compared).predicted] - 1] = True
        tables.append(table.assign(real=real, set=pair.set, side=pair.side, file=pair.file))
    columns = ["set", "side", "file", *FEATURES, "real"]
    return pd.concat(tables, ignore_index=True)[columns], labelled


def logistic(features: np.ndarray, real: np.ndarray) -> Calibration:
    """Logistic regression with an L2 penalty; (n, F) features, (n,) real."""
    mean, spread = features.mean(0), np.maximum(features.std(0), 1e-6)
    model = LogisticRegression(C=1 / PENALTY, solver="newton-cholesky", tol=1e-9)
    with threadpool_limits(1):  # sums in one order, so the same bytes on any number of cores
        model.fit((features - mean) / spread, real)
    return Calibration(
        features=FEATURES,
        mean=_rounded(mean),
        spread=_rounded(spread),
        coefficients=_rounded(model.coef_[0]),
        intercept=round(float(model.intercept_[0]), 6),
        scores={},
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def scored(calibration: Calibration, objects: pd.DataFrame) -> Calibration:
    """The calibration with its scores on each side of the objects.

    ece : expected calibration error; brier : Brier score; brier_foreground : that of the mean
    foreground probability; brier_share : that of the same probability for every object
    """
    scores = {}
    for side, rows in objects.groupby("side"):
        real = rows["real"].to_numpy(bool)
        probability = calibration.probability(rows[list(FEATURES)].to_numpy(float))
        foreground = rows["foreground"].to_numpy(float)
        scores[str(side)] = {
            "objects": len(rows),
            "real": int(real.sum()),
            "ece": round(expected_calibration_error(probability, real), 4),
            "ece_foreground": round(expected_calibration_error(foreground, real), 4),
            "brier": round(brier_score(probability, real), 4),
            "brier_foreground": round(brier_score(foreground, real), 4),
            "brier_share": round(float(real.mean() * (1 - real.mean())), 4),
        }
        log.info("objects of side %s: %s", side, scores[str(side)])
    values = calibration.for_card() | {"scores": scores}
    return Calibration.of_card(values)
