"""Objects of a plate in well coordinates, and which of them count where fields overlap.

places of fields ─┬─► cells         counts in the field whose centre is nearest to its own
                  ├─► spots         counts in the field that its place belongs to
                  └─► tracks of both: counted where their first object is, divisions where their
                      last one is

Fields, and frames, that do not count in wells (`left_out`) hold an object only if no other does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.correct.once import counted_once, points_counted_once
from cellpipe.plate.plate import Plate
from cellpipe.profiles.left_out import counted as that_count

FRAME = ["well", "field", "t"]
AT = ["well_y_um", "well_x_um"]
Frame = tuple[str, int, int]


class _Group(NamedTuple):
    """Objects of one well and time.

    rows : of the table; field : number in `boxes` of each; at : (M, 2) µm
    boxes : (N, 4) µm, low y, low x, high y, high x; in_doubt : (N,) bool
    """

    rows: np.ndarray
    field: np.ndarray
    at: np.ndarray
    boxes: np.ndarray
    in_doubt: np.ndarray


def frames_that_count(fields: pd.DataFrame, lost: Collection[Frame] = ()) -> set[Frame]:
    """Well, field and t of frames that were segmented and that wells count.

    lost : frames that another stage could not use
    """
    frames = that_count(fields)
    if "n_nuclei" in frames:
        frames = frames[frames["n_nuclei"].notna()]
    frames = frames if "t" in frames else frames.assign(t=0)
    return _keys(frames) - set(lost)


def cells_in_wells(
    cells: pd.DataFrame, places: pd.DataFrame, plate: Plate, good: Collection[Frame] | None = None
) -> pd.DataFrame:
    """Cells with ``well_y_um well_x_um`` (their centre, as in places) and ``counted``.

    good : frames that count in wells (`frames_that_count`); all by default
    counted : bool; False for a cell that another field of the well shows too, and that counts
        there (`cellpipe.correct.once`). Cells of fields whose place is unknown all count.
    """
    at, counted = _in_well(cells, places), np.ones(len(cells), bool)
    area, longest = (cells[name].to_numpy(float) for name in ("area_um2", "major_axis_um"))
    cut = cells["touches_border"].to_numpy(bool)
    for group in _groups(cells, at, places, plate, good):
        radius = np.sqrt(area[group.rows] / np.pi)
        middles = (group.boxes[:, :2] + group.boxes[:, 2:]) / 2
        counted[group.rows] = counted_once(
            group.field,
            group.at,
            radius,
            middles,
            group.in_doubt,
            cut=cut[group.rows],
            longest_px=longest[group.rows],
        )
    return cells.assign(well_y_um=at[:, 0], well_x_um=at[:, 1], counted=counted)


def spots_in_wells(
    spots: pd.DataFrame, places: pd.DataFrame, plate: Plate, good: Collection[Frame] | None = None
) -> pd.DataFrame:
    """Spots with ``well_y_um well_x_um`` and ``counted``: of a place of the well, those of one
    field count, the one whose centre is nearest."""
    if spots.empty:
        return spots
    at, counted = _in_well(spots, places), np.ones(len(spots), bool)
    for group in _groups(spots, at, places, plate, good):
        counted[group.rows] = points_counted_once(
            group.field, group.at, group.boxes, group.in_doubt
        )
    return spots.assign(well_y_um=at[:, 0], well_x_um=at[:, 1], counted=counted)


def tracks_in_wells(tracks: pd.DataFrame, objects: pd.DataFrame) -> pd.DataFrame:
    """Tracks with ``counted`` and ``end_counted``: whether their first and their last object count.

    So what passes from one field to the next is one track of the well, and its division is one,
    whichever field shows it.
    """
    if tracks.empty:
        return tracks
    key = ["well", "field", "track_id"]
    linked = objects[objects["track_id"] > 0].sort_values("t", kind="stable").groupby(key)
    ends = linked["counted"].agg(["first", "last"])
    own = ends.reindex(pd.MultiIndex.from_frame(tracks[key]))
    return tracks.assign(
        counted=own["first"].to_numpy(bool), end_counted=own["last"].to_numpy(bool)
    )


def _in_well(objects: pd.DataFrame, places: pd.DataFrame) -> np.ndarray:
    """(M, 2) float, y and x in the well, µm; NaN where the field's place is unknown."""
    own = places[["well", "field", *AT]]
    corner = objects[["well", "field"]].merge(own, how="left", on=["well", "field"])
    return corner[AT].to_numpy(float) + objects[["y_um", "x_um"]].to_numpy(float)


def _groups(
    objects: pd.DataFrame,
    at: np.ndarray,
    places: pd.DataFrame,
    plate: Plate,
    good: Collection[Frame] | None,
) -> Iterator[_Group]:
    """Objects whose place is known, by well and time."""
    edge = np.array([plate.scale.y, plate.scale.x])
    boxes: dict[str, dict[int, np.ndarray]] = {}
    for row in places.itertuples():
        well, field = str(row.well), int(str(row.field))
        low = np.array([row.well_y_um, row.well_x_um]) - edge / 2
        high = low + np.array(plate.fields[well, field].shape[-2:]) * edge
        boxes.setdefault(well, {})[field] = np.concatenate([low, high])
    rows = np.flatnonzero(np.isfinite(at).all(axis=1))
    numbers = objects["field"].to_numpy()
    known = objects.reset_index(drop=True).loc[rows, ["well", "t"]]
    for (well, t), within in known.groupby(["well", "t"]).indices.items():
        own, chosen = boxes[str(well)], rows[within]
        names = np.array(sorted(own))
        yield _Group(
            chosen,
            np.searchsorted(names, numbers[chosen]),
            at[chosen],
            np.stack([own[int(n)] for n in names]),
            np.array([good is not None and (str(well), int(n), int(t)) not in good for n in names]),
        )


def _keys(frames: pd.DataFrame) -> set[Frame]:
    return {
        (str(well), int(field), int(t))
        for well, field, t in frames[FRAME].itertuples(index=False, name=None)
    }
