"""Truth that is quicker to give than outlines: points, boxes and scribbles.

    marks of a person ──►  a guess of each object's shape, from which maps are made
                      └──► what is known: only there the network is corrected

    points      a disc of the typical diameter; known: the core of each, and what is far from all
    boxes       an ellipse; known: the core of each, and what is outside all boxes
    scribbles   the watershed of the image from the scribbles; known: the scribbles alone

Every object of an image has to be marked by a point or a box; scribbles may leave objects out. In
between nothing is learned, so outlines come from what the network knew, or learns from other sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

Truth = Literal["outlines", "points", "boxes", "scribbles"]
COLUMNS = {"points": ("y", "x"), "boxes": ("top", "left", "bottom", "right")}
BACKGROUND = 1  # the value of scribbles on what is no object
CORE = 0.5  # of the diameter, or of the sides of a box: certainly of the object
BEYOND = 1.3  # times the diameter: certainly of no object
LEAST_CORE_PX = 1.0


class Marked(NamedTuple):
    """What is known of the objects of an image.

    labels : uint32 (Y, X), 1..n, guessed shapes; known : bool (Y, X), where they are certain"""

    labels: np.ndarray
    known: np.ndarray


def of_points(points: np.ndarray, shape: tuple[int, int], diameter_px: float) -> Marked:
    """From centres (n, 2), y and x in pixels, of objects of that typical diameter.

    Two discs that overlap are parted half-way between their points.
    """
    labels, known = np.zeros(shape, np.uint32), np.ones(shape, bool)
    if not len(points):
        return Marked(labels, known)
    far, nearest = _nearest(points, shape)
    labels[far <= diameter_px / 2] = nearest[far <= diameter_px / 2] + 1
    core = far <= max(LEAST_CORE_PX, CORE * diameter_px / 2)
    return Marked(labels, core | (far >= BEYOND * diameter_px / 2))


def of_boxes(boxes: np.ndarray, shape: tuple[int, int]) -> Marked:
    """From boxes (n, 4): top, left, bottom and right in pixels, the last two beyond the object.

    Where boxes overlap, a pixel belongs to the one that it is more central in.
    """
    labels, inside = np.zeros(shape, np.uint32), np.zeros(shape, bool)
    depth = np.full(shape, np.inf)
    for number, (top, left, bottom, right) in enumerate(boxes, start=1):
        place = tuple(
            slice(max(0, int(np.floor(low))), min(n, int(np.ceil(high))))
            for low, high, n in zip((top, left), (bottom, right), shape, strict=True)
        )
        y, x = (np.arange(cut.start, cut.stop) + 0.5 for cut in place)
        own = _from_middle(y, top, bottom)[:, None] + _from_middle(x, left, right)[None, :]
        nearer = (own <= 1) & (own < depth[place])
        labels[place][nearer] = number
        depth[place] = np.minimum(depth[place], own)
        inside[place] = True
    return Marked(labels, ~inside | (depth <= CORE**2))


def of_scribbles(scribbles: np.ndarray, pixels: np.ndarray) -> Marked:
    """From scribbles (Y, X): 0 nothing, 1 background, from 2 on objects, each its own value.

    pixels : (C, Y, X); edges in them part what the scribbles leave open
    """
    from skimage.segmentation import watershed

    known = scribbles > 0
    if not known.any():
        return Marked(np.zeros(scribbles.shape, np.uint32), known)
    edges = sum(_edges(plane) for plane in pixels)
    filled = watershed(edges, scribbles.astype(np.int32))
    values, numbers = np.unique(filled, return_inverse=True)
    order = np.cumsum(values > BACKGROUND) * (values > BACKGROUND)
    return Marked(order[numbers].reshape(filled.shape).astype(np.uint32), known)


def _nearest(points: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel to the nearest point, and the number of that, (Y, X) each."""
    from scipy.spatial import cKDTree

    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    far, number = cKDTree(points).query(grid.reshape(-1, 2))
    return far.reshape(shape), number.reshape(shape)


def _from_middle(at: np.ndarray, low: float, high: float) -> np.ndarray:
    """Squared distances from the middle of a side, 1 at its ends."""
    return ((at - (low + high) / 2) / max((high - low) / 2, 0.5)) ** 2


def _edges(plane: np.ndarray) -> np.ndarray:
    low, high = np.percentile(plane, (1, 99))
    scaled = (plane.astype(np.float32) - low) / max(float(high - low), 1e-12)
    return ndimage.gaussian_gradient_magnitude(scaled, 1.0)
