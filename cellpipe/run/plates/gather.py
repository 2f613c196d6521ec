"""Join what the stages found into the tables of a plate: one row per cell, spot, frame.

measure ─┬─ classify ─┬─ detect (counts) ─┬─ track        →  cells
         ·            ·                   ·                (by well, field, t, label)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from cellpipe.image.centre import FieldCentre
from cellpipe.readers.accounting.account import file_of
from cellpipe.run.receipts import Receipt
from cellpipe.run.unexpected import FAILED
from cellpipe.segment.probabilities import OF_OBJECTS
from cellpipe.wells import row_and_column

Place = tuple[str, int]  # well and field
OBJECT = ["well", "field", "t", "label"]
FRAME = ["well", "field", "t"]
STAGE = [f"stage_{what}_{axis}_um" for what in ("shift", "jump") for axis in "yx"]
STAGE.append("cell_step_um")
MISSING = "there is no file of"  # how the reason of a frame without files begins


def join_cells(
    measured: pd.DataFrame,
    *,
    more: Iterable[pd.DataFrame] = (),
    spots: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    without_spots: Collection[tuple[str, int, int]] = (),
) -> pd.DataFrame:
    """One row per cell and time, in plate order.

    Parameters
    ----------
    measured : rows of `measure`
    more : tables with ``well field t label`` and columns of a stage's own, such as ``class``
    spots : rows of `detect`, with the ``label`` that holds each spot (0: none)
    links : ``well field t label track_id parent_track_id``
    without_spots : frames (well, field, t) in which spots could not be detected: their cells have
    no
        number of spots, which is not the same as none
    """
    cells = measured
    for rows in more:
        own = rows.drop(columns=["plate", "fingerprint"], errors="ignore")
        # no column may take the place of another's
        cells = cells.merge(own, how="left", on=OBJECT, suffixes=(None, None))
    if spots is not None:
        counts = spots[spots["label"] > 0].groupby(OBJECT).size().rename("spot_count").reset_index()
        cells = cells.merge(counts, how="left", on=OBJECT)
        cells["spot_count"] = cells["spot_count"].fillna(0).astype("int32")
        if without_spots:
            unknown = pd.MultiIndex.from_frame(cells[FRAME]).isin(list(without_spots))
            cells["spot_count"] = cells["spot_count"].astype("float64").mask(unknown)
    if links is not None:
        wanted = [*OBJECT, "track_id", "parent_track_id"]
        cells = cells.merge(links[wanted], how="left", on=OBJECT)
        for name in ("track_id", "parent_track_id"):
            cells[name] = cells[name].fillna(0).astype("int64")
    cells = cells.sort_values(OBJECT, ignore_index=True)
    after = cells.columns.get_loc("well") + 1
    places = {well: row_and_column(well) for well in cells["well"].unique()}
    rows, columns = ({well: place[i] for well, place in places.items()} for i in (0, 1))
    cells.insert(after, "row", cells["well"].map(rows).astype("str"))
    cells.insert(after + 1, "column", cells["well"].map(columns).astype("int32"))
    return cells[[name for name in cells if name != "fingerprint"] + ["fingerprint"]]


def join_fields(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per field and frame: figures of ingest, counts and image quality of segment.

    `tables` are rows by stage, of those stages that give one row per frame.
    """
    joined: pd.DataFrame | None = None
    for stage, rows in tables.items():
        rows = rows.rename(columns={"fingerprint": f"{stage}_fingerprint"})
        rows = rows.drop(columns=list(OF_OBJECTS), errors="ignore")  # they are in the cell table
        if joined is None:
            joined = rows
        else:
            rows = rows.drop(columns=["plate"], errors="ignore")
            joined = joined.merge(rows, how="left", on=FRAME)
    if joined is None:
        return pd.DataFrame(columns=["plate", *FRAME])
    return joined.sort_values(FRAME, ignore_index=True)


def join_stage(fields: pd.DataFrame, links: pd.DataFrame | None) -> pd.DataFrame:
    """`fields` with how far the stage moved before each frame; NaN where there is no cell."""
    if links is None:
        return fields
    frames = links.drop_duplicates(FRAME)[[*FRAME, *STAGE]]
    return fields.merge(frames, how="left", on=FRAME)


def mark_not_taken(fields: pd.DataFrame, frames: Collection[tuple[str, int, int]]) -> pd.DataFrame:
    """`fields` with `without_spots` (bool), where the channel of spots has frames without it.

    frames : (well, field, t) at which it was not taken: spots in them are unknown, not none
    """
    if not frames:
        return fields
    marked = pd.MultiIndex.from_frame(fields[FRAME]).isin(list(frames))
    return fields.assign(without_spots=marked)


def join_centres(fields: pd.DataFrame, centres: Mapping[Place, FieldCentre]) -> pd.DataFrame:
    """`fields` with the recorded centre of each field in its well; unchanged if there is none.

    Columns: ``field_centre_y_um field_centre_x_um`` (float64, µm, y downwards; NaN: unknown) and
    ``field_centre_origin`` (what they are relative to; empty: unknown).
    """
    if not centres:
        return fields
    places = zip(fields["well"], fields["field"], strict=True)
    own = [centres.get((str(well), int(field))) for well, field in places]
    return fields.assign(
        field_centre_y_um=[c.y_um if c else float("nan") for c in own],
        field_centre_x_um=[c.x_um if c else float("nan") for c in own],
        field_centre_origin=[c.origin if c else "" for c in own],
    )


def quarantine(
    plate: str,
    inspection: Mapping[str, Any],
    receipts: Mapping[str, Iterable[Receipt]],
    passed_over: Iterable[Mapping[str, Any]] = (),
    planes: pd.DataFrame | None = None,
    by_field: Collection[str] = (),
) -> pd.DataFrame:
    """Every file, field or frame that was left out: where, at which stage, why, and the remedy.

    `status` is "quarantined" (read and found bad, or in doubt), "missing" (there is no file),
    "failed" (a stage met an error that was not expected; see its log), or
    "passed over" (an image that is not part of the plate as the config describes it, from
    `remedies.rows_of_images`). `file` is the file, or the first of several, where it is known;
    of frames, if `planes`, the manifest of the plate, is given. `by_field` : stages that leave out
    whole fields.
    """
    of_frame = _paths_of_frames(planes, left_out_frames(receipts.get("ingest", ())))
    rows = [
        {
            "well": fault["well"],
            "field": fault["field"],
            "t": "",
            "stage": "inspect",
            "status": fault.get("status", "quarantined"),
            "file": fault["file"],
            "reason": f"{fault['file']}: {fault['reason']}",
            "remedy": fault["remedy"],
        }
        for fault in inspection["faults"]
    ]
    for stage, of_stage in receipts.items():
        for receipt in of_stage:
            bad = [frame for frame in receipt.frames if frame.status != "ok"]
            whole = stage in by_field  # a movie is linked, or left out, as a whole
            rows += [
                {
                    "well": receipt.unit.well,
                    "field": receipt.unit.field,
                    "t": "" if whole else frame.t,
                    "stage": stage,
                    "status": "missing" if frame.reason.startswith(MISSING) else frame.status,
                    "file": file_of(
                        frame.reason,
                        of_frame.get((receipt.unit.well, receipt.unit.field, frame.t), ()),
                    ),
                    "reason": frame.reason,
                    "remedy": f"report it, with its log; `--forcerun {stage}_block` tries it again"
                    if frame.status == FAILED
                    else frame.remedy,
                }
                for frame in (bad[:1] if whole else bad)
            ]
    of_images = {"field": "", "t": "", "stage": "inspect", "status": "passed over"}
    rows += [{**of_images, **row} for row in passed_over]
    columns = ["plate", "well", "field", "t", "stage", "status", "file", "reason", "remedy"]
    return (
        pd.DataFrame(rows).assign(plate=plate)[columns] if rows else pd.DataFrame(columns=columns)
    )


def _folders_that_cannot_be_listed(inspection: Mapping[str, Any]) -> list[dict[str, Any]]:
    if inspection.get("source"):  # those of wells of an OME-Zarr plate are among the faults
        return []
    place = {"well": "", "field": "", "t": "", "stage": "inspect", "status": "quarantined"}
    remedy = "see to the permissions, the disk or the share, then run again"
    return [
        {**place, "file": folder, "reason": f"{why}: what is in it is not used", "remedy": remedy}
        for folder, why in inspection.get("closed", {}).items()
    ]


def _paths_of_frames(
    planes: pd.DataFrame | None, frames: set[tuple[str, int, int]]
) -> dict[tuple[str, int, int], list[str]]:
    if planes is None or planes.empty or not frames:
        return {}
    places = zip(planes["well"], planes["field"], planes["t"], strict=True)
    own = planes[[place in frames for place in places]]
    return {(str(w), int(f), int(t)): list(of["path"]) for (w, f, t), of in own.groupby(FRAME)}


def left_out_frames(receipts: Iterable[Receipt]) -> set[tuple[str, int, int]]:
    """Well, field and frame of what a stage quarantined."""
    return {
        (receipt.unit.well, receipt.unit.field, frame.t)
        for receipt in receipts
        for frame in receipt.bad_frames
    }


def stage_seconds(receipts: Iterable[Receipt]) -> float:
    """Seconds that a stage worked on frames, summed over frames."""
    return sum(frame.seconds for receipt in receipts for frame in receipt.frames)
