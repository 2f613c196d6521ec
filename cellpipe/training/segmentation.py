"""Train a network that segments: crops, targets, loss, and AP as the score."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cellpipe.errors import BadConfig
from cellpipe.image.normalise import GreyScale
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.calibration import Calibration
from cellpipe.networks.card import Card
from cellpipe.networks.diameter import typical_diameter_px
from cellpipe.networks.expected import Expectation
from cellpipe.networks.load import Network
from cellpipe.networks.unet import UNet, channels_last
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training import calibration, expectation
from cellpipe.training.augment import (
    UNKNOWN,
    Augmentation,
    crop,
    disturb,
    empty_field,
    random_affine,
    random_bend,
)
from cellpipe.training.loop import fit
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import read_all
from cellpipe.training.plan import Plan
from cellpipe.training.schedule import Schedule
from cellpipe.training.simulated import expectation_fields, simulate_fields
from cellpipe.training.start import fresh_or_known
from cellpipe.training.targets import centre_maps
from cellpipe.training.trained import Shown, Trained, worst

log = logging.getLogger(__name__)
THRESHOLDS = (0.5, 0.75, 0.9)
SCORES = [f"ap{100 * threshold:.0f}" for threshold in THRESHOLDS]
SHIPPED_OUTPUTS = ("foreground", "distance")  # the other maps only help to learn these two
USUAL = GreyScale()


@dataclass(frozen=True)
class Example:
    """One training image: image (C, Y, X), maps (5, Y, X) = labels (`UNKNOWN` where nobody said),
    distance, offset y and x, root of the object's area.

    weight: how often it is sampled, against images of the same size.
    """

    image: Tensor
    maps: Tensor
    diameter_px: float
    weight: float = 1.0

    @property
    def edge_px(self) -> float:
        """Large images are sampled more often, but not in proportion to their pixels."""
        return math.sqrt(self.image.shape[-1] * self.image.shape[-2])


@dataclass(frozen=True)
class Simulated:
    """Simulated examples, and the share of crops that they take the place of."""

    examples: Sequence[Example] = ()
    share: float = 0.0


NONE_SIMULATED = Simulated()


def make_example(
    pixels: np.ndarray,
    labels: np.ndarray,
    scale: GreyScale = USUAL,
    weight: float = 1.0,
    known: np.ndarray | None = None,
) -> Example:
    """An example from pixels (Y, X) or (C, Y, X), and labels (Y, X).

    known : bool (Y, X), where the labels are certain; elsewhere nothing is learned
    """
    image = scale.bring(pixels if pixels.ndim == 3 else pixels[None])
    areas = np.bincount(labels.ravel())[1:]
    diameter_px = typical_diameter_px(areas) if len(areas) else 20.0
    seen = labels.astype(np.float32)
    if known is not None:
        seen = np.where(known, seen, UNKNOWN).astype(np.float32)
    maps = np.concatenate([seen[None], centre_maps(labels)])
    return Example(torch.from_numpy(image), torch.from_numpy(maps), diameter_px, weight)


def sample_batch(
    examples: Sequence[Example],
    schedule: Schedule,
    settings: Augmentation,
    step: int,
    simulated: Simulated = NONE_SIMULATED,
) -> tuple[Tensor, Tensor, Tensor]:
    """The crops of one step: images (B, C, P, P), maps (B, 5, P, P), valid (B, 1, P, P)."""
    rng = np.random.default_rng([schedule.seed, step])
    share = np.array([e.weight * e.edge_px for e in examples])
    picked = [examples[i] for i in rng.choice(len(examples), schedule.batch, p=share / share.sum())]
    if simulated.share:
        for i in np.flatnonzero(rng.random(schedule.batch) < simulated.share):
            picked[i] = simulated.examples[int(rng.integers(len(simulated.examples)))]
    crops = []
    for example in picked:
        matrix = random_affine(rng, settings, example.diameter_px)
        bend = random_bend(rng, settings, schedule.crop_px)
        crops.append(crop(example.image, example.maps, matrix, schedule.crop_px, rng, bend))
    images, maps, valid = (torch.stack(parts) for parts in zip(*crops, strict=True))
    images = disturb(images, settings, rng)
    for i in np.flatnonzero(rng.random(schedule.batch) < settings.empty):
        images[i], maps[i], valid[i] = empty_field(schedule.crop_px, rng, images.shape[1]), 0.0, 1.0
    return images, maps, valid


def in_use(module: UNet, plan: Plan, scale: GreyScale) -> Network:
    """A network in training as it will be used, so that its scores are those of users."""
    card = Card(
        name=plan.name,
        kind="segmentation",
        architecture=module.config.as_dict(),
        sha256="",
        licence=plan.licence,
        normalisation=scale.for_card(),
        diameter_px=plan.diameter_px,
    )
    return Network(module, card)


def found_labels(network: Network, pixels: np.ndarray) -> np.ndarray:
    """What the network finds in pixels (C, Y, X), by default; labels (Y, X)."""
    return np.asarray(segment_nuclei(pixels, 1.0, engine=CellpipeEngine(network)).labels)


def score_images(network: Network, pairs: pd.DataFrame) -> pd.DataFrame:
    """AP of each image: columns set, side, file, ap50, ap75, ap90."""
    rows = []
    for pair in pairs.itertuples():
        pixels, labels = pair.pair.read()
        values = average_precision(labels, found_labels(network, pixels), THRESHOLDS)
        rows.append((pair.set, pair.side, pair.file, *values))
    return pd.DataFrame(rows, columns=["set", "side", "file", *SCORES])


def worst_images(network: Network, pairs: pd.DataFrame, scores: pd.DataFrame) -> list[Shown]:
    """The validation images with the lowest AP (mean over the thresholds), the worst first."""
    held_out = scores[scores["side"] == "validation"]
    shown = []
    for row, value in worst(held_out, held_out[SCORES].mean(axis=1)):
        pair = pairs[(pairs["set"] == row["set"]) & (pairs["file"] == row["file"])].iloc[0]
        pixels, labels = pair["pair"].read()
        found = found_labels(network, pixels)
        name = f"{row['set']} {row['file']}\nAP {value:.2f}"
        shown.append(Shown(name, (("truth", pixels, labels), ("found", pixels, found))))
    return shown


def read_examples(plan: Plan, learn: pd.DataFrame) -> tuple[list[Example], Simulated, GreyScale]:
    """Real and simulated examples, and the grey scale that was fitted to the real ones."""
    real = list(read_all(learn, plan.network.inputs))
    scale = plan.normalisation.fit([pixels for pixels, *_ in real])
    examples = [
        make_example(pixels, labels, scale, weight, known)
        for (pixels, labels, known), weight in zip(real, learn["weight"], strict=True)
    ]
    if plan.balance == "sets":
        examples = balanced(examples, learn["set"].tolist())
    # simulated grey values are not those of the data: they are scaled by themselves
    own = replace(scale, per="image", fitted=None)
    fields = simulate_fields(plan.simulation, plan.schedule.seed)
    simulated = [make_example(pixels, labels, own) for pixels, labels in fields]
    return examples, Simulated(simulated, plan.simulation.share), scale


def balanced(examples: Sequence[Example], sets: Sequence[str]) -> list[Example]:
    """The same examples, weighted so that each set is sampled as often as its weight says."""
    total: dict[str, float] = {}
    for example, of_set in zip(examples, sets, strict=True):
        total[of_set] = total.get(of_set, 0.0) + example.edge_px
    return [
        replace(example, weight=example.weight / total[of_set])
        for example, of_set in zip(examples, sets, strict=True)
    ]


def train_segmentation(plan: Plan, pairs: pd.DataFrame, checkpoint: Path) -> Trained:
    """Train on the side "train", choose on "validation", score both held-out sides."""
    examples, simulated, scale = read_examples(plan, pairs[pairs.side == "train"])
    validation = pairs[pairs.side == "validation"]

    def score(network: nn.Module) -> float:
        scores = score_images(in_use(cast(UNet, network), plan, scale), validation)
        means = scores.groupby("set")[SCORES].mean()
        log.info("validation\n%s", means.round(4).to_string())
        return float(means.to_numpy().mean())

    network, progress = fit(
        channels_last(fresh_or_known(plan)),
        lambda step: sample_batch(examples, plan.schedule, plan.augmentation, step, simulated),
        lambda maps, targets, valid: segmentation_loss(maps, targets, valid, plan.weighting),
        score,
        plan.schedule,
        checkpoint,
        plan.freeze,
    )
    network = network.with_outputs(SHIPPED_OUTPUTS).to(plan.schedule.device)
    used = judging(in_use(network, plan, scale), pairs, plan)
    scores = score_images(used, pairs[pairs.side != "train"])
    shown = worst_images(used, pairs, scores)
    return Trained(network, scores, progress, scale, shown, *_fits(used))


def judging(network: Network, pairs: pd.DataFrame, plan: Plan) -> Network:
    """The same network with what its card says of its results: which objects are real, and F1.

    Without enough held-out objects or images, that is left out, with a line in the log.
    """
    card = replace(network.card, calibration=None, expectation=None)
    try:
        fitted = calibration.fit(network._replace(card=card), pairs)
        card = replace(card, calibration=fitted.for_card())
        fields = expectation_fields(plan.simulation, plan.schedule.seed)
        expected = expectation.fit(network._replace(card=card), pairs, fields)
        card = replace(card, expectation=expected.for_card())
    except BadConfig as fault:
        log.warning("not fitted: %s", fault)
    return network._replace(card=card)


def _fits(network: Network) -> tuple[Calibration | None, Expectation | None]:
    stored, expected = network.card.calibration, network.card.expectation
    return (
        None if stored is None else Calibration.of_card(stored),
        None if expected is None else Expectation.of_card(expected),
    )
