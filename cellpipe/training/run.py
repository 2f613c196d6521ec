"""One training from plan to weights, for any kind of network."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from cellpipe.errors import BadConfig
from cellpipe.files.publish import publish_text
from cellpipe.networks.load import torch_device
from cellpipe.training.denoising import train_denoising
from cellpipe.training.linking import train_linking
from cellpipe.training.linking_plan import LinkingPlan
from cellpipe.training.outputs import Outputs, write_outputs
from cellpipe.training.plan import Plan
from cellpipe.training.segmentation import train_segmentation
from cellpipe.training.spots import train_spots
from cellpipe.training.trained import Trained

log = logging.getLogger(__name__)
TRAININGS: dict[str, Callable[[Any, pd.DataFrame, Path], Trained]] = {
    "segmentation": train_segmentation,
    "denoise": train_denoising,
    "spots": train_spots,
    "linking": train_linking,
}


def train(plan: Plan | LinkingPlan, data: Path, out: Path, work: Path) -> None:
    """Train by plan on the images under `data`; write weights to `out` and the rest next to them.

    work : folder for the checkpoint, the plan and the split. A run that finds a checkpoint there
        continues from it.

    Raises BadConfig where the checkpoint is of another plan.
    """
    torch_device(plan.schedule.device)
    work.mkdir(parents=True, exist_ok=True)
    _refuse_other_plan(plan, work)
    pairs = plan.split(data)
    pairs[["set", "file", "side"]].to_csv(work / "split.tsv", sep="\t", index=False)
    log.info("%s", pairs.groupby(["set", "side"]).size().to_dict())
    torch.manual_seed(plan.schedule.seed)
    trained = TRAININGS[plan.kind](plan, pairs, work / "checkpoint.pt")
    write_outputs(trained, plan, pairs, Outputs(out))
    log.info("%s", trained.scores.drop(columns="file").groupby(["set", "side"]).mean().to_string())


def _refuse_other_plan(plan: Plan | LinkingPlan, work: Path) -> None:
    """A card must not list options that its weights were not trained with."""
    asked = json.loads(json.dumps(asdict(plan)))
    path = work / "plan.json"
    if path.exists() and (work / "checkpoint.pt").exists():
        began = json.loads(path.read_text(encoding="utf-8"))
        changed = _differences(began, asked)
        if changed:
            raise BadConfig(
                seen=f"a checkpoint in {work} of a training with another {', '.join(changed)}",
                wanted="the options that it began with",
                do=f"put them back, or remove {work} to start again",
            )
    publish_text(path, json.dumps(asked, indent=1) + "\n")


def _differences(began: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """Names of the options that differ: "schedule: steps"."""
    found = []
    for key in sorted(began.keys() | asked.keys()):
        old, new = began.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{key}: {name}" for name in _differences(old, new)]
        elif old != new:
            found.append(key)
    return found
