"""Counts do not depend on how much of a well was imaged, and nothing imaged is not no cells.

simulated plate: rows A to D, columns 1 to 4; four fields a well, 20 cells a field
A01 … D01 negative, A04 … D04 positive (3 cells a field), the others samples
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.config.plate_map import validate_plate_map
from cellpipe.profiles.counts import comparable, objects_per_well
from cellpipe.profiles.ground import usable_frames, usual, well_ground
from cellpipe.profiles.summary import imaging_plan, summarise_wells
from cellpipe.profiles.wells import call_hits, normalise_wells
from cellpipe.run.plates.gather import join_cells
from cellpipe.wells import well_at

SIDE_PX, PIXEL_UM, N_FIELDS = 400, 0.5, 4
WELLS = [well_at(row, column) for row in range(1, 5) for column in range(1, 5)]
KINDS = {1: "negative", 4: "positive"}


def simulated(n_fields=None, n_t=1, cells_per_field=None, pixel_known=True, seed=0):
    """(tables, inspection, plate map): what the stages of a plate would have written."""
    rng = np.random.default_rng(seed)
    listed, frames, cells = [], [], []
    for well in WELLS:
        positive = well.endswith("4")
        for field in range(1, (n_fields or {}).get(well, N_FIELDS) + 1):
            shape = [n_t, 1, 1, SIDE_PX, SIDE_PX]
            listed.append({"well": well, "field": field, "axes": "tczyx", "shape": shape})
            for t in range(n_t):
                n = (cells_per_field or {}).get(well, 3 if positive else int(rng.integers(19, 22)))
                frames.append((well, field, t, n))
                cells += [(well, field, t)] * n
    fields = pd.DataFrame(frames, columns=["well", "field", "t", "n_nuclei"]).assign(plate="P")
    cells = pd.DataFrame(cells, columns=["well", "field", "t"]).assign(plate="P", area_um2=50.0)
    inspection = {"fields": listed, "faults": [], "time_step_s": 1800.0, "time_step_known": True}
    inspection["pixel_size_um"] = PIXEL_UM if pixel_known else None
    tables = {"cells": cells, "fields": fields, "msd": pd.DataFrame({"kind": []})}
    tables |= {"tracks": pd.DataFrame(), "spot_tracks": pd.DataFrame()}
    kinds = [KINDS.get(int(well[1:]), "") for well in WELLS]
    plate_map = validate_plate_map(pd.DataFrame({"well": WELLS, "control": kinds}), WELLS)
    return tables, inspection, plate_map


def without_frames(tables, lost):
    """The tables without the fields and frames that `lost` (well, field, t) names."""
    lost = pd.MultiIndex.from_tuples(lost)
    kept = {}
    for name in ("cells", "fields"):
        table = tables[name]
        at = pd.MultiIndex.from_frame(table[["well", "field", "t"]])
        kept[name] = table[~at.isin(lost)].reset_index(drop=True)
    return {**tables, **kept}


def summarised(tables, inspection, plate_map, share=0.8, quarantine=None):
    plan = imaging_plan(inspection, quarantine, share)
    return summarise_wells("P", tables, plate_map, ["n_cells"], plan)


def judged(*plate, share=0.8, readout="n_cells"):
    wells = normalise_wells(summarised(*plate, share=share), [readout])
    return call_hits(wells, readout).set_index("well")


def test_wells_with_fewer_fields_have_the_same_counts_per_field_and_area():
    tables, inspection, plate_map = simulated({"B02": 2}, cells_per_field=dict.fromkeys(WELLS, 20))
    wells = summarised(tables, inspection, plate_map).set_index("well")
    assert wells["n_cells"]["B02"] == 40
    assert wells["n_cells"]["B03"] == 80
    assert wells["cells_per_field"].eq(20).all()
    mm2 = (SIDE_PX * PIXEL_UM / 1000) ** 2
    np.testing.assert_allclose(wells["cells_per_mm2"], 20 / mm2)
    assert wells["n_fields"]["B02"] == 2
    assert wells["n_fields_expected"].eq(4).all()
    assert wells["imaged_share"]["B02"] == 0.5
    assert wells.index[wells["incomplete"]].tolist() == ["B02"]
    assert "2 of 4 fields" in wells["incomplete_reason"]["B02"]
    assert "2 without files" in wells["incomplete_reason"]["B02"]


def test_a_well_that_lost_fields_is_no_hit_and_says_so():
    tables, inspection, plate_map = simulated({"B02": 2})
    tables = without_frames(tables, [("C03", 3, 0), ("C03", 4, 0)])  # quarantined
    wells = judged(tables, inspection, plate_map)
    assert wells["hit"][["B02", "C03"]].isna().all()
    assert wells["hit_reason"]["C03"].startswith("incomplete: 2 of 4 fields")
    others = [well for well in WELLS if well[1:] in ("02", "03") and well not in ("B02", "C03")]
    assert not wells["hit"][others].eq(True).any()
    assert not wells["hit_reason"][others].str.contains("incomplete").any()


def test_incomplete_wells_that_are_asked_for_are_compared_per_field():
    plate = simulated({"B02": 2, "C03": 1}, cells_per_field={"B02": 20, "C03": 20})
    wells = judged(*plate, share=0.0)
    assert not wells["incomplete"].any()
    assert wells["n_cells"]["C03"] == 20
    assert abs(wells["n_cells_robust_z"]["C03"]) < 3
    assert wells["hit"][["B02", "C03"]].eq(False).all()


@pytest.mark.parametrize("share", [0.8, 0.0])
def test_controls_that_lost_fields_do_not_move_the_others(share):
    whole = judged(*simulated(), share=share)
    tables, inspection, plate_map = simulated()
    tables = without_frames(tables, [("A01", 2, 0), ("A01", 3, 0), ("A01", 4, 0)])
    wells = judged(tables, inspection, plate_map, share=share)
    others = [well for well in WELLS if well[1:] in ("02", "03")]
    assert (wells["hit"][others] == whole["hit"][others]).all()
    assert wells["incomplete"]["A01"] == (share > 0)


def test_a_well_without_cells_is_0_and_a_hit_and_one_without_images_is_empty():
    plate = simulated({"D02": 0}, cells_per_field={"B02": 0, "B03": 2})
    for readout in ("n_cells", "cells_per_field", "cells_per_mm2"):
        tables, inspection, plate_map = plate
        wells = summarised(tables, inspection, plate_map)
        wells = call_hits(normalise_wells(wells, [readout]), readout).set_index("well")
        assert wells[readout]["B02"] == 0
        assert wells["hit"]["B02"] is not pd.NA
        assert bool(wells["hit"]["B02"])
        assert wells["hit"]["B03"]
        assert np.isnan(wells[readout]["D02"])
        assert wells["hit"].isna()["D02"]
        assert "no image" in wells["hit_reason"]["D02"]


def test_absent_frames_of_a_movie_are_not_frames_without_cells():
    tables, inspection, plate_map = simulated(n_t=6, cells_per_field=dict.fromkeys(WELLS, 20))
    lost = [("A02", 1, t) for t in (1, 2)]
    empty = [("A03", field, t) for field in range(1, 5) for t in (0, 1, 2, 3)]
    cells = without_frames(tables, empty)["cells"]  # imaged, and nothing on them
    tables = without_frames({**tables, "cells": cells}, lost)
    wells = summarised(tables, inspection, plate_map).set_index("well")
    assert wells["n_cells"]["A02"] == 80
    assert wells["cells_per_field"]["A02"] == 20
    assert wells["n_cells"]["A03"] == 0  # the median of 0 0 0 0 20 20
    assert wells["cells_per_field"]["A03"] == pytest.approx(20 / 3)
    assert wells["n_frames"]["A02"] == 22
    assert not wells["incomplete"]["A02"]  # 22 of 24


def test_a_movie_that_was_cut_short_is_incomplete():
    tables, inspection, plate_map = simulated(n_t=6)
    tables = without_frames(tables, [("A02", f, t) for f in range(1, 5) for t in (3, 4, 5)])
    for place in inspection["fields"]:
        if place["well"] == "A02":
            place["shape"] = [3, *place["shape"][1:]]
    wells = summarised(tables, inspection, plate_map).set_index("well")
    assert wells["imaged_share"]["A02"] == 0.5
    assert "12 of 24 frames" in wells["incomplete_reason"]["A02"]


def test_a_plate_on_which_every_well_lost_the_same_field_is_still_judged():
    tables, inspection, plate_map = simulated()
    tables = without_frames(tables, [(well, 2, 0) for well in WELLS])
    wells = judged(tables, inspection, plate_map)
    assert wells["imaged_share"].eq(0.75).all()
    assert not wells["incomplete"].any()


def test_more_fields_by_design_are_not_incomplete():
    more = {well: 9 for well in WELLS if well.endswith(("1", "4")) and well[0] in "AB"}
    wells = judged(*simulated(more))
    assert not wells["incomplete"].any()
    assert not wells["hit"].eq(True).any()


def test_area_is_empty_where_the_size_of_a_pixel_is_not_known():
    wells = summarised(*simulated(pixel_known=False))
    assert wells["cells_per_mm2"].isna().all()
    assert wells["cells_per_field"].notna().all()


def test_frames_that_a_later_stage_quarantined_do_not_count():
    tables, _, _ = simulated()
    quarantine = pd.DataFrame(
        {"well": ["A01", "A01", "A02"], "field": [1, 2, 1], "t": [0, 0, 0]}
    ).assign(stage=["measure", "detect", "inspect"])
    of_cells = usable_frames(tables["fields"], quarantine)
    assert len(tables["fields"]) - len(of_cells) == 1
    of_spots = usable_frames(tables["fields"], quarantine, ("segment", "measure", "detect"))
    assert len(tables["fields"]) - len(of_spots) == 2


def test_spots_and_tracks_are_counted_on_the_ground_that_was_imaged():
    tables, inspection, plate_map = simulated({"B02": 0}, n_t=3)
    spots = pd.DataFrame([("A02", f, t) for f in range(1, 5) for t in range(3) for _ in range(5)])
    tables["spots"] = spots.set_axis(["well", "field", "t"], axis=1)
    track = {"plate": "P", "well": "A02", "field": 1, "track_id": 1, "divides": True}
    figures = ("speed_um_s", "velocity_um_s", "straightness", "lifetime_s", "displacement_um")
    track |= dict.fromkeys((*figures, "cycle_time_s"), 1.0)
    tables["tracks"] = pd.DataFrame([track | {"track_id": i, "divides": i < 6} for i in range(8)])
    tables["msd"] = pd.DataFrame(columns=["plate", "well", "kind", "lag_s", "msd_um2"])
    wells = summarised(tables, inspection, plate_map).set_index("well")
    assert wells["n_spots"]["A02"] == 20
    assert wells["spots_per_field"]["A02"] == 5
    assert wells["n_spots"]["A03"] == 0
    assert np.isnan(wells["n_spots"]["B02"])
    assert (wells["n_tracks"]["A02"], wells["tracks_per_field"]["A02"]) == (8, 2)
    assert (wells["n_tracks"]["A03"], wells["n_divisions"]["A03"]) == (0, 0)
    assert np.isnan(wells["n_tracks"]["B02"])
    assert wells["divisions_per_field_hour"]["A02"] == pytest.approx(6 / (4 * 3 * 0.5))
    mm2 = (SIDE_PX * PIXEL_UM / 1000) ** 2
    assert wells["divisions_per_mm2_hour"]["A02"] == pytest.approx(6 / (4 * 3 * 0.5 * mm2))
    assert wells["tracks_per_mm2"]["A02"] == pytest.approx(8 / (4 * mm2))


def test_fields_of_another_size_count_as_what_they_are():
    tables, inspection, plate_map = simulated(cells_per_field=dict.fromkeys(WELLS, 20))
    for place in inspection["fields"]:
        if place["well"] == "B02":
            place["shape"] = [1, 1, 1, SIDE_PX, SIDE_PX // 2]
    half = (tables["cells"]["well"] == "B02") & (np.arange(len(tables["cells"])) % 2 == 0)
    tables["cells"] = tables["cells"][~half]
    wells = summarised(tables, inspection, plate_map, share=0).set_index("well")
    assert wells["n_cells"]["B02"] == 40
    assert wells["cells_per_field"]["B02"] == 20
    assert comparable(wells, ["n_cells"])["n_cells"]["B02"] == 80
    assert wells["cells_per_mm2"].nunique() == 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([4, 4, 4, 2], 4), ([4, 4, 2, 2], 4), ([1, 2, 3, 4, 9], 3), ([], 0), ([9, 4, 4, 4], 4)],
)
def test_usual_is_the_most_common_or_the_median(values, wanted):
    assert usual(values) == wanted


def test_frames_in_which_spots_could_not_be_sought_have_no_number_of_spots():
    measured = pd.DataFrame({"plate": "P", "well": "A01", "field": [1, 1, 2], "t": 0})
    measured = measured.assign(label=[1, 2, 1], fingerprint="f")
    spots = pd.DataFrame({"well": ["A01"], "field": [1], "t": [0], "label": [2]})
    whole = join_cells(measured, spots=spots)
    assert whole["spot_count"].tolist() == [0, 1, 0]
    lost = join_cells(measured, spots=spots, without_spots={("A01", 2, 0)})
    assert lost["spot_count"].tolist()[:2] == [0, 1]
    assert np.isnan(lost["spot_count"][2])


def test_a_plate_that_lists_no_field_is_incomplete_and_not_without_a_share() -> None:
    none = pd.DataFrame({"well": [], "field": [], "t": []})
    ground = well_ground(none, none.assign(n_t=[], area_px=[]), ["A01"])
    assert ground.loc["A01", "imaged_share"] == 0
    assert ground.loc["A01", "incomplete"]


@pytest.mark.parametrize("n_frames", [1, 2])
def test_a_well_of_one_field_has_counts_per_field_and_per_area(n_frames: int) -> None:
    frames = pd.DataFrame({"well": "A01", "field": 1, "t": range(n_frames)})
    listed = pd.DataFrame({"well": ["A01"], "field": [1], "n_t": n_frames, "area_px": [1e6]})
    ground = well_ground(frames, listed, ["A01"])
    cells = frames.loc[frames.index.repeat(30)]
    counts = objects_per_well(cells, frames, ground, 1e-7, "cells").loc["A01"]
    assert counts.to_dict() == {"n_cells": 30, "cells_per_field": 30, "cells_per_mm2": 300}


@pytest.mark.parametrize(("n", "incomplete"), [(8, False), (7, True)])
def test_a_well_with_less_than_four_fifths_of_its_fields_is_incomplete(n, incomplete) -> None:
    places = [(well, field) for well in ("A01", "A02", "A03") for field in range(1, 11)]
    listed = pd.DataFrame(places, columns=["well", "field"]).assign(n_t=1, area_px=100.0)
    imaged = listed[(listed["well"] != "A02") | (listed["field"] <= n)].assign(t=0)
    ground = well_ground(imaged[["well", "field", "t"]], listed, ["A01", "A02", "A03"])
    assert ground["incomplete"].tolist() == [False, incomplete, False]
