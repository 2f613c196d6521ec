"""One training from plan to weights, for any kind of network."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from cellpipe.training.denoising import train_denoising
from cellpipe.training.plan import Plan, write_network
from cellpipe.training.segmentation import train_segmentation

log = logging.getLogger(__name__)
TRAININGS = {"segmentation": train_segmentation, "denoise": train_denoising}


def train(plan: Plan, data: Path, out: Path, work: Path) -> None:
    """Train by plan on the images under `data`; write weights and card to `out`.

    work : folder for the checkpoint, the split and the scores of each held-out image. A run that
        finds a checkpoint there goes on from it.
    """
    work.mkdir(parents=True, exist_ok=True)
    pairs = plan.split(data)
    pairs[["set", "file", "side"]].to_csv(work / "split.tsv", sep="\t", index=False)
    log.info("%s", pairs.groupby(["set", "side"]).size().to_dict())
    torch.manual_seed(plan.schedule.seed)
    network, scores, progress = TRAININGS[plan.kind](plan, pairs, work / "checkpoint.pt")
    scores.to_csv(work / "scores.tsv", sep="\t", index=False)
    write_network(network, plan, pairs, scores, progress, out)
    log.info("%s", scores.drop(columns="file").groupby(["set", "side"]).mean().to_string())
