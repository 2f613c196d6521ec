"""A training config, checked, and the files that a training writes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file

from cellpipe.errors import BadConfig
from cellpipe.models.card import Card
from cellpipe.models.normalise import DESCRIPTION
from cellpipe.models.unet import UNet, UNetConfig
from cellpipe.training.augment import Augmentation
from cellpipe.training.loop import Progress, Schedule
from cellpipe.training.pairs import PairSet, draw_split, list_pairs

KINDS = ("segmentation", "denoise")


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, how."""

    name: str
    kind: str
    sets: tuple[PairSet, ...]
    network: UNetConfig
    schedule: Schedule
    augmentation: Augmentation
    initial: str | None = None  # weights to start from: a shipped name or a .safetensors file

    def split(self, data: Path) -> pd.DataFrame:
        """The pairs of all sets under `data`, with their side."""
        tables = [list_pairs(pair_set, data) for pair_set in self.sets]
        return draw_split(tables, [s.held_out for s in self.sets], self.schedule.seed)


def read_plan(config: Mapping[str, Any]) -> Plan:
    """Build a plan from a parsed YAML config.

    Raises
    ------
    BadConfig : a key that is missing or unknown, by name
    """
    wanted = [f.name for f in dataclasses.fields(Plan) if f.name != "initial"]
    if sorted({*config} - {"initial"}) != sorted(wanted) or config["kind"] not in KINDS:
        raise BadConfig(
            seen=f"a training config with {', '.join(config)} (kind {config.get('kind')!r})",
            wanted=f"exactly {', '.join(wanted)}; kind one of {', '.join(KINDS)}",
            do="compare with config/training/nuclei.yaml",
        )
    return Plan(
        name=config["name"],
        kind=config["kind"],
        sets=tuple(_build(PairSet, entry) for entry in config["sets"]),
        network=_build(UNetConfig, config["network"]),
        schedule=_build(Schedule, config["schedule"]),
        augmentation=_build(Augmentation, config["augmentation"]),
        initial=config.get("initial"),
    )


def _build(kind: Any, entry: Mapping[str, Any]) -> Any:
    names = [f.name for f in dataclasses.fields(kind)]
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise BadConfig(
            seen=f"unknown key {', '.join(unknown)}",
            wanted=f"keys of {kind.__name__}: {', '.join(names)}",
            do="correct the training config",
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})


def write_network(
    network: UNet,
    plan: Plan,
    pairs: pd.DataFrame,
    scores: pd.DataFrame,
    progress: Progress,
    out: Path,
) -> None:
    """Weights as float32 safetensors to `out`, and the card beside them.

    scores : one row per held-out image: set, file, side and any figures
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out)
    out.chmod(0o644)
    means = scores.drop(columns="file").groupby(["side", "set"]).mean().round(4)
    counts = pairs.groupby(["set", "side"]).size()
    Card(
        name=plan.name,
        kind=plan.kind,
        architecture=network.config.as_dict(),
        sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        licence="CC0-1.0",
        normalisation=DESCRIPTION,
        diameter_px=plan.augmentation.diameter_px,
        extra={
            "data": [{"set": s.name, "licence": s.licence} for s in plan.sets],
            "images": {f"{name}/{side}": int(n) for (name, side), n in counts.items()},
            "scores": {f"{side}/{name}": dict(row) for (side, name), row in means.iterrows()},
            "split": {
                f"{name}/{side}": sorted(group["file"])
                for (name, side), group in pairs.groupby(["set", "side"])
            },
            "training": {
                **dataclasses.asdict(plan.schedule),
                "augmentation": dataclasses.asdict(plan.augmentation),
                "steps_done": progress.step,
                "seconds": round(progress.seconds),
                "best_step": progress.best_step,
                "curve": progress.curve,
                "torch": torch.__version__,
            },
        },
    ).write(out.with_suffix(".json"))


def read_split(card: Card) -> pd.DataFrame:
    """The recorded split of a card: set, side, file."""
    rows = [(*key.split("/"), file) for key, files in card.extra["split"].items() for file in files]
    return pd.DataFrame(rows, columns=["set", "side", "file"])
