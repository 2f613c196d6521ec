"""Where the fields of a plate lie in their wells.

centres that the microscope recorded ──► positions ──► `method: register`: by overlaps
                                             │
                                             └──► places of fields ──► `in_wells`: their objects
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.directions import AS_RECORDED, WAYS, find_directions
from cellpipe.correct.placing import NOMINAL, YES, place_fields
from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Plane
from cellpipe.plate.corners import corners_px, has_unknown_directions, may_be_turned
from cellpipe.plate.plate import Field, Plate
from cellpipe.run.frames.project import project_frame

Frame = tuple[str, int, int]  # well, field, t
Place = tuple[str, int]
COLUMNS = ["plate", "well", "field", "well_y_um", "well_x_um", "moved_y_um",
           "moved_x_um", "placed_by", "overlaps_used", "overlaps_not_used"]  # fmt: skip
UNKNOWN, POSITIONS = "unknown", "positions"
WELLS_TRIED = 4  # for the directions of the stage


def find_places(
    plate: Plate,
    frames: Collection[Frame],
    options: Mapping[str, Any],
    channel: str,
    directions: np.ndarray | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """A row per field, and sentences on wells that were not placed, or not as a whole.

    Parameters
    ----------
    frames : that can be read
    options : the section `stitch`
    channel : that overlaps are compared in
    directions : of the axes of the stage, where they are not recorded, from `directions_of`

    Returns
    -------
    DataFrame
        `COLUMNS`. well_y_um, well_x_um : centre of the first pixel of the field, relative to that
        of the recorded positions; NaN where it is not known. moved_… : how far that is from
        the recorded position. placed_by : "positions", where they alone were asked for; "pairs",
        "nominal" where no overlap holds the field; "unknown". overlaps_used : of the field.
        overlaps_not_used : text, the other field of each and why, as "3: by chance"
    """
    first, wells = _first_frames(frames), _by_well(plate)
    parts, notes = [], []
    for well, fields in wells.items():
        try:
            turned = directions if any(map(may_be_turned, fields)) else None
            part, note = _of_well(plate, fields, first, options["method"], channel, turned)
        except BadConfig as fault:
            nowhere = np.full((len(fields), 2), np.nan)
            n = len(fields)
            part = _rows(plate, fields, nowhere, nowhere, [UNKNOWN] * n, [0] * n, [""] * n)
            note = fault.seen
        parts.append(part)
        notes += [f"well {well}: {note.removeprefix(f'well {well}: ')}"] if note else []
    return pd.concat(parts, ignore_index=True), notes


def directions_of(
    plate: Plate, frames: Collection[Frame], options: Mapping[str, Any], channel: str
) -> tuple[np.ndarray | None, str]:
    """How the axes of the stage lie in the images, by the overlaps of the first wells that tell.

    Returns the matrix for `find_places`, and a sentence; None and "" where it is recorded, is not
    asked for, or cannot be found.
    """
    if options["method"] != "register" or not plate.scale.length_known:
        return None, ""
    first, wells = _first_frames(frames), []
    for fields in _by_well(plate).values():
        there = [f for f in fields if (f.well, f.field) in first and may_be_turned(f)]
        alike = len({(f.shape[-2:], f.centre.origin) for f in there if f.centre}) == 1
        wells += [there] if len(there) > 1 and alike else []
    found = find_directions(
        (
            [_plane(plate, field, first, channel) for field in there],
            partial(corners_px, there, plate.scale),
        )
        for there in wells[:WELLS_TRIED]
    )
    recorded = not any(has_unknown_directions(field) for there in wells for field in there)
    if found is None or (recorded and found[0] == AS_RECORDED):
        return None, ""
    way, n = found
    words = f"how the axes of the stage lie in the images is not recorded; by {n} overlaps: {way}"
    return WAYS[way], words


def _first_frames(frames: Collection[Frame]) -> dict[Place, int]:
    """The first frame of each field that can be read."""
    first: dict[Place, int] = {}
    for well, number, t in frames:
        first[well, number] = min(t, first.get((well, number), t))
    return first


def _by_well(plate: Plate) -> dict[str, list[Field]]:
    wells: dict[str, list[Field]] = {}
    for (well, _), field in plate.fields.items():
        wells.setdefault(well, []).append(field)
    return wells


def _of_well(
    plate: Plate,
    fields: list[Field],
    first: Mapping[Place, int],
    method: str,
    channel: str,
    directions: np.ndarray | None,
) -> tuple[pd.DataFrame, str]:
    """`first` : the first frame of each field that can be read."""
    nominal = corners_px(fields, plate.scale, directions)
    corners, used, note = nominal.copy(), [0] * len(fields), ""
    refused = [""] * len(fields)
    by = [NOMINAL if method == "register" else POSITIONS] * len(fields)
    if method == "register":
        there = [n for n, field in enumerate(fields) if (field.well, field.field) in first]
        planes = [_plane(plate, fields[n], first, channel) for n in there]
        placed = place_fields(planes, nominal[there])
        good = placed.pairs[placed.pairs["used"] == YES]
        ends = good[["first", "second"]].to_numpy().ravel()
        corners[there] = placed.corners
        for k, n in enumerate(there):
            by[n], used[n] = placed.by[k], int((ends == k).sum())
            others = [(fields[there[other]].field, why) for other, why in placed.not_used(k)]
            refused[n] = "; ".join(f"{other}: {why}" for other, why in others)
        note = placed.sentence() if NOMINAL in placed.by else ""
        if len(there) < len(fields):
            note = f"{note}; {len(fields) - len(there)} cannot be read".removeprefix("; ")
    return _rows(plate, fields, corners, nominal, by, used, refused), note


def _plane(plate: Plate, field: Field, first: Mapping[Place, int], channel: str) -> Plane:
    """The first frame of a field that can be read, projected; read where it is needed."""
    place = field.well, field.field
    return project_frame(plate, *place, first[place], [channel]).channel(0)


def _rows(
    plate: Plate,
    fields: list[Field],
    corners: np.ndarray,
    nominal: np.ndarray,
    by: list[str],
    used: list[int],
    refused: list[str],
) -> pd.DataFrame:
    edge = np.array([plate.scale.y, plate.scale.x])
    at, moved = corners * edge, (corners - nominal) * edge
    return pd.DataFrame(
        {
            "plate": plate.name,
            "well": [field.well for field in fields],
            "field": np.array([field.field for field in fields], "int32"),
            "well_y_um": at[:, 0],
            "well_x_um": at[:, 1],
            "moved_y_um": moved[:, 0],
            "moved_x_um": moved[:, 1],
            "placed_by": by,
            "overlaps_used": np.array(used, "int32"),
            "overlaps_not_used": refused,
        }
    )[COLUMNS]


def fields_in_wells(fields: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """The table of fields with ``placed_by``."""
    return fields.merge(places[["well", "field", "placed_by"]], how="left", on=["well", "field"])
