"""Profiles of a screen joined and sphered; active treatments found, and none among the inactive."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.profiles.screens.activity import (
    ACTIVITY,
    activity,
    join_profiles,
    mean_average_precision,
)
from cellpipe.wells import well_at

N_ACTIVE = 12


def drawn(seed: int, n_active: int = N_ACTIVE, n_features: int = 30, n_plates: int = 2):
    """(profiles by plate, joined wells, sheet) of plates that hold the same 80 treatments."""
    rng = np.random.default_rng(seed)
    wells = [well_at(r, c) for r in range(1, 9) for c in range(1, 13)]
    control = np.array(["negative" if int(well[1:]) in (1, 12) else "" for well in wells])
    names = np.where(control == "", "", "DMSO").astype(object)
    names[control == ""] = [f"c{k:02d}" for k in range(80)]
    effects = 3 * rng.normal(size=(n_active, n_features))
    profiles, joined, sheet = {}, [], {}
    for k in range(n_plates):
        values = rng.normal(size=(96, n_features)) @ (np.eye(n_features) + 0.2)
        values[np.flatnonzero(control == "")[:n_active]] += effects
        table = pd.DataFrame(values, columns=[f"Nuclei_f{j}" for j in range(n_features)])
        facts = {"Metadata_Plate": f"P{k}", "Metadata_Well": wells, "Metadata_control": control}
        profiles[f"P{k}"] = pd.concat([pd.DataFrame(facts), table], axis=1)
        joined.append(
            pd.DataFrame(
                {"plate": f"P{k}", "plate_map": "m", "well": wells, "control": control,
                 "condition": names}
            )
        )  # fmt: skip
        sheet[f"P{k}"] = {"screen": "S", "batch": f"b{k}", "replicate": k}
    return profiles, pd.concat(joined, ignore_index=True), sheet


def test_average_precision_is_that_of_the_ranked_list():
    rng = np.random.default_rng(1)
    units = rng.normal(size=(20, 5))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    plates = np.array(["P"] * 10 + ["Q"] * 10)
    wells, controls = np.array([0, 1, 12]), {"P": np.arange(3, 9), "Q": np.arange(13, 18)}
    precisions = []
    for well in wells:
        mates = [w for w in wells if w != well]
        listed = sorted([*mates, *controls[plates[well]]], key=lambda w: -units[w] @ units[well])
        found, shares = 0, []
        for place, w in enumerate(listed, 1):
            if w in mates:
                found += 1
                shares.append(found / place)
        precisions.append(np.mean(shares))
    got = mean_average_precision(units, wells, plates, controls)
    assert got == pytest.approx(np.mean(precisions), abs=1e-12)


def test_ties_count_against_a_treatment():
    units = np.tile([[1.0, 0.0]], (6, 1))  # all wells are alike
    plates = np.array(["P"] * 6)
    got = mean_average_precision(units, np.array([0, 1]), plates, {"P": np.arange(2, 6)})
    assert got == pytest.approx(1 / 5)


def test_active_treatments_are_found_and_the_same_every_time():
    profiles, wells, sheet = drawn(2, n_plates=3)
    joined = join_profiles(profiles, sheet, wells)
    table, why_not = activity(joined.profiles, 0.05, seed=1)
    assert not why_not
    assert list(table) == list(ACTIVITY)
    assert len(table) == 80
    active = set(table.loc[table["active"], "treatment"])
    truth = {f"c{k:02d}" for k in range(N_ACTIVE)}
    assert len(active & truth) >= 8
    assert len(active - truth) <= 1
    pd.testing.assert_frame_equal(table, activity(joined.profiles, 0.05, seed=1)[0])


def test_inactive_screens_have_no_more_than_the_rate_allows():
    with_active = 0
    for seed in range(12):
        profiles, wells, sheet = drawn(seed, n_active=0)
        joined = join_profiles(profiles, sheet, wells)
        with_active += activity(joined.profiles, 0.05, seed)[0]["active"].any()
    assert with_active <= 2


def test_features_that_a_plate_lacks_or_that_say_nothing_are_named():
    profiles, wells, sheet = drawn(3)
    profiles["P1"] = profiles["P1"].drop(columns="Nuclei_f0")
    for table in profiles.values():
        table["Nuclei_f1"] = 1.0
        table["Nuclei_f2"] = np.nan
        table["Nuclei_f3"] = table["Nuclei_f4"]
    joined = join_profiles(profiles, sheet, wells)
    account = joined.features.set_index("feature")
    assert "not measured on P1" in account.loc["Nuclei_f0", "reason"]
    assert "the same in all wells" in account.loc["Nuclei_f1", "reason"]
    assert "no well has a value" in account.loc["Nuclei_f2", "reason"]
    assert account.loc[["Nuclei_f3", "Nuclei_f4"], "used"].sum() == 1
    assert account["used"].sum() == len([c for c in joined.profiles if c.startswith("Nuclei_")])
    assert np.isfinite(joined.profiles.filter(like="Nuclei_").to_numpy()).all()
    assert joined.profiles["Metadata_Batch"].unique().tolist() == ["b0", "b1"]
    assert joined.profiles.loc[0, "Metadata_Treatment"] == "m: A01"  # a control: its well


def test_sphered_controls_vary_alike_in_all_directions():
    profiles, wells, sheet = drawn(4, n_features=6)
    joined = join_profiles(profiles, sheet, wells, "sphering")
    assert any("sphered by 16 negative controls" in note for note in joined.notes)
    for _, own in joined.profiles.groupby("Metadata_Batch"):
        negative = own[own["Metadata_control"].eq("negative")].filter(like="Nuclei_")
        np.testing.assert_allclose(np.cov(negative.T), np.eye(6), atol=1e-3)


def test_with_few_controls_components_are_sphered_or_nothing_and_it_is_said():
    profiles, wells, sheet = drawn(5)
    joined = join_profiles(profiles, sheet, wells, "sphering")
    assert any("8 principal components" in note for note in joined.notes)
    assert [c for c in joined.profiles if c.startswith("PC_")] == [f"PC_{k}" for k in range(1, 9)]
    for table in profiles.values():
        table.loc[table["Metadata_Well"] != "A01", "Metadata_control"] = ""
    joined = join_profiles(profiles, sheet, wells, "sphering")
    assert any("not sphered" in note for note in joined.notes)


def test_few_controls_allow_no_small_p():
    """Three controls on each of two plates are nine pairs: a perfect rank is no discovery."""
    profiles, wells, sheet = drawn(7)
    for table in profiles.values():
        negative = table.index[table["Metadata_control"].eq("negative")]
        table.loc[negative[3:], "Metadata_control"] = "positive"
    joined = join_profiles(profiles, sheet, wells)
    table, _ = activity(joined.profiles, 0.05, 1)
    assert table["active"].isna().all()
    assert table["p"].isna().all()
    assert table["reason"].str.contains("9 ways to take control wells").all()
    with_five, wells, sheet = drawn(7)
    for table in with_five.values():
        negative = table.index[table["Metadata_control"].eq("negative")]
        table.loc[negative[5:], "Metadata_control"] = "positive"
    table, _ = activity(join_profiles(with_five, sheet, wells).profiles, 0.05, 1)
    assert table["p"].min() >= 1 / 26


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda t: t.assign(Metadata_control=""), "no plate has two negative controls"),
        (lambda t: t.filter(like="Metadata_"), "no feature is left"),
    ],
)
def test_what_cannot_be_judged_has_a_reason(harm, reason):
    profiles, wells, sheet = drawn(6)
    joined = join_profiles({k: harm(t) for k, t in profiles.items()}, sheet, wells)
    table, why_not = activity(joined.profiles, 0.05, 1)
    assert table.empty
    assert reason in why_not
    alone = join_profiles({"P0": profiles["P0"]}, sheet, wells)
    assert "no treatment has a second well" in activity(alone.profiles, 0.05, 1)[1]
