"""Small packages of InstanSeg: a module with its input and output, and one of its own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from torch.nn import functional

PIXEL_UM = 0.5


class Islands(nn.Module):
    """Nuclei: islands above a threshold; cells: the same, grown by three pixels. (1, 2, Y, X)."""

    def forward(self, x: torch.Tensor, mask_threshold: float = 0.53) -> torch.Tensor:
        torch.clamp_max_(x, 3.0)  # as InstanSeg does, in place
        mask = (x.mean(1, keepdim=True) > mask_threshold).float()
        n = mask.size(2) * mask.size(3)
        labels = torch.arange(1, n + 1).view(mask.shape) * mask
        before = torch.zeros_like(labels)
        while not torch.equal(before, labels):
            before = labels
            labels = functional.max_pool2d(labels, 3, 1, 1) * mask
        _values, inverse = torch.unique(labels, return_inverse=True)
        nuclei = inverse.view(mask.shape).float()
        return torch.cat([nuclei, functional.max_pool2d(nuclei, 7, 1, 3)], 1)


class Of(nn.Module):
    """What is done wrong: a module that gives something else than labels of its targets."""

    def __init__(self, factor: float, n: int) -> None:
        super().__init__()
        self.factor, self.n = factor, n

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.factor * (x[:, :1] > 0.5)).repeat(1, self.n, 1, 1)


def described(**changes: Any) -> dict[str, Any]:
    """As the exporter of InstanSeg describes a model of nuclei and cells."""
    axes: list[dict[str, Any]] = [{"type": "batch"}]
    free = {"min": 32, "step": 1}
    scale = {"scale": PIXEL_UM, "unit": "micrometer"}
    space = [{"type": "space", "id": name, "size": free, **scale} for name in "yx"]
    kwargs = {"min_percentile": 0.1, "max_percentile": 99.9, "eps": 1e-6, "axes": ["x", "y"]}
    raw = {
        "id": "raw",
        "axes": [*axes, {"type": "channel", "channel_names": ["C0"]}, *space],
        "data": {"type": "float32"},
        "preprocessing": [{"id": "scale_range", "kwargs": kwargs}],
    }
    names = {"type": "channel", "channel_names": ["nucei", "cells"]}  # so spelled by the exporter
    labels = {"id": "instance_segmentation", "axes": [*axes, names, *space]}
    return {
        "name": "discs",
        "license": "Apache-2.0",
        "inputs": [raw],
        "outputs": [labels],
        "weights": {"torchscript": {"source": "instanseg.pt"}},
        "documentation": {"source": "README.md"},
    } | changes


def write_package(folder: Path, module: Any = None, **changes: Any) -> Path:
    """A package as a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scripted = torch.jit.script(Islands() if module is None else module)
    scripted.save(str(folder / "instanseg.pt"))
    (folder / "README.md").write_text("trained on:\n- discs \n  - License: CC0-1.0 \n  - URL: -\n")
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described(**changes)))
    return folder


def own_code() -> nn.Module:
    """InstanSeg's own module (postprocessing, clustering) around a network that needs no training.

    Seeds are maxima of the smoothed image; a pixel belongs to a seed nearby if it is bright.
    """
    from instanseg.utils.loss.instanseg_loss import InstanSeg_Torchscript

    return InstanSeg_Torchscript(Bright(), pixel_size=PIXEL_UM, n_sigma=2, backbone_dim_in=1)


class Bright(nn.Module):
    """(1, 1, Y, X) → (1, 5, Y, X): two offsets, two further features, and the map of seeds."""

    def __init__(self) -> None:
        super().__init__()
        edge = torch.arange(-10.0, 11) ** 2
        blur = torch.exp(-(edge[:, None] + edge[None]) / 32)
        self.register_buffer("blur", (blur / blur.sum())[None, None])
        self.pixel_classifier = Near()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        smooth = functional.conv2d(x, self.blur, padding=10)
        none = torch.zeros_like(x)
        return torch.cat(
            [none, none, functional.avg_pool2d(x, 3, 1, 1), none, 15 * smooth - 7.5], 1
        )


class Near(nn.Module):
    """Logit of a pixel by its distance from a seed (in quarters of a pixel) and its brightness."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        distance = (x[:, :1] ** 2 + x[:, 1:2] ** 2).sqrt()
        return 20 * (x[:, 2:3] - 0.5) - 20 * torch.relu(distance - 3)
