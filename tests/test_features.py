"""Features that are read in parts give the profiles that the whole table gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.files.publish import publish_table
from cellpipe.files.tables import column_names, numeric_columns, read_table
from cellpipe.profiles import features as parts
from cellpipe.profiles.cytominer import normalise_profiles, well_profiles
from cellpipe.profiles.features import Features, kept_in_memory

N = 95  # features: parts of 40, 40 and 15


@pytest.fixture
def cells() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = [f"dna_texture_{k:02d}" for k in range(N)]
    table = pd.DataFrame(rng.normal(size=(600, N)).astype(np.float32), columns=names)
    table.loc[5:9, "dna_texture_03"] = np.inf
    table.loc[table.index[::3], "dna_texture_04"] = np.nan
    table["dna_texture_05"] = np.nan
    table.insert(0, "well", np.repeat(["A01", "A02", "B01"], 200))
    table.insert(0, "plate", "P")
    table.insert(2, "touches_border", rng.random(600) < 0.1)
    return table


@pytest.fixture
def plate_map() -> pd.DataFrame:
    return pd.DataFrame({"well": ["A01", "A02", "B01"], "control": ["negative", "", ""]})


def test_profiles_do_not_depend_on_where_features_are_read_from(tmp_path, cells, plate_map):
    path = tmp_path / "cells.parquet"
    publish_table(path, cells)
    features = [name for name in numeric_columns(path) if name.startswith("dna")]
    assert len(features) == N
    assert "touches_border" in column_names(path)
    whole = well_profiles(cells, plate_map)
    kept = read_table(path, ["plate", "well", "dna_texture_50"])
    lazy = Features(features, lambda names: read_table(path, list(names)))
    pd.testing.assert_frame_equal(whole, well_profiles(kept, plate_map, features=lazy))
    assert lazy.empty == ["dna_texture_05"]


def test_rows_that_were_left_out_stay_left_out(cells, plate_map):
    some = cells[cells["well"].ne("A02") & ~cells["touches_border"]]
    whole = well_profiles(some.reset_index(drop=True), plate_map)
    lazy = Features([c for c in cells if c.startswith("dna")], lambda names: cells[list(names)])
    got = well_profiles(some[["plate", "well"]], plate_map, features=lazy)
    pd.testing.assert_frame_equal(whole, got)
    assert set(got["Metadata_Well"]) == {"A01", "B01"}


def test_medians_are_those_of_pandas(cells, plate_map):
    profiles = well_profiles(cells, plate_map).set_index("Metadata_Well")
    plain = cells.replace([np.inf, -np.inf], np.nan).groupby("well")["dna_texture_03"].median()
    np.testing.assert_allclose(
        profiles["Nuclei_dna_texture_03"], plain.astype(float).loc[profiles.index]
    )
    assert normalise_profiles(profiles.reset_index()).shape[0] == 3


def test_few_features_stay_in_memory_and_of_many_those_that_are_looked_at(monkeypatch):
    columns = ["well", "dna_mean", "dna_texture_a", "dna_texture_sum_average_3", "my_ratio"]
    features = columns[1:]
    assert kept_in_memory(columns, features, ["dna_mean"], []) == columns
    monkeypatch.setattr(parts, "FEW", 2)
    kept = kept_in_memory(columns, features, ["dna_mean"], ["my_ratio"])
    assert kept == ["well", "dna_mean", "dna_texture_sum_average_3", "my_ratio"]
