"""Lost frames that no track goes across: wells of such movies are not compared with whole ones.

simulated movies: 12 frames, 10 cells each; lost frames 4 to 6 end every track of some of them
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.config.plate_map import validate_plate_map
from cellpipe.profiles.cut_tracks import cut_movies
from cellpipe.profiles.dynamics import PATH_FIGURES
from cellpipe.profiles.summary import imaging_plan, summarise_wells
from cellpipe.profiles.wells import call_hits, normalise_wells
from cellpipe.quality.warnings import plate_warnings

WELLS = ["B02", "B03", "B04", "B05", "B06", "B07"]
CONTROL = ["negative"] * 4 + ["", ""]
LOST = (4, 5, 6)


def movies(cut, crossed=()):
    """Tables of movies, one a well: frames lost in `cut` and `crossed`; in `cut` all tracks end."""
    rng = np.random.default_rng(1)
    fields, tracks = [], []
    for well in WELLS:
        frames = [t for t in range(12) if well not in (*cut, *crossed) or t not in LOST]
        lost_before = [after - before - 1 for before, after in zip([-1, *frames], frames)]  # noqa: B905
        fields += [(well, 1, t, 10, n) for t, n in zip(frames, lost_before, strict=True)]
        spans = [(0, 3), (7, 11)] if well in cut else [(0, 11)]
        spans = [span for span in spans for _ in range(10)] + [(8, 11)] * WELLS.index(well)
        tracks += [(well, 1, start, end) for start, end in spans]
    fields = pd.DataFrame(fields, columns=["well", "field", "t", "n_nuclei", "lost_before"])
    tracks = pd.DataFrame(tracks, columns=["well", "field", "t_start", "t_end"])
    lifetime = 300.0 * (tracks["t_end"] - tracks["t_start"]) + rng.normal(0, 1, len(tracks))
    tracks = tracks.assign(plate="P", divides=False, cycle_time_s=np.nan, track_id=tracks.index)
    tracks = tracks.assign(**dict.fromkeys(PATH_FIGURES, 1.0)).assign(lifetime_s=lifetime)
    cells = fields.loc[fields.index.repeat(10), ["well", "field", "t"]].assign(area_um2=50.0)
    msd = pd.DataFrame({"kind": [], "plate": [], "well": [], "lag_s": [], "msd_um2": []})
    tables = {"fields": fields.assign(plate="P"), "cells": cells.assign(plate="P"), "msd": msd}
    return {**tables, "tracks": tracks, "spot_tracks": pd.DataFrame()}


def judged(tables, share=0.8):
    listed = [{"well": w, "field": 1, "axes": "tczyx", "shape": [12, 1, 1, 99, 99]} for w in WELLS]
    inspection = {"fields": listed, "faults": [], "pixel_size_um": 0.5, "time_step_s": 300.0}
    plate_map = validate_plate_map(pd.DataFrame({"well": WELLS, "control": CONTROL}), WELLS)
    plan = imaging_plan(inspection, None, share)
    wells = normalise_wells(summarise_wells("P", tables, plate_map, [], plan), ["n_tracks"])
    return call_hits(wells, "n_tracks").set_index("well")


def test_a_well_whose_tracks_all_end_at_lost_frames_is_no_hit():
    wells = judged(movies(cut=["B06"], crossed=["B07", "B03"]), share=0.7)
    assert wells["n_tracks"]["B06"] == 24
    assert not wells["incomplete"].any()  # enough was imaged: cells are judged
    assert pd.isna(wells["hit"]["B06"])
    assert "track.max_gap_frames" in wells["hit_reason"]["B06"]
    reasons = wells["tracks_incomplete_reason"]
    assert reasons.index[reasons.ne("")].tolist() == ["B06"]


def test_where_most_movies_are_cut_the_others_stand_out():
    wells = judged(movies(cut=WELLS[:5], crossed=WELLS[5:]), share=0.7)
    reasons = wells["tracks_incomplete_reason"]
    assert reasons.index[reasons.ne("")].tolist() == ["B07"]


@pytest.mark.parametrize(("cut", "named"), [([], False), (["B06"], True), (WELLS, True)])
def test_cut_tracks_are_named_with_what_to_set(cut, named):
    tables = movies(cut, crossed=["B03"])
    rows = plate_warnings({}, {**tables, "wells": pd.DataFrame()})
    rows = rows[rows["kind"] == "tracks cut"]
    assert len(rows) == named
    if named:
        assert "3 before frame 7" in rows["seen"].item()
        assert "'track.max_gap_frames'" in rows["do"].item()


def test_objects_that_never_last_are_not_cut():
    tables = movies(cut=["B06"])
    short = [("B06", 1, t, t) for t in range(12) if t not in LOST for _ in range(10)]
    tracks = pd.DataFrame(short, columns=["well", "field", "t_start", "t_end"])
    assert cut_movies(tables["fields"], tracks).empty


def test_a_hole_that_ends_all_tracks_is_found_though_some_end_elsewhere():
    tables = movies(cut=["B06"])
    early = tables["tracks"].query("well == 'B06'").iloc[:2].assign(t_start=0, t_end=1)
    tracks = pd.concat([tables["tracks"], early], ignore_index=True)
    assert cut_movies(tables["fields"], tracks)["well"].tolist() == ["B06"]
