"""Readouts are checked before the first job: known are the columns that there will be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellpipe.config.readouts import (
    later_columns,
    measured_columns,
    refuse_missing_controls,
    refuse_unknown_readouts,
)
from cellpipe.config.sheets import checked_config, readouts
from cellpipe.errors import BadConfig
from cellpipe.measure.cells import measure_cells

SCHEMAS = Path(__file__).parent.parent / "config/schemas"
NUCLEI_ALONE = {
    "nuclei": {"channel": "dna", "engine": "classical"},
    "cells": {"method": "off"},
}


def config(profile=None, **sections):
    given = {
        "plates": "plates.tsv",
        "channels": {"dna": {"source": "1"}, "gfp": {"source": "2"}},
        "segment": {"nuclei": {"channel": "dna", "engine": "classical"}},
        "profile": profile or {},
    }
    return checked_config({**given, **sections}, SCHEMAS)


def check(profile, *, classes=(), **sections):
    asked = config(profile, **sections)
    refuse_unknown_readouts(asked, asked["channels"], classes)


def test_known_columns_are_those_that_measuring_makes():
    labels = np.zeros((20, 20), np.uint32)
    labels[5:9, 5:9] = 1
    cells = np.zeros_like(labels)
    cells[4:10, 4:10] = 1
    table = measure_cells(labels, cells, np.ones((2, 20, 20)), ["dna", "gfp"], 0.5)
    made = set(table.select_dtypes("number")) - {"label"}
    assert set(measured_columns(config(), ["dna", "gfp"])) - {"touches_border"} == made - {
        "touches_border"
    }


@pytest.mark.parametrize(
    ("profile", "sections", "said"),
    [
        ({"readouts": ["gfp_maen"]}, {}, "write 'gfp_mean'"),
        ({"readouts": ["area_um2", "n_cell"]}, {}, "write 'n_cells'"),
        ({"hit_readout": "cytoplasm_gfp_men"}, {}, "profile.hit_readout"),
        ({"readouts": ["object_probability"]}, {}, "'segment.nuclei.engine' to cellpipe"),
        ({"hit_readout": "foreground_probability"}, {}, "'segment.nuclei.engine' to cellpipe"),
        ({"readouts": ["spot_count"]}, {}, "name the channel of spots in 'detect.channel'"),
        ({"readouts": ["n_tracks"]}, {}, "set 'track.enabled' to true"),
        ({"readouts": ["median_speed_um_s"]}, {}, "set 'track.enabled' to true"),
        ({"readouts": ["fraction_positive"]}, {}, "classify"),
        (
            {"readouts": ["fraction_alive"]},
            {"classify": {"training": "controls"}},
            "write 'fraction_",
        ),
        ({"readouts": ["class_probability"]}, {}, "set 'classify.training' to controls, or take"),
        ({"readouts": ["cell_area_um2"]}, {"segment": NUCLEI_ALONE},
         "set 'segment.cells.method' to ring, or take"),
        ({"readouts": ["divisions_per_field_hours"]}, {},
         "write 'divisions_per_field_hour' if that is meant, and set 'track.enabled' to true"),
        ({}, {"segment": NUCLEI_ALONE, "measure": {"ratios": {"r": {
            "numerator": "gfp_mean", "denominator": "cytoplasm_gfp_mean"}}}},
         "set 'segment.cells.method' to ring, or remove the ratio"),
        ({}, {"measure": {"ratios": {"r": {"numerator": "gfp_maen", "denominator": "dna_mean"}}}},
         "measure.ratios.r.numerator"),
    ],
)  # fmt: skip
def test_a_readout_that_nothing_will_make_is_refused_with_the_remedy(profile, sections, said):
    with pytest.raises(BadConfig, match=said):
        check(profile, **sections)


@pytest.mark.parametrize(
    ("readout", "sections"),
    [
        ("n_cells", {}),
        ("cells_per_mm2", {}),
        ("cytoplasm_gfp_mean", {}),
        ("area_px2", {}),  # the name that it has where the size of a pixel is unknown
        ("object_probability", {"segment": {"nuclei": {"channel": "dna"}}}),
        ("spots_per_field", {"detect": {"channel": "gfp"}}),
        ("divisions_per_field_hour", {"track": {"enabled": True}}),
        ("spot_median_speed_um_s", {"detect": {"channel": "gfp", "track": True}}),
        ("fraction_dead", {"classify": {"training": "controls", "positive": "dead"}}),
        ("r", {"measure": {"ratios": {"r": {"numerator": "gfp_mean", "denominator": "dna_mean"}}}}),
    ],
)
def test_readouts_that_there_will_be_are_welcome(readout, sections):
    check({"readouts": [readout], "hit_readout": readout}, **sections)
    assert readout in later_columns(config(**sections)) or readout != "n_cells"


def test_the_readout_of_hits_is_a_readout():
    assert readouts(config({"readouts": ["area_um2"], "hit_readout": "n_cells"})) == [
        "area_um2",
        "n_cells",
    ]
    assert readouts(config()) == ["n_cells"]


def test_a_classifier_of_controls_needs_a_map_that_names_them(tmp_path):
    asked = config(classify={"training": "controls"})
    with pytest.raises(BadConfig, match="no positive and no negative control"):
        refuse_missing_controls(asked, {"P": {"plate_map": ""}})
    path = tmp_path / "map.tsv"
    path.write_text("well\tcontrol\nA01\tnegative\n")
    with pytest.raises(BadConfig, match="no positive control in the plate map of P"):
        refuse_missing_controls(asked, {"P": {"plate_map": str(path)}})
    path.write_text("well\tcontrol\nA01\tnegative\nA02\tpositive\n")
    refuse_missing_controls(asked, {"P": {"plate_map": str(path)}})
    refuse_missing_controls(config(), {"P": {"plate_map": ""}})
