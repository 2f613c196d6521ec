"""A static plate: a dose response of a protein that moves into the nucleus, and spots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cellpipe.simulate.optics import Camera, expose, through_lens, uneven_light
from cellpipe.simulate.population import Population, populate
from cellpipe.simulate.staining import Spots, stain_dna, stain_reporter, stain_spots

CHANNELS = ("dna", "reporter", "spots")
# Light is brightest a little off the middle, differently for each channel's optics.
LIGHT = {"dna": (0.12, (0.45, 0.55)), "reporter": (0.15, (0.55, 0.48)), "spots": (0.1, (0.5, 0.6))}
BLUR_PX = {"dna": 0.9, "reporter": 1.0, "spots": 0.0}
# Medium and plastic glow a little, in counts above the camera's offset.
GLOW = {"dna": 40.0, "reporter": 30.0, "spots": 40.0}

# Generators of one seed that never meet: those of fields and those of wells.
FIELD_DRAWS, WELL_DRAWS = 1, 2


@dataclass(frozen=True)
class PlateDesign:
    """What is on a plate and what is true of it; lengths in µm, doses in µM.

    First column: negative control (dose 0); last column: positive control (a saturating dose);
    between them a dose series, the same in every row.
    """

    rows: tuple[str, ...] = ("B", "C", "D")
    columns: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9)
    doses: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    positive_dose: float = 30.0
    n_fields: int = 2
    shape: tuple[int, int] = (512, 512)
    pixel_size_um: float = 0.5
    empty_wells: tuple[str, ...] = ("D05",)
    nuclei_per_mm2: float = 600.0
    touching: float = 0.15  # share of nuclei set against a neighbour
    ec50: float = 0.5
    hill: float = 1.5
    ratio_low: float = 0.7
    ratio_high: float = 3.0
    ratio_spread: float = 0.12  # of single cells, as a coefficient of variation
    spots_ec50: float = 1.5
    spots_low: float = 3.0  # mean spots in a cell at the saturating dose
    spots_high: float = 11.0  # and without compound
    spot_sigma_px: float = 1.2
    spot_counts: float = 420.0  # a typical spot's peak
    seed: int = 1

    @cached_property
    def wells(self) -> pd.DataFrame:
        """The plate map, one row per well, indexed by well."""
        return plate_map(self).set_index("well")

    @property
    def ratio_cut(self) -> float:
        """A cell counts as translocated above this nuclear / cytoplasmic ratio."""
        return (self.ratio_low + self.ratio_high) / 2

    def mean_ratio(self, dose: float) -> float:
        """Nuclear / cytoplasmic ratio at a dose, after Hill."""
        share = response(dose, self.ec50, self.hill)
        return self.ratio_low + (self.ratio_high - self.ratio_low) * share

    def mean_spots(self, dose: float) -> float:
        """Mean number of spots in a cell at a dose, after Hill (falling)."""
        share = response(dose, self.spots_ec50, self.hill)
        return self.spots_high + (self.spots_low - self.spots_high) * share


@dataclass(frozen=True)
class Field:
    """One simulated field.

    pixels : array, uint16, shape (C, Y, X); channels dna, reporter, spots
    clean : array, float32, shape (C, Y, X); the same without noise, in camera counts
    nuclei, cells : labels, uint32, shape (Y, X); a cell bears its nucleus' label
    truth : one row per nucleus (well field label y_um x_um area_um2 cell_area_um2 class ratio
        spot_count touches_border)
    spots : one row per spot (well field y_um x_um label intensity)
    """

    pixels: np.ndarray
    clean: np.ndarray
    nuclei: np.ndarray
    cells: np.ndarray
    truth: pd.DataFrame
    spots: pd.DataFrame


def response(dose: float, ec50: float, hill: float) -> float:
    """Hill's curve from 0 to 1 (A. V. Hill, J. Physiol. 40, 1910)."""
    return 0.0 if dose <= 0 else float(1 / (1 + (ec50 / dose) ** hill))


def plate_map(design: PlateDesign) -> pd.DataFrame:
    """Plate map: well, condition, dose, control ("negative", "positive" or empty)."""
    first, last = design.columns[0], design.columns[-1]
    series = [0.0, *design.doses, design.positive_dose]
    rows = []
    for row in design.rows:
        for column, dose in zip(design.columns, series, strict=True):
            control = {first: "negative", last: "positive"}.get(column, "")
            condition = "vehicle" if column == first else "compound"
            rows.append((f"{row}{column:02d}", condition, dose, control))
    return pd.DataFrame(rows, columns=["well", "condition", "dose", "control"])


def simulate_field(design: PlateDesign, well: str, field: int) -> Field:
    """Simulate one field of a well of the plate; independent of every other field.

    Raises
    ------
    KeyError
        If the design has no such well.
    """
    place = int(design.wells.index.get_loc(well))
    dose = float(design.wells.loc[well, "dose"])
    rng = np.random.default_rng([design.seed, FIELD_DRAWS, place, field])
    n_nuclei = 0 if well in design.empty_wells else expected_nuclei(design, rng)
    people = populate(
        rng, design.shape, design.pixel_size_um, n_nuclei=n_nuclei, touching=design.touching
    )
    ratios = sample_ratios(design, place, dose, people.n, rng)
    n_spots = rng.poisson(design.mean_spots(dose), people.n)
    spots = stain_spots(
        rng, people, n_spots, sigma_px=design.spot_sigma_px, counts=design.spot_counts
    )
    light = {
        "dna": stain_dna(rng, people),
        "reporter": stain_reporter(rng, people, ratios),
        "spots": spots.image,
    }
    pixels, clean = photograph(light, rng)
    tables = [
        nuclei_table(design, people, ratios, spots.label),
        spots_table(spots, design.pixel_size_um),
    ]
    for table in tables:
        table.insert(0, "field", np.int32(field))
        table.insert(0, "well", well)
    return Field(pixels, clean, people.nuclei, people.cells, *tables)


def sample_ratios(
    design: PlateDesign, place: int, dose: float, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Nuclear / cytoplasmic ratio of each cell, (N,): the dose's, the well's own and the cell's."""
    # of its own generator, so that a well deviates alike in all its fields
    of_well = np.random.default_rng([design.seed, WELL_DRAWS, place]).normal(0, 0.02)
    return design.mean_ratio(dose) * np.exp(of_well + rng.normal(0, design.ratio_spread, n))


def expected_nuclei(design: PlateDesign, rng: np.random.Generator) -> int:
    """How many nuclei a field holds: about the plate's density, never none."""
    area_mm2 = np.prod(design.shape) * design.pixel_size_um**2 * 1e-6
    return max(3, int(rng.poisson(design.nuclei_per_mm2 * area_mm2)))


def photograph(
    light: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Every channel through lens, lamp and camera: (pixels uint16, clean float32), (C, Y, X)."""
    camera = Camera()
    pixels, clean = [], []
    for channel, fluorescence in light.items():
        drop, centre = LIGHT[channel]
        lamp = uneven_light(fluorescence.shape, drop=drop, centre=centre)
        expected = lamp * (GLOW[channel] + through_lens(fluorescence, sigma_px=BLUR_PX[channel]))
        pixels.append(expose(expected, camera, rng))
        clean.append((camera.offset + expected).astype(np.float32))
    return np.stack(pixels), np.stack(clean)


def nuclei_table(
    design: PlateDesign, people: Population, ratios: np.ndarray, spot_labels: np.ndarray
) -> pd.DataFrame:
    """The truth of each nucleus that is visible in the field, from the simulated labels."""
    n, px = people.n, design.pixel_size_um
    y, x = np.nonzero(people.nuclei)
    label = people.nuclei[y, x]
    area_px = np.bincount(label, minlength=n + 1)[1:]
    cut = np.zeros(n + 1, dtype=bool)
    for edge in (people.nuclei[0], people.nuclei[-1], people.nuclei[:, 0], people.nuclei[:, -1]):
        cut[edge] = True
    return pd.DataFrame(
        {
            "label": np.arange(1, n + 1, dtype=np.uint32),
            "y_um": np.bincount(label, y, n + 1)[1:] / area_px * px,
            "x_um": np.bincount(label, x, n + 1)[1:] / area_px * px,
            "area_um2": area_px * px**2,
            "cell_area_um2": np.bincount(people.cells.ravel(), minlength=n + 1)[1:] * px**2,
            "class": np.where(ratios > design.ratio_cut, "translocated", "cytoplasmic"),
            "ratio": ratios,
            "spot_count": np.bincount(spot_labels, minlength=n + 1)[1:].astype(np.int32),
            "touches_border": cut[1:],
        }
    )


def spots_table(spots: Spots, pixel_size_um: float) -> pd.DataFrame:
    """What is true of each spot."""
    return pd.DataFrame(
        {
            "y_um": spots.y_px * pixel_size_um,
            "x_um": spots.x_px * pixel_size_um,
            "label": spots.label,
            "intensity": spots.intensity,
        }
    )
