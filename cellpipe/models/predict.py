"""Run a network over one image, the same for any tile and batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


@torch.inference_mode()
def image_maps(network: nn.Module, image: np.ndarray, stride_px: int = 16) -> np.ndarray:
    """Maps (outputs, Y, X) float32 of one normalised image (Y, X), padded to whole strides."""
    height, width = image.shape
    pad = ((0, -height % stride_px), (0, -width % stride_px))
    padded = np.pad(image, pad, mode="symmetric")
    x = torch.from_numpy(np.ascontiguousarray(padded, np.float32))[None, None]
    x = x.to(next(network.parameters()).device, memory_format=torch.channels_last)
    maps = network(x)[0, :, :height, :width]
    return maps.float().cpu().numpy()
