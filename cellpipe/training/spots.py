"""Train a network that finds spots: each crop is simulated when it is needed, and no field is used
twice.

The heat map is a Gaussian of one pixel around each centre, learned by cross-entropy; offsets to
the nearest centre are learned where there is heat. Eichenberger et al. 2021
(doi:10.1093/nar/gkab546); Dominguez Mantes et al. 2025 (doi:10.1038/s41592-025-02662-x).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cellpipe.detect.filters import DIAMETER_TO_SIGMA, blob_answer
from cellpipe.detect.learned import SCALE, in_noise_units, spots_from_maps
from cellpipe.metrics.points import point_scores
from cellpipe.networks.predict import image_maps
from cellpipe.networks.unet import channels_last
from cellpipe.simulate.spots import SpotDesign, SpotField, simulate_spots
from cellpipe.training.loop import fit
from cellpipe.training.plan import Plan
from cellpipe.training.schedule import Schedule
from cellpipe.training.simulated_spots import STEPS
from cellpipe.training.start import fresh_or_known
from cellpipe.training.trained import Shown, Trained, worst

TOLERANCE_PX = 3.0
HEAT_SIGMA_PX = 1.0
REACH_PX = 3  # how far a spot's heat and offsets go
HEAT_WEIGHT = 20.0  # most pixels hold nothing: their mean loss is small compared with the offsets'
ASKED = (0.75, 1.35)  # the diameter that a person gives, over the true one
DISC_PX = 3  # radius in pictures


def seen_by_network(field: SpotField, asked: float = 1.0) -> np.ndarray | None:
    """The input of the network for a field, (Y, X), when `asked` times its diameter is given.

    None where more than half of the pixels have one grey value.
    """
    image = field.pixels - np.median(field.pixels).astype(float)
    sigma_px = asked * field.diameter_px / DIAMETER_TO_SIGMA
    answer = blob_answer(image, sigma_px)
    return None if answer is None else in_noise_units(image, answer, sigma_px)


def spot_maps(spots_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Heat, and offsets y and x to the nearest centre, float32 (3, Y, X); 0 far from spots."""
    maps = np.zeros((3, *shape), np.float32)
    step = np.arange(-REACH_PX, REACH_PX + 1)
    at = np.rint(spots_px).astype(np.intp)[:, None] + np.stack(
        np.meshgrid(step, step, indexing="ij"), axis=-1
    ).reshape(1, -1, 2)  # (N, K, 2)
    offset = spots_px[:, None] - at
    distance2 = (offset**2).sum(axis=-1)
    near = (distance2 <= REACH_PX**2) & ((at >= 0) & (at < shape)).all(axis=-1)
    at, offset, distance2 = at[near], offset[near], distance2[near]
    far_first = np.argsort(-distance2, kind="stable")  # of two spots, the nearer one is kept
    y, x = at[far_first].T
    maps[0, y, x] = np.exp(-distance2[far_first] / (2 * HEAT_SIGMA_PX**2))
    maps[1:, y, x] = offset[far_first].T
    return maps


def sample_batch(
    schedule: Schedule, design: SpotDesign, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The crops of one step: images (B, 1, P, P), maps (B, 3, P, P), valid (B, 1, P, P)."""
    rng = np.random.default_rng([schedule.seed, STEPS, step])
    shape = (schedule.crop_px, schedule.crop_px)
    images: list[Tensor] = []
    maps: list[Tensor] = []
    while len(images) < schedule.batch:
        field = simulate_spots(rng, shape, design)
        seen = seen_by_network(field, float(np.exp(rng.uniform(*np.log(ASKED)))))
        if seen is not None:
            images.append(torch.from_numpy(seen)[None])
            maps.append(torch.from_numpy(spot_maps(field.spots_px, shape)))
    return torch.stack(images), torch.stack(maps), torch.ones(len(images), 1, *shape)


def spot_loss(predicted: Tensor, targets: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of the heat, and the mean error of offsets (pixels) where there is heat."""
    heat = targets[:, :1]
    entropy = F.binary_cross_entropy_with_logits(predicted[:, :1], heat, reduction="none")
    error = (predicted[:, 1:] - targets[:, 1:]).abs().sum(1, keepdim=True)
    weight = heat * valid
    return {
        "heat": HEAT_WEIGHT * (entropy * valid).sum() / valid.sum().clamp_min(1),
        "offset": (error * weight).sum() / weight.sum().clamp_min(1),
    }


def found_spots(network: nn.Module, field: SpotField) -> np.ndarray:
    """y and x of what the network finds in a field, (S, 2) in pixels."""
    seen = seen_by_network(field)
    if seen is None:
        return np.zeros((0, 2))
    sigma_px = field.diameter_px / DIAMETER_TO_SIGMA
    return spots_from_maps(image_maps(network, seen), sigma_px)[:, :2]


def score_fields(network: nn.Module, fields: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall and F1 at 3 pixels of each field: set, side, file, precision, recall, f1.

    NaN where there was nothing to find and nothing was found.
    """
    rows = []
    for row in fields.itertuples():
        field = row.pair.read()
        scores = point_scores(field.spots_px, found_spots(network, field), TOLERANCE_PX)
        rows.append({"set": row.set, "side": row.side, "file": row.file, **scores})
    return pd.DataFrame(rows)


def worst_fields(network: nn.Module, fields: pd.DataFrame, scores: pd.DataFrame) -> list[Shown]:
    """The validation fields with the lowest F1, the worst first."""
    held_out = scores[(scores["side"] == "validation") & scores["f1"].notna()]
    shown = []
    for row, value in worst(held_out, held_out["f1"]):
        at = (fields["set"] == row["set"]) & (fields["file"] == row["file"])
        field = fields[at & (fields["side"] == row["side"])]["pair"].iloc[0].read()
        pixels, shape = field.pixels[None], field.pixels.shape
        truth, found = discs(field.spots_px, shape), discs(found_spots(network, field), shape)
        name = f"{row['set']} {row['file']}\nF1 {value:.2f}"
        shown.append(Shown(name, (("truth", pixels, truth), ("found", pixels, found))))
    return shown


def discs(spots_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Labels (Y, X): a disc around each spot."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint32)
    for label, (spot_y, spot_x) in enumerate(spots_px, start=1):
        labels[np.hypot(y - spot_y, x - spot_x) <= DISC_PX] = label
    return labels


def train_spots(plan: Plan, fields: pd.DataFrame, checkpoint: Path) -> Trained:
    """Train on crops simulated as they are needed, choose on "validation", score both sides."""
    validation = fields[fields.side == "validation"]
    network, progress = fit(
        channels_last(fresh_or_known(plan)),
        lambda step: sample_batch(plan.schedule, plan.spots, step),
        spot_loss,
        lambda network: float(score_fields(network, validation)["f1"].mean()),
        plan.schedule,
        checkpoint,
        plan.freeze,
    )
    scores = score_fields(network, fields)
    return Trained(network, scores, progress, SCALE, worst_fields(network, fields, scores))
