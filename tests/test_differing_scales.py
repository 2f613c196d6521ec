"""The scale at which each image was segmented is known, and named where a plate has several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skimage.draw import disk

from cellpipe.quality.scales import differing_scales
from cellpipe.run.frames.segment import load_networks, segment_frame


def fields(scales: list[float], n_nuclei: int = 20) -> pd.DataFrame:
    numbers = range(1, len(scales) + 1)
    return pd.DataFrame(
        {"well": "B02", "field": numbers, "t": 0, "n_nuclei": n_nuclei, "working_scale": scales}
    )


def test_images_at_another_scale_are_named() -> None:
    (row,) = differing_scales({}, {"fields": fields([1.0] * 18 + [0.5, 0.5])})
    assert row["where"] == "B02 field 19, B02 field 20"
    assert "2 of 20 images" in row["seen"]
    assert "(0.5) than most (1)" in row["seen"]
    assert "diameter_um" in row["do"]


@pytest.mark.parametrize(
    "table",
    [
        fields([1.0] * 20),
        fields([0.5] * 20),
        fields([1.0] * 99 + [0.5]),  # one of a hundred has a flag of its own
        fields([1.0, 0.98] * 10),
        fields([float("nan")] * 20),  # an engine that does not report it
        fields([1.0, 0.5], n_nuclei=0),
        fields([1.0, 0.5]).drop(columns="working_scale"),  # of an earlier version
    ],
    ids=["one", "another", "rare", "rounded", "unknown", "empty", "earlier"],
)
def test_images_alike_are_not_named(table: pd.DataFrame) -> None:
    assert list(differing_scales({}, {"fields": table})) == []


@pytest.mark.parametrize(
    ("engine", "radius", "low", "high"),
    [("cellpipe", 10, 1, 1), ("cellpipe", 90, 0.05, 0.7), ("classical", 10, None, None)],
)
def test_the_scale_stands_in_the_figures_of_a_frame(engine, radius, low, high) -> None:
    size = 6 * radius + 160
    pixels = np.random.default_rng(2).normal(100, 4, (1, size, size))
    for y, x in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.3), (0.75, 0.75)):
        pixels[0][disk((y * size, x * size), radius, shape=(size, size))] += 400
    nuclei = {"channel": "dna", "extra_channels": [], "engine": engine, "weights": "nuclei"}
    segment = {
        "objects": "nuclei",
        "nuclei": nuclei,
        "cells": {"method": "off", "channel": None, "extra_channels": []},
    }
    networks = load_networks(segment, "cpu", 1)
    _, figures = segment_frame(pixels.astype(np.uint16), 1.0, segment, networks)
    assert figures["n_nuclei"] == 4
    if low is None:
        assert np.isnan(figures["working_scale"])
    else:
        assert low <= figures["working_scale"] <= high
