"""Fields out of focus or blank in part count for nothing in wells, by default and by name."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from running import PLATE, Run
from scipy import ndimage

from cellpipe.profiles.left_out import left_out_of_wells, without_left_out
from cellpipe.quality.left_out import fields_left_out, name_left_out
from cellpipe.report.content import ReportContent
from cellpipe.report.judgement import judgement_table
from cellpipe.run.plates.profile import profile_plate

WELLS = [f"{row}{column:02d}" for row in "BCD" for column in range(2, 8)]
OPTIONS = {
    "readouts": ["area_um2"],
    "hit_readout": "cells_per_field",
    "hit_threshold": 3,
    "hit_direction": "both",
    "hit_max_fdr": 0.05,
    "compare_with": "negative_controls",
    "position_effects": "off",
    "min_imaged_share": 0.8,
    "dose_group": None,
}
BOTH = ("focus", "blank")


def plate(n_fields: int = 2) -> dict[str, pd.DataFrame]:
    """Wells of 40 cells a field; negatives in column 2 and 3."""
    rng = np.random.default_rng(0)
    cells, fields = [], []
    for well in WELLS:
        for field in range(1, n_fields + 1):
            place = {"plate": "P", "well": well, "field": field, "t": 0}
            n = int(rng.integers(36, 44))
            fields.append({**place, "n_nuclei": n, "focus_flag": "", "dna_blank": 0.0})
            areas = rng.normal(100, 5, n)
            cells += [{**place, "label": k + 1, "area_um2": a} for k, a in enumerate(areas)]
    empty = pd.DataFrame(columns=["plate", "well", "field", "t"])
    cells = pd.DataFrame(cells).assign(touches_border=False)
    return {
        "cells": cells,
        "fields": pd.DataFrame(fields),
        "spots": empty.iloc[:, :0],
        "tracks": empty,
        "spot_tracks": empty,
        "msd": pd.DataFrame(columns=["kind"]),
        "quarantine": pd.DataFrame(columns=["well", "field", "t", "stage"]),
    }


def plate_map() -> pd.DataFrame:
    control = ["negative" if well[1:] in ("02", "03") else "" for well in WELLS]
    return pd.DataFrame({"well": WELLS, "condition": "x", "dose": np.nan, "control": control})


def harmed(place: tuple[str, int], column: str, value: object) -> dict[str, pd.DataFrame]:
    """A field with half its cells and twice their area, and the flag that names it."""
    tables = plate()
    well, field = place
    cells, fields = tables["cells"], tables["fields"]
    here = cells["well"].eq(well) & cells["field"].eq(field)
    cells.loc[here, "area_um2"] *= 2
    tables["cells"] = cells[~(here & (cells["label"] > 15))].reset_index(drop=True)
    fields.loc[fields["well"].eq(well) & fields["field"].eq(field), column] = value
    return tables


def wells_of(tables: dict[str, pd.DataFrame], leave_out: tuple = BOTH) -> pd.DataFrame:
    fields = name_left_out(tables["fields"], ["dna"], leave_out)
    made = profile_plate(
        "P", {**tables, "fields": fields}, plate_map(), OPTIONS, ["cells_per_field", "area_um2"]
    )
    return made.wells.set_index("well")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("focus_flag", "out of focus", "out of focus"), ("dna_blank", 0.5, "dna 50 % blank")],
)
def test_such_a_field_is_not_a_hit_nor_part_of_the_well(column, value, reason) -> None:
    tables = harmed(("B05", 1), column, value)
    well = wells_of(tables).loc["B05"]
    assert well["n_fields"] == 1
    assert well["area_um2"] == pytest.approx(100, abs=3)
    assert well["cells_per_field"] > 30
    assert bool(well["incomplete"])
    assert f"1 of 2 left out: {reason}" in well["incomplete_reason"]
    assert "profile.leave_out" in well["incomplete_reason"]
    assert pd.isna(well["hit"])
    kept = wells_of(tables, ()).loc["B05"]
    assert kept["n_fields"] == 2
    assert kept["cells_per_field_robust_z"] < -3  # as it was before: wrong
    pooled = ["area_um2_se", "hit_q"]  # of cells of the whole plate
    other, found = (wells_of(t).drop("B05").drop(columns=pooled) for t in (plate(), tables))
    pd.testing.assert_frame_equal(other, found)


def test_a_control_out_of_focus_does_not_move_its_plate() -> None:
    tables = harmed(("C02", 1), "focus_flag", "out of focus")
    whole, found = wells_of(plate()), wells_of(tables)
    assert found["hit"].sum() == whole["hit"].sum()
    assert np.isnan(found.loc["C02", "area_um2_robust_z"])


def test_a_well_whose_only_field_is_left_out_has_no_value_and_says_why() -> None:
    tables = plate(n_fields=1)
    tables["fields"].loc[3, "focus_flag"] = "out of focus"
    well = wells_of(tables).loc[WELLS[3]]
    assert np.isnan(well["cells_per_field"])
    assert np.isnan(well["area_um2"])
    assert "1 of 1 left out: out of focus" in well["hit_reason"]


def test_what_all_images_of_a_plate_look_like_is_no_reason() -> None:
    fields = plate()["fields"]
    mosaic = fields.assign(dna_blank=0.12)
    assert name_left_out(mosaic, ["dna"], BOTH)["left_out"].eq("").all()
    margin = fields.assign(dna_blank=[0.04] + [0.0] * (len(fields) - 1))
    assert name_left_out(margin, ["dna"], BOTH)["left_out"].eq("").all()
    unknown = fields.drop(columns="dna_blank")  # of a channel that was not looked at
    assert name_left_out(unknown, ["dna"], BOTH)["left_out"].eq("").all()
    smoothed = fields.assign(focus_flag="without noise")  # another doubt
    assert name_left_out(smoothed, ["dna"], BOTH)["left_out"].eq("").all()


def test_one_lost_frame_does_not_take_a_movie_away() -> None:
    fields = pd.DataFrame({"well": "B02", "field": [1, 1, 2, 2], "t": [0, 1, 0, 1]})
    fields["left_out"] = ["", "dna 50 % blank", "out of focus", "out of focus"]
    tracks = pd.DataFrame({"well": "B02", "field": [1, 2], "track_id": [1, 1]})
    assert without_left_out(tracks, fields, whole=True)["field"].tolist() == [1]
    cells = fields.drop(columns="left_out")
    assert without_left_out(cells, fields).index.tolist() == [0]
    assert without_left_out(cells, fields, whole=True)["field"].tolist() == [1, 1]


def test_it_is_named_in_warnings_and_report_and_whole_treatments_are() -> None:
    tables = harmed(("B05", 1), "focus_flag", "out of focus")
    fields = name_left_out(tables["fields"], ["dna"], BOTH)
    assert left_out_of_wells(fields) == {"B05": "1 of 2 left out: out of focus"}
    (row,) = fields_left_out({}, {"fields": fields})
    assert (row["where"], row["kind"]) == ("B05", "fields left out")
    assert "1 of 36" in row["seen"]
    wells = pd.DataFrame({"well": ["B05", "B06", "B07"], "condition": ["toxin", "dmso", "dmso"]})
    assert (
        "treatment"
        not in next(fields_left_out({}, {"fields": fields, "wells": wells}))["likely_cause"]
    )
    both = fields.assign(left_out=fields["left_out"].mask(fields["well"].eq("B06"), "out of focus"))
    wells["condition"] = ["toxin", "toxin", "dmso"]
    (row,) = fields_left_out({}, {"fields": both, "wells": wells})
    assert "all wells of toxin" in row["likely_cause"]
    table = judgement_table(ReportContent("P", fields=fields))
    assert table is not None
    assert table.rows[0][:2] == ["fields left out of wells", "B05"]


@pytest.mark.slow
def test_a_run_leaves_a_blurred_and_a_cut_field_out(tmp_path) -> None:
    run = Run.drawn(tmp_path, "plate", PLATE)
    plate_map = pd.read_csv(tmp_path / "plate_map.tsv", sep="\t").set_index("well")
    control = plate_map["control"].fillna("")
    planes = sorted((tmp_path / "images").glob("*_w1.tif"))
    of_controls = [p for p in planes if control[p.name.partition("_")[0]] == "negative"]
    harmed = of_controls[0], next(p for p in planes if p not in of_controls)
    for path, harm in zip(harmed, ("blur", "cut"), strict=True):
        image = tifffile.imread(path)
        if harm == "blur":
            noise = np.random.default_rng(0).normal(0, 4, image.shape)
            image = np.maximum(ndimage.gaussian_filter(image.astype(float), 12) + noise, 0)
        else:
            image[: len(image) // 2] = 0
        tifffile.imwrite(path, image.astype(np.uint16))
    run.run("results/P/warnings.tsv", "results/P/wells.parquet")
    fields = pd.read_parquet(run.plate / "fields.parquet")
    left = fields[fields["left_out"].ne("")]
    assert sorted(f"{w}_s{f}" for w, f in zip(left["well"], left["field"], strict=True)) == sorted(
        path.name.split("_w")[0] for path in harmed
    )
    wells = pd.read_parquet(run.plate / "wells.parquet").set_index("well")
    inspection = json.loads((run.plate / "inspection.json").read_text())
    listed = pd.DataFrame(inspection["fields"]).groupby("well").size()
    expected = listed - left.groupby("well").size().reindex(listed.index, fill_value=0)
    assert (wells["n_fields"].reindex(expected.index) == expected).all()
    warnings = pd.read_csv(run.plate / "warnings.tsv", sep="\t")
    assert "fields left out" in warnings["kind"].tolist()
    cells = pd.read_parquet(run.plate / "cells.parquet")
    examples = without_left_out(cells, fields)
    examples = examples[examples["well"].map(control).ne("") & ~examples["touches_border"]]
    scores = json.loads((run.plate / "classifier/scores.json").read_text())
    assert scores["n_cells"] == len(examples)
    assert len(examples) < (cells["well"].map(control).ne("") & ~cells["touches_border"]).sum()


def test_controls_imaged_with_fewer_fields_on_purpose_say_how_to_keep_them() -> None:
    tables = plate(n_fields=9)
    few = {name: tables[name][~_beyond(tables[name], 4)] for name in ("cells", "fields")}
    tables = {**tables, **few}
    inspection = {
        "fields": [
            {"well": w, "field": int(f), "axes": "tczyx", "shape": [1, 1, 1, 64, 64]}
            for w, f in tables["fields"][["well", "field"]].itertuples(index=False)
        ],
        "faults": [],
    }

    def made(share: float) -> pd.DataFrame:
        options = {**OPTIONS, "min_imaged_share": share}
        readouts = ["cells_per_field", "area_um2"]
        return profile_plate("P", tables, plate_map(), options, readouts, inspection).wells

    wells = made(0.8).set_index("well")
    controls = wells["control"].eq("negative")
    assert wells.loc[controls, "incomplete"].all()
    said = wells.loc[controls, "incomplete_reason"]
    assert said.str.contains("4 of 9 fields could be used, 5 without files").all()
    assert said.str.contains("profile.min_imaged_share: 0 keeps them", regex=False).all()
    assert wells.loc[~controls, "hit_reason"].str.contains("incomplete: B02").all()
    kept = made(0).set_index("well")
    assert not kept["incomplete"].any()
    assert kept.loc[~controls, "hit"].notna().all()


def _beyond(table: pd.DataFrame, n_fields: int) -> pd.Series:
    return table["well"].str[1:].isin(["02", "03"]) & (table["field"] > n_fields)
