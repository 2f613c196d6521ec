"""Tables of wells whose fields overlap: each object, and each part of the ground, counts once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected as inspected_at
from drawn_plate import laid_out

from cellpipe.config.plate_map import validate_plate_map
from cellpipe.correct.once import points_counted_once
from cellpipe.profiles.counts import comparable
from cellpipe.profiles.shared_ground import overlap_shares, placed_rectangles, union_area
from cellpipe.quality.places import facts_of_overlap
from cellpipe.run.plates.in_wells import (
    cells_in_wells,
    frames_that_count,
    spots_in_wells,
    tracks_in_wells,
)
from cellpipe.run.plates.profile import profile_plate
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

UM, SIDE = 0.5, (256, 256)
OPTIONS: dict[str, Any] = {
    "readouts": ["area_um2", "n_cells", "cells_per_mm2"], "min_imaged_share": 0.8,
    "hit_readout": "", "hit_threshold": 3.0, "dose_group": None, "hit_direction": "both",
    "hit_max_fdr": 0.05, "compare_with": "negative_controls", "position_effects": "off",
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> SimulatedWell:
    design = WellDesign(grid=(4, 4), shape=SIDE, overlap=0.1, nuclei_per_mm2=1500.0, seed=3)
    return simulate_well(design)


def inspected(wells: Any) -> dict[str, Any]:
    return inspected_at(wells) | {"pixel_size_um": UM}


def cells_of(drawn: SimulatedWell, well: str) -> pd.DataFrame:
    rows = []
    for number, labels in enumerate(drawn.labels, start=1):
        for label in np.unique(labels[labels > 0]):
            at = np.argwhere(labels == label)
            if len(at) >= 30:
                cut = (at.min() == 0) or (at.max() == SIDE[0] - 1)
                y, x = at.mean(axis=0) * UM
                rows.append((well, number, 0, label, y, x, len(at) * UM**2, cut))
    names = ["well", "field", "t", "label", "y_um", "x_um", "area_um2", "touches_border"]
    cells = pd.DataFrame(rows, columns=names).assign(plate="P")
    return cells.assign(major_axis_um=1.2 * 2 * np.sqrt(cells["area_um2"] / np.pi))


def places_of(corners: np.ndarray, well: str, known: bool = True) -> pd.DataFrame:
    at = corners * UM if known else np.full_like(corners, np.nan)
    return pd.DataFrame({"well": well, "field": np.arange(1, len(at) + 1),
                         "well_y_um": at[:, 0], "well_x_um": at[:, 1]})  # fmt: skip


def plate_of(tmp_path: Any, drawn: SimulatedWell, places: pd.DataFrame, lost: Any = ()) -> Any:
    """Profile of a plate with the simulated well in B02, B03 and, of 12 fields, C02.

    lost : (well, field) that does not count, being out of focus
    """
    n = {"B02": 16, "B03": 16, "C02": 12}
    found = inspected({well: [(1, 1, 1, *SIDE)] * k for well, k in n.items()})
    plate = laid_out(tmp_path, found)
    fields = pd.DataFrame([(w, f) for w, k in n.items() for f in range(1, k + 1)],
                          columns=["well", "field"]).assign(plate="P", t=0, n_nuclei=1)  # fmt: skip
    keys = zip(fields["well"], fields["field"], strict=True)
    fields["left_out"] = ["out of focus" if key in lost else "" for key in keys]
    cells = pd.concat([cells_of(drawn, well).query(f"field <= {k}") for well, k in n.items()])
    cells = cells_in_wells(cells.reset_index(drop=True), places, plate, frames_that_count(fields))
    tables = {"cells": cells, "fields": fields, "msd": pd.DataFrame({"kind": []}),
              "places": places, "tracks": pd.DataFrame(),
              "spot_tracks": pd.DataFrame()}  # fmt: skip
    plate_map = validate_plate_map(pd.DataFrame({"well": list(n)}), list(n))
    made = profile_plate("P", tables, plate_map, OPTIONS, OPTIONS["readouts"], found)
    return made.wells.set_index("well"), cells


def truth(drawn: SimulatedWell, fields: int = 16) -> tuple[int, float]:
    """Nuclei, and nuclei per mm² of the ground, of the first fields."""
    seen = {
        label
        for own in drawn.labels[:fields]
        for label, n in zip(*np.unique(own[own > 0], return_counts=True), strict=True)
        if n >= 30
    }
    corners = np.rint(drawn.true[:fields]).astype(int)
    ground = np.zeros(corners.max(axis=0) + SIDE, bool)
    for y, x in corners:
        ground[y : y + SIDE[0], x : x + SIDE[1]] = True
    return len(seen), len(seen) / (ground.sum() * UM**2 / 1e6)


def test_wells_count_each_object_and_each_part_of_the_ground_once(
    tmp_path: Any, drawn: SimulatedWell
) -> None:
    places = pd.concat(
        [places_of(drawn.true, "B02"), places_of(drawn.true, "B03", known=False),
         places_of(drawn.true[:12], "C02")]
    )  # fmt: skip
    wells, cells = plate_of(tmp_path, drawn, places)
    n, density = truth(drawn)
    assert wells.loc["B02", "n_cells"] == pytest.approx(n, rel=0.005)
    assert wells.loc["B02", "cells_per_mm2"] == pytest.approx(density, rel=0.007)
    own = cells[(cells["well"] == "B02") & cells["counted"] & ~cells["touches_border"]]
    assert wells.loc["B02", "area_um2"] == own["area_um2"].median()
    # without places every field counts by itself
    assert wells.loc["B03", "n_cells"] == (cells["well"] == "B03").sum() > 1.08 * n
    assert 0.1 < wells.loc["B02", "overlap_share"] < 0.25
    assert np.isnan(wells.loc["B03", "overlap_share"])
    assert facts_of_overlap(wells)["overlap of fields"].endswith(
        "there count once; unknown in 1 well, whose fields count by themselves"
    )
    # a well with fewer fields is as dense, and is compared by what it would have had
    few, dense = truth(drawn, 12)
    assert wells.loc["C02", "n_cells"] == pytest.approx(few, rel=0.006)
    assert wells.loc["C02", "cells_per_mm2"] == pytest.approx(dense, rel=0.007)
    shared = comparable(wells.assign(incomplete=False), ["n_cells"])["n_cells"]
    assert shared["C02"] / shared["B02"] == pytest.approx(dense / density, rel=0.01)


def test_what_a_field_that_is_left_out_shares_counts_in_its_neighbours(
    tmp_path: Any, drawn: SimulatedWell
) -> None:
    wells = [places_of(drawn.true[:k], w) for w, k in {"B02": 16, "B03": 16, "C02": 12}.items()]
    found, cells = plate_of(tmp_path, drawn, pd.concat(wells), lost={("B02", 6)})
    others = [n for n in range(16) if n != 5]
    seen = {
        label for n in others for label, k in
        zip(*np.unique(drawn.labels[n][drawn.labels[n] > 0], return_counts=True), strict=True)
        if k >= 30
    }  # fmt: skip
    assert found.loc["B02", "n_cells"] == pytest.approx(len(seen), rel=0.005)
    assert found.loc["B02", "n_fields"] == 15
    assert found.loc["B02", "overlap_share"] < found.loc["B03", "overlap_share"]
    lone = cells[(cells["well"] == "B02") & (cells["field"] == 6)]
    assert 0 < lone["counted"].sum() < len(lone)


def test_without_places_nothing_is_said_of_overlaps(tmp_path: Any, drawn: SimulatedWell) -> None:
    rows = {"B02": [(1, 1, 1, *SIDE)]}
    plate_map = validate_plate_map(pd.DataFrame({"well": ["B02"]}), ["B02"])
    fields = pd.DataFrame({"well": ["B02"], "field": 1, "t": 0, "n_nuclei": 1, "plate": "P"})
    tables = {"cells": cells_of(drawn, "B02").query("field == 1"), "fields": fields,
              "msd": pd.DataFrame({"kind": []}), "tracks": pd.DataFrame(),
              "spot_tracks": pd.DataFrame()}  # fmt: skip
    made = profile_plate("P", tables, plate_map, OPTIONS, OPTIONS["readouts"],
                         inspected(rows))  # fmt: skip
    assert "overlap_share" not in made.wells
    assert facts_of_overlap(made.wells) == {}


def test_the_area_of_a_union_is_that_of_a_mask() -> None:
    rng = np.random.default_rng(1)
    low = rng.integers(0, 40, (9, 2))
    boxes = np.hstack([low, low + rng.integers(1, 30, (9, 2))])
    mask = np.zeros((80, 80), bool)
    for a, b, c, d in boxes:
        mask[a:c, b:d] = True
    assert union_area(boxes.astype(float)) == mask.sum()
    assert union_area(np.zeros((0, 4))) == 0


def test_overlap_is_that_of_the_frames_that_were_imaged_at_each_time() -> None:
    places = places_of(np.array([[0.0, 0.0], [0.0, 128.0]]), "B02")
    boxes = placed_rectangles(places, inspected({"B02": [(2, 1, 1, *SIDE)] * 2}), (UM, UM))
    frames = pd.DataFrame({"well": "B02", "field": [1, 2, 1], "t": [0, 0, 1]})
    (row,) = overlap_shares(frames, boxes).itertuples()
    assert row.of_fields == pytest.approx(0.25)  # 1.5 of 2
    assert row.of_frames == pytest.approx(1 - 2.5 / 3)


def test_spots_count_in_the_field_that_their_place_belongs_to(tmp_path: Any) -> None:
    """Points of a scene, each shown by every field that covers it."""
    corners = np.array([[0.0, 0.0], [3.0, 200.0], [190.0, -4.0]])
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, *SIDE)] * 3}))
    scene = np.random.default_rng(2).uniform(5, 430, (4000, 2))
    rows = []
    for number, corner in enumerate(corners, start=1):
        inside = ((scene >= corner - 0.5) & (scene < corner + np.array(SIDE) - 0.5)).all(axis=1)
        for k in np.flatnonzero(inside):
            rows.append(("B02", number, 0, k, *((scene[k] - corner) * UM)))
    spots = pd.DataFrame(rows, columns=["well", "field", "t", "spot", "y_um", "x_um"])
    places = places_of(corners, "B02")
    found = spots_in_wells(spots, places, plate)
    once = found[found["counted"]]
    assert once["spot"].is_unique
    assert set(once["spot"]) == set(spots["spot"])
    # a field that does not count holds what it alone shows
    good = {("B02", 1, 0), ("B02", 3, 0)}
    found = spots_in_wells(spots, places, plate, good)
    shown = spots[spots["field"] != 2]["spot"]
    assert not found[found["field"] == 2].query("counted")["spot"].isin(shown).any()
    assert set(found[found["counted"]]["spot"]) == set(spots["spot"])
    assert points_counted_once(np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 4)),
                               np.zeros(0, bool)).shape == (0,)  # fmt: skip


def test_a_cell_that_passes_from_field_to_field_is_one_track() -> None:
    """Track 1 of field 1 leaves into field 2, where it is track 7 and divides."""
    objects = pd.DataFrame(
        {"well": "B02", "field": [1, 1, 1, 2, 2, 2], "t": [0, 1, 2, 1, 2, 3],
         "track_id": [1, 1, 1, 7, 7, 7], "counted": [True, True, False, False, True, True]}
    )  # fmt: skip
    tracks = pd.DataFrame({"well": "B02", "field": [1, 2], "track_id": [1, 7]})
    found = tracks_in_wells(tracks, objects)
    assert found["counted"].tolist() == [True, False]
    assert found["end_counted"].tolist() == [False, True]

    from cellpipe.profiles.dynamics import TRACK_FIGURES, aggregate_tracks

    found = found.assign(plate="P", divides=[False, True], **dict.fromkeys(TRACK_FIGURES, 1.0))
    (row,) = aggregate_tracks(found).itertuples()
    assert (row.n_tracks, row.n_divisions) == (1, 1)
