"""Plates of a screen joined: tables, what they lack, the page. Screens are drawn without images."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from cellpipe.config.sheets import screens
from cellpipe.errors import CellpipeError
from cellpipe.profiles.counts import comparable
from cellpipe.profiles.hits import call_hits, normalise_wells
from cellpipe.profiles.positions import correct_positions
from cellpipe.profiles.screens.join import join_wells
from cellpipe.profiles.screens.plates import replicate_correlations
from cellpipe.profiles.screens.treatments import name_treatments
from cellpipe.report.screen import ScreenContent, render_screen
from cellpipe.run.plates.screen import join_plates
from cellpipe.simulate.screens import ScreenDesign, simulate_screen
from cellpipe.statistics.plate import plate_statistics

OPTIONS = {"screen": {"min_effect": 1.5, "batch_correction": "off"}, "seed": 1}
PROFILE = {
    "hit_readout": "signal", "hit_direction": "both", "hit_max_fdr": 0.05,
    "compare_with": "samples", "position_effects": "rows_columns",
}  # fmt: skip
TRUTH = ["effect", "row_number", "column_number"]


def joined_of(wells, statistics, sheet, **profile):
    """The screen of tables, with a small profile of each well."""
    profiles = {
        plate: pd.DataFrame(
            {
                "Metadata_Plate": plate, "Metadata_Well": table["well"],
                "Metadata_control": table["control"], "Nuclei_signal": table["signal_robust_z"],
            }
        )
        for plate, table in wells.items()
        if "signal_robust_z" in table
    }  # fmt: skip
    options = {**OPTIONS, "profile": {**PROFILE, **profile}}
    return join_plates(wells, statistics, profiles, sheet, options)


def drawn(design: ScreenDesign, seed: int):
    """(wells, statistics, sheet, planted effects by treatment) of a simulated screen."""
    wells, statistics, sheet, planted = {}, {}, {}, {}
    for library, number, table in simulate_screen(design, seed):
        plate = f"{library}-{number}"
        samples = table[table["control"].eq("") & table["effect"].notna()]
        planted.update(zip(samples["condition"], samples["effect"], strict=True))
        table = table.drop(columns=TRUTH).assign(plate=plate)
        positions = correct_positions(table, ["signal"], "rows_columns")
        own = normalise_wells(positions.wells, ["signal"], "samples")
        wells[plate] = call_hits(own, "signal", max_fdr=0.05, against="samples")
        statistics[plate] = plate_statistics(
            comparable(own, ["signal"]), ["signal"], against="samples",
            uncorrected=comparable(positions.before, ["signal"]), remarks=positions.notes,
        )  # fmt: skip
        sheet[plate] = {"screen": "S", "batch": f"batch {number}", "replicate": str(number),
                        "plate_map": f"maps/{library}.tsv"}  # fmt: skip
    return wells, statistics, sheet, planted


@pytest.fixture(scope="module")
def screen():
    wells, statistics, sheet, planted = drawn(ScreenDesign(plates=2, hit_share=0.1), 1)
    return joined_of(wells, statistics, sheet), planted


def test_every_well_is_there_with_its_batch_and_replicate(screen):
    joined, _ = screen
    assert len(joined.wells) == 4 * 384
    assert set(joined.wells["batch"]) == {"batch 1", "batch 2"}
    assert joined.wells.groupby("plate")["replicate"].nunique().eq(1).all()
    assert set(joined.wells["plate_map"]) == {"library-1", "library-2"}


def test_planted_hits_come_first(screen):
    joined, planted = screen
    hits = joined.hits
    called = hits["hit"].fillna(False).astype(bool)
    real = hits["treatment"].map(planted).fillna(0).ne(0)
    assert len(hits) == 640
    assert (called & ~real).sum() <= 0.1 * called.sum()
    assert real.iloc[:30].mean() > 0.9
    assert hits["n_wells"].max() == 2
    np.testing.assert_array_equal(np.sign(hits["effect"][called]), np.sign(hits["score"][called]))


def test_plates_stand_beside_each_other(screen):
    joined, _ = screen
    assert list(joined.plates["plate"]) == [f"library-{n}-{k}" for n in (1, 2) for k in (1, 2)]
    assert joined.plates["z_prime"].gt(0.3).all()
    assert joined.plates["edge_p"].lt(joined.plates["edge_p_corrected"]).all()
    assert joined.plates["n_without_value"].between(0, 4).all()


def test_replicates_are_correlated_with_their_own_plate_alone(screen):
    joined, _ = screen
    assert set(zip(joined.replicates["plate"], joined.replicates["other"], strict=True)) == {
        ("library-1-1", "library-1-2"), ("library-2-1", "library-2-2"),
    }  # fmt: skip
    one = joined.wells[joined.wells["control"].eq("")]
    pair = one.pivot_table(index="condition", columns="plate", values="signal_robust_z")
    pair = pair[["library-1-1", "library-1-2"]].dropna()
    assert joined.replicates["n"].iloc[0] == len(pair)
    assert joined.replicates["pearson"].iloc[0] == pytest.approx(np.corrcoef(pair.T)[0, 1])


def test_the_page_shows_hits_maps_and_the_null(screen):
    joined, _ = screen
    page = render_screen(ScreenContent("S <1>", joined, PROFILE))
    assert "S &lt;1&gt;" in page
    assert page.count('class="map"') == 4
    assert joined.hits["treatment"].iloc[0] in page
    assert "robust standard deviations" in page
    ids = re.findall(r'id="(\w+)"', page)
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(ids)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert page == render_screen(ScreenContent("S <1>", joined, PROFILE))


def test_a_column_that_a_plate_lacks_is_named():
    tables = {
        "P": pd.DataFrame({"plate": "P", "well": ["A01"], "signal": [1.0], "area": [2.0]}),
        "Q": pd.DataFrame({"plate": "Q", "well": ["A01"], "signal": [3.0]}),
    }
    sheet = {"P": {"screen": "S", "plate_map": ""}, "Q": {"screen": "S", "plate_map": ""}}
    joined = join_wells(tables, sheet)
    assert joined.lacking == {"area": ["Q"]}
    assert joined.wells["plate_map"].tolist() == ["P", "Q"]
    assert joined.wells["batch"].tolist() == ["", ""]


def test_plates_without_replicates_controls_or_readout_end_in_words():
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=2, replicates=1), 2)
    joined = joined_of(wells, statistics, sheet)
    assert any("no treatment has a second well" in note for note in joined.notes)
    assert joined.replicates.empty
    assert "Replicates" not in render_screen(ScreenContent("S", joined, PROFILE))
    off = joined_of(wells, statistics, sheet, hit_readout=None)
    assert any("names no readout" in note for note in off.notes)
    assert "no readout" in render_screen(ScreenContent("S", off, PROFILE))
    few = {plate: table.head(3) for plate, table in wells.items()}
    joined = joined_of(few, statistics, sheet)
    assert any("16 are needed" in note for note in joined.notes)
    render_screen(ScreenContent("S", joined, PROFILE))
    with pytest.raises(CellpipeError, match="no plate of the screen has the readout"):
        joined_of(wells, statistics, sheet, hit_readout="other")


def test_effects_of_position_that_are_not_corrected_are_said():
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=1), 4)
    for table in statistics.values():
        table["position_share"] = 0.4
    said = joined_of(wells, statistics, sheet, position_effects="off").notes
    assert any("effects of position on 2 of 2 plates (up to 40%" in note for note in said)
    said = joined_of(wells, statistics, sheet).notes
    assert not any("as repeatable as a hit" in note for note in said)


def test_plates_in_pixels_and_in_micrometres_are_not_one_screen():
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=1), 3)
    names = [c for c in wells["library-1-1"] if str(c).startswith("signal")]
    for plate, unit in (("library-1-1", "um2"), ("library-1-2", "px2")):
        wells[plate] = wells[plate].rename(
            columns={c: c.replace("signal", f"area_{unit}") for c in names}
        )
    with pytest.raises(CellpipeError, match="different units"):
        joined_of(wells, statistics, sheet, hit_readout="area_um2")


def test_correlations_of_too_few_or_equal_values_are_empty():
    wells = pd.DataFrame(
        {
            "plate": np.repeat(["P", "Q"], 10), "plate_map": "m", "control": "",
            "well": [f"A{k:02d}" for k in range(1, 11)] * 2, "z": np.r_[np.arange(10), np.ones(10)],
        }
    )  # fmt: skip
    assert replicate_correlations(wells, "z")["pearson"].isna().all()
    wells.loc[13:, "z"] = np.nan
    assert replicate_correlations(wells, "z")["n"].tolist() == [3]
    assert replicate_correlations(wells, "absent").empty


def test_screens_of_a_sheet():
    rows = {"P": {"screen": "S"}, "Q": {"screen": ""}, "R": {"screen": "S"}}
    assert screens(rows) == {"S": ["P", "R"]}


def test_plate_maps_of_one_name_in_two_folders_are_two_libraries():
    wells = pd.DataFrame({"well": ["A01"], "signal": [1.0]})
    maps = {"P": "a/map.tsv", "Q": "b/map.tsv", "R": "./b/map.tsv", "S": "c/other.tsv"}
    joined = join_wells(
        {plate: wells.assign(plate=plate) for plate in maps},
        {plate: {"plate_map": path} for plate, path in maps.items()},
    )
    assert joined.wells["plate_map"].tolist() == ["a/map.tsv", "b/map.tsv", "b/map.tsv", "other"]


def test_units_and_groups_tell_treatments_apart():
    """3 nM on one plate and 3 µM on another are no replicates; two spellings of µM are one."""
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=2), 6)
    units = ("µM", "uM", "nM", "nM")
    for plate, unit, group in zip(wells, units, ("", "", "", "HeLa"), strict=True):
        wells[plate] = wells[plate].assign(condition="drug", dose=3.0, unit=unit, group=group)
    joined = joined_of(wells, statistics, sheet)
    samples = joined.wells[joined.wells["control"].eq("")]
    names = dict(zip(samples["plate"], name_treatments(samples), strict=True))
    assert list(names.values()) == [
        "drug at 3 µM", "drug at 3 µM", "drug at 3 nM", "drug at 3 nM (HeLa)",
    ]  # fmt: skip
    assert set(joined.hits["treatment"]) == set(names.values())


def test_doses_in_several_units_are_said():
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=1), 4)
    for table, unit in zip(wells.values(), ("nM", "µM"), strict=True):
        table["dose"] = 3.0
        table["unit"] = unit
    said = joined_of(wells, statistics, sheet).notes
    assert any("different units (nM, µM)" in note for note in said)
    del wells["library-1-2"]["unit"]
    said = joined_of(wells, statistics, sheet).notes
    assert any("none on library-1-2" in note for note in said)


def test_a_plate_whose_positions_could_not_be_corrected_keeps_its_values():
    wells, statistics, sheet, _ = drawn(ScreenDesign(plates=2), 5)
    columns = [c for c in wells["library-2-2"] if str(c) != "signal_corrected"]
    wells["library-2-2"] = wells["library-2-2"][columns]
    joined = joined_of(wells, statistics, sheet)
    assert any("not corrected on library-2-2" in note for note in joined.notes)
    own = joined.plates.set_index("plate").loc["library-2-2"]
    assert own["n_without_value"] <= 4  # the dead ones
