"""Lives of cells in a movie: they wander, push, grow, condense, divide, die, come and go.

Motion is a persistent random walk (an Ornstein-Uhlenbeck velocity; Fuerth, Z. Phys. 2, 1920).
Positions are in µm in the frame of the field, whose top-left pixel centre is (0, 0); cells also
live in a margin around the field, so that they enter and leave it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

# Chromosomes of the two daughters are this far from the plate in the first frame after it.
ANAPHASE_UM = 4.6
# How condensed the chromatin still is in the frames after a division.
DECONDENSING = (1.0, 0.5, 0.2)
# Appearance of a condensed nucleus relative to an interphase one.
PLATE_SEMI_UM = (6.0, 2.3)
DAUGHTER_SEMI_UM = (4.6, 2.0)
# Length that a dying nucleus keeps, frame by frame, before it is gone.
SHRINKING = (0.85, 0.65, 0.45)


@dataclass(frozen=True)
class Habits:
    """How the cells of one well behave.

    speed_um_s : root mean square speed
    persistence_s : how long a cell keeps its heading
    cycle_s : mean time from birth to division (short, so that short movies hold divisions);
        ``cycle_spread`` its coefficient of variation
    birth_area_um2 : nuclear area just after a division; it has nearly doubled before the next
    deaths_per_s : share of the cells that begin to die in a second
    """

    speed_um_s: float = 0.006
    persistence_s: float = 1500.0
    cycle_s: float = 4.5 * 3600.0
    cycle_spread: float = 0.15
    birth_area_um2: float = 105.0
    deaths_per_s: float = 0.0


@dataclass
class Cell:
    """One cell in one frame; positions and velocities as (y, x)."""

    cell_id: int
    parent_id: int
    position_um: np.ndarray
    velocity_um_s: np.ndarray
    angle_rad: float
    elongation: float
    age_s: float
    cycle_s: float
    birth_area_um2: float
    level: float
    seed: int  # of its waviness and texture, kept for life
    born_frame: int = -100
    mitosis_frame: int | None = None  # the first condensed frame
    mitosis_frames: int = 0
    dying_frame: int | None = None  # the first frame in which it shrinks

    def condensation(self, frame: int) -> float:
        """0 in interphase, 1 for chromosomes at their densest."""
        if self.mitosis_frame is not None and frame >= self.mitosis_frame:
            rounding = self.mitosis_frames > 1 and frame == self.mitosis_frame
            return 0.6 if rounding else 1.0
        since_birth = frame - self.born_frame
        return DECONDENSING[since_birth] if since_birth < len(DECONDENSING) else 0.0

    def mitotic(self, frame: int) -> bool:
        """Condensed before the division, or the daughters' first frame after it."""
        return self.condensation(frame) > 0.5

    def semi_axes_um(self, frame: int) -> tuple[float, float]:
        """Semi-axes of the nucleus: from a growing ellipse to a plate and back."""
        grown = min(self.age_s / self.cycle_s, 1.0)
        minor = np.sqrt(self.birth_area_um2 * (1 + 0.8 * grown) / np.pi / self.elongation)
        condensed = PLATE_SEMI_UM if self.mitosis_frame is not None else DAUGHTER_SEMI_UM
        share = self.condensation(frame)
        major = (1 - share) * minor * self.elongation + share * condensed[0]
        left = self.remaining(frame)
        return left * major, left * ((1 - share) * minor + share * condensed[1])

    def remaining(self, frame: int) -> float:
        """Share of its length that a dying nucleus still has; 1 for all others, 0 once gone."""
        if self.dying_frame is None:
            return 1.0
        since = frame - self.dying_frame
        return SHRINKING[since] if since < len(SHRINKING) else 0.0

    def radius_um(self, frame: int) -> float:
        """Radius of the disc that neighbours cannot enter; a dividing cell's body is round."""
        major, minor = self.semi_axes_um(frame)
        return 1.08 * float(np.sqrt(major * minor))


@dataclass
class Colony:
    """All cells of a field and its margin."""

    habits: Habits
    field_um: tuple[float, float]
    margin_um: float
    time_step_s: float
    rng: np.random.Generator
    # turned back at the margin's outer edge, so that a long movie keeps its density
    walled: bool = False
    cells: list[Cell] = field(default_factory=list)
    next_id: int = 1

    def settle(self, cells_per_mm2: float) -> None:
        """Fill the field and its margin with cells of every age, none upon another."""
        size = np.array(self.field_um) + 2 * self.margin_um
        n_cells = int(self.rng.poisson(cells_per_mm2 * np.prod(size) * 1e-6))
        # ages evenly spread over the cycle, so that every field has its share of divisions
        ages = (self.rng.permutation(n_cells) + self.rng.random(n_cells)) / max(n_cells, 1)
        for age in ages:
            cell = self.newcomer(self.rng.uniform(0, size) - self.margin_um)
            cell.age_s = age * cell.cycle_s
            self.cells.append(cell)
        push_apart(self.cells, frame=0, rounds=60)

    def newcomer(self, position_um: np.ndarray) -> Cell:
        """A cell of random age at a place; it has had no parent that was seen."""
        rng, habits = self.rng, self.habits
        cycle_s = habits.cycle_s * np.exp(rng.normal(0, habits.cycle_spread))
        self.next_id += 1
        return Cell(
            cell_id=self.next_id - 1,
            parent_id=0,
            position_um=position_um,
            velocity_um_s=rng.normal(0, habits.speed_um_s / np.sqrt(2), 2),
            angle_rad=rng.uniform(0, np.pi),
            elongation=1 + abs(rng.normal(0.2, 0.12)),
            age_s=rng.uniform(0, cycle_s),
            cycle_s=cycle_s,
            birth_area_um2=habits.birth_area_um2 * np.exp(rng.normal(0, 0.1)),
            level=np.exp(rng.normal(0, 0.18)),
            seed=int(rng.integers(2**31)),
        )

    def advance(self, frame: int) -> None:
        """Bring every cell from ``frame - 1`` to ``frame``."""
        for cell in self.cells:
            self.wander(cell, frame)
            self.consider_death(cell, frame)
            self.consider_mitosis(cell, frame)
        self.cells = [c for cell in self.cells for c in self.divide_if_due(cell, frame)]
        self.cells = [cell for cell in self.cells if cell.remaining(frame) > 0]
        push_apart(self.cells, frame, rounds=8)
        if self.walled:
            for cell in self.cells:
                self.turn_back(cell)

    def wander(self, cell: Cell, frame: int) -> None:
        """One step of the persistent random walk; a dividing cell hardly moves."""
        rng, step_s = self.rng, self.time_step_s
        keep = np.exp(-step_s / self.habits.persistence_s)
        kick = np.sqrt(1 - keep**2) * self.habits.speed_um_s / np.sqrt(2)
        cell.velocity_um_s = keep * cell.velocity_um_s + rng.normal(0, 1, 2) * kick
        held = cell.mitotic(frame - 1) or cell.dying_frame is not None
        mobility = 0.2 if held else 1.0
        cell.position_um = cell.position_um + mobility * step_s * cell.velocity_um_s
        cell.angle_rad += mobility * rng.normal(0, 0.1)
        cell.age_s += step_s

    def turn_back(self, cell: Cell) -> None:
        """Reflect a cell at the outer edge of the margin."""
        low = -self.margin_um
        high = np.array(self.field_um) + self.margin_um
        outside = (cell.position_um < low) | (cell.position_um > high)
        if outside.any():
            cell.position_um = np.clip(cell.position_um, low, high)
            cell.velocity_um_s = np.where(outside, -cell.velocity_um_s, cell.velocity_um_s)

    def consider_death(self, cell: Cell, frame: int) -> None:
        """Begin to shrink, at random; a cell in mitosis finishes it first."""
        if self.habits.deaths_per_s == 0 or cell.dying_frame is not None:
            return
        share = 1 - np.exp(-self.habits.deaths_per_s * self.time_step_s)
        if cell.mitosis_frame is None and self.rng.random() < share:
            cell.dying_frame = frame

    def consider_mitosis(self, cell: Cell, frame: int) -> None:
        """Condense when the cycle is over, unless the field's border would hide a daughter."""
        alive = cell.mitosis_frame is None and cell.dying_frame is None
        due = cell.age_s >= cell.cycle_s and alive
        if not due or self.straddles_border(cell.position_um, clearance_um=14.0):
            return
        cell.mitosis_frame = frame
        cell.mitosis_frames = int(self.rng.integers(1, 4))
        # the spindle turns the plate in any direction
        cell.angle_rad = self.rng.uniform(0, np.pi)

    def straddles_border(self, position_um: np.ndarray, clearance_um: float) -> bool:
        """Whether a place is nearer than ``clearance_um`` to the field's border."""
        within = np.minimum(position_um, np.array(self.field_um) - position_um).min()
        return bool(abs(within) < clearance_um)

    def divide_if_due(self, cell: Cell, frame: int) -> list[Cell]:
        """The cell itself, or its two daughters on either side of the plate."""
        if cell.mitosis_frame is None or frame < cell.mitosis_frame + cell.mitosis_frames:
            return [cell]
        across = np.array([np.cos(cell.angle_rad), -np.sin(cell.angle_rad)])  # (y, x)
        daughters = []
        for side in (-1, 1):
            daughter = replace(
                self.newcomer(cell.position_um + side * ANAPHASE_UM * across),
                parent_id=cell.cell_id,
                velocity_um_s=cell.velocity_um_s + side * across * 0.5 * self.habits.speed_um_s,
                angle_rad=cell.angle_rad + self.rng.normal(0, 0.08),
                age_s=0.0,
                birth_area_um2=cell.birth_area_um2 * np.exp(self.rng.normal(0, 0.05)),
                level=cell.level * np.exp(self.rng.normal(0, 0.05)),
                born_frame=frame,
            )
            daughters.append(daughter)
        return daughters


def push_apart(cells: list[Cell], frame: int, rounds: int) -> None:
    """Move overlapping discs apart, each by half of what they lack, again and again."""
    if len(cells) < 2:
        return
    position = np.array([cell.position_um for cell in cells])  # (N, 2)
    radius = np.array([cell.radius_um(frame) for cell in cells])
    for _ in range(rounds):
        pairs = cKDTree(position).query_pairs(2 * radius.max(), output_type="ndarray")
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
        i, j = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].T  # sums in one order everywhere
        away = position[i] - position[j]
        distance = np.hypot(away[:, 0], away[:, 1])
        lack = np.maximum(radius[i] + radius[j] - distance, 0)
        shift = away / np.maximum(distance, 1e-9)[:, None] * (0.5 * lack)[:, None]
        total = [np.bincount(i, shift[:, axis], len(cells)) for axis in (0, 1)]
        position = position + np.stack(total, axis=1)
    for cell, where in zip(cells, position, strict=True):
        cell.position_um = where
