"""What known images look like to a network, so that others can be told from them.

Images that were learned from, and those held out, of all sets; simulated ones too, where the
network learned from such.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.networks.calibration import FEATURES, Calibration
from cellpipe.networks.expected import Familiar
from cellpipe.networks.load import Network
from cellpipe.training.calibration import found_objects

MOST_IMAGES = 150  # that were learned from, evenly
LEAST_IMAGES = 20
WITHIN = 0.95  # share of held-out images at a distance below 1
SHRINK = 0.05  # of the covariance, to its diagonal: few images tell it badly


def fit(network: Network, pairs: pd.DataFrame) -> Familiar | None:
    """From pairs as `Plan.split` gives them; None for too few images with objects.

    network : with a calibration in its card
    """
    assert network.card.calibration is not None
    known = Calibration.of_card(network.card.calibration)
    learned = pairs[pairs["side"] == "train"]
    step = max(1, -(-len(learned) // MOST_IMAGES))
    chosen = pd.concat([learned.iloc[::step], pairs[pairs["side"] == "validation"]])
    objects, _ = found_objects(network, chosen)
    probable = known.probability(objects[list(FEATURES)].to_numpy()) >= (known.least or 0.0)
    images = objects[probable].groupby(["side", "set", "file"])[list(FEATURES)].mean()
    if len(images) < LEAST_IMAGES:
        return None
    return of_images(images.to_numpy(float), np.asarray(images.index.get_level_values("side")))


def of_images(features: np.ndarray, side: np.ndarray) -> Familiar:
    """From the mean features (n, F) of images; the unit is that of the side "validation" (n,)."""
    mean = features.mean(axis=0)
    covariance = np.cov(features.T)
    covariance = (1 - SHRINK) * covariance + SHRINK * np.diag(np.diag(covariance))
    precision = np.linalg.inv(covariance + 1e-9 * np.eye(len(mean)))
    apart = features - mean
    distance = np.sqrt(np.einsum("ij,jk,ik->i", apart, precision, apart))
    held_out = distance[side == "validation"]
    unit = float(np.quantile(held_out if len(held_out) else distance, WITHIN))
    scaled = precision / unit**2
    rows = tuple(tuple(float(f"{value:.6g}") for value in row) for row in scaled)
    return Familiar(tuple(round(float(value), 6) for value in mean), rows, len(features))
