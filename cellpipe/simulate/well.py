"""A well that is imaged in fields that overlap: one scene, cut where the stage really went.

    scene of nuclei ──► fields at true positions (fractions of a pixel) ──► light, camera
                        nominal positions: those that the stage reports

What is wrong with a stage is the difference of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellpipe.simulate.optics import Camera, expose, through_lens, uneven_light
from cellpipe.simulate.population import MIN_VISIBLE_PX, populate
from cellpipe.simulate.staining import stain_dna

_GLOW = 40.0  # of the medium, in counts above the camera's offset
_MARGIN_PX = 48  # of the scene around the fields


@dataclass(frozen=True)
class WellDesign:
    """How a well is imaged.

    grid : fields along y and x
    shape : of a field, px
    overlap : share of a field's edge that neighbours share by plan
    stage_px : errors of the stage along each axis
    errors : "uniform" (up to ± stage_px) or "normal" (of that standard deviation)
    brightness : of the stain; 1 is that of the simulated plate
    empty : fields without nuclei
    blank_overlaps : no nuclei where fields overlap
    drop : share of light lost in the corners
    """

    grid: tuple[int, int] = (4, 4)
    shape: tuple[int, int] = (512, 512)
    overlap: float = 0.1
    stage_px: float = 10.0
    errors: str = "uniform"
    nuclei_per_mm2: float = 600.0
    pixel_size_um: float = 0.5
    brightness: float = 1.0
    empty: tuple[int, ...] = ()
    blank_overlaps: bool = False
    drop: float = 0.12
    seed: int = 1


@dataclass(frozen=True)
class SimulatedWell:
    """Fields of a well, row by row, and where they are.

    fields : (N, Y, X) uint16
    labels : (N, Y, X) uint32; a nucleus has the same label in all fields
    nominal, true : (N, 2) float64, px: y and x of the first pixel of each field
    n_nuclei : that are visible in at least one field
    """

    fields: np.ndarray
    labels: np.ndarray
    nominal: np.ndarray
    true: np.ndarray
    n_nuclei: int


def simulate_well(design: WellDesign) -> SimulatedWell:
    """Simulate the fields of a well; the same design gives the same bytes."""
    rng = np.random.default_rng(design.seed)
    edge = np.array(design.shape)
    step = np.rint(edge * (1 - design.overlap))
    rows, columns = np.mgrid[: design.grid[0], : design.grid[1]]
    nominal = _MARGIN_PX + np.stack([rows.ravel() * step[0], columns.ravel() * step[1]], axis=1)
    wrong = (
        rng.uniform(-design.stage_px, design.stage_px, nominal.shape)
        if design.errors == "uniform"
        else rng.normal(0, design.stage_px, nominal.shape)
    )
    true = np.clip(nominal + wrong, 0, None)
    size = [int(n) for n in np.ceil(true.max(axis=0)) + edge + _MARGIN_PX]
    n = round(design.nuclei_per_mm2 * size[0] * size[1] * design.pixel_size_um**2 * 1e-6)
    people = populate(rng, (size[0], size[1]), design.pixel_size_um, n_nuclei=n, touching=0.15)
    gone = _removed(design, people.nuclei, true)
    kept = ~np.isin(people.nuclei, gone) if len(gone) else np.ones(size, bool)
    nuclei = np.where(kept, people.nuclei, 0).astype(np.uint32)
    stain = design.brightness * np.where(kept, stain_dna(rng, people), 0)
    scene = ndimage.spline_filter(through_lens(stain, sigma_px=0.9), 3)
    lamp = uneven_light(design.shape, drop=design.drop, centre=(0.45, 0.55))
    camera = Camera()
    fields, labels = [], []
    for corner in true:
        grid = [np.arange(n) + c for n, c in zip(design.shape, corner, strict=True)]
        where = np.meshgrid(*grid, indexing="ij")
        light = ndimage.map_coordinates(scene, where, order=3, prefilter=False)
        fields.append(expose(lamp * (_GLOW + np.maximum(light, 0)), camera, rng))
        labels.append(ndimage.map_coordinates(nuclei, where, order=0))
    visible = {int(k) for own in labels for k, n in _areas(own).items() if n >= MIN_VISIBLE_PX}
    return SimulatedWell(np.stack(fields), np.stack(labels), nominal, true, len(visible))


def _areas(labels: np.ndarray) -> dict[int, int]:
    found, counts = np.unique(labels[labels > 0], return_counts=True)
    return {int(k): int(n) for k, n in zip(found, counts, strict=True)}


def _removed(design: WellDesign, nuclei: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Labels of nuclei that touch what is to be empty."""
    empty = np.zeros(nuclei.shape, bool)
    covered = np.zeros(nuclei.shape, np.int16)
    for number, corner in enumerate(np.rint(true).astype(int)):
        window = tuple(slice(c, c + n) for c, n in zip(corner, design.shape, strict=True))
        covered[window] += 1
        if number in design.empty:
            empty[window] = True
    if design.blank_overlaps:
        empty |= covered > 1
    return np.setdiff1d(np.unique(nuclei[empty]), [0])
