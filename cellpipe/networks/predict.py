"""Run a network over one image, the same for any tile and batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn

Precision = Literal["float32", "bfloat16"]


@torch.inference_mode()
def image_maps(
    network: nn.Module, image: np.ndarray, stride_px: int = 16, precision: Precision = "float32"
) -> np.ndarray:
    """Maps (outputs, Y, X) float32 of one normalised image, (Y, X) or (C, Y, X).

    The image is padded to whole strides. With bfloat16, products are of 8 bits of mantissa and
    sums of 24: about twice as fast where the processor has instructions for it, far slower where
    it has none.
    """
    planes = image if image.ndim == 3 else image[None]  # (C, Y, X)
    height, width = planes.shape[1:]
    pad = ((0, 0), (0, -height % stride_px), (0, -width % stride_px))
    padded = np.pad(planes, pad, mode="symmetric")
    x = torch.from_numpy(np.ascontiguousarray(padded, np.float32))[None]
    x = x.to(next(network.parameters()).device, memory_format=torch.channels_last)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        maps = network(x)[0, :, :height, :width]
    return maps.float().cpu().numpy()


def averaged_maps(
    network: nn.Module, image: np.ndarray, precision: Precision = "float32"
) -> np.ndarray:
    """`image_maps`, averaged over the eight turns and mirrorings of the image.

    For maps that turn with the image (foreground, distance), not for offsets.
    """
    planes = image if image.ndim == 3 else image[None]
    total: np.ndarray | None = None
    for quarters in range(4):
        turned = np.rot90(planes, quarters, axes=(1, 2))
        for step in (1, -1):
            maps = image_maps(network, turned[..., ::step], precision=precision)
            maps = np.rot90(maps[..., ::step], -quarters, axes=(1, 2))
            total = maps.copy() if total is None else total + maps
    assert total is not None
    return np.ascontiguousarray(total / 8)
