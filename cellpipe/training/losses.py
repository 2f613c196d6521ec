"""One number per batch: how far the predicted maps are from the targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cellpipe.training.targets import (
    LARGEST_WEIGHT,
    OFFSET_SCALE_PX,
    border_mask,
    contact_mask,
    size_weight,
)


@dataclass(frozen=True)
class Weighting:
    """How much pixels count in the loss; a pixel of the background far from objects counts 1.

    contact : more between touching objects, since those pixels decide whether they are split
    small : most that pixels of small objects count
    small_power : how fast they count more, the smaller: 1 by diameter, 2 by area
    foreground : factor on pixels of objects, where they are few
    border : more within `border_px` of an outline (as in Ronneberger et al. 2015, without its
        distances)
    """

    contact: float = 3.0
    small: float = LARGEST_WEIGHT
    small_power: float = 1.0
    foreground: float = 1.0
    border: float = 0.0
    border_px: int = 2


PLAIN = Weighting()


def segmentation_loss(
    maps: Tensor, targets: Tensor, valid: Tensor, weighting: Weighting = PLAIN
) -> dict[str, Tensor]:
    """Losses per head.

    Parameters
    ----------
    maps : (B, 5, Y, X) network output: foreground, distance, contact, offset y, x
    targets : (B, 5, Y, X): labels, distance, offset y and x, root of the object's area, in pixels
    valid : (B, 1, Y, X): 0 where the crop reaches beyond the image
    """
    labels = targets[:, :1]  # (B, 1, Y, X)
    foreground = (labels > 0).float()
    contact = contact_mask(labels) * valid
    sized = valid * size_weight(targets[:, 4:5], weighting.small, weighting.small_power)
    weight = _weight(labels, sized, contact, valid, weighting)

    logit = maps[:, :1]
    cross = F.binary_cross_entropy_with_logits(logit, foreground, reduction="none")
    probability = torch.sigmoid(logit) * valid
    overlap = 2 * (probability * foreground).sum((1, 2, 3)) + 1
    dice = 1 - overlap / (probability.sum((1, 2, 3)) + (foreground * valid).sum((1, 2, 3)) + 1)

    distance = F.smooth_l1_loss(maps[:, 1:2], targets[:, 1:2], beta=0.1, reduction="none")
    touching = F.binary_cross_entropy_with_logits(
        maps[:, 2:3], contact, reduction="none", pos_weight=maps.new_tensor(4.0)
    )
    offset = F.smooth_l1_loss(
        maps[:, 3:5], targets[:, 2:4] / OFFSET_SCALE_PX, beta=0.1, reduction="none"
    )
    inside = foreground * sized
    return {
        "foreground": _mean(cross, weight),
        "dice": 0.5 * dice.mean(),
        "distance": 2.0 * _mean(distance, weight),
        "contact": 0.5 * _mean(touching, valid),
        "offset": 0.5 * _mean(offset.mean(1, keepdim=True), inside),
    }


def _weight(
    labels: Tensor, sized: Tensor, contact: Tensor, valid: Tensor, weighting: Weighting
) -> Tensor:
    weight = sized
    if weighting.foreground != 1:
        weight = torch.where(labels > 0, weight * weighting.foreground, weight)
    weight = weight + valid * weighting.contact * contact
    if weighting.border:
        weight = weight + weighting.border * valid * border_mask(labels, weighting.border_px)
    return weight


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1.0)
