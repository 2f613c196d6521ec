"""Where objects lie and what outlines they have: labels of a field, before anything is seen of it.

Four ways of lying: scattered blobs (nuclei, round and spread cells, yeast with buds), a tissue
without gaps (Voronoi cells), scattered rods, and rods packed in a colony.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cellpipe.simulate.kinds.noise import Shape, largest_pieces, log_uniform, smooth_noise, warped
from cellpipe.simulate.shapes import Outline, look_inside, owners, random_waves

LEAST_VISIBLE = 0.55  # of an object's area; what others cover more of is not placed
LEAST_PACKED_PX = 13.0  # diameter of what lies without gaps: borders between smaller ones blur away
LEAST_PX = 20  # objects of fewer pixels are no truth
MOST_OBJECTS = 500

Placement = Callable[[np.random.Generator, Shape, float], np.ndarray]


def scattered_cells(rng: np.random.Generator, shape: Shape, diameter_px: float) -> np.ndarray:
    """Blobs, alone, in clusters or crowded; round, long, wavy or lobed; some with buds."""
    waves = rng.choice([0.0, 0.03, 0.07, 0.12, 0.2], p=[0.25, 0.25, 0.2, 0.2, 0.1])
    elongation = rng.choice([0.15, 0.4, 1.0])
    budding = rng.choice([0.0, 0.0, 0.0, 0.6])
    return _scattered(rng, shape, diameter_px, waves, elongation, budding)


def scattered_nuclei(rng: np.random.Generator, shape: Shape, diameter_px: float) -> np.ndarray:
    """Blobs, alone, in clusters or crowded: round or oval, a few lobed."""
    waves = rng.choice([0.0, 0.02, 0.05, 0.12], p=[0.2, 0.4, 0.3, 0.1])
    elongation = rng.choice([0.1, 0.25, 0.6])
    return _scattered(rng, shape, diameter_px, waves, elongation, 0.0)


def _scattered(
    rng: np.random.Generator,
    shape: Shape,
    diameter_px: float,
    waves: float,
    elongation: float,
    budding: float,
) -> np.ndarray:
    cover = rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.2, 0.9)])
    spread = rng.uniform(0.02, 0.35)
    outlines = []
    for y_px, x_px in _centres(rng, shape, diameter_px, cover):
        size = diameter_px * np.exp(rng.normal(0, spread))
        aspect = 1 + abs(rng.normal(0, elongation))
        minor = size / 2 / np.sqrt(aspect)
        outline = Outline(
            y_px,
            x_px,
            minor * aspect,
            minor,
            rng.uniform(0, np.pi),
            _low_waves(rng, waves),
        )
        outlines.append(outline)
        if rng.random() < budding:
            outlines.append(_bud(rng, outline))
    return _visible(outlines, shape)


def tissue(rng: np.random.Generator, shape: Shape, diameter_px: float) -> np.ndarray:
    """Cells without gaps: nearest centres, stretched and bent, all over or within an outline."""
    diameter_px = max(diameter_px, LEAST_PACKED_PX)
    stretch, turn = np.sqrt(log_uniform(rng, 1.0, 2.5)), rng.uniform(0, np.pi)
    cosine, sine = np.cos(turn), np.sin(turn)
    # nearest centres in a frame that is turned and stretched, of the same area
    frame = np.array([[cosine, sine], [-sine, cosine]]) * [[1 / stretch], [stretch]]
    pixels = (np.indices(shape).reshape(2, -1).T - np.array(shape) / 2) @ frame.T
    low, high = pixels.min(0) - 2 * diameter_px, pixels.max(0) + 2 * diameter_px
    steps = [np.arange(a, b, diameter_px) for a, b in zip(low, high, strict=True)]
    lattice = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 2)
    points = lattice + rng.normal(0, rng.uniform(0.15, 0.45) * diameter_px, lattice.shape)
    nearest = cKDTree(points).query(pixels)[1]
    labels = nearest.reshape(shape) + 1
    if rng.random() < 0.7:
        labels = warped(rng, labels, rng.uniform(0.03, 0.2) * diameter_px, 0.4 * diameter_px)
    if rng.random() < 0.5:  # a tissue or colony that ends, or has holes
        ground = smooth_noise(rng, shape, rng.uniform(1.0, 4.0) * diameter_px)
        kept = _means(ground, labels) > rng.uniform(-1.0, 1.0)
        labels = np.where(kept[labels], labels, 0)
    if rng.random() < 0.3:  # a gap between neighbours, as in masks with drawn borders
        border = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
        labels = np.where(border, 0, labels)
    return largest_pieces(labels)


def rods(rng: np.random.Generator, shape: Shape, diameter_px: float) -> np.ndarray:
    """Rods with round ends, straight or bent, side by side or apart; some as long as filaments."""
    aspect = log_uniform(rng, 1.5, 6.0)
    cover = rng.choice([rng.uniform(0.02, 0.15), rng.uniform(0.15, 0.6)])
    labels, nearest = np.zeros(shape, np.int64), np.ones(shape)
    heading, order = rng.uniform(0, np.pi), rng.choice([0.15, 3.0])
    area = np.pi / 4 * diameter_px**2
    grid = np.indices(shape, dtype=np.float64)
    placed = 0
    for y_px, x_px in _centres(rng, shape, diameter_px, cover):
        length = aspect * np.exp(rng.normal(0, 0.3))
        # a rod of the area of a disc of that diameter
        width = np.sqrt(area / (np.pi / 4 + max(length - 1, 0)))
        half = max(length - 1, 0) * width / 2
        reach = half + width
        top, left = max(0, int(y_px - reach)), max(0, int(x_px - reach))
        window = slice(top, int(y_px + reach) + 1), slice(left, int(x_px + reach) + 1)
        dy, dx = grid[0][window] - y_px, grid[1][window] - x_px
        angle = heading + rng.normal(0, order)
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = dy * np.cos(angle) - dx * np.sin(angle)
        v = v - rng.normal(0, 0.15) * (u**2 / max(half, 1.0) - half / 3)
        rho = np.hypot(np.maximum(np.abs(u) - half, 0), v) / (width / 2)
        wins = rho < nearest[window]
        if not wins.any() or wins.sum() < 0.7 * (rho < 1).sum():
            continue
        placed += 1
        labels[window][wins] = placed
        nearest[window][wins] = rho[wins]
    return largest_pieces(labels)


def colony(rng: np.random.Generator, shape: Shape, diameter_px: float) -> np.ndarray:
    """Rods packed side by side in rows that bend, within the outline of a colony."""
    aspect = log_uniform(rng, 1.5, 5.0)
    diameter_px = max(diameter_px, LEAST_PACKED_PX)
    width = diameter_px * np.sqrt(np.pi / 4 / aspect)
    length = width * aspect
    turn = rng.uniform(0, np.pi)
    y, x = np.indices(shape, dtype=np.float64)
    y += 2.0 * width * smooth_noise(rng, shape, 4 * length) * rng.uniform(0, 1)
    x += 2.0 * width * smooth_noise(rng, shape, 4 * length) * rng.uniform(0, 1)
    u = x * np.cos(turn) + y * np.sin(turn) + 20 * length
    v = y * np.cos(turn) - x * np.sin(turn) + 1000 * width
    row = np.floor(v / width).astype(np.int64)
    rows = int(row.max()) + 1
    u = u + rng.uniform(0, length, rows)[row]
    # ends of rods are jittered, row by row
    cuts = rng.uniform(-0.3, 0.3, (rows, int(u.max() / length) + 3))
    place = np.floor(u / length).astype(np.int64)
    place = (
        place
        + (u / length - place > 1 + cuts[row, place + 1])
        - (u / length - place < cuts[row, place])
    )
    place = np.clip(place, 0, cuts.shape[1] - 2)
    start, end = place + cuts[row, place], place + 1 + cuts[row, place + 1]
    along = np.minimum(u / length - start, end - u / length) * aspect  # widths from an end
    across = np.abs(v / width - row - 0.5)
    rounded = np.hypot(np.maximum(0.5 - along, 0), across) < 0.5 - rng.uniform(0, 0.06)
    labels = np.where(rounded, row * cuts.shape[1] + place + 1, 0)
    ground = smooth_noise(rng, shape, rng.uniform(1.5, 4.0) * length)
    kept = _means(ground, labels) > rng.uniform(-1.5, 0.5)
    return largest_pieces(np.where(kept[labels], labels, 0))


def _means(ground: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of a field over each label 0..n; 0 for a label without pixels."""
    area = np.bincount(labels.ravel())
    return np.bincount(labels.ravel(), ground.ravel()) / np.maximum(area, 1)


def _centres(
    rng: np.random.Generator, shape: Shape, diameter_px: float, cover: float
) -> np.ndarray:
    """Positions (n, 2) of objects that cover about that share of the field, some in clusters."""
    margin = diameter_px / 2
    area = (shape[0] + 2 * margin) * (shape[1] + 2 * margin)
    n = min(MOST_OBJECTS, 1 + rng.poisson(cover * area / (np.pi / 4 * diameter_px**2)))
    if rng.random() < 0.4 and n > 3:  # clusters
        hearts = rng.uniform(-margin, np.array(shape) + margin, (max(1, n // 12), 2))
        around = rng.normal(0, rng.uniform(1.0, 3.0) * diameter_px, (n, 2))
        return hearts[rng.integers(len(hearts), size=n)] + around
    return rng.uniform(-margin, np.array(shape) + margin, (n, 2))


def _low_waves(rng: np.random.Generator, amplitude: float) -> np.ndarray:
    """Waves of an outline; with large ones, lobes and protrusions."""
    waves = random_waves(rng, amplitude, orders=4)
    waves[:, 0] -= rng.integers(0, 2)  # from two or three around the outline
    return waves


def _bud(rng: np.random.Generator, mother: Outline) -> Outline:
    size, heading = rng.uniform(0.25, 0.75), rng.uniform(0, 2 * np.pi)
    radius = np.sqrt(mother.major_px * mother.minor_px)
    away = radius * (0.9 + size)
    return Outline(
        mother.y_px + away * np.sin(heading),
        mother.x_px + away * np.cos(heading),
        size * radius * 1.05,
        size * radius,
        heading,
    )


def _visible(outlines: list[Outline], shape: Shape) -> np.ndarray:
    """Labels of the outlines; those that are mostly covered by others are left out."""
    insides = [look_inside(outline, shape, reach=1.6) for outline in outlines]
    whole = np.array([0 if i is None else int((i.rho < 1).sum()) for i in insides])
    labels, _ = owners(insides, shape)
    seen = np.bincount(labels.ravel(), minlength=len(insides) + 1)[1:]
    kept = seen >= LEAST_VISIBLE * np.maximum(whole, 1)
    insides = [i if ok else None for i, ok in zip(insides, kept, strict=True)]
    return largest_pieces(owners(insides, shape)[0])


def without_specks(labels: np.ndarray) -> np.ndarray:
    """Labels 1..n of at least LEAST_PX pixels; uint32."""
    area = np.bincount(labels.ravel())
    kept = area >= LEAST_PX
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    return number[labels]


PLACEMENTS: dict[str, Placement] = {
    "scattered_nuclei": scattered_nuclei,
    "scattered_cells": scattered_cells,
    "tissue": tissue,
    "rods": rods,
    "colony": colony,
}
