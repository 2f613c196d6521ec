"""Nothing found, nothing said: does not happen. What filters drop is counted, fields flagged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from on_disk import OnDisk, in_blocks
from scipy import ndimage
from test_object_levels import nuclei

from cellpipe.image.object_levels import shown_in
from cellpipe.networks.load import load_network
from cellpipe.quality.warnings import plate_warnings
from cellpipe.segment import findings
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.faint import faint_objects
from cellpipe.segment.findings import faint_outside, object_findings, signal_outside
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.segment.sorted_out import SortedOut

NETWORK = load_network("nuclei")
ENGINE = CellpipeEngine(NETWORK)
# without an expected F1, no other scale is tried where the objects are doubtful
AT_ONE_SCALE = CellpipeEngine(
    NETWORK._replace(card=dataclasses.replace(NETWORK.card, expectation=None))
)


def found_in(pixels: np.ndarray, engine: CellpipeEngine = ENGINE, **options) -> dict:
    seen = segment_nuclei(pixels, 1.0, engine=engine, **options)
    n, shown = len(seen.probability), shown_in(pixels)
    outside, faint = signal_outside(shown, seen.labels), faint_outside(n, shown, seen.labels)
    return object_findings(n, seen.sorted_out, *outside, faint)


def test_an_ordinary_field_and_an_empty_one_have_no_flag() -> None:
    empty = np.random.default_rng(0).normal(100, 5, (300, 300))
    for pixels in (nuclei(25)[0], empty, np.zeros((300, 300))):
        assert found_in(pixels)["objects_flag"] == ""


@pytest.mark.parametrize(
    ("options", "name", "count"),
    [
        ({"min_area_um2": 1000}, "small", 25),
        ({"max_area_um2": 50}, "large", 25),
        ({"min_object_probability": 1.0}, "improbable", 25),
    ],
)
def test_what_a_filter_drops_is_counted_and_flagged(options, name, count) -> None:
    figures = found_in(nuclei(25)[0], **options)
    assert figures[f"n_dropped_{name}"] == count
    assert findings.NOTHING in figures["objects_flag"]
    assert f"many dropped ({name})" in figures["objects_flag"]
    rows = pd.DataFrame([{"well": "B02", "field": 1, "t": 0, "n_nuclei": 0, **figures}])
    kinds = plate_warnings({}, {"fields": rows})["kind"].tolist()
    assert {findings.NOTHING, f"many dropped ({name})", "objects dropped"} <= set(kinds)


def dim(height: float, seed: int = 0) -> np.ndarray:
    """16 discs of 254 pixels in noise of 6 grey values."""
    y, x = np.mgrid[:256, :256]
    places = [(i, j) for i in range(40, 256, 58) for j in range(40, 256, 58)]
    discs = np.any([np.hypot(y - i, x - j) <= 9 for i, j in places], axis=0)
    return 100 + height * discs + np.random.default_rng(seed).normal(0, 6, (256, 256))


@pytest.mark.parametrize("height", [6, 8, 10])
def test_objects_that_only_an_eye_sees_are_not_nothing(height) -> None:
    figures = found_in(dim(height), engine=AT_ONE_SCALE)
    flag = figures["objects_flag"]
    assert findings.NOTHING in flag or findings.MISSED in flag


@pytest.mark.parametrize("height", [8, 10])
def test_and_at_a_coarser_scale_they_are_found(height) -> None:
    assert len(segment_nuclei(dim(height), 1.0, engine=ENGINE).probability) == 16


def test_light_that_is_no_object_is_not_faint_objects() -> None:
    y, x = np.mgrid[:256, :256] / 256
    rng = np.random.default_rng(1)
    rough = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 12)
    for light in (0 * x, 1000 * x**4, 300 * np.exp(-4 * np.hypot(y - 0.5, x - 0.5)), 900 * rough):
        shown = shown_in(100 + light + rng.normal(0, 6, (256, 256)))
        assert faint_objects(shown.above, np.zeros(shown.above.shape, bool)) <= 1


def test_objects_at_the_frame_are_counted() -> None:
    cut = nuclei(25)[0][50:]  # through the middle of the first row
    figures = found_in(cut, keep_border=False)
    assert figures["n_dropped_border"] == 5
    assert figures["objects_flag"] == ""


def test_signal_that_no_object_covers_is_flagged() -> None:
    pixels, truth = nuclei(25)
    signal_px, outside = signal_outside(shown_in(pixels), truth)
    assert signal_px == pytest.approx((truth > 0).sum(), rel=0.2)
    assert outside < 0.05
    half = np.where(truth <= 10, truth, 0)
    figures = object_findings(10, SortedOut(), *signal_outside(shown_in(pixels), half))
    assert figures["objects_flag"] == findings.MISSED


def test_sizes_and_probabilities_are_doubted() -> None:
    known = SortedOut(diameter_px=3.0, known_px=(5.0, 900.0))
    assert object_findings(20, known, 999, 0.0)["objects_flag"] == findings.SIZE
    assert object_findings(20, SortedOut(undecided=0.6), 999, 0.0)["objects_flag"] == (
        findings.UNDECIDED
    )
    assert object_findings(3, SortedOut(undecided=0.6), 999, 0.0)["objects_flag"] == ""


def test_by_block_the_same_is_counted(tmp_path) -> None:
    pixels = nuclei(25)[0]
    options = {"min_area_um2": 300.0, "keep_border": False}
    whole = segment_nuclei(pixels, 1.0, engine=ENGINE, **options)
    by_block = segment_nuclei(in_blocks(pixels, tmp_path), 1.0, engine=ENGINE, **options)
    assert by_block.sorted_out == whole.sorted_out
    on_disk = signal_outside(shown_in(OnDisk(pixels)), OnDisk(np.asarray(whole.labels)))
    assert on_disk == signal_outside(shown_in(pixels), whole.labels)


@pytest.mark.parametrize("radius", [3, 90])
def test_nuclei_of_any_size_are_found_by_default(radius: int) -> None:
    """Those of 180 px were not found, those of 6 px were dropped as too small."""
    rng = np.random.default_rng(radius)
    edge = {3: 160, 90: 720}[radius]
    y, x = np.mgrid[:edge, :edge]
    step = edge // 3 if radius == 90 else 16
    light = 500.0 * ((y % step - step / 2) ** 2 + (x % step - step / 2) ** 2 < radius**2)
    pixels = rng.normal(130 + light, 8)
    labels = segment_nuclei(pixels, 0.5, engine=ENGINE).labels
    assert labels.max() == (9 if radius == 90 else 100)
    assert (labels > 0).sum() == pytest.approx((light > 0).sum(), rel=0.2)
