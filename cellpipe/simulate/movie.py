"""A movie of living nuclei with the truth that a Cell Tracking Challenge data set holds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from cellpipe.simulate.lives import Cell, Colony, Habits
from cellpipe.simulate.optics import Camera, expose, through_lens, uneven_light
from cellpipe.simulate.shapes import (
    Outline,
    grain,
    look_inside,
    owners,
    random_grain,
    random_waves,
)
from cellpipe.simulate.tracks import Truth, tell_tracks

# Counts above the camera's offset: a typical interphase nucleus, and the medium.
NUCLEUS_COUNTS = 420.0
GLOW_COUNTS = 60.0
# Condensed chromatin shines brighter in proportion to what its area has lost.
CONDENSED_GAIN = 1.9
# The generator of a movie never meets those of a static plate with the same seed.
MOVIE_DRAWS = 3


@dataclass(frozen=True)
class MovieDesign:
    """A plate of movies and what is true of it: control wells, and wells with a slow compound."""

    wells: tuple[str, ...] = ("B02", "B03", "B04", "C02", "C03", "C04")
    slowed_wells: tuple[str, ...] = ("C02", "C03", "C04")
    shape: tuple[int, int] = (320, 320)
    n_frames: int = 30
    pixel_size_um: float = 0.65
    time_step_s: float = 300.0
    cells_per_mm2: float = 560.0
    habits: Habits = field(default_factory=Habits)
    slowed_speed_um_s: float = 0.002
    bleaching: float = 0.15  # share of fluorescence lost from first to last frame
    drift_um: float = 0.15  # standard deviation of the stage's step from frame to frame
    margin_um: float = 40.0
    walled: bool = False  # cells turn back at the margin's outer edge: density holds
    seed: int = 1

    def habits_in(self, well: str) -> Habits:
        """How cells behave in a well."""
        if well in self.slowed_wells:
            return replace(self.habits, speed_um_s=self.slowed_speed_um_s)
        return self.habits

    def fading(self, frame: int) -> float:
        """Share of the fluorescence that is left in a frame."""
        return float((1 - self.bleaching) ** (frame / max(self.n_frames - 1, 1)))


@dataclass(frozen=True)
class Movie:
    """One simulated field over time.

    pixels : array, uint16, shape (T, Y, X)
    clean : array, float32, shape (T, Y, X); the same without noise, in camera counts
    labels : array, uint32, shape (T, Y, X); a track has one value for life
    lineage : track_id t_start t_end parent_track_id; parent 0 where none was seen
    objects : one row per object and frame: t label y_um x_um area_um2 class
    """

    pixels: np.ndarray
    clean: np.ndarray
    labels: np.ndarray
    lineage: pd.DataFrame
    objects: pd.DataFrame


def movie_map(design: MovieDesign) -> pd.DataFrame:
    """Plate map: well, condition, dose, control ("negative" or "positive")."""
    slowed = [well in design.slowed_wells for well in design.wells]
    return pd.DataFrame(
        {
            "well": list(design.wells),
            "condition": ["slowed" if s else "vehicle" for s in slowed],
            "dose": [10.0 if s else 0.0 for s in slowed],
            "control": ["positive" if s else "negative" for s in slowed],
        }
    )


def simulate_movie(design: MovieDesign, well: str, field: int = 1) -> Movie:
    """Simulate one field of a well over time; independent of every other field.

    Raises
    ------
    ValueError
        If the design has no such well.
    """
    # lives and camera use random generators of their own: other noise, same lives
    lives, noise = generators(design, well, field)
    camera = Camera(gain=3.0, read_noise=4.0)
    pixels, clean, frames = [], [], []
    for frame, cells in enumerate(live(design, well, lives)):
        expected, owner = simulate_frame(design, cells, frame)
        frames.append((cells, owner))
        pixels.append(expose(expected, camera, noise))
        clean.append((camera.offset + expected).astype(np.float32))
    truth: Truth = tell_tracks(frames, design.pixel_size_um)
    return Movie(np.stack(pixels), np.stack(clean), truth.labels, truth.lineage, truth.objects)


def generators(design: MovieDesign, well: str, field: int) -> list[np.random.Generator]:
    """Of the lives and of the noise in one field of a well."""
    seed = [design.seed, MOVIE_DRAWS, design.wells.index(well), field]
    return np.random.default_rng(seed).spawn(2)


def live(design: MovieDesign, well: str, rng: np.random.Generator) -> Iterator[list[Cell]]:
    """All cells frame by frame, seen through a stage that drifts."""
    size_um = tuple(float(n * design.pixel_size_um) for n in design.shape)
    colony = Colony(
        design.habits_in(well),
        (size_um[0], size_um[1]),
        design.margin_um,
        design.time_step_s,
        rng,
        design.walled,
    )
    colony.settle(design.cells_per_mm2)
    drift_um = np.zeros(2)
    for frame in range(design.n_frames):
        if frame:
            colony.advance(frame)
            drift_um = drift_um + rng.normal(0, design.drift_um, 2)
        seen = [copy.copy(cell) for cell in colony.cells]
        for cell in seen:
            cell.position_um = cell.position_um + drift_um
        yield seen


def simulate_frame(
    design: MovieDesign, cells: list[Cell], frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """Expected counts (Y, X) and the owner of each pixel: 1 + place in ``cells``, else 0."""
    insides = [look_inside(outline(c, frame, design.pixel_size_um), design.shape) for c in cells]
    owner, _ = owners(insides, design.shape)
    dna = np.zeros(design.shape)
    for place, (cell, inside) in enumerate(zip(cells, insides, strict=True), start=1):
        if inside is None:
            continue
        mask = owner[inside.window] == place
        share = cell.condensation(frame)
        waves = random_grain(np.random.default_rng([cell.seed, 1]), 0.13 * (1 - 0.6 * share))
        brightness = grain(inside.u[mask], inside.v[mask], waves)
        brightness *= 1 - 0.3 * inside.rho[mask] ** 4
        brightness *= NUCLEUS_COUNTS * cell.level * (1 + CONDENSED_GAIN * share)
        brightness /= cell.remaining(frame)  # a dying nucleus shrinks faster than it loses DNA
        dna[inside.window][mask] = brightness
    fading = design.fading(frame)
    lamp = uneven_light(design.shape, drop=0.12, centre=(0.47, 0.54))
    return lamp * (GLOW_COUNTS + fading * through_lens(dna, sigma_px=0.9)), owner


def outline(cell: Cell, frame: int, pixel_size_um: float) -> Outline:
    """The nucleus in pixels; its waviness turns slowly and is its own for life."""
    major_um, minor_um = cell.semi_axes_um(frame)
    waves = random_waves(np.random.default_rng([cell.seed, 0]), 0.03)
    return Outline(
        y_px=cell.position_um[0] / pixel_size_um,
        x_px=cell.position_um[1] / pixel_size_um,
        major_px=major_um / pixel_size_um,
        minor_px=minor_um / pixel_size_um,
        angle_rad=cell.angle_rad,
        waves=waves,
    )
