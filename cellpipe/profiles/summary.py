"""One row per well from all tables of a plate: cells, spots, tracks of either, and their motion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cellpipe.image.units import Scale
from cellpipe.profiles import dynamics
from cellpipe.profiles.counts import (
    COUNTS,
    ground_of_family,
    objects_per_well,
    tracks_per_well,
)
from cellpipe.profiles.cut_tracks import cut_movies, wells_of_cut_movies
from cellpipe.profiles.ground import OF_CELLS, listed_fields, usable_frames, well_ground
from cellpipe.profiles.shared_ground import placed_rectangles
from cellpipe.profiles.wells import Plan, aggregate_wells

_NEVER = float("nan")
OF_SPOTS = (*OF_CELLS, "detect")
OF_TRACKS = (*OF_CELLS, "track")
OPTIONS = {"cells": "track.max_gap_frames", "spots": "detect.max_gap_frames"}


def imaging_plan(
    inspection: Mapping[str, Any] | None,
    quarantine: pd.DataFrame | None,
    min_imaged_share: float,
    places: pd.DataFrame | None = None,
) -> Plan:
    """What a plate was to show; sizes that its files do not give stay unknown.

    places : of its fields in their wells, where they are asked for (`stitch.method`)
    """
    if inspection is None:
        return Plan(quarantine=quarantine, min_imaged_share=min_imaged_share)
    scale = Scale.from_dict(inspection)
    return Plan(
        listed=listed_fields(inspection),
        quarantine=quarantine,
        mm2_per_px=scale.y * scale.x / 1e6 if scale.length_known else _NEVER,
        hours_per_frame=scale.step / 3600 if scale.time_known else _NEVER,
        min_imaged_share=min_imaged_share,
        rectangles=placed_rectangles(places, inspection, (scale.y, scale.x))
        if places is not None
        else None,
    )


def summarise_wells(
    plate: str,
    tables: Mapping[str, pd.DataFrame],
    plate_map: pd.DataFrame,
    readouts: Sequence[str],
    plan: Plan,
) -> pd.DataFrame:
    """One row per well; readouts of tracks and spots come from their own tables.

    Parameters
    ----------
    tables : ``cells``, ``fields``, ``tracks``, ``spots``, ``spot_tracks`` and ``msd`` of the plate
    """
    other = {*dynamics.TRACK_READOUTS, *dynamics.PARTICLE_READOUTS, *COUNTS}
    of_cells = [name for name in readouts if name not in other]
    wells = aggregate_wells(
        tables["cells"], tables["fields"], of_cells, plate_map, plate=plate, plan=plan
    )
    for table in _tables_by_well(tables, wells, plan):
        new = [column for column in table if column not in wells]
        wells = wells.merge(table[new].reset_index(), how="left", on="well")
    return wells


def with_absent_fractions(wells: pd.DataFrame, readouts: Sequence[str]) -> pd.DataFrame:
    """`wells` with the fractions of classes that no cell was given, so that nothing is missing.

    0 where cells were classified and none is of that class, NaN where none was classified.
    """
    present = [c for c in wells if str(c).startswith("fraction_")]
    for readout in readouts:
        if readout.startswith("fraction_") and readout not in wells:
            classified = wells[present].notna().any(axis=1) if present else pd.Series(False)
            value = classified.reindex(wells.index, fill_value=False).map(
                {True: 0.0, False: _NEVER}
            )
            wells = wells.assign(**{readout: value.astype("float64")})
    return wells


def _tables_by_well(
    tables: Mapping[str, pd.DataFrame], wells: pd.DataFrame, plan: Plan
) -> Iterator[pd.DataFrame]:
    """Tables indexed by well: spots, dynamics of cells, and of spots, where those are linked."""
    fields, msd = tables["fields"], tables["msd"]

    def ground(stages: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        seen = fields
        if "detect" in stages and "without_spots" in fields:
            seen = fields[~fields["without_spots"].astype(bool)]
        frames = usable_frames(seen, plan.quarantine, stages)
        return frames, well_ground(
            frames,
            plan.listed,
            wells["well"],
            min_imaged_share=plan.min_imaged_share,
            left_out=plan.left_out,
            rectangles=plan.rectangles,
        )

    spots = tables.get("spots", pd.DataFrame())
    if "well" in spots:
        frames, imaged = ground(OF_SPOTS)
        yield objects_per_well(spots, frames, imaged, plan.mm2_per_px, "spots")
        yield ground_of_family(imaged, "spots")
    for name, kind, prefix, stages, aggregate in (
        ("tracks", "cells", "", OF_TRACKS, dynamics.aggregate_tracks),
        ("spot_tracks", "spots", "spot_", OF_SPOTS, dynamics.aggregate_particles),
    ):
        if "track_id" not in tables[name]:
            continue
        of_well = aggregate(tables[name]).drop(columns="plate").set_index("well")
        sizes = plan.mm2_per_px, plan.hours_per_frame
        _, imaged = ground(stages)
        imaged = _with_cut_tracks(imaged, fields, tables[name], plan, OPTIONS[kind])
        yield tracks_per_well(of_well, imaged, *sizes, f"{prefix}tracks")
        yield ground_of_family(imaged, f"{prefix}tracks")
        yield of_well
        motion = dynamics.ensemble_motion(msd[msd["kind"] == kind]).set_index("well")
        figures = {figure: f"{prefix}{figure}" for figure in dynamics.ENSEMBLE_FIGURES}
        yield motion[list(figures)].rename(columns=figures)


def _with_cut_tracks(
    imaged: pd.DataFrame, fields: pd.DataFrame, tracks: pd.DataFrame, plan: Plan, option: str
) -> pd.DataFrame:
    """The imaged area of tracks, incomplete too where lost frames ended all of them."""
    why = wells_of_cut_movies(
        cut_movies(fields, tracks),
        tracks,
        imaged.index,
        min_imaged_share=plan.min_imaged_share,
        option=option,
    )
    here = [
        reason or why.get(str(well), "") for well, reason in imaged["incomplete_reason"].items()
    ]
    return imaged.assign(incomplete_reason=here)
