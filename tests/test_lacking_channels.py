"""A channel that some wells lack: named once, the other channels measured, its own columns empty.

        B02 B03 B04 …
dna      ■   ■   ■
spots    ■   ·   ■      columns of spots are empty in B03

The workflow runs with `ingest.shards`: a file of the plate holds the channels that a frame has.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from running import PLATE, Run

from cellpipe import open_plate
from cellpipe.errors import BadImage
from cellpipe.readers.accounting import holes, sparse
from cellpipe.readers.accounting.holes import stack_sizes
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.run.frames.project import project_frame
from cellpipe.run.plates.classify import without_sparse
from cellpipe.run.plates.light import together

WELLS = ("B02", "B03", "B04", "B10")


def planes(without: dict[str, int], n_fields: int = 3) -> pd.DataFrame:
    """Listed planes; `without`: well → number of its fields that lack spots."""
    rows = [
        (well, field, 0, channel, 0)
        for well in WELLS
        for field in range(1, n_fields + 1)
        for channel in ("dna", "spots")
        if channel == "dna" or field > without.get(well, 0)
    ]
    return pd.DataFrame(rows, columns=["well", "field", "t", "channel", "z"])


@pytest.mark.parametrize(
    ("without", "n_fields", "lacking", "n_holes"),
    [
        ({"B03": 3, "B10": 3}, 3, {"spots": ["B03", "B10"]}, 0),
        ({"B03": 3, "B10": 2}, 3, {"spots": ["B03"]}, 2),  # of one field it was lost
        ({"B03": 2}, 2, {}, 2),  # two files that were lost
        ({"B03": 1, "B04": 1, "B10": 1}, 1, {"spots": ["B03", "B04", "B10"]}, 0),
        ({}, 3, {}, 0),
    ],
)
def test_wells_lack_a_channel_where_no_field_of_them_has_it(without, n_fields, lacking, n_holes):
    table = planes(without, n_fields)
    found = sparse.lacking(table, ["dna", "spots"])
    assert found == lacking
    expected, sizes = holes.expected_frames(table), stack_sizes(table)
    lost = holes.missing_planes(table, ["dna", "spots"], expected, sizes, {}, found)
    assert len(lost) == n_holes


def test_nothing_reads_zeros_for_a_channel_that_a_well_lacks(tmp_path: Path) -> None:
    shape = (2, 2, 1, 40, 40)
    plan = {**inspected({"B02": [shape], "B03": [shape]}), "lacking": {"gfp": ["B03"]}}
    plate = laid_out(tmp_path, plan, labels=["nuclei"])
    for t in (0, 1):
        plate.write_frame("B02", 1, t, ["dna", "gfp"], np.full((2, 1, 40, 40), 7, np.uint16))
        plate.write_frame("B03", 1, t, ["dna"], np.full((1, 1, 40, 40), 7, np.uint16))
    assert plate.has_frame("B03", 1, 1)
    assert project_frame(plate, "B03", 1, 1).whole().shape == (1, 40, 40)
    with pytest.raises(BadImage, match="'gfp' has no image in well B03"):
        project_frame(plate, "B03", 1, 1, ["gfp"])
    with pytest.raises(BadImage, match="'gfp' has no image in well B03"):
        open_plate(tmp_path).image("B03", 1).channel("gfp")[0].compute()
    assert plate.frames_without("gfp") == {("B03", 1, 0), ("B03", 1, 1)}
    assert together(plate) == [["dna"], ["gfp"]]
    source = describe_source(plate.path)
    given = {"plate": "again", "pixel_size_um": None, "time_step_s": None}
    again = inspect_source(source, {"n": {"source": "dna"}, "s": {"source": "gfp"}}, **given)
    assert again["lacking"] == {"s": ["B03"]}
    assert "not_taken" not in again


def test_no_classifier_uses_what_some_wells_lack() -> None:
    values = {"t": 0, "well": ["B02", "B02", "B03"], "area_um2": 5.0, "dna_mean": 3.0}
    cells = pd.DataFrame({**values, "gfp_mean": [1.0, 2.0, np.nan], "both": [1.0, 2.0, np.nan]})
    kept, unused = without_sparse(cells, {}, {"gfp": ["B03"]})
    assert unused == ["gfp_mean", "both"]
    assert "dna_mean" in kept


def test_wells_without_spots_are_measured_in_the_other_channels(tmp_path: Path) -> None:
    run = Run.drawn(tmp_path, "plate", PLATE)
    wells = sorted({path.name[:3] for path in (tmp_path / "images").glob("*_w3.tif")})
    lost = wells[1:4]
    for well in lost:
        for path in (tmp_path / "images").glob(f"{well}_*_w3.tif"):
            path.unlink()
    changes = {"ingest": {"shards": True}, "profile": {"readouts": ["translocation", "spots_mean"]}}
    said = run.run("results/P/verified.tsv", "results/P/report.html", **changes)
    seen = f"'spots' has no image in 3 of {len(wells)} wells ({', '.join(lost)})"
    assert seen in said
    inspection = json.loads((run.plate / "inspection.json").read_text())
    assert (inspection["holes"], inspection["lacking"]) == ([], {"spots": lost})
    assert pd.read_csv(run.plate / "quarantine.tsv", sep="\t").empty
    warnings = pd.read_csv(run.plate / "warnings.tsv", sep="\t")
    assert warnings["seen"].str.contains("has no image in").sum() == 1
    assert seen in (run.plate / "report.html").read_text().replace("&#39;", "'")
    cells = open_plate(run.plate).table("cells")
    here = cells["well"].isin(lost)
    assert set(lost) < set(cells["well"])
    for name in ("spots_mean", "spots_saturated", "spot_count"):
        assert cells.loc[here, name].isna().all()
        assert cells.loc[~here, name].notna().all()
    assert cells[["dna_mean", "reporter_mean"]].notna().all(axis=None)
    assert (cells["class"] != "").all()
    importance = pd.read_csv(run.plate / "classifier/importance.tsv", sep="\t")
    assert not importance["feature"].str.contains("spots").any()
    by_well = open_plate(run.plate).table("wells").set_index("well")
    assert set(by_well.index[by_well["spots_mean"].isna() & (by_well["n_cells"] > 0)]) == set(lost)
    assert json.loads((run.plate / "layout.json").read_text())["shards"] is True
    assert pd.read_csv(run.plate / "verified.tsv", sep="\t").empty
