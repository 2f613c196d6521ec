"""A light U-Net: half-resolution stem, four levels, skips added instead of concatenated.

Ronneberger et al. 2015 (arXiv:1505.04597), made cheap for one CPU core: the stem trades space
for channels (Shi et al. 2016, arXiv:1609.05158), so no convolution runs at full resolution, and
the head trades them back. About 45 kFLOP per pixel and 0.9 M parameters as shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@dataclass(frozen=True)
class UNetConfig:
    """What fixes the network's shape; stored beside its weights."""

    inputs: int = 1
    outputs: tuple[str, ...] = ("foreground", "distance", "contact", "offset_y", "offset_x")
    widths: tuple[int, ...] = (32, 64, 96, 160)
    stem: int = 2

    @property
    def stride_px(self) -> int:
        """Images must be a multiple of this, in y and in x."""
        return self.stem * 2 ** (len(self.widths) - 1)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> UNetConfig:
        """From JSON or YAML, where tuples are lists."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()
        }
        return cls(**values)

    def as_dict(self) -> dict:
        return asdict(self) | {"outputs": list(self.outputs), "widths": list(self.widths)}


Module = TypeVar("Module", bound=nn.Module)


def channels_last(module: Module) -> Module:
    """Weights in the memory order in which CPU and GPU convolve fastest, in place."""
    return cast(Any, module).to(memory_format=torch.channels_last)


class ConvBlock(nn.Module):
    """3×3 convolution, batch norm, ReLU; the norm folds into the convolution once trained."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)

    def fold(self) -> None:
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class UNet(nn.Module):
    """Maps (B, inputs, Y, X) to (B, outputs, Y, X); Y and X multiples of `config.stride_px`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        inputs = (config.inputs * config.stem**2, *widths)
        depth = len(widths)
        self.down = nn.ModuleList(
            nn.Sequential(ConvBlock(inputs[i], widths[i]), ConvBlock(widths[i], widths[i]))
            for i in range(depth)
        )
        # a third convolution at the coarsest level: context is cheap down there
        cast(nn.Sequential, self.down[-1]).append(ConvBlock(widths[-1], widths[-1]))
        self.lateral = nn.ModuleList(
            nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(depth - 1)
        )
        self.up = nn.ModuleList(
            nn.Sequential(ConvBlock(widths[i], widths[i]), ConvBlock(widths[i], widths[i]))
            for i in range(depth - 1)
        )
        self.head = nn.Conv2d(widths[0], len(config.outputs) * config.stem**2, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, Y, X)
        x = F.pixel_unshuffle(x, self.config.stem)  # (B, 4C, Y/2, X/2)
        skips = []
        for i, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if i else x)  # (B, widths[i], Y/2^(i+1), X/2^(i+1))
            skips.append(x)
        for i in reversed(range(len(self.up))):
            x = F.interpolate(self.lateral[i](x), scale_factor=2.0, mode="nearest")
            x = self.up[i](x + skips[i])
        return F.pixel_shuffle(self.head(x), self.config.stem)  # (B, outputs, Y, X)

    def with_outputs(self, outputs: tuple[str, ...]) -> UNet:
        """A copy that draws only some of the maps: heads that only training needs are left out."""
        wanted = [self.config.outputs.index(name) for name in outputs]
        copy = UNet(replace(self.config, outputs=outputs)).train(self.training)
        block = self.config.stem**2  # channels of one map before the shuffle
        rows = torch.cat([torch.arange(i * block, (i + 1) * block) for i in wanted])
        state = self.state_dict()
        state |= {name: state[name][rows] for name in ("head.weight", "head.bias")}
        copy.load_state_dict(state)
        return copy

    def start_from(self, state: Mapping[str, Tensor], outputs: Sequence[str]) -> UNet:
        """Take over the weights of a network of the same body that draws `outputs`, in place.

        Heads that the other network lacks keep their fresh weights. Raises RuntimeError for
        another body.
        """
        block, own = self.config.stem**2, self.state_dict()
        heads = {name: own[name].clone() for name in ("head.weight", "head.bias")}
        for i, name in enumerate(outputs):
            at = self.config.outputs.index(name) * block
            for key, rows in heads.items():
                rows[at : at + block] = state[key][i * block : (i + 1) * block]
        self.load_state_dict({**state, **heads})
        return self

    def folded(self) -> UNet:
        """Fold batch norms into convolutions, in place; for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fold()
        return self
