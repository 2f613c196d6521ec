"""Cells of drawn wells go in; counts, medians, hits and profiles come out as drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.classify.classifier import feature_columns
from cellpipe.config.plate_map import read_plate_map, validate_plate_map
from cellpipe.errors import BadConfig
from cellpipe.measure.columns import cellprofiler_names, measured_columns
from cellpipe.profiles.cytominer import compartment_name
from cellpipe.profiles.wells import (
    aggregate_wells,
    call_hits,
    normalise_profiles,
    normalise_wells,
    select_profile_features,
    well_profiles,
)
from cellpipe.wells import plate_shape, row_column, well_at

#      A01 negative  A02 negative  A03 negative  A04 sample  A05 positive  A06 positive  A07 empty
LEVELS = {"A01": 9.0, "A02": 10.0, "A03": 11.0, "A04": 15.0, "A05": 20.0, "A06": 20.0}
CONTROL = {"A01": "negative", "A02": "negative", "A03": "negative"} | dict.fromkeys(
    ("A05", "A06"), "positive"
)


def draw_map() -> pd.DataFrame:
    wells = [*LEVELS, "A07"]
    table = pd.DataFrame({"well": wells, "control": [CONTROL.get(w, "") for w in wells]})
    return validate_plate_map(table, LEVELS)


def draw_cells(n_per_field: int = 10, n_fields: int = 2, frames: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"plate": "P", "well": well, "field": field, "t": t, "object": "nuclei", "label": i + 1}
        | {"ratio": level + (i - n_per_field // 2) * 0.01, "dna_mean": rng.normal(100, 5)}
        | {"cell_gfp_mean": rng.normal(level, 1), "touches_border": False, "class": "not"}
        for well, level in LEVELS.items()
        for field in range(1, n_fields + 1)
        for t in range(frames)
        for i in range(n_per_field)
    ]
    return pd.DataFrame(rows)


def test_wells_keep_their_order_and_the_empty_one_stays():
    wells = aggregate_wells(draw_cells(), None, ["ratio"], draw_map())
    assert wells["well"].tolist() == [*LEVELS, "A07"]
    assert wells["n_cells"].tolist()[:6] == [20] * 6
    assert np.isnan(wells["n_cells"][6])  # nothing was imaged: not the same as no cells
    assert wells["n_fields"].tolist() == [2] * 6 + [0]
    np.testing.assert_allclose(wells["ratio"][:6], list(LEVELS.values()), atol=0.02)
    assert np.isnan(wells["ratio"][6])
    assert list(wells.columns[:4]) == ["plate", "well", "row", "column"]


def test_fields_without_cells_count_as_fields():
    fields = pd.DataFrame(
        {"plate": "P", "well": ["A01"] * 4 + ["A07"] * 3, "field": [1, 2, 3, 4, 1, 2, 3]}
    )
    wells = aggregate_wells(draw_cells(), fields, ["ratio"], draw_map()).set_index("well")
    assert wells.loc["A01", "n_fields"] == 4
    assert (wells.loc["A07", "n_fields"], wells.loc["A07", "n_cells"]) == (3, 0)


def test_imaged_well_that_the_map_leaves_out_is_kept_without_condition():
    plate_map = validate_plate_map(pd.DataFrame({"well": ["A01"], "control": ["negative"]}), LEVELS)
    wells = aggregate_wells(draw_cells(), None, ["ratio"], plate_map)
    assert len(wells) == 6
    assert wells.loc[wells["well"] == "A05", "control"].item() == ""


def test_cut_cells_are_counted_but_do_not_move_the_median():
    cells = draw_cells()
    cut = pd.concat([cells, cells.assign(ratio=1e6, touches_border=True)])
    wells = aggregate_wells(cut, None, ["ratio"], draw_map())
    assert wells["n_cells"][0] == 40
    assert wells["ratio"][0] == pytest.approx(9, abs=0.02)


def test_class_fractions_are_of_the_classified_cells():
    cells = draw_cells()
    in_well = cells["well"] == "A04"
    cells.loc[cells.index[in_well][:5], "class"] = "mitotic"
    cells.loc[cells.index[in_well][5:10], "class"] = ""
    wells = aggregate_wells(cells, None, ["ratio"], draw_map()).set_index("well")
    assert wells.loc["A04", "fraction_mitotic"] == pytest.approx(5 / 15)
    assert wells.loc["A01", "fraction_mitotic"] == 0
    assert np.isnan(wells.loc["A07", "fraction_mitotic"])


def test_movie_counts_cells_per_frame_not_rows():
    wells = aggregate_wells(draw_cells(frames=7), None, ["ratio"], draw_map())
    assert wells["n_cells"][0] == 20


def test_no_cells_at_all_still_gives_every_well():
    wells = aggregate_wells(draw_cells().iloc[:0], None, ["ratio"], draw_map(), plate="P")
    assert wells["n_cells"].isna().all()
    assert wells["plate"].unique().tolist() == ["P"]


def test_misspelt_readout_is_refused_with_the_nearest():
    with pytest.raises(BadConfig, match="write 'ratio'"):
        aggregate_wells(draw_cells(), None, ["rato"], draw_map())


def test_controls_are_0_and_100_percent_and_the_sample_stands_between():
    wells = normalise_wells(aggregate_wells(draw_cells(), None, ["ratio"], draw_map()), ["ratio"])
    wells = wells.set_index("well")
    assert wells.loc["A02", "ratio_normalised"] == pytest.approx(0, abs=1e-9)
    assert wells.loc["A05", "ratio_normalised"] == pytest.approx(100)
    assert wells.loc["A04", "ratio_normalised"] == pytest.approx(50)
    assert wells.loc["A04", "ratio_robust_z"] == pytest.approx(5 / 1.4826)


def test_normalised_values_do_not_depend_on_the_camera_s_gain():
    wells = aggregate_wells(draw_cells(), None, ["ratio"], draw_map())
    brighter = wells.assign(ratio=wells["ratio"] * 37 + 1000)
    for column in ("ratio_normalised", "ratio_robust_z"):
        np.testing.assert_allclose(
            normalise_wells(wells, ["ratio"])[column], normalise_wells(brighter, ["ratio"])[column]
        )


def test_without_controls_nothing_is_normalised():
    wells = aggregate_wells(draw_cells(), None, ["ratio"], draw_map()).assign(control="")
    assert normalise_wells(wells, ["ratio"])["ratio_robust_z"].isna().all()


def test_only_sample_wells_beyond_the_threshold_are_hits():
    wells = normalise_wells(aggregate_wells(draw_cells(), None, ["ratio"], draw_map()), ["ratio"])
    assert wells.loc[call_hits(wells, "ratio")["hit"], "well"].tolist() == ["A04"]
    assert not call_hits(wells, "ratio", direction="down")["hit"].any()
    assert not call_hits(wells, "ratio", threshold=4)["hit"].any()
    assert not call_hits(wells, "ratio", min_cells=21)["hit"].any()
    with pytest.raises(BadConfig, match="upward"):
        call_hits(wells, "ratio", direction="upward")
    with pytest.raises(BadConfig, match="ratio"):
        call_hits(wells, "rato")


def test_a_readout_that_no_well_has_is_refused_by_name():
    wells = aggregate_wells(draw_cells(), None, ["ratio"], draw_map())
    with pytest.raises(BadConfig, match="'median_speed_um_s'"):
        normalise_wells(wells, ["median_speed_um_s"])  # tracks, of a plate that has none


def profile_plate():
    rng = np.random.default_rng(1)
    wells = [well_at(1, c) for c in range(1, 13)]
    plate_map = validate_plate_map(
        pd.DataFrame({"well": wells, "control": ["negative"] * 6 + [""] * 6}), wells
    )
    n = 30
    cells = pd.DataFrame(
        {"plate": "P", "well": np.repeat(wells, n), "field": 1, "t": 0, "label": 1}
    )
    effect = np.repeat([0.0] * 6 + [1.0] * 6, n)
    cells["dna_mean"] = rng.normal(100, 1, len(cells))
    cells["cell_gfp_mean"] = rng.normal(50, 1, len(cells)) + 20 * effect
    cells["cell_gfp_sum"] = cells["cell_gfp_mean"] * 3
    cells["area_um2"] = 7.0
    return cells, plate_map


def test_profiles_bear_metadata_and_compartments():
    cells, plate_map = profile_plate()
    profiles = well_profiles(cells, plate_map)
    assert len(profiles) == 12
    assert {"Metadata_Plate", "Metadata_Well", "Metadata_control", "Metadata_Object_Count"} <= set(
        profiles
    )
    assert {"Nuclei_dna_mean", "Cells_gfp_mean", "Nuclei_area_um2"} <= set(profiles)
    assert profiles["Metadata_Object_Count"].eq(30).all()
    expected = cells[cells["well"] == "A04"]["dna_mean"].median()
    found = profiles.loc[profiles["Metadata_Well"] == "A04", "Nuclei_dna_mean"].item()
    assert found == pytest.approx(expected)


def test_normalised_profiles_show_the_effect_and_selection_drops_what_says_nothing():
    cells, plate_map = profile_plate()
    normalised = normalise_profiles(well_profiles(cells, plate_map))
    treated = normalised["Metadata_control"] == ""
    assert (normalised.loc[treated, "Cells_gfp_mean"] > 10).all()
    assert abs(normalised.loc[~treated, "Nuclei_dna_mean"].median()) < 1e-6
    kept = select_profile_features(normalised)
    assert "Nuclei_area_um2" not in kept  # constant
    assert ("Cells_gfp_mean" in kept) != ("Cells_gfp_sum" in kept)  # the same twice
    assert "Metadata_Well" in kept


@pytest.mark.parametrize("left", ["no cells", "one well", "no values", "one feature"])
def test_plates_with_next_to_nothing_go_through(left):
    cells, plate_map = profile_plate()
    cells = {
        "no cells": cells.iloc[:0],
        "one well": cells.iloc[:3],
        "no values": cells.assign(dna_mean=np.nan, cell_gfp_mean=np.nan, cell_gfp_sum=np.nan),
        "one feature": cells.drop(columns=["cell_gfp_mean", "cell_gfp_sum"]),
    }[left]
    wells = aggregate_wells(cells, None, ["dna_mean"], plate_map, plate="P")
    assert len(call_hits(normalise_wells(wells, ["dna_mean"]), "dna_mean")) == 12
    profiles = well_profiles(cells, plate_map)
    normalised = normalise_profiles(profiles)
    assert list(normalised.columns) == list(profiles.columns)
    assert len(select_profile_features(normalised)) == cells["well"].nunique()


def test_profiles_bear_cellprofilers_names_where_it_has_the_feature():
    cells, plate_map = profile_plate()
    cells = cells.assign(
        cell_dna_texture_contrast_5_02=1.0, cytoplasm_dna_gfp_k_2=2.0, ratio=3.0, cell_y_um=4.0
    )
    profiles = well_profiles(cells, plate_map, ["dna", "gfp"])
    expected = {
        "Nuclei_Intensity_MeanIntensity_dna",
        "Cells_Intensity_MeanIntensity_gfp",
        "Cells_Intensity_IntegratedIntensity_gfp",
        "Nuclei_AreaShape_Area",
        "Cells_Texture_Contrast_dna_5_02_256",
        "Cytoplasm_Correlation_K_gfp_dna",
        "Nuclei_ratio",  # which CellProfiler has not
    }
    assert expected == {name for name in profiles if not name.startswith("Metadata_")}
    ours = well_profiles(cells, plate_map)
    np.testing.assert_array_equal(
        profiles["Cells_Intensity_MeanIntensity_gfp"], ours["Cells_gfp_mean"]
    )
    kept = {*select_profile_features(normalise_profiles(profiles))}
    same = {"Cells_Intensity_MeanIntensity_gfp", "Cells_Intensity_IntegratedIntensity_gfp"}
    assert len(kept & same) == 1  # pycytominer takes them for features, and one says it all


def test_no_two_columns_share_a_name_of_cellprofiler():
    options = {"set": "cell_painting", "texture_px": [3, 5]}
    columns = measured_columns(["dna", "gfp", "er"], with_cells=False, measuring=options)
    names = cellprofiler_names(["dna", "gfp", "er"], columns)
    assert len(names) == len(set(names.values()))
    without = {*columns} - {*names}
    assert without == {"label", "perimeter_um", "touches_border"}


def test_where_a_part_lies_is_no_feature():
    cells, _ = profile_plate()
    places = {f"{part}_{axis}_um": 1.0 for part in ("cell", "cytoplasm") for axis in "yx"}
    assert feature_columns(cells.assign(**places)) == feature_columns(cells)


def test_compartment_names():
    names = [compartment_name(c) for c in ("cell_x", "cytoplasm_x", "dna_mean")]
    assert names == ["Cells_x", "Cytoplasm_x", "Nuclei_dna_mean"]


@pytest.mark.parametrize("place", [(1, 1), (8, 12), (16, 24), (26, 2), (27, 1), (32, 48)])
def test_well_ats_and_places_are_each_other_s_inverse(place):
    assert row_column(well_at(*place)) == place


def test_plate_shape_is_the_smallest_usual_plate():
    assert plate_shape(["A01", "B03"]) == (2, 3)
    assert plate_shape(["F12"]) == (8, 12)
    assert plate_shape(["A13"]) == (16, 24)


def plate_map(**columns):
    return pd.DataFrame(columns)


def test_plate_map_is_cleaned_and_sorted():
    table = plate_map(
        well=["b3", "A1"], dose=["0.5", ""], control=["", "Negative"], note=["x", "y"]
    )
    clean = validate_plate_map(table, ["A01", "B03"])
    assert clean["well"].tolist() == ["A01", "B03"]
    assert clean["control"].tolist() == ["negative", ""]
    assert clean["dose"].tolist()[1] == 0.5
    assert np.isnan(clean["dose"][0])
    assert clean["note"].tolist() == ["y", "x"]
    assert clean["column"].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (plate_map(wells=["A01"]), "rename the column to 'well'"),
        (plate_map(position=["A01"]), "column named 'well'"),
        (plate_map(well=["A01"], Dose=["1"]), "rename the column to 'dose'"),
        (plate_map(well=["A01", "a1"]), "A01 more than once"),
        (plate_map(well=["A01", "1B"]), "well name '1B'"),
        (plate_map(well=["A01", ""]), "well name ''"),
        (plate_map(well=["A01", "B30"]), "nearest: B03"),
        (plate_map(well=["A01"], control=["pos"]), "write 'positive'"),
        (plate_map(well=["A01"], control=["untreated"]), "control 'untreated' in well A01"),
        (plate_map(well=["A01"], dose=["10 nM"]), "dose '10 nM' in well A01"),
        (plate_map(well=["A01"], dose=["-6.5"]), "dose '-6.5' in well A01"),
        (plate_map(well=["A01"], n_cells=["5"]), "my_n_cells"),
        (plate_map(well=[]), "0 rows"),
    ],
)
def test_wrong_plate_map_is_refused_by_name(table, said):
    with pytest.raises(BadConfig, match=said):
        validate_plate_map(table, ["A01", "A02", "B03"])


def test_map_of_the_whole_plate_or_of_a_part_of_it_is_welcome():
    whole = plate_map(well=[well_at(r, c) for r in range(1, 9) for c in range(1, 13)])
    assert len(validate_plate_map(whole, ["A01", "B03"])) == 96
    assert len(validate_plate_map(plate_map(well=["A01"]), ["A01", "B03"])) == 1


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_plate_map_is_read_as_spreadsheets_write_it(tmp_path, separator, encoding):
    rows = [["well", "dose", "control"], ["A1", "0.5", ""], ["B3", "", "negative"]]
    path = tmp_path / "a map; of 'mine'.tsv"
    path.write_text("\n".join(separator.join(row) for row in rows), encoding=encoding)
    read = read_plate_map(path, ["A01", "B03"])
    assert read["well"].tolist() == ["A01", "B03"]
    assert read["dose"][0] == 0.5
    assert read["control"].tolist() == ["", "negative"]


def test_no_plate_map_leaves_the_imaged_wells_without_condition():
    assert read_plate_map([], ["B03", "A01"])["well"].tolist() == ["A01", "B03"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00well", b'well\tdose\n"A1\t1\n'])
def test_a_plate_map_that_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "map.tsv"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match="plate map"):
        read_plate_map(path, ["A01"])
    with pytest.raises(BadConfig, match=r"none\.tsv"):
        read_plate_map(tmp_path / "none.tsv", ["A01"])


def test_a_cell_that_is_seen_in_many_frames_is_one_cell_to_the_error_of_its_well():
    once = aggregate_wells(draw_cells(), None, ["ratio"], draw_map())
    movie = aggregate_wells(draw_cells(frames=4), None, ["ratio"], draw_map())
    np.testing.assert_allclose(movie["ratio_se"][:6], once["ratio_se"][:6])
