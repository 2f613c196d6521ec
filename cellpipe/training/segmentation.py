"""Train a network that segments: crops, targets, loss, and AP as the score."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.models.card import load_card, weights_path
from cellpipe.models.instances import labels_from_maps
from cellpipe.models.normalise import normalise
from cellpipe.models.predict import image_maps
from cellpipe.models.unet import UNet, channels_last
from cellpipe.training.augment import Augmentation, crop, disturb, empty_field, random_affine
from cellpipe.training.loop import Progress, Schedule, fit
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import read_pair
from cellpipe.training.plan import Plan
from cellpipe.training.targets import centre_maps

log = logging.getLogger(__name__)
THRESHOLDS = (0.5, 0.75, 0.9)
SHIPPED_OUTPUTS = ("foreground", "distance")  # the other maps only help to learn these two


@dataclass(frozen=True)
class Example:
    """One training image: image (1, Y, X), maps (5, Y, X) = labels, distance, offset y and x, root
    of the object's area."""

    image: Tensor
    maps: Tensor
    diameter_px: float


def make_example(pixels: np.ndarray, labels: np.ndarray) -> Example:
    """An example from pixels (Y, X) and labels (Y, X)."""
    maps = np.concatenate([labels[None].astype(np.float32), centre_maps(labels)])
    areas = np.bincount(labels.ravel())[1:]
    diameter_px = 2 * np.sqrt(np.median(areas) / np.pi) if len(areas) else 20.0
    image = torch.from_numpy(normalise(pixels))[None]
    return Example(image, torch.from_numpy(maps), float(diameter_px))


def draw_batch(
    examples: Sequence[Example], schedule: Schedule, settings: Augmentation, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The crops of one step: images (B, 1, P, P), maps (B, 5, P, P), valid (B, 1, P, P)."""
    rng = np.random.default_rng([schedule.seed, step])
    # by edge length: large images are seen more often, but not in proportion to their pixels
    share = np.sqrt([e.image.shape[-1] * e.image.shape[-2] for e in examples])
    chosen = rng.choice(len(examples), schedule.batch, p=share / share.sum())
    crops = []
    for index in chosen:
        example = examples[index]
        matrix = random_affine(rng, settings, example.diameter_px)
        crops.append(crop(example.image, example.maps, matrix, schedule.crop_px, rng))
    images, maps, valid = (torch.stack(parts) for parts in zip(*crops, strict=True))
    images = disturb(images, settings, rng)
    for i in np.flatnonzero(rng.random(schedule.batch) < settings.empty):
        images[i], maps[i], valid[i] = empty_field(schedule.crop_px, rng), 0.0, 1.0
    return images, maps, valid


def score_images(network: nn.Module, pairs: pd.DataFrame) -> pd.DataFrame:
    """AP of each image: columns set, side, file, ap50, ap75, ap90."""
    rows = []
    for pair in pairs.itertuples():
        pixels, labels = read_pair(pair.image, pair.label)
        found = labels_from_maps(image_maps(network, normalise(pixels)))
        values = average_precision(labels, found, THRESHOLDS)
        rows.append((pair.set, pair.side, pair.file, *values))
    names = [f"ap{100 * threshold:.0f}" for threshold in THRESHOLDS]
    return pd.DataFrame(rows, columns=["set", "side", "file", *names])


def fresh_or_known(plan: Plan) -> UNet:
    """The network to train: fresh, or with the weights that the plan starts from."""
    network = UNet(plan.network)
    if plan.initial is None:
        return network
    card = load_card(plan.initial)
    try:
        known = load_file(weights_path(plan.initial))
        return network.start_from(known, card.architecture["outputs"])
    except (RuntimeError, ValueError) as fault:
        raise BadConfig(
            seen=f"initial weights {plan.initial} of a network {card.architecture}",
            wanted=f"weights of a network {plan.network.as_dict()}, or of some of its outputs",
            do="correct 'initial' or 'network' in the training config",
        ) from fault


def train_segmentation(
    plan: Plan, pairs: pd.DataFrame, checkpoint: Path
) -> tuple[UNet, pd.DataFrame, Progress]:
    """Train on the side "train", choose on "validation", score both held-out sides."""
    learn = pairs[pairs.side == "train"]
    examples = [make_example(*read_pair(p.image, p.label)) for p in learn.itertuples()]
    validation = pairs[pairs.side == "validation"]

    def score(network: nn.Module) -> float:
        means = score_images(network, validation).groupby("set")[["ap50", "ap75", "ap90"]].mean()
        log.info("validation\n%s", means.round(4).to_string())
        return float(means.to_numpy().mean())

    network, progress = fit(
        channels_last(fresh_or_known(plan)),
        lambda step: draw_batch(examples, plan.schedule, plan.augmentation, step),
        segmentation_loss,
        score,
        plan.schedule,
        checkpoint,
    )
    network = network.with_outputs(SHIPPED_OUTPUTS)
    return network, score_images(network, pairs[pairs.side != "train"]), progress
