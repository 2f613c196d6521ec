"""How long and how fast a network learns: optimiser, learning rate, when it ends."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; see config/training/README.md.

    `max_seconds` ends the run early on a slow machine; `decay: cosine` then ends at 0 all the same.
    `patience` ends it after so many validations without a better score. `initial_share` is that of
    the initial weights in those that are validated and kept (Wortsman et al. 2022,
    arXiv:2109.01903): so new images are learned, and what was known is kept.
    """

    steps: int = 10000
    batch: int = 8
    crop_px: int = 256
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    learning_rate: float = 2e-3
    decay: Literal["cosine", "constant", "step"] = "cosine"
    decay_every: int = 3000
    decay_factor: float = 0.1
    weight_decay: float = 0.02
    dropout: float = 0.0
    warmup_steps: int = 300
    average_decay: float = 0.998
    initial_share: float = 0.0
    validate_every: int = 1000
    checkpoint_every: int = 250
    patience: int | None = None
    max_seconds: float | None = None
    mixed_precision: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int = 0

    def optimizer_of(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), or SGD with Nesterov's momentum."""
        if self.optimizer == "adamw":
            return torch.optim.AdamW(
                network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
            )
        return torch.optim.SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
        )

    def learning_rate_at(self, step: int, done: float) -> float:
        """The rate of a step (from 0), of a run of which the share `done` is over."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        rate = self.learning_rate * warm
        if self.decay == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * done))
        if self.decay == "step":
            return rate * self.decay_factor ** (step // self.decay_every)
        return rate


def has_bfloat16(device: str) -> bool:
    """Whether a device multiplies in bfloat16. A processor without it is seven times as slow so."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Kernels that give the same bytes every time, where CUDA has them; on the CPU all do.

    torch warns where a kernel has no such twin.
    """
    if device == "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS requires
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
