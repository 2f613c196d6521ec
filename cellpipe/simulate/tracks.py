"""From simulated frames to tracks: one label for life, daughters new, parents recorded.

The rules are those of the Cell Tracking Challenge (Maska et al., Bioinformatics 30, 2014): a
track is a stretch of frames without a gap; a cell that comes back is a new track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe.simulate.lives import Cell

# Slivers at the border of fewer pixels are not annotated.
MIN_VISIBLE_PX = 35


@dataclass(frozen=True)
class Truth:
    """Label stack (T, Y, X) uint32, lineage and objects; see ``movie.Movie``."""

    labels: np.ndarray
    lineage: pd.DataFrame
    objects: pd.DataFrame


def tell_tracks(frames: Sequence[tuple[list[Cell], np.ndarray]], pixel_size_um: float) -> Truth:
    """Tracks of every cell that shows, from the cells and pixel owners of each frame.

    Parameters
    ----------
    frames : sequence of (cells, owner)
        ``owner`` (Y, X) holds 1 + the place in ``cells`` of the cell that owns each pixel.
    pixel_size_um : float
    """
    lineage = lineage_of([visible(cells, owner) for cells, owner in frames])
    track_of = {
        (cell, t): track
        for track, cell, start, end in zip(
            lineage["track_id"],
            lineage["cell"],
            lineage["t_start"],
            lineage["t_end"],
            strict=True,
        )
        for t in range(start, end + 1)
    }
    labels, objects = [], []
    for t, (cells, owner) in enumerate(frames):
        tracks = [0] + [track_of.get((cell.cell_id, t), 0) for cell in cells]
        labels.append(np.array(tracks, dtype=np.uint32)[owner])
        mitotic = {track_of.get((c.cell_id, t), 0): c.mitotic(t) for c in cells}
        objects.append(objects_of(labels[-1], t, mitotic, pixel_size_um))
    return Truth(
        np.stack(labels),
        lineage[["track_id", "t_start", "t_end", "parent_track_id"]],
        pd.concat(objects, ignore_index=True),
    )


def visible(cells: list[Cell], owner: np.ndarray) -> dict[int, int]:
    """Cells that show enough of themselves: cell id → parent's cell id."""
    shown_px = np.bincount(owner.ravel(), minlength=len(cells) + 1)[1:]
    return {
        cell.cell_id: cell.parent_id
        for cell, n_px in zip(cells, shown_px, strict=True)
        if n_px >= MIN_VISIBLE_PX
    }


def lineage_of(shown: Sequence[dict[int, int]]) -> pd.DataFrame:
    """Unbroken stretches of each cell: track_id cell t_start t_end parent_track_id."""
    rows: list[dict[str, int]] = []
    current: dict[int, dict[str, int]] = {}  # the running track of each cell seen one frame ago
    for t, now in enumerate(shown):
        running = {}
        for cell, parent in now.items():
            row = current.get(cell)
            if row is None:
                # a parent counts only if it was seen in the very frame before
                parent_track = current[parent]["track_id"] if parent in current else 0
                row = {"track_id": len(rows) + 1, "cell": cell, "t_start": t}
                row["parent_track_id"] = parent_track
                rows.append(row)
            row["t_end"] = t
            running[cell] = row
        current = running
    columns = ["track_id", "cell", "t_start", "t_end", "parent_track_id"]
    return pd.DataFrame(rows, columns=columns).astype(np.int64)


def objects_of(
    labels: np.ndarray, t: int, mitotic: dict[int, bool], pixel_size_um: float
) -> pd.DataFrame:
    """One row per label of a frame: where it is, how large, in which class."""
    y, x = np.nonzero(labels)
    label, inverse, n_px = np.unique(labels[y, x], return_inverse=True, return_counts=True)
    return pd.DataFrame(
        {
            "t": np.full(len(label), t, dtype=np.int32),
            "label": label.astype(np.uint32),
            "y_um": np.bincount(inverse, y) / n_px * pixel_size_um if len(label) else [],
            "x_um": np.bincount(inverse, x) / n_px * pixel_size_um if len(label) else [],
            "area_um2": n_px * pixel_size_um**2,
            "class": ["mitotic" if mitotic[int(n)] else "interphase" for n in label],
        }
    )
