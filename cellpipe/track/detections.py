"""Input of one field's linker: detections in order of time, as arrays."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.errors import CellpipeError

MITOTIC = "mitotic"
MIN_CELLS = 20  # in a frame, below which the edge of the field cannot be determined
_NOT_FEATURES = ("cell_", "cytoplasm_", "nucleus_")


class Pair(NamedTuple):
    """Two frames that follow each other: rows of the earlier, of the later, frames between them.

    n : 1 for neighbours; more where frames between were lost (or hold no cell)
    """

    a: slice
    b: slice
    n: int


@dataclass(frozen=True)
class Detections:
    """N detections of one field, sorted by time and label.

    Attributes
    ----------
    t : int array, shape (N,)
    position_um : float array, shape (N, 2)
        y and x of the centroids.
    features : float array, shape (N, F)
        Logarithms of area and of mean intensities; F may be 0.
    border_um : float array, shape (N,)
        Distance to the box that holds all detections, drift left in: how far the field's border is.
    area_um2 : float array, shape (N,), or None
    mitotic : bool array, shape (N,), or None
        None where no classifier spoke of mitosis.
    max_gap_frames : int
        The most frames in a row that may be empty between two that are linked to each other.
    came_in, went_out : bool arrays, shape (N,), or None
        Cells that a jump of the stage brought into view, or will take out of it.
    """

    t: np.ndarray
    position_um: np.ndarray
    features: np.ndarray
    border_um: np.ndarray
    area_um2: np.ndarray | None = None
    mitotic: np.ndarray | None = None
    max_gap_frames: int = 0
    came_in: np.ndarray | None = None
    went_out: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.t)

    def frames(self) -> list[slice]:
        """Rows of every frame from the first to the last, empty ones included."""
        if len(self) == 0:
            return []
        edges = np.searchsorted(self.t, np.arange(self.t[0], self.t[-1] + 2))
        return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]

    def pairs(self) -> list[Pair]:
        """Frames that hold cells, each with the next that does, in order of time.

        Frames that were lost are time that passed: they are bridged while they are no more than
        `max_gap_frames` in a row, and part the movie where they are more.
        """
        looked, first = np.unique(self.t, return_index=True)
        edges = [*first.tolist(), len(self)]
        rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
        steps = np.diff(looked).tolist()
        return [
            Pair(a, b, n)
            for (a, b), n in zip(itertools.pairwise(rows), steps, strict=True)
            if n <= self.max_gap_frames + 1
        ]

    def cut(self) -> np.ndarray:
        """Cells (N,) so near the border that it may cut them: their appearance is incomplete."""
        n_frames = max(len(np.unique(self.t)), 1)
        if self.area_um2 is None or len(self) < MIN_CELLS * n_frames:
            return np.zeros(len(self), bool)
        return self.border_um < np.sqrt(np.median(self.area_um2) / np.pi)

    def density_per_um2(self, max_distance_um: float) -> float:
        """Cells per µm² of the area they span, averaged over frames that hold any.

        The area is at least one that a cell can cross, or a lone cell would seem a crowd.
        """
        extent_um = np.maximum(np.ptp(self.position_um, axis=0), 2 * max_distance_um)
        n_frames = max(len(np.unique(self.t)), 1)
        return max(len(self) / n_frames, 1.0) / float(extent_um.prod())


def from_table(cells: pd.DataFrame, max_gap_frames: int = 0) -> tuple[Detections, np.ndarray]:
    """Detections of a cells table, and the order (N,) that sorts its rows by t and label."""
    _check(cells)
    order = np.lexsort((cells["label"].to_numpy(), cells["t"].to_numpy()))
    rows = cells.iloc[order]
    numbers = rows.select_dtypes("number")
    measured = set(numbers.columns[np.isfinite(numbers).any()])
    area = _known(rows["area_um2"].to_numpy(float)) if "area_um2" in measured else None
    names = [
        n
        for n in rows
        if n in measured
        and n.endswith("_mean")
        and not n.startswith(_NOT_FEATURES)
        and _in_every_frame(rows[n], rows["t"])
    ]
    columns = [_known(rows[n].to_numpy(float)) for n in sorted(names)]
    columns = columns if area is None else [area, *columns]
    logs = [np.log(np.maximum(c, _floor(c))) for c in columns]
    mitotic = (rows["class"].astype(object) == MITOTIC).to_numpy(bool) if "class" in rows else None
    return Detections(
        t=rows["t"].to_numpy(np.int64),
        position_um=rows[["y_um", "x_um"]].to_numpy(float),
        border_um=_border_distance(rows[["y_um", "x_um"]].to_numpy(float)),
        features=np.stack(logs, axis=1) if logs else np.zeros((len(rows), 0)),
        area_um2=area,
        mitotic=mitotic if mitotic is not None and mitotic.any() else None,
        max_gap_frames=max_gap_frames,
    ), order


def _border_distance(position_um: np.ndarray) -> np.ndarray:
    if len(position_um) == 0:
        return np.zeros(0)
    low, high = position_um.min(axis=0), position_um.max(axis=0)
    return np.minimum(position_um - low, high - position_um).min(axis=1)


def _in_every_frame(values: pd.Series, t: pd.Series) -> bool:
    """Whether each frame has a value: a channel of some frames only is no clue from one to the
    next."""
    return values.notna().all() or bool(values.notna().groupby(t).any().all())


def _known(values: np.ndarray) -> np.ndarray:
    """What was not measured is taken as typical, so that it speaks for no link and against none."""
    known = np.isfinite(values)
    return np.where(known, values, np.median(values[known]))


def _floor(values: np.ndarray) -> float:
    # a background-subtracted mean may be 0 or below: its logarithm must not run away
    return max(float(np.percentile(np.abs(values), 5)), 1e-6) if len(values) else 1.0


def _check(cells: pd.DataFrame) -> None:
    missing = [c for c in ("t", "label", "y_um", "x_um") if c not in cells]
    if missing:
        raise CellpipeError(
            seen=f"a cells table without {', '.join(missing)}",
            wanted="columns t, label, y_um, x_um",
            do="measure the field before tracking it",
        )
    if not np.isfinite(cells[["y_um", "x_um"]].to_numpy(float)).all():
        raise CellpipeError(
            seen="a cell whose position is not a number",
            wanted="finite y_um and x_um",
            do="drop the rows without a centroid",
        )
    if cells.duplicated(["t", "label"]).any():
        first = cells.loc[cells.duplicated(["t", "label"]), ["t", "label"]].iloc[0]
        raise CellpipeError(
            seen=f"label {int(first['label'])} twice in frame {int(first['t'])}",
            wanted="one row per label and frame, of one field",
            do="link one field at a time",
        )
