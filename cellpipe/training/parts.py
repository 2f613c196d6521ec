"""Named parts of a network: held still for a while, or thinned by dropout.

Parts are named as the network names its modules: "down" and "down.0" (its finest level), "up",
"lateral", "head", "near", "draw".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cellpipe.errors import BadConfig


@dataclass(frozen=True)
class Freeze:
    """Parts whose weights stay as they started, until a step (null: to the end)."""

    parts: tuple[str, ...] = ()
    until_step: int | None = None


def set_frozen(network: nn.Module, freeze: Freeze, step: int) -> None:
    """Hold the parts still at this step, or let them go; batch norms keep their statistics too.

    Raises BadConfig for a part that the network does not have, or where nothing would be left.
    """
    if not freeze.parts:
        return
    frozen = freeze.until_step is None or step < freeze.until_step
    modules = dict(network.named_modules())
    absent = [part for part in freeze.parts if not modules.get(part)]
    if absent:
        known = [name for name in modules if name and name.count(".") < 2 and "block" not in name]
        raise BadConfig(
            seen=f"the part {', '.join(absent)} for 'freeze.parts'",
            wanted=f"some of: {', '.join(known)}",
            do="correct 'freeze.parts' in the training config",
        )
    for part in freeze.parts:
        modules[part].requires_grad_(not frozen)
        modules[part].train(not frozen)
    if not any(p.requires_grad for p in network.parameters()):
        raise BadConfig(
            seen=f"every part frozen: {', '.join(freeze.parts)}",
            wanted="a part that learns",
            do="remove one from 'freeze.parts' in the training config",
        )


def add_dropout(network: nn.Module, share: float) -> None:
    """Drop whole channels of the coarsest level while training (Tompson et al. 2015,
    arXiv:1411.4280). Nothing of it is left in the weights."""
    if share:
        coarsest: nn.Module = network.down[-1]  # type: ignore[index, assignment]

        def thin(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return F.dropout2d(output, share, training=module.training)

        coarsest.register_forward_hook(thin)


def seed_dropout(seed: int, step: int, share: float) -> None:
    """Give a step random numbers of its own, so that a killed run continues with the same ones."""
    if share:
        torch.manual_seed((seed * 1_000_003 + step) % 2**63)
