"""On the page and in the figures, colours and marks of a well are in its place, and are its own."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex

from cellpipe.figures.plates import plate_heat_map
from cellpipe.report.plate_view import N_SHADES, plate_view
from cellpipe.wells import row_column

TILE = re.compile(
    r'aria-label="(?P<well>\w+)[^"]*"><rect x="(?P<x>\d+)" y="(?P<y>\d+)" width="40" height="40"'
    r' rx="5" fill="(?P<fill>[^"]+)"/>(?P<hit><circle[^>]*/>)?<text[^>]*>(?P<mark>.?)</text>'
)


@pytest.fixture
def wells() -> pd.DataFrame:
    """Six wells that lie in no order, each with another value; controls, a hit, one without."""
    return pd.DataFrame(
        {
            "well": ["C05", "A01", "B02", "A07", "C01", "B06"],
            "control": ["positive", "negative", "", "", "negative", ""],
            "hit": pd.array([None, None, True, False, None, None], dtype="boolean"),
            "hit_reason": ["", "", "", "", "", "no cells"],
            "n_fields": 1,
            "ratio": [5.0, 0.0, 4.0, 1.0, 2.0, np.nan],
            "ratio_robust_z": [5.0, 0.0, 4.0, -1.0, 2.0, np.nan],
        }
    )


def tiles(wells: pd.DataFrame, column: str) -> dict[str, re.Match[str]]:
    found = {tile["well"]: tile for tile in TILE.finditer(plate_view(wells, [column]).tiles)}
    assert set(found) == set(wells["well"])
    return found


def test_tiles_lie_in_rows_and_columns_and_have_the_marks_of_their_wells(
    wells: pd.DataFrame,
) -> None:
    found = tiles(wells, "ratio")
    for well, tile in found.items():
        row, column = row_column(well)
        assert (int(tile["y"]), int(tile["x"])) == (30 + 44 * (row - 1), 30 + 44 * (column - 1))
    marks = {well: tile["mark"] for well, tile in found.items()}
    assert marks == {"C05": "+", "A01": "−", "B02": "", "A07": "", "C01": "−", "B06": "?"}
    assert [well for well, tile in found.items() if tile["hit"]] == ["B02"]


@pytest.mark.parametrize(
    ("column", "name", "low", "high"),
    [("ratio", "viridis", 0.04, 4.96), ("ratio_robust_z", "RdBu_r", -4.96, 4.96)],
)
def test_a_tile_has_the_colour_of_its_value(
    wells: pd.DataFrame, column: str, name: str, low: float, high: float
) -> None:
    found = tiles(wells, column)
    assert found["B06"]["fill"] == "url(#hatch)"
    for well, value in zip(wells["well"], wells[column], strict=True):
        if np.isfinite(value):
            share = np.clip((value - low) / (high - low), 0, 1)
            near = {
                to_hex(colormaps[name](np.clip(share + step, 0, 1)))
                for step in np.linspace(-0.5, 0.5, 9) / (N_SHADES - 1)
            }
            rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in near])
            own = [int(found[well]["fill"][i : i + 2], 16) for i in (1, 3, 5)]
            assert np.abs(rgb - own).sum(1).min() <= 12, (well, value)
    assert found["C05"]["fill"] == to_hex(colormaps[name](1.0))


def test_the_selector_has_the_values_that_the_tiles_show(wells: pd.DataFrame) -> None:
    data = plate_view(wells, ["ratio", "ratio_robust_z"]).data
    assert data["wells"] == wells["well"].tolist()
    assert data["layers"][0]["values"] == [5.0, 0.0, 4.0, 1.0, 2.0, None]
    assert [layer["shades"] for layer in data["layers"]] == ["viridis", "RdBu_r"]


def test_signs_of_controls_stand_on_their_wells_in_the_heat_map(wells: pd.DataFrame) -> None:
    axes = plate_heat_map(wells, "ratio").axes[0]
    signs = {text.get_position(): text.get_text() for text in axes.texts}
    assert signs == {(4, 2): "+", (0, 0): "−", (0, 2): "−"}  # column, row from 0
    image = axes.images[0]
    for (column, row), _ in signs.items():
        assert np.isfinite(image.get_array().filled(np.nan)[row, column])
