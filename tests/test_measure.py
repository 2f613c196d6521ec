"""Every object measured at once must equal each object measured alone, and the drawn truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadConfig
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.columns import STATISTICS, measured_columns
from cellpipe.measure.objects import check_ratios, measure_objects
from cellpipe.simulate import PlateDesign, simulate_field

CHANNELS = ["dna", "reporter", "spots"]
RATIO = {"nc": {"numerator": "reporter_mean", "denominator": "cytoplasm_reporter_mean"}}
# our column: (regionprops' property, unit in pixels to the power of)
SKIMAGE = {
    "y_um": ("centroid-0", 1),
    "x_um": ("centroid-1", 1),
    "area_um2": ("area", 2),
    "perimeter_um": ("perimeter_crofton", 1),
    "eccentricity": ("eccentricity", 0),
    "major_axis_um": ("axis_major_length", 1),
    "minor_axis_um": ("axis_minor_length", 1),
    "solidity": ("solidity", 0),
}


@pytest.fixture(scope="module")
def field():
    return simulate_field(PlateDesign(shape=(256, 256), touching=0.5), "B09", 1)


def labels_of(name: str, field) -> np.ndarray:
    """Nuclei that touch, cells with common borders, and shreds of every shape."""
    if name == "shreds":
        from skimage.measure import label

        return label(np.random.default_rng(3).random((150, 150)) > 0.55, connectivity=1)
    return getattr(field, name)


@pytest.mark.filterwarnings("ignore::UserWarning")  # regionprops: hulls of single pixels
@pytest.mark.parametrize("name", ["nuclei", "cells", "shreds"])
def test_equals_regionprops(name, field):
    from skimage.measure import regionprops_table

    labels = labels_of(name, field)
    pixels = np.random.default_rng(0).normal(1000, 100, (2, *labels.shape))
    ours = measure_objects(labels, pixels, ["a", "b"], 0.5)
    properties = ["label", "centroid", *(p for p, _ in list(SKIMAGE.values())[2:])]
    properties += [f"intensity_{name}" for name in ("mean", "std", "min", "max")]
    theirs = regionprops_table(
        labels.astype(np.int64), np.moveaxis(pixels, 0, -1), properties=properties
    )
    np.testing.assert_array_equal(ours["label"], theirs["label"])
    for column, (prop, power) in SKIMAGE.items():
        np.testing.assert_allclose(ours[column], theirs[prop] * 0.5**power, atol=1e-6, err_msg=prop)
    for c, channel in enumerate("ab"):
        for statistic in ("mean", "std", "min", "max"):
            expected = theirs[f"intensity_{statistic}-{c}"]
            np.testing.assert_allclose(ours[f"{channel}_{statistic}"], expected, rtol=1e-9)
        total = ours[f"{channel}_mean"] * ours["area_um2"] / 0.25
        np.testing.assert_allclose(ours[f"{channel}_sum"], total)


def test_ellipse_of_known_axes_comes_back():
    y, x = np.mgrid[:200, :200]
    along = (x - 90) * np.cos(0.4) + (y - 110) * np.sin(0.4)
    across = (y - 110) * np.cos(0.4) - (x - 90) * np.sin(0.4)
    labels = ((along / 60) ** 2 + (across / 25) ** 2 < 1).astype(np.uint32)
    row = measure_objects(labels, np.zeros((0, 200, 200)), [], 0.2).iloc[0]
    assert row["area_um2"] == pytest.approx(np.pi * 60 * 25 * 0.04, rel=0.005)
    assert row["y_um"] == pytest.approx(22.0, abs=0.01)
    assert row["x_um"] == pytest.approx(18.0, abs=0.01)
    assert row["major_axis_um"] == pytest.approx(24.0, rel=0.005)
    assert row["minor_axis_um"] == pytest.approx(10.0, rel=0.005)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - (25 / 60) ** 2), abs=0.002)
    # Ramanujan's perimeter of an ellipse
    ramanujan = np.pi * (3 * 85 - np.sqrt((3 * 60 + 25) * (60 + 3 * 25))) * 0.2
    assert row["perimeter_um"] == pytest.approx(ramanujan, rel=0.01)
    assert row["solidity"] > 0.98
    assert not row["touches_border"]


def test_drawn_truth_comes_back(field):
    table = measure_objects(field.nuclei, field.pixels, CHANNELS, 0.5)
    for column in ("label", "y_um", "x_um", "area_um2", "touches_border"):
        np.testing.assert_allclose(table[column], field.truth[column], rtol=1e-9)


def test_measured_ratio_follows_the_drawn_ratio(field):
    flat = field.clean - np.median(field.clean[:, field.cells == 0], axis=1)[:, None, None]
    table = measure_cells(field.nuclei, field.cells, flat, CHANNELS, 0.5, RATIO)
    whole = ~field.truth["touches_border"]
    error = table["nc"][whole] / field.truth["ratio"][whole] - 1
    # what is left is the lens: light spilt over the nuclear rim
    assert abs(np.median(error)) < 0.2
    assert np.corrcoef(table["nc"][whole], field.truth["ratio"][whole])[0, 1] > 0.8


def test_a_crescent_is_less_solid_than_a_disc():
    y, x = np.mgrid[:60, :60]
    disc = np.hypot(y - 30, x - 30) < 20
    crescent = disc & (np.hypot(y - 30, x - 42) > 18)
    solidity = [
        measure_objects(m.astype(np.uint8), np.zeros((0, 60, 60)), [], 1.0)["solidity"][0]
        for m in (disc, crescent)
    ]
    assert solidity[0] > 0.98
    assert solidity[1] < 0.8


def test_an_object_in_pieces_has_one_hull_and_no_empty_rows_in_it():
    labels = np.zeros((30, 30), dtype=np.uint32)
    labels[2:5, 2:5] = 9
    labels[20:23, 2:5] = 9  # fifteen rows below, the hull spans them
    row = measure_objects(labels, np.zeros((0, 30, 30)), [], 1.0).iloc[0]
    assert row["solidity"] == pytest.approx(18 / (21 * 3))


def test_neighbours_do_not_change_each_other(field):
    pair = measure_objects(field.cells, field.pixels, CHANNELS, 0.5).set_index("label")
    for label in field.truth["label"][:5]:
        alone = np.where(field.cells == label, field.cells, 0)
        row = measure_objects(alone, field.pixels, CHANNELS, 0.5).set_index("label")
        pd.testing.assert_series_equal(row.loc[label], pair.loc[label])


def test_labels_may_be_large_and_sparse(field):
    renamed = np.where(field.nuclei > 0, field.nuclei * np.uint32(7919) + np.uint32(3e9), 0)
    table = measure_objects(field.nuclei, field.pixels, CHANNELS, 0.5)
    large = measure_objects(renamed.astype(np.uint32), field.pixels, CHANNELS, 0.5)
    assert large["label"].dtype == np.uint32
    np.testing.assert_array_equal(large["label"], table["label"] * np.uint32(7919) + np.uint32(3e9))
    pd.testing.assert_frame_equal(large.drop(columns="label"), table.drop(columns="label"))


def test_border_is_every_outermost_row_and_column():
    labels = np.zeros((20, 30), dtype=np.uint32)
    for label, (y, x) in enumerate([(0, 9), (19, 9), (9, 0), (9, 29), (1, 1), (18, 28)], start=1):
        labels[y, x] = label
    table = measure_objects(labels, np.zeros((0, 20, 30)), [], 1.0)
    assert table["touches_border"].tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("with_cells", [True, False])
def test_empty_frame_gives_the_columns_and_dtypes_of_a_full_one(field, with_cells):
    nothing = np.zeros_like(field.nuclei)
    ratios = {"twice": {"numerator": "dna_sum", "denominator": "dna_mean"}}
    full, empty = (
        measure_cells(nuclei, cells if with_cells else None, field.pixels, CHANNELS, 0.5, ratios)
        for nuclei, cells in ((field.nuclei, field.cells), (nothing, nothing))
    )
    assert len(empty) == 0
    assert list(full) == [*measured_columns(CHANNELS, with_cells=with_cells), "twice"]
    pd.testing.assert_series_equal(full.dtypes, empty.dtypes)


def test_cytoplasm_and_nucleus_make_the_cell(field):
    table = measure_cells(field.nuclei, field.cells, field.pixels, CHANNELS, 0.5)
    np.testing.assert_allclose(
        table["cell_area_um2"], table["area_um2"] + table["cytoplasm_area_um2"]
    )
    np.testing.assert_allclose(
        table["cell_dna_sum"], table["dna_sum"] + table["cytoplasm_dna_sum"].fillna(0)
    )


def test_a_nucleus_without_cytoplasm_has_no_ratio():
    nuclei = np.zeros((10, 10), dtype=np.uint32)
    nuclei[1:4, 1:4], nuclei[6:9, 6:9] = 1, 2
    cells = nuclei.copy()
    cells[0:5, 0:5] = 1
    pixels = np.ones((3, 10, 10), dtype=np.uint16)
    pixels[1, nuclei == 0] = 0
    both = {**RATIO, "dark": {"numerator": "dna_mean", "denominator": "cytoplasm_reporter_mean"}}
    table = measure_cells(nuclei, cells, pixels, CHANNELS, 1.0, both)
    assert table["cytoplasm_area_um2"].tolist() == [16, 0]
    assert table["cytoplasm_reporter_mean"].iloc[0] == 0
    # a dark cytoplasm and a missing one alike
    assert table[["nc", "dark"]].isna().all(axis=None)


def test_misspelt_ratio_column_is_refused_with_the_nearest():
    columns = measured_columns(CHANNELS, with_cells=True)
    wrong = {"nc": {"numerator": "reporter_mean", "denominator": "cytoplasm_reporter_maen"}}
    with pytest.raises(BadConfig, match="'cytoplasm_reporter_mean'") as raised:
        check_ratios(wrong, columns)
    assert "measure.ratios.nc.denominator" in raised.value.seen
    check_ratios(RATIO, columns)


def test_pixels_of_another_shape_are_refused(field):
    with pytest.raises(ValueError, match="wanted"):
        measure_objects(field.nuclei, field.pixels[:2], CHANNELS, 0.5)


def test_standard_deviation_survives_bright_pixels():
    labels = np.ones((50, 50), dtype=np.uint32)
    pixels = (1e9 + np.indices((50, 50)).sum(axis=0) % 2)[None]
    row = measure_objects(labels, pixels, ["dna"], 1.0).iloc[0]
    assert row["dna_std"] == pytest.approx(0.5)
    assert set(STATISTICS) == {c.removeprefix("dna_") for c in row.index if c.startswith("dna_")}
