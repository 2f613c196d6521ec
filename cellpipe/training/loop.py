"""One training loop: AdamW, cosine with warm-up, averaged weights, best checkpoint kept.

The same seed, data and thread count give the same weights. A run that was killed goes on from
its last checkpoint; every draw belongs to a step, so the continued run sees the same crops.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cellpipe.training.augment import Augmentation, crop, disturb, empty_field, random_affine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. `max_seconds` ends the cosine early on a slow machine."""

    steps: int = 10000
    batch: int = 8
    crop_px: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    average_decay: float = 0.998
    validate_every: int = 1000
    checkpoint_every: int = 250
    max_seconds: float | None = None
    mixed_precision: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Example:
    """One training image in memory: image (1, Y, X), maps (4, Y, X), typical diameter."""

    image: Tensor
    maps: Tensor
    diameter_px: float


@dataclass
class Progress:
    """What a checkpoint needs beside the weights."""

    step: int = 0
    seconds: float = 0.0
    best_score: float = -1.0
    best_step: int = 0
    curve: list[dict] = field(default_factory=list)


Loss = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]
Score = Callable[[nn.Module], float]


def draw_batch(
    examples: Sequence[Example], schedule: Schedule, settings: Augmentation, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The crops of one step: images (B, 1, P, P), maps (B, 4, P, P), valid (B, 1, P, P)."""
    rng = np.random.default_rng([schedule.seed, step])
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


def fit(
    network: nn.Module,
    examples: Sequence[Example],
    loss: Loss,
    score: Score,
    schedule: Schedule,
    settings: Augmentation,
    checkpoint: Path,
) -> tuple[nn.Module, Progress]:
    """Train, and return the averaged network at its best validation score."""
    torch.manual_seed(schedule.seed)
    network = network.to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network).eval()
    best = copy.deepcopy(average.state_dict())
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    progress = Progress()
    if checkpoint.exists():
        best = _resume(checkpoint, network, average, optimizer, progress)
        log.info("going on from step %d", progress.step)
    started = time.monotonic() - progress.seconds
    losses: dict[str, float] = {}
    while (done := _fraction(progress, schedule)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * _rate(progress.step, done, schedule)
        parts = _step(
            network,
            optimizer,
            loss,
            draw_batch(examples, schedule, settings, progress.step),
            schedule,
        )
        progress.step += 1
        _average(average, network, schedule.average_decay, progress.step)
        for name, value in parts.items():
            losses[name] = 0.98 * losses.get(name, value) + 0.02 * value
        progress.seconds = time.monotonic() - started
        if progress.step % 50 == 0:
            log.info(
                "step %d %.0f s %s",
                progress.step,
                progress.seconds,
                " ".join(f"{k} {v:.4f}" for k, v in losses.items()),
            )
        last = _fraction(progress, schedule) >= 1
        if progress.step % schedule.validate_every == 0 or last:
            value = score(average)
            progress.curve.append({"step": progress.step, "score": value, **losses})
            log.info(
                "step %d validation %.4f (best %.4f)", progress.step, value, progress.best_score
            )
            if value >= progress.best_score:
                progress.best_score, progress.best_step = value, progress.step
                best = copy.deepcopy(average.state_dict())
        if progress.step % schedule.checkpoint_every == 0 or last:
            _save(checkpoint, network, average, optimizer, progress, best)
    average.load_state_dict(best)
    return average, progress


def _fraction(progress: Progress, schedule: Schedule) -> float:
    done = progress.step / schedule.steps
    if schedule.max_seconds is not None:
        done = max(done, progress.seconds / schedule.max_seconds)
    return done


def _rate(step: int, done: float, schedule: Schedule) -> float:
    warm = min(1.0, (step + 1) / schedule.warmup_steps)
    return warm * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    batch: tuple[Tensor, Tensor, Tensor],
    schedule: Schedule,
) -> dict[str, float]:
    images, maps, valid = batch
    with torch.autocast("cpu", torch.bfloat16, enabled=schedule.mixed_precision):
        drawn = network(images.contiguous(memory_format=torch.channels_last))
    parts = loss(drawn, maps, valid)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return {name: float(value.detach()) for name, value in parts.items()}


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    decay = min(decay, (1 + step) / (10 + step))
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _save(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    best: dict,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "best": best,
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> dict:
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    for name, value in state["progress"].items():
        setattr(progress, name, value)
    return state["best"]
