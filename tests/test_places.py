"""Fields of a plate placed in their wells, and cells in well coordinates, each counted once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_plate import inspected, laid_out
from running import PLATE, Run

from cellpipe.correct.directions import WAYS
from cellpipe.errors import BadConfig
from cellpipe.plate.plate import Plate
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.plates.in_wells import cells_in_wells
from cellpipe.run.plates.places import directions_of, fields_in_wells, find_places
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

SIDE, UM = (200, 200), 0.65
FRAMES = [("B02", field, t) for field in range(1, 7) for t in (1, 2)]


@pytest.fixture(scope="module")
def drawn() -> SimulatedWell:
    return simulate_well(
        WellDesign(grid=(2, 3), shape=SIDE, overlap=0.2, nuclei_per_mm2=1500.0, empty=(5,))
    )


def centre(corner: np.ndarray, origin: str = "centre of the well") -> dict[str, Any]:
    y, x = ((c + (n - 1) / 2) * UM for c, n in zip(corner, SIDE, strict=True))
    return {"y_um": y, "x_um": x, "origin": origin, "source": "Index.xml"}


@pytest.fixture
def plate(tmp_path: Path, drawn: SimulatedWell) -> Plate:
    """A well with positions, whose first frame cannot be read, and one without."""
    found = inspected({"B02": [(3, 1, 1, *SIDE)] * 6, "C02": [(1, 1, 1, *SIDE)]})
    for field, corner in zip(found["fields"], drawn.nominal, strict=False):
        field["centre"] = centre(corner)
    plate = laid_out(tmp_path, found)
    for number, pixels in enumerate(drawn.fields, start=1):
        plate.write_plane("B02", number, 1, 0, 0, pixels)
    return plate


def test_fields_are_placed_by_overlaps_and_what_was_not_is_named(
    plate: Plate, drawn: SimulatedWell
) -> None:
    places, notes = find_places(plate, FRAMES, {"method": "register"}, "dna")
    own = places[places["well"] == "B02"]
    assert own["placed_by"].tolist() == ["pairs"] * 5 + ["nominal"]
    assert own["overlaps_used"].tolist() == [2, 2, 1, 2, 1, 0]
    wrong = own[["well_y_um", "well_x_um"]].to_numpy()[:5] / UM - drawn.true[:5]
    assert np.abs(wrong - wrong[0]).max() < 0.5
    moved = own[["moved_y_um", "moved_x_um"]].to_numpy()
    at = own[["well_y_um", "well_x_um"]].to_numpy()
    assert at - moved == pytest.approx(drawn.nominal * UM)
    assert notes[0].startswith("well B02: 5 of 6 fields placed by 4 of 7 overlaps")
    (other,) = places[places["well"] == "C02"].itertuples()
    assert other.placed_by == "unknown"
    assert np.isnan(other.well_y_um)
    assert notes[1] == "well C02: no stage position of 1 of 1 fields, such as 1"


@pytest.mark.parametrize(
    ("way", "source"), [("y mirrored", "OME-XML"), ("x and y exchanged, x mirrored", ".nd2")]
)
def test_the_axes_of_a_stage_are_found_by_what_neighbours_share(
    tmp_path: Path, drawn: SimulatedWell, way: str, source: str
) -> None:
    """One well has one overlap more than with y mirrored; two decide."""
    found = inspected({well: [(1, 1, 1, *SIDE)] * 6 for well in ("B02", "B03")})
    for field, corner in zip(found["fields"], [*drawn.nominal, *drawn.nominal], strict=True):
        origin = "stage" if source == "OME-XML" else "stage, in the directions of its axes"
        own = {**centre(corner, origin), "source": source}
        y, x = np.linalg.inv(WAYS[way]) @ [own["y_um"], own["x_um"]]
        field["centre"] = {**own, "y_um": y, "x_um": x}
    plate = laid_out(tmp_path, found)
    frames = [(well, number, 0) for well in ("B02", "B03") for number in range(1, 7)]
    for well, number, _ in frames:
        plate.write_plane(well, number, 0, 0, 0, drawn.fields[number - 1])
    asked = {"method": "register"}, "dna"
    if source != "OME-XML":
        assert set(find_places(plate, frames, *asked)[0]["placed_by"]) == {"unknown"}
    directions, told = directions_of(plate, frames, *asked)
    assert told.endswith(f"by 8 overlaps: {way}")
    places, _ = find_places(plate, frames, *asked, directions)
    assert places["placed_by"].tolist() == [*["pairs"] * 5, "nominal"] * 2
    wrong = places[["well_y_um", "well_x_um"]].to_numpy()[:5] / UM - drawn.true[:5]
    assert np.abs(wrong - wrong[0]).max() < 0.5
    assert directions_of(plate, frames[:1], *asked) == (None, "")  # nothing to compare
    assert directions_of(plate, frames, {"method": "positions"}, "dna") == (None, "")


def test_positions_are_taken_as_they_are(plate: Plate, drawn: SimulatedWell) -> None:
    places, _ = find_places(plate, [], {"method": "positions"}, "dna")
    own = places[places["well"] == "B02"]
    assert own[["well_y_um", "well_x_um"]].to_numpy() == pytest.approx(drawn.nominal * UM)
    assert not own[["moved_y_um", "moved_x_um"]].any(axis=None)
    assert set(own["placed_by"]) == {"positions"}


def test_fields_that_cannot_be_read_stay_and_are_counted(plate: Plate) -> None:
    frames = [frame for frame in FRAMES if frame[1] != 2]
    places, notes = find_places(plate, frames, {"method": "register"}, "dna")
    assert places["placed_by"][1] == "nominal"
    assert places["placed_by"][0] == "pairs"
    assert "1 cannot be read" in notes[0]


def cells_of(drawn: SimulatedWell) -> pd.DataFrame:
    rows = []
    for number, labels in enumerate(drawn.labels, start=1):
        for label in np.unique(labels[labels > 0]):
            at = np.argwhere(labels == label)
            if len(at) >= 30:
                y, x = at.mean(axis=0) * UM
                rows.append(("B02", number, 0, label, y, x, len(at) * UM**2))
    names = ["well", "field", "t", "label", "y_um", "x_um", "area_um2"]
    longest = [2 * (area / np.pi) ** 0.5 for *_, area in rows]
    return pd.DataFrame(rows, columns=names).assign(touches_border=False, major_axis_um=longest)


def test_cells_are_counted_once_at_each_time(plate: Plate, drawn: SimulatedWell) -> None:
    places, _ = find_places(plate, FRAMES, {"method": "register"}, "dna")
    one = cells_of(drawn)
    elsewhere = one[:1].assign(well="C02", field=1)
    cells = pd.concat([one, one.assign(t=1), elsewhere], ignore_index=True)
    found = cells_in_wells(cells, places, plate)
    assert found[list(cells)].equals(cells)
    n = found[found["well"] == "B02"].groupby("t")["counted"].sum()
    assert n[0] == n[1]
    assert abs(n[0] - drawn.n_nuclei) <= 1
    assert len(one) > 1.1 * drawn.n_nuclei
    # the same nucleus lies at the same place, whatever field shows it; cut ones do not
    spread = found[found["well"] == "B02"].groupby(["t", "label"])["well_x_um"].agg(np.ptp)
    assert spread.median() < 0.1
    assert found["counted"].iloc[-1]
    assert np.isnan(found["well_y_um"].iloc[-1])


def test_what_is_not_placed_is_a_warning(plate: Plate) -> None:
    places, _ = find_places(plate, FRAMES, {"method": "register"}, "dna")
    frames = places[["well", "field"]].merge(pd.DataFrame({"t": [0, 1]}), how="cross")
    found = plate_warnings({}, {"fields": fields_in_wells(frames, places)}).set_index("kind")
    assert found.loc["not placed", "seen"].str[:6].tolist() == ["1 of 7", "1 of 7"]
    assert found.loc["not placed", "where"].tolist() == ["C02", "B02"]
    as_asked, _ = find_places(plate, [], {"method": "positions"}, "dna")
    told = plate_warnings({}, {"fields": fields_in_wells(frames, as_asked)})
    assert told["where"].tolist() == ["C02"]
    assert plate_warnings({}, {"fields": frames}).empty


def test_fields_that_overlap_and_count_by_themselves_are_a_warning() -> None:
    """Two fields of 100 px; the second is `step` to the right."""

    def told(step: float, **more: Any) -> pd.DataFrame:
        fields = pd.DataFrame({"well": "B02", "field": [1, 2], "t": 0})
        fields["field_centre_y_um"], fields["field_centre_x_um"] = 0.0, [0.0, step * 0.5]
        fields["field_centre_origin"] = "stage"
        shape = {"well": "B02", "axes": "yx", "shape": [100, 100]}
        inspection = {"fields": [shape | {"field": n} for n in (1, 2)], "pixel_size_um": 0.5}
        found = plate_warnings(inspection, {"fields": fields.assign(**more)})
        return found[found["kind"] == "counted twice"]

    (row,) = told(80).itertuples()
    assert row.where == "B02"
    assert row.seen.startswith("up to 10% of the area")
    assert told(100).empty
    assert told(80, placed_by="positions").empty


@pytest.mark.slow
def test_a_run_places_fields_and_counts_cells_once(tmp_path: Path, drawn: SimulatedWell) -> None:
    (tmp_path / "images").mkdir()
    micron = {"unit": "um", "axes": "YX"}
    for number, (pixels, corner) in enumerate(zip(drawn.fields, drawn.nominal, strict=True), 1):
        y, x = (value for name, value in centre(corner).items() if name in ("y_um", "x_um"))
        plane = {
            "PositionX": [x],
            "PositionXUnit": ["µm"],
            "PositionY": [y],
            "PositionYUnit": ["µm"],
        }
        tifffile.imwrite(
            tmp_path / f"images/B02_s{number}_w1.ome.tif", pixels, ome=True,
            metadata={"axes": micron["axes"], "PhysicalSizeX": UM, "PhysicalSizeXUnit": "µm",
                      "PhysicalSizeY": UM, "PhysicalSizeYUnit": "µm", "Plane": plane},
        )  # fmt: skip
    (tmp_path / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tdrawn\n")
    config = {
        **{name: PLATE[name] for name in ("plates", "seed")},
        "channels": {"dna": {"source": "1"}},
        "layouts": {
            "drawn": {"pattern": r"(?P<well>[A-Z]\d\d)_s(?P<field>\d+)_w(?P<channel>\d)\.ome\.tif"}
        },
        "segment": {
            "nuclei": {"channel": "dna", "engine": "classical", "keep_border": True},
            "cells": {"method": "off"},
        },
        "classify": {"training": "off"},
        "profile": {"readouts": ["area_um2"]},
    }
    run = Run(tmp_path, config)
    run.run("results/P/verified.tsv", "results/P/wells.parquet")
    told = pd.read_csv(run.plate / "warnings.tsv", sep="\t").set_index("kind")
    assert "22% of the area" in told.loc["counted twice", "seen"]
    assert "counted" not in pd.read_parquet(run.plate / "cells.parquet")
    assert not (run.plate / "places.parquet").exists()
    said = run.run(stitch={"method": "register"})
    assert "1 well not placed as asked, such as well B02: 5 of 6 fields placed" in said
    cells = pd.read_parquet(run.plate / "cells.parquet")
    assert abs(cells["counted"].sum() / drawn.n_nuclei - 1) < 0.05
    assert len(cells) > 1.1 * cells["counted"].sum()
    (well,) = pd.read_parquet(run.plate / "wells.parquet").itertuples()
    assert well.n_cells == cells["counted"].sum()
    assert 0.2 < well.overlap_share < 0.3
    assert well.area_um2 == cells[cells["counted"] & ~cells["touches_border"]]["area_um2"].median()
    report = (run.plate / "report.html").read_text()
    assert "% of the area of a well&#39;s fields; objects and area there count once" in report
    features = pd.read_csv(run.plate / "profiles/features.tsv", sep="\t")
    assert not features["feature"].str.contains("well_").any()


def test_a_channel_that_is_not_there_is_refused() -> None:
    from cellpipe.config.segmentation import refuse_unknown_channels

    part = {"channel": None, "extra_channels": []}
    config = {
        "channels": {"dna": {}, "gfp": {}},
        "segment": {"nuclei": part, "cells": part},
        "stitch": {"method": "register", "channel": "gpf"},
    }
    with pytest.raises(BadConfig, match=r"'gpf' for 'stitch\.channel'") as fault:
        refuse_unknown_channels(config)
    assert "write 'gfp'" in fault.value.do
