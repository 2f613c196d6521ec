"""Screens as they come: what chance or a mixture makes of wells is no hit and no EC50.

few cells, few controls   a well of 3 cells, 3 negative controls: passing 3 is no proof
several treatments        two compounds in one curve, two poisons as one positive control
spots, tracks             are counted on the ground where they could be sought and linked
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.config.dose_units import dose_unit
from cellpipe.config.plate_map import validate_plate_map
from cellpipe.config.readouts import refuse_odd_maps
from cellpipe.errors import BadConfig
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_confusion, read_statistics
from cellpipe.profiles.hits import call_hits, normalise_wells
from cellpipe.profiles.wells import aggregate_wells, well_profiles
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.plates.profile import profile_plate
from cellpipe.statistics.dose_groups import WITHOUT_GROUP
from cellpipe.statistics.dose_response import fit_dose_response
from cellpipe.statistics.plate import plate_statistics
from cellpipe.wells import well_at

OPTIONS = {
    "readouts": ["area_um2"], "dose_group": None, "hit_readout": "area_um2", "hit_threshold": 3,
    "hit_direction": "both", "hit_max_fdr": 0.05, "compare_with": "negative_controls",
    "position_effects": "off",
    "min_imaged_share": 0.8,
}  # fmt: skip


def screen(n_negative=8, n_samples=24, n_positive=4, n_cells=40, of_samples=None, seed=0):
    """(tables, plate map, inspection) of a plate without any effect; two fields a well."""
    rng = np.random.default_rng(seed)
    kinds = ["negative"] * n_negative + [""] * n_samples + ["positive"] * n_positive
    wells = [well_at(1 + i // 12, 1 + i % 12) for i in range(len(kinds))]
    cells, fields, listed = [], [], []
    for well, kind in zip(wells, kinds, strict=True):
        n = n_cells if kind or of_samples is None else of_samples
        for field in (1, 2):
            listed.append({"well": well, "field": field, "axes": "tczyx"})
            listed[-1]["shape"] = [1, 1, 1, 400, 400]
            fields.append((well, field, 0, n))
            for area in rng.normal(
                300 if kind == "positive" else 100, 20, n - n // 2 * (field - 1)
            ):
                cells.append((well, field, 0, len(cells), area, False))
    columns = ["well", "field", "t", "label", "area_um2", "touches_border"]
    tables = {"cells": pd.DataFrame(cells, columns=columns).assign(plate="P")}
    fields = pd.DataFrame(fields, columns=["well", "field", "t", "n_nuclei"]).assign(plate="P")
    none = pd.DataFrame()
    tables |= {"fields": fields, "tracks": none, "spots": none, "spot_tracks": none}
    tables |= {"msd": pd.DataFrame({"kind": []})}
    plate_map = validate_plate_map(pd.DataFrame({"well": wells, "control": kinds}), wells)
    return tables, plate_map, {"fields": listed, "faults": [], "pixel_size_um": 0.5}


def profiled(plate, judged=("area_um2",), **options):
    tables, plate_map, inspection = plate
    asked = {**OPTIONS, **options}
    return profile_plate("P", tables, plate_map, asked, list(judged), inspection)


def samples(wells):
    return wells[wells["control"] == ""].set_index("well")


@pytest.mark.parametrize("n", [1, 2, 4])
def test_wells_of_few_cells_are_no_hits_of_a_median(n):
    wells = samples(profiled(screen(of_samples=n)).wells)
    assert wells["area_um2_robust_z"].abs().ge(3).sum() >= 3  # by chance
    assert not wells["hit"].eq(True).any()
    doubted = wells[wells["hit"].isna()]
    assert doubted["hit_reason"].str.startswith("too few cells").all()


def test_a_well_of_few_cells_that_lie_far_away_is_a_hit():
    tables, plate_map, inspection = screen(of_samples=4)
    tables["cells"].loc[tables["cells"]["well"] == "B01", "area_um2"] += 200
    assert samples(profiled((tables, plate_map, inspection)).wells)["hit"]["B01"]


def test_half_of_a_few_cells_is_no_hit_of_a_fraction():
    rng = np.random.default_rng(1)
    tables, plate_map, inspection = screen(of_samples=1)
    control = tables["cells"]["well"].map(plate_map.set_index("well")["control"])
    share = control.map({"negative": 0.04, "positive": 0.95, "": 0.3})
    positive = rng.random(len(control)) < share
    tables["cells"]["class"] = np.where(positive, "dead", "alive")
    made = profiled((tables, plate_map, inspection), ["fraction_dead"], hit_readout="fraction_dead")
    wells = samples(made.wells)
    assert wells["fraction_dead"].max() == 1.0
    assert not wells["hit"].eq(True).any()


def plate_of(values, negatives, readout="ratio", **columns):
    control = ["negative"] * len(negatives) + [""] * len(values)
    wells = pd.DataFrame({"well": [well_at(1 + i // 24, 1 + i % 24) for i in range(len(control))]})
    wells["row"], wells["column"] = "A", range(len(control))
    return wells.assign(**{"control": control, readout: [*negatives, *values], **columns})


@pytest.mark.parametrize("n", [3, 4, 5, 7])
def test_few_controls_give_few_false_hits(n):
    rng = np.random.default_rng(n)
    passed, hits = [], []
    for _ in range(60):
        wells = plate_of(rng.normal(100, 5, 40), rng.normal(100, 5, n))
        wells = samples(call_hits(normalise_wells(wells, ["ratio"]), "ratio"))
        passed += list(wells["ratio_robust_z"].abs() >= 3)
        hits += list(wells["hit"].fillna(False))
        doubted = wells[wells["hit"].isna()]
        assert doubted["hit_reason"].str.contains(f"{n} negative controls cannot tell").all()
    assert np.mean(passed) > 0.07
    assert np.mean(hits) < 0.07


def test_few_controls_do_not_hide_a_large_effect():
    wells = plate_of([200.0, 40.0, 101.0], [99.0, 101.0, 103.0])
    wells = samples(call_hits(normalise_wells(wells, ["ratio"]), "ratio"))
    assert wells["hit"].tolist() == [True, True, False]


def test_counts_that_chance_makes_are_no_hits_and_dead_wells_are():
    """Three controls that happen to be alike do not make 31 of 39 cells a hit."""
    wells = plate_of([31.0, 39.0, 16.0, 2.0, 0.0], [40.0, 37.0, 39.0], "n_cells")
    found = samples(call_hits(normalise_wells(wells, ["n_cells"]), "n_cells"))
    assert found["n_cells_robust_z"].iloc[0] < -5
    assert found["hit"].isna().tolist() == [True, False, False, False, False]
    assert found["hit"].tolist()[1:] == [False, True, True, True]
    assert "differ by chance" in found["hit_reason"].iloc[0]


def test_a_dead_well_is_a_hit_beside_three_controls_that_vary():
    wells = plate_of([0.0, 2.0, 7.0, 20.0], [27.0, 13.0, 16.0], "n_cells")
    found = samples(call_hits(normalise_wells(wells, ["n_cells"]), "n_cells"))
    assert found["hit"].fillna(False).tolist() == [True, True, False, False]


def test_spots_are_compared_on_the_ground_where_they_were_sought():
    tables, plate_map, inspection = screen(n_cells=40, seed=3)
    spots = tables["cells"][["well", "field", "t"]]
    lost = {"well": "B01", "field": 2, "t": 0}
    here = (spots["well"] == "B01") & (spots["field"] == 2)
    tables["spots"] = spots[~here & ((spots.index % 97 > 3) | (spots["well"] == "B01"))]
    tables["quarantine"] = pd.DataFrame([lost]).assign(stage="detect", status="quarantined")
    asked = {"readouts": ["n_spots", "spots_per_field"], "hit_readout": "n_spots"}
    for share in (0.8, 0.0):
        made = profiled(
            (tables, plate_map, inspection), ["n_spots"], **asked, min_imaged_share=share
        )
        well = samples(made.wells).loc["B01"]
        assert well["n_spots"] == 40
        assert well["n_cells"] == 60
        assert well["spots_imaged_share"] == 0.5
        assert not well["incomplete"]
        assert bool(well["spots_incomplete_reason"]) == (share > 0)
    made = profiled((tables, plate_map, inspection), ["n_spots"], **asked)
    assert "incomplete: spots: 1 of 2 fields" in samples(made.wells)["hit_reason"]["B01"]


def curves(condition, ec50s, noise=2.0, **columns):
    """Wells of doses 0.01 to 100, twice, of each condition, and four untreated ones."""
    rng, rows = np.random.default_rng(5), []
    for name, ec50 in zip(condition, ec50s, strict=True):
        for dose in np.geomspace(0.01, 100, 8).repeat(2):
            rows.append((name, "", dose, 100 / (1 + ec50 / dose) + rng.normal(0, noise)))
    rows += [("DMSO", "negative", np.nan, rng.normal(0, noise)) for _ in range(4)]
    table = pd.DataFrame(rows, columns=["condition", "control", "dose", "ratio"])
    table["well"] = [well_at(1 + i // 24, 1 + i % 24) for i in range(len(table))]
    return table.assign(**columns)


def fits(wells, group=None):
    table = plate_statistics(wells, ["ratio"], group_column=group)
    return table[table["kind"] == "dose_response"].set_index("group")


def test_two_compounds_are_not_one_curve():
    wells = curves(["A", "B"], [0.3, 30])
    together = fits(wells).iloc[0]
    assert np.isnan(together["ec50"])
    assert "2 conditions (A, B)" in together["note"]
    assert "profile.dose_group" in together["note"]
    apart = fits(wells, "condition")
    assert apart["ec50"].to_numpy() == pytest.approx([0.3, 30], rel=0.3)


def test_conditions_that_respond_alike_are_one_curve():
    found = fits(curves(["donor 1", "donor 2"], [1, 1])).iloc[0]
    assert found["ec50"] == pytest.approx(1, rel=0.2)
    named = curves(["A"], [1])
    named["condition"] = [f"A {dose:g} µM" for dose in named["dose"]]  # each at one dose alone
    assert fits(named).iloc[0]["ec50"] == pytest.approx(1, rel=0.2)


def test_negative_controls_are_untreated_whatever_dose_the_map_gives_them():
    wells = curves(["A"], [1])
    wells.loc[wells["control"] == "negative", "dose"] = 50.0  # of DMSO, per mille
    found = fits(wells).iloc[0]
    assert found["ec50"] == pytest.approx(1, rel=0.2)
    assert "taken as untreated" in found["note"]


def test_a_group_without_any_value_has_a_row_that_says_so():
    wells = curves(["A", "B"], [1, 10])
    wells.loc[(wells["condition"] == "B") & wells["dose"].gt(0), "ratio"] = np.nan
    found = fits(wells, "condition")
    assert found["note"]["B"] == "no well with a dose has a value"
    assert np.isfinite(found["ec50"]["A"])


def test_groups_are_known_by_their_names_after_a_file(tmp_path):
    wells = curves(["A", "B"], [1, 10])
    wells["donor"] = wells["condition"].map({"A": "01", "B": "NA", "DMSO": ""})
    table = plate_statistics(wells, ["ratio"], group_column="donor")
    publish_table(tmp_path / "statistics.tsv", table)
    read = read_statistics(tmp_path / "statistics.tsv")
    assert read["group"].tolist() == ["", "01", "NA"]
    assert read["ec50"].notna().tolist() == [False, True, True]
    wells["donor"] = wells["donor"].replace("01", "")
    assert WITHOUT_GROUP in fits(wells, "donor").index


def test_a_confusion_of_classes_named_by_numbers_survives_a_file(tmp_path):
    table = pd.DataFrame([[3, 1], [0, 4]], index=pd.Index(["1", "NA"], name="truth"))
    table.columns = ["1", "NA"]
    table.to_csv(tmp_path / "confusion.tsv", sep="\t")
    pd.testing.assert_frame_equal(
        read_confusion(tmp_path / "confusion.tsv"), table, check_index_type=False
    )


@pytest.mark.parametrize(
    ("dose", "response"),
    [
        ([0, 0, 0.1, 1, 10, 100], [0, 0, 0, 0, 0, 12]),
        ([0, 0, 0.1, 1, 10, 100], [20, 20, 20, 20, 20, 0]),
        ([0.1, 1, 10, 100, 1000], [0, 0, 0, 0, 1]),
    ],
)
def test_counts_of_which_the_last_alone_differs_have_no_sure_ec50(dose, response):
    fit = fit_dose_response(dose, response)
    assert fit.note
    assert not (fit.ec50_high < 1.5 * fit.ec50_low)  # wide, or open


def test_plateaus_that_no_dose_reaches_are_named():
    dose = np.geomspace(0.01, 10, 8).repeat(3)
    response = 1 / (1 + (10 / dose)) + np.random.default_rng(0).normal(0, 0.01, dose.size)
    fit = fit_dose_response(dose, response)
    assert "do not reach the upper plateau" in fit.note
    whole = fit_dose_response(dose * 100, 1 / (1 + 10 / (dose * 100)))
    assert whole.note == ""


def controls(kind, treatments, others):
    """Wells of one kind of control by treatment, (condition, values), and the other kind."""
    other = "negative" if kind == "positive" else "positive"
    rows = [(kind, name, value) for name, values in treatments for value in values]
    rows += [(other, "c", value) for value in others] + [("", "s", 50.0), ("", "s", 200.0)]
    table = pd.DataFrame(rows, columns=["control", "condition", "ratio"])
    table["well"] = [well_at(1, 1 + i) for i in range(len(table))]
    return table


NEGATIVE = [98.0, 99.0, 100.0, 101.0, 102.0, 100.5, 99.5, 100.2]


def test_two_poisons_are_not_one_positive_control():
    wells = controls("positive", [("a", [20, 21, 19]), ("b", [180, 181, 179])], NEGATIVE)
    row = plate_statistics(wells, ["ratio"]).iloc[0]
    assert np.isnan([row["z_prime"], row["ssmd"], row["signal_to_background"]]).all()
    assert "positive controls of 2 treatments differ (a 20, b 180)" in row["note"]
    normalised = normalise_wells(wells, ["ratio"])
    assert normalised["ratio_normalised"].isna().all()
    assert call_hits(normalised, "ratio")["hit"].tolist()[-2:] == [True, True]


def test_positive_controls_of_like_effect_are_taken_together():
    wells = controls("positive", [("a", [20, 21, 19]), ("b", [30, 31, 29])], NEGATIVE)
    row = plate_statistics(wells, ["ratio"]).iloc[0]
    assert row["z_prime"] > 0.5
    assert "are taken together" in row["note"]
    alike = controls("positive", [("a", [20, 21, 19]), ("b", [20.5, 19.5, 20])], NEGATIVE)
    assert plate_statistics(alike, ["ratio"]).iloc[0]["note"] == ""


def test_negative_controls_of_two_kinds_are_no_reference():
    wells = controls("negative", [("DMSO", NEGATIVE), ("empty", [5, 5.5, 4.5, 5])], [200, 201, 199])
    found = call_hits(normalise_wells(wells, ["ratio"]), "ratio")
    assert found["hit"].isna().all()
    assert "negative controls of 2 treatments differ" in found["hit_reason"].iloc[-1]


@pytest.mark.parametrize("column", ["n_spots", "tracks_per_mm2", "median_speed_um_s", "hit",
                                    "fraction_dead", "area_um2_robust_z"])  # fmt: skip
def test_columns_that_the_results_compute_are_refused_in_a_map(column):
    with pytest.raises(BadConfig, match=f"rename the column, for example to 'my_{column}'"):
        validate_plate_map(pd.DataFrame({"well": ["B02"], column: ["1"]}), ["B02"])


def test_maps_that_do_not_fit_the_config_are_refused_before_any_job(tmp_path):
    path = tmp_path / "map.tsv"
    path.write_text("well\tdose\tdrug\tarea_um2\nB02\t1\tA\t7\n")
    profile = {"readouts": ["area_um2"], "hit_readout": None, "dose_group": None}
    config = {"profile": profile, "classify": {"training": "off"}}
    plates = {"P": {"plate_map": str(path)}, "Q": {"plate_map": ""}}
    with pytest.raises(BadConfig, match="'area_um2' in the plate map of P"):
        refuse_odd_maps(config, plates)
    config["profile"] = {**profile, "readouts": ["n_cells"], "dose_group": "drugs"}
    with pytest.raises(BadConfig, match="write 'drug'"):
        refuse_odd_maps(config, plates)
    config["profile"] = {**profile, "readouts": ["n_cells"], "dose_group": "drug"}
    refuse_odd_maps(config, plates)


def test_doses_in_several_units_are_refused():
    table = pd.DataFrame({"well": ["B02", "B03"], "dose": ["1", "1"], "unit": ["nM", "µM"]})
    with pytest.raises(BadConfig, match="doses in nM, µM"):
        validate_plate_map(table, ["B02", "B03"])
    alike = table.assign(unit=["uM", "\u00b5M"])
    read = validate_plate_map(alike, ["B02", "B03"])
    assert read["dose"].tolist() == [1, 1]
    assert dose_unit(read) == "\u00b5M"
    assert dose_unit(read.drop(columns="unit")) == ""
    assert len(validate_plate_map(table.assign(dose=["0", "1"]), ["B02", "B03"])) == 2


def test_infinite_ratios_reach_no_profile():
    tables, plate_map, _ = screen()
    cells = tables["cells"].assign(ratio=np.inf)
    cells.loc[cells["well"] != "A01", "ratio"] = 1.0
    profiles = well_profiles(cells, plate_map)
    assert not np.isinf(profiles.select_dtypes("number")).any().any()
    wells = aggregate_wells(cells, tables["fields"], ["ratio"], plate_map)
    assert np.isnan(wells["ratio"][0])


def warned(mapped, imaged, **columns):
    table = pd.DataFrame({"well": mapped, **columns})
    plate_map = validate_plate_map(table, imaged)
    inspection = {"fields": [{"well": well} for well in imaged], "faults": []}
    wells = plate_map.merge(pd.DataFrame({"well": imaged}), how="right", on="well")
    found = plate_warnings(inspection, {"plate_map": plate_map, "wells": wells})
    return found[found["kind"] == "plate map"]


def test_wells_without_condition_are_named_where_other_samples_have_one():
    wells = [well_at(1, column) for column in range(1, 9)]
    control = ["negative"] * 3 + [""] * 5
    condition = [*["DMSO"] * 3, *["A"] * 4, ""]
    (row,) = warned(wells, wells, control=control, condition=condition).itertuples()
    assert row.where == "A08"
    assert warned(wells, wells, control=control).empty  # it names the controls alone


def test_doses_of_another_name_are_pointed_out():
    wells = ["A01", "A02"]
    (row,) = warned(wells, wells, concentration=["0.1", "1"]).itertuples()
    assert "rename the column to 'dose'" in row.do
    assert warned(wells, wells, concentration=["0.1", "1"], dose=["1", "2"]).empty
    assert warned(wells, wells, comment=["0.1", "1"]).empty
