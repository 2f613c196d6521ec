"""Treatments that do the same lie together: consensus profiles, clusters, the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.profiles.screens.activity import TREATMENT
from cellpipe.profiles.screens.similarity import consensus_profiles, similar_treatments


@pytest.fixture(scope="module")
def profiles() -> pd.DataFrame:
    """Two plates: 10 treatments of each of 3 mechanisms, 20 that do nothing, 8 controls."""
    rng = np.random.default_rng(1)
    ways = 6 * rng.normal(size=(3, 12))
    rows = []
    for plate in ("P", "Q"):
        for k in range(30):
            rows.append((plate, "", f"m{k % 3}-{k:02d}", ways[k % 3] + rng.normal(size=12)))
        rows += [(plate, "", f"none-{k:02d}", rng.normal(size=12)) for k in range(20)]
        rows += [(plate, "negative", f"map: A{k:02d}", rng.normal(size=12)) for k in range(8)]
    table = pd.DataFrame([row[3] for row in rows], columns=[f"Nuclei_f{k}" for k in range(12)])
    table.insert(0, TREATMENT, [row[2] for row in rows])
    table.insert(0, "Metadata_control", [row[1] for row in rows])
    table.insert(0, "Metadata_Plate", [row[0] for row in rows])
    return table


def test_a_consensus_is_the_median_of_the_wells(profiles):
    table = consensus_profiles(profiles).set_index(TREATMENT)
    assert len(table) == 51
    assert table.loc["negative control", "Metadata_n_wells"] == 16
    own = profiles[profiles[TREATMENT].eq("m1-04")]["Nuclei_f3"]
    assert table.loc["m1-04", "Metadata_n_wells"] == 2
    assert table.loc["m1-04", "Nuclei_f3"] == pytest.approx(own.median())


def test_mechanisms_are_clusters_and_the_map_is_the_same_every_time(profiles):
    consensus = consensus_profiles(profiles)
    table, why_not = similar_treatments(consensus, seed=1)
    assert not why_not
    mechanism = table["treatment"].str[:2]
    for name in ("m0", "m1", "m2"):
        own = table.loc[mechanism.eq(name), "cluster"]
        assert own.gt(0).mean() > 0.8
        assert own[own.gt(0)].nunique() == 1
    assert table.loc[mechanism.isin(["m0", "m1", "m2"]), "cluster"].nunique() >= 3
    again, _ = similar_treatments(consensus, seed=1)
    pd.testing.assert_frame_equal(table, again)
    places = table[["map_1", "map_2"]].to_numpy()
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(places))
    nearest = mechanism.to_numpy()[apart.argmin(axis=1)]
    of_mechanisms = mechanism.isin(["m0", "m1", "m2"]).to_numpy()
    assert (nearest == mechanism.to_numpy())[of_mechanisms].mean() > 0.9


def test_too_few_treatments_or_features_have_no_map(profiles):
    consensus = consensus_profiles(profiles)
    table, why_not = similar_treatments(consensus.head(5), seed=1)
    assert "5 treatments" in why_not
    assert table["map_1"].isna().all()
    assert (table["cluster"] == 0).all()
    one = consensus[[TREATMENT, "Metadata_n_wells", "Nuclei_f0"]]
    assert "1 features" in similar_treatments(one, seed=1)[1]
