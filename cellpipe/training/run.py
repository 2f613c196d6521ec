"""One training from plan to weights, for any kind of network."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from cellpipe.models.load import torch_device
from cellpipe.training.denoising import train_denoising
from cellpipe.training.outputs import Outputs, write_outputs
from cellpipe.training.plan import Plan
from cellpipe.training.segmentation import train_segmentation

log = logging.getLogger(__name__)
TRAININGS = {"segmentation": train_segmentation, "denoise": train_denoising}


def train(plan: Plan, data: Path, out: Path, work: Path) -> None:
    """Train by plan on the images under `data`; write weights to `out` and the rest beside them.

    work : folder for the checkpoint and the split. A run that finds a checkpoint there goes on
        from it.
    """
    torch_device(plan.schedule.device)
    work.mkdir(parents=True, exist_ok=True)
    pairs = plan.split(data)
    pairs[["set", "file", "side"]].to_csv(work / "split.tsv", sep="\t", index=False)
    log.info("%s", pairs.groupby(["set", "side"]).size().to_dict())
    torch.manual_seed(plan.schedule.seed)
    trained = TRAININGS[plan.kind](plan, pairs, work / "checkpoint.pt")
    write_outputs(trained, plan, pairs, Outputs(out))
    log.info("%s", trained.scores.drop(columns="file").groupby(["set", "side"]).mean().to_string())
