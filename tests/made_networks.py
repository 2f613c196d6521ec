"""Networks whose weights are written down instead of learned: a threshold on a sum of channels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from cellpipe.image.normalise import DESCRIPTION
from cellpipe.networks.card import Card
from cellpipe.networks.unet import UNet, UNetConfig

STEEP = 20.0  # logit per unit of the normalised intensity


def threshold_network(
    path: Path, weights: Sequence[float], threshold: float, kind: str = "segmentation"
) -> Path:
    """Write a network whose objects are where the weighted sum of its channels, each normalised,
    lies above `threshold`; its card lies beside it."""
    config = UNetConfig(
        inputs=len(weights), outputs=("foreground", "distance"), widths=(4 * len(weights),)
    )
    network = UNet(config)
    with torch.no_grad():
        for block in network.down[0].blocks:  # each hands on what it sees
            block.conv.weight.zero_()
            for i in range(4 * len(weights)):
                block.conv.weight[i, i % block.conv.in_channels, 1, 1] = 1.0
        network.head.weight.zero_()
        network.head.bias.zero_()
        for c, weight in enumerate(weights):
            for place in range(4):  # of a pixel within the 2 × 2 that the stem packs
                network.head.weight[place, 4 * c + place, 0, 0] = STEEP * weight
                network.head.weight[4 + place, 4 * c + place, 0, 0] = weight
        network.head.bias[:4] = -STEEP * threshold
        network.head.bias[4:] = -threshold
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path)
    Card(
        name=path.stem,
        kind=kind,
        architecture=config.as_dict(),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence="CC0-1.0",
        normalisation=DESCRIPTION,
        diameter_px=None,
    ).write(path.with_suffix(".json"))
    return path
