"""One training loop: a schedule, averaged weights, the best checkpoint kept.

The same seed, data and number of threads give the same weights, unless `max_seconds` ends the
schedule early. A killed run continues from its last checkpoint: random numbers belong to a
step, so the continued run uses the crops that the undisturbed one would have used.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from cellpipe.training.parts import Freeze, add_dropout, seed_dropout, set_frozen
from cellpipe.training.schedule import Schedule, has_bfloat16, reproducible

log = logging.getLogger(__name__)

Draw = Callable[[int], tuple[Tensor, Tensor, Tensor]]  # step -> images, targets, valid
Loss = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]  # predicted, targets, valid -> parts
Network = TypeVar("Network", bound=nn.Module)
Score = Callable[[nn.Module], float]  # higher is better
NOTHING = Freeze()


@dataclass
class Progress:
    """How far a run is; stored in its checkpoints and, at the end, in the card."""

    step: int = 0
    seconds: float = 0.0
    best_score: float = -math.inf
    best_step: int = 0
    curve: list[dict] = field(default_factory=list)

    def fraction(self, schedule: Schedule) -> float:
        """Share of the schedule that is done, by steps or by time, whichever is more."""
        done = self.step / schedule.steps
        if schedule.max_seconds is not None:
            done = max(done, self.seconds / schedule.max_seconds)
        return min(done, 1.0)

    def over(self, schedule: Schedule) -> bool:
        """Whether the schedule is done, or has gone on for long enough without a better score."""
        waited = sum(row["step"] > self.best_step for row in self.curve)
        impatient = schedule.patience is not None and waited >= schedule.patience
        return impatient or self.fraction(schedule) >= 1


class Run:
    """A network in training: its weights, their running average, the best average so far."""

    def __init__(
        self, network: nn.Module, schedule: Schedule, checkpoint: Path, freeze: Freeze
    ) -> None:
        self.schedule, self.checkpoint, self.freeze = schedule, checkpoint, freeze
        self.mixed = schedule.mixed_precision and has_bfloat16(schedule.device)
        if schedule.mixed_precision and not self.mixed:
            log.info("float32 instead of mixed precision: no instructions for bfloat16 here")
        self.network = network.to(schedule.device).train()
        self.average = copy.deepcopy(network).eval()
        self.initial = copy.deepcopy(self.average.state_dict())
        self.best = copy.deepcopy(self.average.state_dict())
        add_dropout(self.network, schedule.dropout)  # after the copy, which only predicts
        self.optimizer = schedule.optimizer_of(network)
        self.progress = Progress()
        self.losses: dict[str, float] = {}
        if checkpoint.exists():
            self.resume()

    def step(self, batch: tuple[Tensor, Tensor, Tensor], loss: Loss) -> None:
        """One update of the weights, and of their average."""
        schedule, step = self.schedule, self.progress.step
        images, targets, valid = (part.to(schedule.device) for part in batch)
        set_frozen(self.network, self.freeze, step)
        seed_dropout(schedule.seed, step, schedule.dropout)
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.learning_rate_at(step, self.progress.fraction(schedule))
        # bfloat16 has float32's range, so gradients need no scaling, on the CPU or on a GPU
        with torch.autocast(schedule.device, torch.bfloat16, enabled=self.mixed):
            predicted = self.network(in_memory_order(images))
        parts = loss(predicted.float(), targets, valid)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.progress.step += 1
        self.update_average()
        for name, value in parts.items():
            value = value.detach()
            last = self.losses.get(name, float(value))
            self.losses[name] = 0.98 * last + 0.02 * float(value)

    @torch.no_grad()
    def update_average(self) -> None:
        step = self.progress.step
        decay = min(self.schedule.average_decay, (1 + step) / (10 + step))
        pairs = zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        )
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    @torch.no_grad()
    def to_keep(self) -> nn.Module:
        """The average of the weights, with the share of the initial ones that the schedule says."""
        share = self.schedule.initial_share
        if not share:
            return self.average
        mixed = copy.deepcopy(self.average)
        for name, value in mixed.state_dict().items():
            if value.is_floating_point():
                value.lerp_(self.initial[name], share)
        return mixed

    def validate(self, score: Score) -> None:
        kept = self.to_keep()
        value = score(kept)
        progress = self.progress
        progress.curve.append({"step": progress.step, "score": value, **self.losses})
        log.info("step %d score %.4f, best %.4f", progress.step, value, progress.best_score)
        if value >= progress.best_score:
            progress.best_score, progress.best_step = value, progress.step
            self.best = copy.deepcopy(kept.state_dict())

    def save(self) -> None:
        """Write the checkpoint to a temporary name and rename it: it is never half there."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
            "losses": self.losses,
        }
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def resume(self) -> None:
        state = torch.load(self.checkpoint, self.schedule.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        self.best, self.losses = state["best"], state["losses"]
        log.info("going on from step %d", self.progress.step)


def in_memory_order(seen: Tensor) -> Tensor:
    """Images in the order in which they are convolved fastest; other arrays unchanged."""
    return seen.contiguous(memory_format=torch.channels_last) if seen.ndim == 4 else seen


def fit(
    network: Network,
    draw: Draw,
    loss: Loss,
    score: Score,
    schedule: Schedule,
    checkpoint: Path,
    freeze: Freeze = NOTHING,
) -> tuple[Network, Progress]:
    """Train; return the averaged network at its best validation score, and how it went."""
    run = Run(network, schedule, checkpoint, freeze)
    progress = run.progress
    started = time.monotonic() - progress.seconds
    while not progress.over(schedule):
        with reproducible(schedule.device):
            run.step(draw(progress.step), loss)
        progress.seconds = time.monotonic() - started
        if progress.step % 50 == 0:
            parts = " ".join(f"{name} {value:.4f}" for name, value in run.losses.items())
            log.info("step %d, %.0f s, %s", progress.step, progress.seconds, parts)
        ends = progress.fraction(schedule) >= 1
        if progress.step % schedule.validate_every == 0 or ends:
            run.validate(score)
        if progress.step % schedule.checkpoint_every == 0 or progress.over(schedule):
            run.save()
    network.load_state_dict(run.best)
    return network.requires_grad_(True).eval(), progress
