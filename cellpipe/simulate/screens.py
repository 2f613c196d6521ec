"""Well values of a screen with planted truth: hits, dead wells, edges, gradients, rows, batches.

    library of compounds ─┬─ plate 1, replicate 1  ─┐   each with its own noise, level, spread
                          └─ plate 1, replicate 2   │   and effects of position
                             plate 2, replicate 1 … ┘

No images: what is tested with these are the statistics of wells. Arrays and tables as the stage
`profile` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe.wells import well_at


@dataclass(frozen=True)
class ScreenDesign:
    """What a simulated screen holds; effects are in standard deviations of a well without effect.

    plates, replicates : library plates, and how often each was screened
    rows, columns : of a plate
    control_columns : negative and positive controls alternate down these, from 1
    hit_share : of the samples; effects are `effect` up or down
    edge, gradient, row : shift of the rim, from the first to the last column, of one row (the
        third) that was pipetted badly
    shared : share of the position effects that all plates have in common
    dead_wells : wells of a plate without a value
    batch_shift, batch_scale : levels and spreads of replicates vary by these
    tails : degrees of freedom of the noise of wells (Student's t, standard deviation 1), above 2;
        infinite: normal
    """

    plates: int = 3
    replicates: int = 2
    rows: int = 16
    columns: int = 24
    control_columns: tuple[int, ...] = (1, 2, 23, 24)
    hit_share: float = 0.05
    effect: float = 3.0
    edge: float = 1.5
    gradient: float = 2.0
    row: float = -2.0
    shared: float = 1.0
    dead_wells: int = 4
    batch_shift: float = 5.0
    batch_scale: float = 1.3
    tails: float = float("inf")


def simulate_screen(design: ScreenDesign, seed: int) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """(library plate, replicate from 1, wells) of every plate of the screen.

    wells : well, condition, dose, control, n_cells, the readout "signal", and the truth: `effect`,
        0 for samples without one, NaN for dead wells
    """
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(design.rows, 3))
    for number in range(1, design.plates + 1):
        layout = _layout(design, number, rng)
        for replicate in range(1, design.replicates + 1):
            wells = layout.copy()
            own = np.sqrt(1 - design.shared**2) * rng.normal(size=place.shape)
            wells["signal"] = layout["effect"] + _noise(design, len(wells), rng)
            wells["signal"] += _position(design, wells, own[0])
            scale = design.batch_scale ** rng.uniform(-1, 1)
            wells["signal"] = 100 + design.batch_shift * rng.normal() + 5 * scale * wells["signal"]
            dead = rng.choice(len(wells), design.dead_wells, replace=False)
            wells.loc[dead, ["signal", "effect"]] = np.nan
            wells["n_cells"] = np.where(wells["signal"].isna(), 0, 1000)
            yield f"library-{number}", replicate, wells


def _layout(design: ScreenDesign, number: int, rng: np.random.Generator) -> pd.DataFrame:
    """Wells of a library plate with their treatment and effect."""
    rows, columns = np.mgrid[1 : design.rows + 1, 1 : design.columns + 1]
    rows, columns = rows.ravel(), columns.ravel()
    control = np.isin(columns, design.control_columns)
    kind = np.where(control, np.where((rows + columns) % 2, "positive", "negative"), "")
    n = int((kind == "").sum())
    effect = np.zeros(rows.size)
    effect[kind == "positive"] = 20.0
    hits = np.zeros(n)
    chosen = rng.choice(n, round(design.hit_share * n), replace=False)
    hits[chosen] = design.effect * rng.choice([-1, 1], chosen.size)
    effect[kind == ""] = hits
    compound = np.where(kind == "negative", "DMSO", "control compound").astype(object)
    compound[kind == ""] = [f"compound {number}-{k:03d}" for k in range(1, n + 1)]
    return pd.DataFrame(
        {
            "well": [well_at(int(r), int(c)) for r, c in zip(rows, columns, strict=True)],
            "condition": compound,
            "dose": np.nan,
            "control": kind,
            "effect": effect,
            "row_number": rows,
            "column_number": columns,
        }
    )


def _noise(design: ScreenDesign, n: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of wells (n,): standard deviation 1, whatever the tails."""
    if np.isinf(design.tails):
        return rng.normal(size=n)
    return np.sqrt((design.tails - 2) / design.tails) * rng.standard_t(design.tails, n)


def _position(design: ScreenDesign, wells: pd.DataFrame, own: np.ndarray) -> np.ndarray:
    """Shift of each well by its place; `own` (3,) varies the three effects between plates."""
    rows, columns = wells["row_number"].to_numpy(), wells["column_number"].to_numpy()
    rim = (rows == 1) | (rows == design.rows) | (columns == 1) | (columns == design.columns)
    factor = design.shared + own
    across = (columns - 1) / max(1, design.columns - 1) - 0.5
    return (
        factor[0] * design.edge * rim
        + factor[1] * design.gradient * across
        + factor[2] * design.row * (rows == 3)
    )
