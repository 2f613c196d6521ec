"""The files that a training writes: weights, card, curves, scores, the worst images."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from cellpipe.figures.style import figure_bytes
from cellpipe.figures.training import learning_curves, worst_images
from cellpipe.files.publish import publish_table, published
from cellpipe.networks.card import Card
from cellpipe.training.linking_plan import LinkingPlan
from cellpipe.training.plan import Plan
from cellpipe.training.trained import Trained

KEPT = (
    *("kind", "initial", "balance", "normalisation", "simulation", "freeze", "weighting"),
    "augmentation",
)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where the files go. Only the weights are requested; the others are next to them."""

    weights: Path

    @property
    def card(self) -> Path:
        return self.weights.with_suffix(".json")

    @property
    def curves(self) -> Path:
        return self.weights.with_name("curves.tsv")

    @property
    def figure(self) -> Path:
        return self.weights.with_name("curves.svg")

    @property
    def scores(self) -> Path:
        return self.weights.with_name("scores.tsv")

    @property
    def worst(self) -> Path:
        return self.weights.with_name("worst.png")


def write_outputs(
    trained: Trained, plan: Plan | LinkingPlan, pairs: pd.DataFrame, outputs: Outputs
) -> None:
    """Write every file, whole or not at all, the weights last: what has weights has the rest."""
    outputs.weights.parent.mkdir(parents=True, exist_ok=True)
    curve = pd.DataFrame(trained.progress.curve)
    publish_table(outputs.curves, curve)
    publish_table(outputs.scores, trained.scores)
    _publish(outputs.figure, figure_bytes(learning_curves(curve), "svg"))
    _publish(outputs.worst, figure_bytes(worst_images(trained.worst), "png"))
    state = {k: v.cpu().contiguous() for k, v in trained.network.state_dict().items()}
    with published(outputs.weights) as aside:
        save_file(state, aside)
        aside.chmod(0o644)
        sha256 = hashlib.sha256(aside.read_bytes()).hexdigest()
        card_of(trained, plan, pairs, sha256).write(outputs.card)


def card_of(trained: Trained, plan: Plan | LinkingPlan, pairs: pd.DataFrame, sha256: str) -> Card:
    """What is known of the weights."""
    counts = pairs.groupby(["set", "side"]).size()
    progress, scale, asked = trained.progress, trained.scale, dataclasses.asdict(plan)
    kept = (*KEPT, plan.kind)  # a section that is named for its kind shapes the simulation
    data = [{"set": s.name, "licence": s.licence} for s in plan.sets]
    if plan.simulated:
        data.append({"set": "simulated by cellpipe.simulate", "licence": plan.licence})
    return Card(
        name=plan.name,
        kind=plan.kind,
        architecture=trained.network.config.as_dict(),
        sha256=sha256,
        licence=plan.licence,
        normalisation=scale if isinstance(scale, str) else scale.for_card(),
        diameter_px=plan.diameter_px,
        calibration=trained.calibration.for_card() if trained.calibration else None,
        expectation=trained.expectation.for_card() if trained.expectation else None,
        extra={
            "data": data,
            "images": {f"{name}/{side}": int(n) for (name, side), n in counts.items()},
            **({"verdict": trained.verdict} if trained.verdict else {}),
            "scores": mean_scores(trained.scores),
            "split": {
                f"{name}/{side}": sorted(group["file"])
                for (name, side), group in pairs.groupby(["set", "side"])
            },
            "training": {
                **dataclasses.asdict(plan.schedule),
                **{key: value for key, value in asked.items() if key in kept},
                "steps_done": progress.step,
                "seconds": round(progress.seconds),
                "best_step": progress.best_step,
                "curve": progress.curve,
                "torch": torch.__version__,
            },
        },
    )


def mean_scores(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Means over images by "side/set", as a card has them."""
    means = scores.drop(columns="file").groupby(["side", "set"]).mean().round(4)
    return {f"{side}/{name}": dict(row) for (side, name), row in means.iterrows()}


def _publish(path: Path, content: bytes) -> None:
    with published(path) as aside:
        aside.write_bytes(content)
