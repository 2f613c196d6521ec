"""The maps that the network learns to predict, from instance labels."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

OFFSET_SCALE_PX = 16.0  # offsets are divided by this, so that every output is of order one
CONTACT_WINDOW_PX = 5
USUAL_EDGE_PX = 20.0  # square root of a usual nucleus's area
LARGEST_WEIGHT = 5.0


def centre_maps(labels: np.ndarray) -> np.ndarray:
    """Maps that need whole objects and so are made before any crop.

    Parameters
    ----------
    labels : integer array, shape (Y, X), 0 background

    Returns
    -------
    float32 array, shape (4, Y, X): distance to the object's border over its largest value
    (1 at the centre, 0 outside), the offset in pixels (y, x) to the object's centroid, and the
    square root of the object's area in pixels.
    """
    out = np.zeros((4, *labels.shape), np.float32)
    for value, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if box is None:
            continue
        mask = labels[box] == value
        # the frame's edge is no border of an object: a cut nucleus keeps rising towards it
        pad = [(int(s.start > 0), int(s.stop < n)) for s, n in zip(box, labels.shape, strict=True)]
        inside = tuple(slice(lo, lo + n) for (lo, _), n in zip(pad, mask.shape, strict=True))
        padded = np.pad(mask, pad)
        # scipy needs one background pixel; an object that fills the frame has none
        distance = (
            ndimage.distance_transform_edt(padded)[inside] if not padded.all() else mask * 1.0
        )
        y, x = np.nonzero(mask)
        region = out[(slice(None), *box)]
        region[0][mask] = (distance / distance.max())[mask]
        region[1][mask] = y.mean() - y
        region[2][mask] = x.mean() - x
        region[3][mask] = np.sqrt(len(y))
    return out


def contact_mask(labels: Tensor) -> Tensor:
    """Pixels that see two different objects within a small window; (B, 1, Y, X) of {0, 1}."""
    window, pad = CONTACT_WINDOW_PX, CONTACT_WINDOW_PX // 2
    highest = F.max_pool2d(labels, window, 1, pad)
    far = torch.where(labels > 0, labels, torch.full_like(labels, 1e9))
    lowest = -F.max_pool2d(-far, window, 1, pad)
    return ((highest > 0) & (lowest < highest)).float()


def border_mask(labels: Tensor, width_px: int) -> Tensor:
    """Pixels within `width_px` of an object's outline, inside and outside; (B, 1, Y, X), {0, 1}.

    The frame's edge is no outline.
    """
    window = 2 * width_px + 1
    highest = F.max_pool2d(labels, window, 1, width_px)
    lowest = -F.max_pool2d(-labels, window, 1, width_px)
    return (highest != lowest).float()


def size_weight(edge_px: Tensor, largest: float = LARGEST_WEIGHT, power: float = 1.0) -> Tensor:
    """Weight of pixels in and around objects, so that a small object counts nearly as a large one.

    edge_px (B, 1, Y, X) is the square root of the object's area, 0 outside. Micronuclei of 20
    pixels are objects too, but lose against nuclei of 600 when pixels are counted. With a power
    of 2, objects below the usual size count by their number.
    """
    weight = ((USUAL_EDGE_PX / edge_px.clamp_min(1.0)) ** power).clamp(1.0, largest)
    weight = torch.where(edge_px > 0, weight, torch.ones_like(weight))
    return F.max_pool2d(weight, 5, 1, 2)
