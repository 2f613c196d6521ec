"""Ways to draw objects as maps, for `representations.py`: what a network learns, and the way back.

Maps in training are those of `cellpipe.training.augment.crop`: labels, distance, two vectors, root
of the area; (B, 5, Y, X). Maps that a network draws are (outputs, Y, X). All are of one body, and
share the foreground's loss where they have a foreground.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from scipy import ndimage
from skimage.segmentation import expand_labels
from torch import Tensor

from cellpipe.networks.instances import flood, labels_from_maps
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.targets import OFFSET_SCALE_PX, border_mask, centre_maps

MIN_AREA_PX = 20  # for all
RAYS = 32
ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS
FLOW_SCALE = 5.0  # as in Cellpose
SURE = 8.0  # logit of what is known
SHARED = ("foreground", "dice")

Targets, Maps = Tensor, np.ndarray
Parts = dict[str, Tensor]


@dataclass(frozen=True)
class Representation:
    """One way.

    outputs : names of the maps
    loss : drawn maps, maps in training, valid → parts of the loss
    ideal : what a perfect network would draw, of maps in training (1, 5, Y, X)
    objects : labels of drawn maps; its options are chosen on the validation side
    vectors : labels → what takes the place of the offsets in training
    """

    outputs: tuple[str, ...]
    loss: Callable[[Tensor, Targets, Tensor], Parts]
    ideal: Callable[[Targets], Tensor]
    objects: Callable[..., np.ndarray]
    choices: tuple[Mapping[str, Any], ...]
    vectors: Callable[[np.ndarray], np.ndarray] = lambda labels: centre_maps(labels)[1:3]


def _parts(drawn: dict[int, Tensor], targets: Tensor, valid: Tensor, names: tuple) -> Parts:
    """Parts of the loss that the shipped recipe has too."""
    like = targets[:, :1]
    maps = torch.cat([drawn.get(i, torch.zeros_like(like)) for i in range(5)], 1)
    parts = segmentation_loss(maps, targets, valid)
    return {name: parts[name] for name in names}


def _foreground(targets: Tensor) -> Tensor:
    return torch.where(targets[:, :1] > 0, SURE, -SURE)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


# --- distance to the border, over its largest value -------------------------------------------


def distance_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    drawn = {0: maps[:, :1], 1: maps[:, 1:2]}
    return _parts(drawn, targets, valid, (*SHARED, "distance"))


def distance_objects(maps: Maps, **options: Any) -> np.ndarray:
    return labels_from_maps(maps, min_area_px=MIN_AREA_PX, **options)


def contact_objects(maps: Maps, contact: float, **options: Any) -> np.ndarray:
    """Distance, lowered where two objects are said to touch."""
    touching = 1 / (1 + np.exp(-maps[2]))
    return distance_objects(np.stack([maps[0], maps[1] - contact * touching]), **options)


def ideal_distance(targets: Tensor) -> Tensor:
    return torch.cat([_foreground(targets), targets[:, 1:2]], 1)


# --- border and inside as classes (Caicedo et al. 2019, doi:10.1002/cyto.a.23863) --------------


def border_classes(labels: Tensor) -> Tensor:
    """0 background, 1 inside, 2 border: one pixel to both sides of an outline; (B, Y, X)."""
    border = border_mask(labels, 1)[:, 0]
    return torch.where(border > 0, 2, (labels[:, 0] > 0).long())


def border_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    classes = border_classes(targets[:, :1])
    weight = valid[:, 0] * maps.new_tensor([1.0, 1.0, 5.0])[classes]
    return {"classes": _mean(F.cross_entropy(maps, classes, reduction="none"), weight)}


def ideal_border(targets: Tensor) -> Tensor:
    return SURE * F.one_hot(border_classes(targets[:, :1]), 3).permute(0, 3, 1, 2).float()


def border_objects(maps: Maps, inside: float, grow_px: int) -> np.ndarray:
    odds = np.exp(maps - maps.max(0))
    core = ndimage.label(odds[1] / odds.sum(0) > inside)[0]
    return _large_enough(expand_labels(core, grow_px))


# --- distances along rays (Schmidt et al. 2018, arXiv:1806.03535) -------------------------------


@njit(cache=True, nogil=True)
def ray_lengths(labels: np.ndarray) -> np.ndarray:
    """Pixels (rays, Y, X) from each pixel to the end of its object along each ray."""
    height, width = labels.shape
    out = np.zeros((RAYS, height, width), np.float32)
    for y in range(height):
        for x in range(width):
            here = labels[y, x]
            if here:
                for k in range(RAYS):
                    dy, dx = np.sin(ANGLES[k]), np.cos(ANGLES[k])
                    n = 1
                    while True:
                        v, u = round(y + n * dy), round(x + n * dx)
                        if not (0 <= v < height and 0 <= u < width) or labels[v, u] != here:
                            break
                        n += 1
                    # half a step back: the border lies between two pixels
                    out[k, y, x] = n - 0.5
    return out


def _all_rays(targets: Tensor) -> Tensor:
    labels = targets[:, 0].numpy().astype(np.int32)
    return torch.from_numpy(np.stack([ray_lengths(plane) for plane in labels])) / OFFSET_SCALE_PX


def star_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    centre = targets[:, 1:2]
    middle = F.binary_cross_entropy_with_logits(maps[:, :1], centre, reduction="none")
    off = (maps[:, 1:] - _all_rays(targets)).abs().mean(1, keepdim=True)
    return {"middle": _mean(middle, valid), "rays": _mean(off, valid * centre)}


def ideal_stars(targets: Tensor) -> Tensor:
    return torch.cat([torch.logit(targets[:, 1:2], 1e-4), _all_rays(targets)], 1)


def star_objects(maps: Maps, probability: float, overlap: float) -> np.ndarray:
    """Polygons, the most probable first; one whose middle lies in another one, or that shares too
    much with others, is dropped."""
    middle = 1 / (1 + np.exp(-maps[0]))
    y, x = np.nonzero(middle > probability)
    order = np.argsort(-middle[y, x], kind="stable")
    rays = np.maximum(maps[1:] * OFFSET_SCALE_PX, 0.5)
    return _large_enough(_painted(y[order], x[order], rays, overlap))


@njit(cache=True, nogil=True)
def _painted(ys: np.ndarray, xs: np.ndarray, rays: np.ndarray, overlap: float) -> np.ndarray:
    height, width = rays.shape[1:]
    out = np.zeros((height, width), np.int32)
    step = 2 * np.pi / RAYS
    count = 0
    for i in range(len(ys)):
        y, x = ys[i], xs[i]
        if out[y, x]:
            continue
        reach = int(np.ceil(rays[:, y, x].max()))
        top, bottom = max(0, y - reach), min(height, y + reach + 1)
        left, right = max(0, x - reach), min(width, x + reach + 1)
        area = taken = 0
        for paint in (False, True):
            if paint and taken > overlap * area:
                break
            count += paint
            for v in range(top, bottom):
                for u in range(left, right):
                    angle = np.arctan2(v - y, u - x) % (2 * np.pi)
                    k = int(angle / step) % RAYS
                    a, b = rays[k, y, x], rays[(k + 1) % RAYS, y, x]
                    within = angle - k * step
                    # distance to the edge between the two vertices
                    far = a * b * np.sin(step) / (a * np.sin(within) + b * np.sin(step - within))
                    if np.hypot(v - y, u - x) <= far:
                        if not paint:
                            area += 1
                            taken += out[v, u] != 0
                        elif out[v, u] == 0:
                            out[v, u] = count
    return out


# --- flows from a diffusion (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x) --------------


def flows(labels: np.ndarray) -> np.ndarray:
    """Unit vectors (2, Y, X) along which heat that is let in at an object's middle comes."""
    out = np.zeros((2, *labels.shape), np.float32)
    for value, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if box is not None:
            mask = np.pad(labels[box] == value, 1)
            y, x = np.nonzero(mask)
            nearest = np.argmin((y - np.median(y)) ** 2 + (x - np.median(x)) ** 2)
            heat = np.log1p(_diffused(mask, y[nearest], x[nearest], 2 * sum(mask.shape)))
            slope = np.stack([heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]])
            slope /= np.maximum(np.hypot(*slope), 1e-20)
            region = out[(slice(None), *box)]
            region[:, mask[1:-1, 1:-1]] = slope[:, mask[1:-1, 1:-1]]
    return out


@njit(cache=True, nogil=True)
def _diffused(mask: np.ndarray, middle_y: int, middle_x: int, steps: int) -> np.ndarray:
    height, width = mask.shape
    heat = np.zeros((height, width))
    for _ in range(steps):
        heat[middle_y, middle_x] += 1
        after = np.zeros((height, width))
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if mask[y, x]:
                    after[y, x] = heat[y - 1 : y + 2, x - 1 : x + 2].sum() / 9
        heat = after
    return heat


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-6)


def flow_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    off = (maps[:, 1:3] - FLOW_SCALE * _unit(targets[:, 2:4])) ** 2
    drawn = _parts({0: maps[:, :1]}, targets, valid, SHARED)
    return {**drawn, "flow": 0.5 * _mean(off.mean(1, keepdim=True), valid)}


def both_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    """Distance and contact as in the shipped recipe, and flows in the place of its offsets."""
    drawn = {0: maps[:, :1], 1: maps[:, 1:2], 2: maps[:, 2:3]}
    flow = flow_loss(maps[:, [0, 3, 4]], targets, valid)["flow"]
    return {**_parts(drawn, targets, valid, (*SHARED, "distance", "contact")), "flow": flow}


def ideal_flows(targets: Tensor) -> Tensor:
    return torch.cat([_foreground(targets), FLOW_SCALE * _unit(targets[:, 2:4])], 1)


def flow_objects(maps: Maps, most_error: float | None, steps: int = 200) -> np.ndarray:
    """Pixels that flow to one place; an object with other flows than its shape is dropped."""
    inside = maps[0] > 0
    drawn = np.where(inside, maps[1:3] / FLOW_SCALE, 0)
    y, x = np.nonzero(inside)
    ends = _followed(drawn, y.astype(np.float64), x.astype(np.float64), steps)
    at = np.round(ends).astype(int)
    sink = np.zeros(inside.shape, np.int32)
    counts = np.zeros(inside.shape, np.int32)
    np.add.at(counts, tuple(at), 1)
    peak = (counts > 10) & (counts == ndimage.maximum_filter(counts, 5))
    peaks = np.argwhere(peak)
    for number, (py, px) in enumerate(peaks[np.argsort(-counts[peak], kind="stable")], start=1):
        box = slice(max(0, py - 5), py + 6), slice(max(0, px - 5), px + 6)
        seed = np.zeros(counts[box].shape, bool)
        seed[py - box[0].start, px - box[1].start] = True
        grown = ndimage.binary_dilation(seed, np.ones((3, 3)), 5, mask=counts[box] > 2)
        sink[box][grown & (sink[box] == 0)] = number
    out = np.zeros(inside.shape, np.int32)
    out[y, x] = sink[tuple(at)]
    out = _large_enough(out)
    if most_error is not None and out.any():
        error = ((drawn - flows(out)) ** 2).sum(0)
        objects = np.arange(1, out.max() + 1)
        bad = objects[ndimage.mean(error, out, objects) > most_error]
        out[np.isin(out, bad)] = 0
    return out


@njit(cache=True, nogil=True)
def _followed(flow: np.ndarray, y: np.ndarray, x: np.ndarray, steps: int) -> np.ndarray:
    height, width = flow.shape[1:]
    out = np.empty((2, len(y)))
    for i in range(len(y)):
        v, u = y[i], x[i]
        for _ in range(steps):
            a, b = min(int(v), height - 2), min(int(u), width - 2)
            p, q = v - a, u - b
            move = np.zeros(2)
            for c in range(2):
                move[c] = (1 - p) * ((1 - q) * flow[c, a, b] + q * flow[c, a, b + 1]) + p * (
                    (1 - q) * flow[c, a + 1, b] + q * flow[c, a + 1, b + 1]
                )
            v = min(max(v + move[0], 0.0), height - 1.0)
            u = min(max(u + move[1], 0.0), width - 1.0)
        out[0, i], out[1, i] = v, u
    return out


# --- offsets to the centroid, as votes (Neven et al. 2019, arXiv:1906.11109, without its sigma) --


def offset_loss(maps: Tensor, targets: Tensor, valid: Tensor) -> Parts:
    drawn = {0: maps[:, :1], 3: maps[:, 1:2], 4: maps[:, 2:3]}
    parts = _parts(drawn, targets, valid, (*SHARED, "offset"))
    return {**parts, "offset": 4 * parts["offset"]}  # no helper here, but what decides


def ideal_offsets(targets: Tensor) -> Tensor:
    return torch.cat([_foreground(targets), targets[:, 2:4] / OFFSET_SCALE_PX], 1)


def offset_objects(maps: Maps, smooth_px: float, min_rise: float) -> np.ndarray:
    """Pixels that vote for one place: basins of the square root of the number of votes."""
    inside = maps[0] > 0
    y, x = np.nonzero(inside)
    vote = np.stack([y, x]) + maps[1:3, y, x] * OFFSET_SCALE_PX
    shape = np.array(inside.shape)[:, None]
    at = tuple(np.clip(np.round(vote), 0, shape - 1).astype(int))
    votes = np.zeros(inside.shape)
    np.add.at(votes, at, 1)
    height = 10 * np.sqrt(np.maximum(ndimage.gaussian_filter(votes, smooth_px), 0))
    level = np.clip(np.round(height), 0, 255).astype(np.uint8)
    level[at] = np.maximum(level[at], 1)
    basins = flood(level, round(10 * min_rise), 1)
    out = np.zeros(inside.shape, np.int32)
    out[y, x] = basins[at]
    return _large_enough(out)


def _large_enough(labels: np.ndarray) -> np.ndarray:
    areas = np.bincount(labels.ravel())
    keep = areas >= MIN_AREA_PX
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)[labels].astype(np.int32)


def _grid(**options: tuple) -> tuple[Mapping[str, Any], ...]:
    grid: list[dict] = [{}]
    for name, values in options.items():
        grid = [{**given, name: value} for given in grid for value in values]
    return tuple(grid)


RISES = (0.1, 0.2, 0.3, 0.4)
HELPED = ("foreground", "distance", "contact", "offset_y", "offset_x")
REPRESENTATIONS = {
    "distance": Representation(
        HELPED[:2], distance_loss, ideal_distance, distance_objects, _grid(min_rise=RISES)
    ),
    "distance, helped": Representation(
        HELPED, segmentation_loss, ideal_distance, distance_objects, _grid(min_rise=RISES)
    ),
    "border": Representation(
        ("background", "inside", "border"),
        border_loss,
        ideal_border,
        border_objects,
        _grid(inside=(0.3, 0.5, 0.7), grow_px=(1, 2)),
    ),
    "rays": Representation(
        ("middle", *(f"ray{k}" for k in range(RAYS))),
        star_loss,
        ideal_stars,
        star_objects,
        _grid(probability=(0.3, 0.4, 0.5, 0.6), overlap=(0.3, 0.5)),
    ),
    "flows": Representation(
        ("foreground", "flow_y", "flow_x"),
        flow_loss,
        ideal_flows,
        flow_objects,
        _grid(most_error=(None, 0.4)),
        flows,
    ),
    "both": Representation(
        ("foreground", "distance", "contact", "flow_y", "flow_x"),
        both_loss,
        ideal_distance,
        distance_objects,
        _grid(min_rise=RISES),
        flows,
    ),
    "offsets": Representation(
        ("foreground", "offset_y", "offset_x"),
        offset_loss,
        ideal_offsets,
        offset_objects,
        _grid(smooth_px=(1.0, 2.0), min_rise=(0.5, 1.0, 2.0)),
    ),
}
