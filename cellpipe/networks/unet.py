"""A light U-Net: half-resolution stem, four levels, skips added instead of concatenated.

Ronneberger et al. 2015 (arXiv:1505.04597), made cheap for one CPU core: the stem trades space
for channels (Shi et al. 2016, arXiv:1609.05158), so the body works at half resolution, and the
head trades them back. Two options: convolutions as residual blocks (He et al. 2016,
arXiv:1512.03385), and one thin convolution at full resolution that takes the image once more and
sharpens the borders.
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
    """Parameters of the network's shape; stored next to its weights.

    fine : channels at full resolution that the last convolutions take in addition to the image; 0
    leaves
        them out, and the maps are predicted at half resolution
    """

    inputs: int = 1
    outputs: tuple[str, ...] = ("foreground", "distance", "contact", "offset_y", "offset_x")
    widths: tuple[int, ...] = (32, 64, 96, 160)
    stem: int = 2
    residual: bool = False
    fine: int = 0

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

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu(x if added is None else x + added, inplace=True)

    def fold(self) -> None:
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Level(nn.Module):
    """Convolutions at one resolution; as a residual block, the input is added before the last ReLU.

    Where inputs and outputs differ, a 1×1 convolution brings the input to the width."""

    def __init__(self, inputs: int, outputs: int, depth: int, residual: bool) -> None:
        super().__init__()
        widths = (inputs, *[outputs] * depth)
        self.blocks = nn.ModuleList(map(ConvBlock, widths[:-1], widths[1:]))
        self.shortcut: nn.Module | None = None
        if residual:
            same = inputs == outputs
            self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        *first, last = self.blocks
        y = x
        for block in first:
            y = block(y)
        return last(y, None if self.shortcut is None else self.shortcut(x))


class UNet(nn.Module):
    """Maps (B, inputs, Y, X) to (B, outputs, Y, X); Y and X multiples of `config.stride_px`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, drawn = config.widths, len(config.outputs)
        inputs = (config.inputs * config.stem**2, *widths)
        depth = len(widths)
        self.down = nn.ModuleList(
            # a third convolution at the coarsest level: context is cheap down there
            Level(inputs[i], widths[i], 3 if i == depth - 1 else 2, config.residual)
            for i in range(depth)
        )
        self.lateral = nn.ModuleList(
            nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(depth - 1)
        )
        self.up = nn.ModuleList(
            Level(widths[i], widths[i], 2, config.residual) for i in range(depth - 1)
        )
        self.head = nn.Conv2d(widths[0], (config.fine or drawn) * config.stem**2, 1)
        if config.fine:
            self.near = ConvBlock(config.fine + config.inputs, 2 * config.fine)
            self.draw = nn.Conv2d(2 * config.fine, drawn, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, Y, X)
        image = x
        x = F.pixel_unshuffle(x, self.config.stem)  # (B, 4C, Y/2, X/2)
        skips = []
        for i, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if i else x)  # (B, widths[i], Y/2^(i+1), X/2^(i+1))
            skips.append(x)
        *skips, x = skips
        for i in reversed(range(len(self.up))):
            x = F.interpolate(self.lateral[i](x), scale_factor=2.0, mode="nearest")
            # added in place, and no skip kept beyond its use: they are most of a tile's memory
            x = self.up[i](x.add_(skips.pop()))
        x = self.head(x).contiguous()  # maps one after the other: they are shuffled faster so
        x = F.pixel_shuffle(x, self.config.stem)  # (B, fine or outputs, Y, X)
        return self.draw(self.near(torch.cat([x, image], 1))) if self.config.fine else x

    def _last_layer(self) -> tuple[str, int]:
        """The layer that predicts the maps, and its channels per map."""
        return ("draw", 1) if self.config.fine else ("head", self.config.stem**2)

    def with_outputs(self, outputs: tuple[str, ...]) -> UNet:
        """A copy with only some of the maps: heads that only training needs are left out."""
        wanted = [self.config.outputs.index(name) for name in outputs]
        copy = UNet(replace(self.config, outputs=outputs)).train(self.training)
        layer, block = self._last_layer()
        rows = torch.cat([torch.arange(i * block, (i + 1) * block) for i in wanted])
        state = self.state_dict()
        state |= {name: state[name][rows] for name in (f"{layer}.weight", f"{layer}.bias")}
        copy.load_state_dict(state)
        return copy

    def start_from(self, state: Mapping[str, Tensor], outputs: Sequence[str]) -> UNet:
        """Take over the weights of a network of the same body that predicts `outputs`, in place.

        Heads that the other network lacks keep their fresh weights. Raises RuntimeError for
        another body.
        """
        layer, block = self._last_layer()
        own = self.state_dict()
        heads = {name: own[name].clone() for name in (f"{layer}.weight", f"{layer}.bias")}
        if not heads.keys() <= state.keys():
            raise RuntimeError(f"the weights have no layer {layer}")
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
