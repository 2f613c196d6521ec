"""Train a network that segments: pairs in, weights and card out."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from cellpipe.metrics import average_precision
from cellpipe.models.card import Card
from cellpipe.models.instances import labels_from_maps
from cellpipe.models.normalise import normalise
from cellpipe.models.predict import image_maps
from cellpipe.models.unet import UNet, UNetConfig
from cellpipe.training.augment import Augmentation
from cellpipe.training.loop import Example, Schedule, fit
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import PairSet, draw_split, list_pairs, read_pair
from cellpipe.training.targets import centre_maps

log = logging.getLogger(__name__)
THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Plan:
    """A training config, checked: sets, network, schedule, augmentation."""

    name: str
    sets: tuple[PairSet, ...]
    network: UNetConfig
    schedule: Schedule
    augmentation: Augmentation


def read_plan(config: Mapping) -> Plan:
    """Build a plan from a parsed YAML config; unknown keys are refused by name."""
    sets = tuple(PairSet(**_tuples(entry)) for entry in config["sets"])
    return Plan(
        name=config["name"],
        sets=sets,
        network=UNetConfig(**_tuples(config["network"])),
        schedule=Schedule(**config["schedule"]),
        augmentation=Augmentation(**_tuples(config["augmentation"])),
    )


def _tuples(entry: Mapping) -> dict:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}


def split_of(plan: Plan, data: Path) -> pd.DataFrame:
    """The pairs of all sets with their side."""
    tables = [list_pairs(pair_set, data) for pair_set in plan.sets]
    return draw_split(tables, [s.held_out for s in plan.sets], plan.schedule.seed)


def read_example(image: Path, label: Path) -> Example:
    pixels, labels = read_pair(image, label)
    maps = np.concatenate([labels[None].astype(np.float32), centre_maps(labels)])
    areas = np.bincount(labels.ravel())[1:]
    diameter_px = 2 * np.sqrt(np.median(areas) / np.pi) if len(areas) else 20.0
    return Example(
        torch.from_numpy(normalise(pixels))[None], torch.from_numpy(maps), float(diameter_px)
    )


def score_images(network: nn.Module, pairs: pd.DataFrame) -> pd.DataFrame:
    """AP at 0.5, 0.75 and 0.9 of each image: columns set, file, ap50, ap75, ap90."""
    rows = []
    for pair in pairs.itertuples():
        pixels, labels = read_pair(pair.image, pair.label)
        found = labels_from_maps(image_maps(network, normalise(pixels)))
        rows.append((pair.set, pair.file, *average_precision(labels, found, THRESHOLDS)))
    return pd.DataFrame(rows, columns=["set", "file", *(f"ap{t * 100:.0f}" for t in THRESHOLDS)])


def train(plan: Plan, data: Path, out: Path, work: Path) -> None:
    """Train by plan on the images under `data`; write weights and card to `out`.

    work : folder for the checkpoint and the split table
    """
    pairs = split_of(plan, data)
    work.mkdir(parents=True, exist_ok=True)
    pairs[["set", "file", "side"]].to_csv(work / "split.tsv", sep="\t", index=False)
    log.info("%s", pairs.groupby(["set", "side"]).size().to_dict())
    examples = [read_example(p.image, p.label) for p in pairs[pairs.side == "train"].itertuples()]
    validation = pairs[pairs.side == "validation"]

    def score(network: nn.Module) -> float:
        table = score_images(network, validation).drop(columns="file").groupby("set").mean()
        log.info("validation\n%s", table.round(4).to_string())
        return float(table.to_numpy().mean())

    torch.manual_seed(plan.schedule.seed)
    network, progress = fit(
        UNet(plan.network),
        examples,
        segmentation_loss,
        score,
        plan.schedule,
        plan.augmentation,
        work / "checkpoint.pt",
    )
    held_out = pairs[pairs.side != "train"]
    table = score_images(network, held_out).merge(held_out[["set", "file", "side"]])
    table.to_csv(work / "scores.tsv", sep="\t", index=False)
    log.info("%s", table.drop(columns="file").groupby(["set", "side"]).mean().to_string())
    write_network(network, plan, pairs, table, progress.__dict__, out)


def write_network(
    network: nn.Module,
    plan: Plan,
    pairs: pd.DataFrame,
    scores: pd.DataFrame,
    progress: dict,
    out: Path,
) -> None:
    """Weights as safetensors (float32) and the card beside them."""
    from safetensors.torch import save_file

    out.parent.mkdir(parents=True, exist_ok=True)
    state = {k: v.contiguous() for k, v in network.state_dict().items()}
    save_file(state, out, metadata={"architecture": json.dumps(plan.network.as_dict())})
    means = scores.drop(columns="file").groupby(["side", "set"]).mean().round(4)
    Card(
        name=plan.name,
        kind="segmentation",
        architecture=plan.network.as_dict(),
        sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        licence="CC0-1.0",
        normalisation="percentiles 1 and 99.8 of the image to 0 and 1, cut at -1 and 4",
        diameter_px=plan.augmentation.diameter_px,
        extra={
            "data": [{"set": s.name, "licence": s.licence} for s in plan.sets],
            "scores": {f"{side}/{name}": row.to_dict() for (side, name), row in means.iterrows()},
            "split": {
                f"{name}/{side}": sorted(group.file)
                for (name, side), group in pairs.groupby(["set", "side"])
            },
            "seed": plan.schedule.seed,
            "progress": progress,
            "torch": torch.__version__,
            "machine": platform.machine(),
        },
    ).write(out.with_suffix(".json"))
