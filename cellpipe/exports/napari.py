"""Tracks as napari's Tracks layer takes them, in one CSV file.

table = read_napari("tracks.csv")
viewer.add_tracks(table.data, graph=table.graph, properties=table.properties)
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.files.publish import published
from cellpipe.image.units import KNOWN, Scale

COLUMNS = ("track_id", "t", "y_um", "x_um", "parent_track_id")


class NapariTracks(NamedTuple):
    """What ``viewer.add_tracks`` takes.

    data : float array, shape (N, 4); track id, t (frames), y and x (µm)
    graph : daughter's track id → list of its parent's
    properties : name → array, shape (N,)
    """

    data: np.ndarray
    graph: dict[int, list[int]]
    properties: dict[str, np.ndarray]


def write_napari(path: str | Path, cells: pd.DataFrame, *, named: Scale = KNOWN) -> None:
    """Write linked cells of one field as CSV, whole or not at all.

    Parameters
    ----------
    path : path
    cells : DataFrame
        t, y_um, x_um, track_id, parent_track_id; other columns become properties. Rows with
        track_id 0 are left out.
    named : Scale
        Units that are known; other columns are called by pixels and frames.
    """
    rows = cells[cells["track_id"] > 0].sort_values(["track_id", "t"], kind="stable")
    rest = [c for c in rows if c not in COLUMNS]
    with published(path) as aside:
        named.published(rows[[*COLUMNS, *rest]]).to_csv(aside, index=False)


def read_napari(path: str | Path) -> NapariTracks:
    """Read what `write_napari` wrote.

    Raises
    ------
    BadImage
        If a column is missing.
    """
    rows = pd.read_csv(path).rename(columns={"y_px": "y_um", "x_px": "x_um"})
    missing = [c for c in COLUMNS if c not in rows]
    if missing:
        raise BadImage(
            seen=f"{path} without {', '.join(missing)}",
            wanted=f"columns {', '.join(COLUMNS)}",
            do="write the file with cellpipe.exports.napari",
        )
    first = rows.drop_duplicates("track_id")
    first = first[first["parent_track_id"] > 0]
    pairs = zip(first["track_id"].tolist(), first["parent_track_id"].tolist(), strict=True)
    return NapariTracks(
        data=rows[list(COLUMNS[:4])].to_numpy(float),
        graph={int(daughter): [int(parent)] for daughter, parent in pairs},
        properties={c: rows[c].to_numpy() for c in rows if c not in COLUMNS[:4]},
    )
