"""Cells of a static field: nuclei that may touch but never overlap, cells around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellpipe.simulate.shapes import Inside, Outline, look_inside, owners, random_waves

# A nucleus cut by the border to less than this is not counted as one.
MIN_VISIBLE_PX = 30


@dataclass(frozen=True)
class Population:
    """Nuclei and cells of a field; entry ``i`` bears label ``i + 1`` in both label images.

    nuclei, cells : labels, uint32, shape (Y, X)
    nucleus_inside, cell_inside : the pixels around each outline
    cell_rho : array, float64, shape (Y, X); the owning cell's reduced radius, 1 outside
    """

    nuclei: np.ndarray
    cells: np.ndarray
    nucleus_inside: list[Inside]
    cell_inside: list[Inside]
    cell_rho: np.ndarray

    @property
    def n(self) -> int:
        return len(self.nucleus_inside)


def populate(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_size_um: float,
    *,
    n_nuclei: int,
    touching: float,
) -> Population:
    """Fill a field with nuclei and the cells around them."""
    nuclei = np.zeros(shape, dtype=np.uint32)
    placed: list[Outline] = []
    for _ in range(20 * n_nuclei):
        if len(placed) == n_nuclei:
            break
        outline = nucleus_outline(rng, shape, pixel_size_um)
        if placed and rng.random() < touching:
            put_beside(rng, nuclei, placed, outline)
        else:
            paint(nuclei, placed, outline, clearance_px=3)
    insides = [i for i in (look_inside(o, shape) for o in placed) if i is not None]
    around = [look_inside(cell_outline(rng, o, pixel_size_um), shape) for o in placed]
    cells, rho = owners(around, shape)
    # a nucleus is always inside its own cell, even where a neighbour's outline reaches over it
    inside_nucleus = nuclei > 0
    cells[inside_nucleus] = nuclei[inside_nucleus]
    cell_inside = [i for i in around if i is not None]
    return Population(nuclei, cells.astype(np.uint32), insides, cell_inside, rho)


def nucleus_outline(
    rng: np.random.Generator, shape: tuple[int, int], pixel_size_um: float
) -> Outline:
    """A nucleus of about 160 µm² anywhere in the field; one in three has copied its DNA."""
    area_um2 = 160 * np.exp(rng.normal(0, 0.12)) * (1.5 if rng.random() < 0.33 else 1.0)
    elongation = 1 + abs(rng.normal(0.2, 0.15))
    minor_px = np.sqrt(area_um2 / np.pi / elongation) / pixel_size_um
    return Outline(
        y_px=rng.uniform(0, shape[0] - 1),
        x_px=rng.uniform(0, shape[1] - 1),
        major_px=minor_px * elongation,
        minor_px=minor_px,
        angle_rad=rng.uniform(0, np.pi),
        waves=random_waves(rng, 0.025),
    )


def cell_outline(rng: np.random.Generator, nucleus: Outline, pixel_size_um: float) -> Outline:
    """A cell of about 800 µm² around its nucleus, which sits off centre in it."""
    mean_um = np.sqrt(800 * np.exp(rng.normal(0, 0.2)) / np.pi)
    elongation = 1 + abs(rng.normal(0.25, 0.2))
    minor_px = mean_um / np.sqrt(elongation) / pixel_size_um
    shift_px = rng.normal(0, 2.0 / pixel_size_um, 2)
    return Outline(
        y_px=nucleus.y_px + shift_px[0],
        x_px=nucleus.x_px + shift_px[1],
        major_px=minor_px * elongation,
        minor_px=minor_px,
        angle_rad=nucleus.angle_rad + rng.normal(0, 0.4),
        waves=random_waves(rng, 0.05, orders=4),
    )


def put_beside(
    rng: np.random.Generator, nuclei: np.ndarray, placed: list[Outline], outline: Outline
) -> None:
    """Move a nucleus outward from a random neighbour until it just touches."""
    neighbour = placed[int(rng.integers(len(placed)))]
    heading = rng.uniform(0, 2 * np.pi)
    for distance_px in np.arange(0.6, 2.2, 0.04) * neighbour.major_px:
        moved = outline.moved(
            neighbour.y_px + distance_px * np.sin(heading),
            neighbour.x_px + distance_px * np.cos(heading),
        )
        if paint(nuclei, placed, moved, clearance_px=0):
            return


def paint(nuclei: np.ndarray, placed: list[Outline], outline: Outline, clearance_px: int) -> bool:
    """Add a nucleus with the next label if its pixels (and a margin) are free; True if added."""
    inside = look_inside(outline, nuclei.shape)
    centred = 0 <= outline.y_px < nuclei.shape[0] and 0 <= outline.x_px < nuclei.shape[1]
    if inside is None or not centred:
        return False
    mask = inside.rho < 1
    margin = ndimage.binary_dilation(mask, iterations=clearance_px) if clearance_px else mask
    if mask.sum() < MIN_VISIBLE_PX or nuclei[inside.window][margin].any():
        return False
    placed.append(outline)
    nuclei[inside.window][mask] = len(placed)
    return True
