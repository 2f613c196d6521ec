"""Run a network over one image, the same for any tile and batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


@torch.inference_mode()
def image_maps(network: nn.Module, image: np.ndarray, stride_px: int = 16) -> np.ndarray:
    """Maps (outputs, Y, X) float32 of one normalised image, (Y, X) or (C, Y, X).

    The image is padded to whole strides.
    """
    planes = image if image.ndim == 3 else image[None]  # (C, Y, X)
    height, width = planes.shape[1:]
    pad = ((0, 0), (0, -height % stride_px), (0, -width % stride_px))
    padded = np.pad(planes, pad, mode="symmetric")
    x = torch.from_numpy(np.ascontiguousarray(padded, np.float32))[None]
    x = x.to(next(network.parameters()).device, memory_format=torch.channels_last)
    maps = network(x)[0, :, :height, :width]
    return maps.float().cpu().numpy()
