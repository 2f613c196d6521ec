"""Pixels of 1.0 × 0.5 µm: an ellipse keeps its area, axes, perimeter and place.

drawn in µm ──► sampled on 0.25 × 0.25, 1.0 × 0.5, 0.5 × 1.0 ──► measured: the same numbers
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from on_disk import in_blocks

from cellpipe.errors import BadConfig
from cellpipe.image.square import from_square, to_square
from cellpipe.image.units import Scale
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.objects import measure_objects
from cellpipe.measure.shape import CROFTON, crofton
from cellpipe.run.frames import detect, segment

EDGES = [(1.0, 0.5), (0.5, 1.0)]
SEMI_AXES_UM = (14.0, 8.0)
CENTRE_UM = (40.3, 31.7)


def plane(size: tuple[float, float], centres=(CENTRE_UM,), angle=0.4, side_um=96.0) -> np.ndarray:
    """Labels (Y, X) of ellipses drawn in µm, sampled at the centres of pixels of edges `size`."""
    n_y, n_x = (round(side_um / edge) for edge in size)
    y, x = np.mgrid[:n_y, :n_x]
    labels = np.zeros((n_y, n_x), np.uint32)
    c, s = np.cos(angle), np.sin(angle)
    for k, (cy, cx) in enumerate(centres, start=1):
        # positions are from the centre of the first pixel, edges of all planes agree
        dy = y * size[0] + size[0] / 2 - cy
        dx = x * size[1] + size[1] / 2 - cx
        u, v = c * dx + s * dy, -s * dx + c * dy
        labels[(u / SEMI_AXES_UM[0]) ** 2 + (v / SEMI_AXES_UM[1]) ** 2 <= 1] = k
    return labels


def measured(size: Any, labels: np.ndarray) -> pd.Series:
    return measure_objects(labels, labels[None].astype(float), ["dna"], size).iloc[0]


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 2.5])
def test_an_ellipse_is_measured_as_it_is(size: tuple[float, float], angle: float) -> None:
    found = measured(size, plane(size, angle=angle))
    a, b = SEMI_AXES_UM
    h = ((a - b) / (a + b)) ** 2
    perimeter = np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))  # Ramanujan
    assert found["area_um2"] == pytest.approx(np.pi * a * b, rel=0.01)
    assert found["major_axis_um"] == pytest.approx(2 * a, rel=0.01)
    assert found["minor_axis_um"] == pytest.approx(2 * b, rel=0.015)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - (b / a) ** 2), abs=0.01)
    # four directions leave up to 4 %, on square pixels too
    assert found["perimeter_um"] == pytest.approx(perimeter, rel=0.04)
    assert found["y_um"] == pytest.approx(CENTRE_UM[0] - size[0] / 2, abs=0.1)
    assert found["x_um"] == pytest.approx(CENTRE_UM[1] - size[1] / 2, abs=0.1)
    assert found["solidity"] > 0.95


def test_weights_of_squares_are_those_of_scikit_image() -> None:
    assert np.allclose(crofton(1.0, 1.0 + 1e-12), CROFTON, atol=1e-9)
    assert np.array_equal(crofton(), CROFTON)


def test_two_equal_edges_give_what_one_gives() -> None:
    labels = plane((0.5, 0.5))
    pd.testing.assert_series_equal(measured(0.5, labels), measured((0.5, 0.5), labels))


@pytest.mark.parametrize("size", EDGES)
def test_in_blocks_and_with_cells_the_same(size: tuple[float, float], tmp_path: Path) -> None:
    nuclei = plane(size, [(24.0, 24.0), (70.0, 60.0)])
    cells = np.where(nuclei > 0, nuclei, 0)
    pixels = np.stack([nuclei * 100.0 + 5, np.ones(nuclei.shape)])
    whole = measure_cells(nuclei, cells, pixels, ["a", "b"], size)
    frame = [in_blocks(layer, tmp_path, 32) for layer in (nuclei, cells, pixels)]
    parts = measure_cells(*frame, ["a", "b"], size)
    pd.testing.assert_frame_equal(whole, parts)
    assert np.allclose(whole["cell_area_um2"], whole["area_um2"])


@pytest.mark.parametrize("size", EDGES)
def test_squares_and_back_keep_labels_and_levels(size: tuple[float, float]) -> None:
    labels = plane(size)
    squares = to_square(labels * 100.0, size)
    assert squares.shape == (192, 192)
    assert squares.max() == 100
    assert squares.sum() * 0.25 == pytest.approx(labels.sum() * 100 * 0.5, rel=0.02)
    assert np.array_equal(from_square((squares > 50).astype(np.uint32), labels.shape), labels)


SEGMENT = {
    "objects": "nuclei",
    "whole_frame_mpx": 64,
    "nuclei": {"channel": "dna", "extra_channels": [], "engine": "classical", "weights": None,
               "tile_px": 2048, "min_area_um2": 30, "diameter_um": 20},
    "cells": {"method": "ring", "channel": None, "extra_channels": [], "max_distance_um": 4},
}  # fmt: skip
CENTRES = [(26.0, 26.0), (26.0, 70.0), (70.0, 48.0)]


@pytest.mark.parametrize("size", EDGES)
def test_segmented_and_ringed_in_micrometres(size: tuple[float, float]) -> None:
    truth = plane(size, CENTRES)
    rng = np.random.default_rng(0)
    pixels = 100 + 800.0 * (truth > 0) + 5 * rng.standard_normal(truth.shape)
    networks = segment.load_networks(SEGMENT, "cpu", 1)
    layers, figures = segment.segment_frame(pixels[None], size, SEGMENT, networks)
    nuclei, cells = layers["nuclei"], layers["cells"]
    assert nuclei.shape == truth.shape
    assert list(np.unique(nuclei)) == [0, 1, 2, 3]
    assert figures["n_nuclei"] == 3
    assert len(figures["object_probability"]) == 3 * 4
    area = np.bincount(nuclei.ravel())[1:] * size[0] * size[1]
    assert np.allclose(area, np.pi * np.prod(SEMI_AXES_UM), rtol=0.06)
    # a ring of 4 µm in both directions: from the nucleus's last row, and from its last column
    inside = [np.argwhere(layer == nuclei[nuclei > 0][0]) for layer in (nuclei, cells)]
    reach = (inside[1].max(axis=0) - inside[0].max(axis=0)) * np.array(size)
    assert np.all(np.abs(reach - 4) <= np.array(size))


@pytest.mark.parametrize("size", EDGES)
def test_spots_are_where_they_are(size: tuple[float, float]) -> None:
    n_y, n_x = (round(64 / edge) for edge in size)
    y, x = np.mgrid[:n_y, :n_x] * np.reshape(size, (2, 1, 1))
    places = np.array([(20.0, 20.0), (20.0, 45.0), (45.0, 30.0)])
    rng = np.random.default_rng(0)
    pixels = 100 + rng.standard_normal((n_y, n_x))
    for py, px in places:
        pixels += 200 * np.exp(-((y - py) ** 2 + (x - px) ** 2) / (2 * 1.5**2))
    options = {"diameter_um": 4.2, "engine": "log", "polarity": "bright",
               "probability_threshold": 0.4, "threshold": None, "false_per_mpx": 0.3}  # fmt: skip
    holders = np.ones((n_y, n_x), np.uint32)
    holders[:, : round(25 / size[1])] = 2
    spots = detect.detect_frame(pixels, holders, size, options)
    assert np.allclose(spots[["y_um", "x_um"]], places, atol=0.15)
    assert list(spots["label"]) == [2, 1, 1]


def test_frames_of_several_blocks_are_refused_in_words(tmp_path: Path) -> None:
    frame = in_blocks(np.zeros((1, 40, 40)), tmp_path, 32)
    with pytest.raises(BadConfig, match="whole_frame_mpx") as refused:
        segment.segment_frame(frame, (1.0, 0.5), SEGMENT, {})
    assert "1 × 0.5" in refused.value.seen


@pytest.mark.parametrize(("z_um", "unit"), [(2.0, "micrometer"), (None, None)])
def test_a_step_in_z_is_on_its_axis_or_unknown(
    tmp_path: Path, z_um: float | None, unit: str | None
) -> None:
    inspection = {**inspected({"B02": [(1, 1, 3, 64, 64)]}), "z_step_um": z_um}
    plate = laid_out(tmp_path, inspection)
    content = json.loads((plate.path / "B/02/1/zarr.json").read_text())
    (multiscale,) = content["attributes"]["ome"]["multiscales"]
    assert [a.get("unit") for a in multiscale["axes"]] == [
        "second", None, unit, "micrometer", "micrometer"
    ]  # fmt: skip
    (scale,) = multiscale["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][2] == (z_um or 1.0)


def test_the_plate_says_both_edges_on_its_axes(tmp_path: Path) -> None:
    sizes = {"pixel_size_um": None, "pixel_size_y_um": 1.0, "pixel_size_x_um": 0.5}
    inspection = {**inspected({"B02": [(1, 1, 1, 600, 600)]}), **sizes}
    plate = laid_out(tmp_path, inspection, labels=["nuclei"])
    assert plate.scale == Scale(1.0, 0.5, True, 300.0, True)
    for folder in ("B/02/1", "B/02/1/labels/nuclei"):
        (described,) = json.loads((plate.path / folder / "zarr.json").read_text())["attributes"][
            "ome"
        ]["multiscales"]
        scales = [d["coordinateTransformations"][0]["scale"][-2:] for d in described["datasets"]]
        assert scales == [[1.0, 0.5], [2.0, 1.0], [4.0, 2.0]][: len(scales)]
    with pytest.raises(BadConfig, match="square"):
        _ = plate.pixel_size_um
