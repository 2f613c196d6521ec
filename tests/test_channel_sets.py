"""Plates of one run with channels of their own: a set each, the same names.

A   w1 dna   w2 reporter   w3 spots        channels
B   w7 dna   w2 reporter                   channel_sets.old: no spots there, and it is said
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import PLATE, Run, with_changes

from cellpipe.config import sheets
from cellpipe.config.names import refuse_unknown_names
from cellpipe.config.plate_config import config_of_plate, needed_channels
from cellpipe.errors import BadConfig
from cellpipe.run.frames.segment import segmented_channels

SCHEMAS = Path(__file__).parents[1] / "config/schemas"
OLD = {"dna": {"source": "7"}, "reporter": {"source": "2", "color": "00FF00"}}
ROW = dict.fromkeys(("plate_map", "annotations", "truth"), "")
ROW |= {"plate": "B", "channels": "old", "layout": "drawn"}


def config(old: Any = None, **changes: Any) -> dict[str, Any]:
    more = {"channel_sets": {"old": OLD if old is None else old}, "classify": {"training": "off"}}
    return sheets.checked_config(with_changes(with_changes(PLATE, more), changes), SCHEMAS)


def test_a_plate_has_the_channels_of_its_set_and_the_others_those_of_the_config():
    given = config()
    own, left_out = config_of_plate(given, ROW)
    assert {name: spec["source"] for name, spec in own["channels"].items()} == {
        "dna": "7",
        "reporter": "2",
    }
    assert own["channels"]["reporter"]["color"] == "00FF00"
    assert own["detect"]["channel"] is None
    assert own["measure"]["ratios"] == given["measure"]["ratios"]
    assert len(left_out) == 1
    assert "plate B has no channel 'spots'" in left_out[0]
    assert "left out for that: stage detect" in left_out[0]
    assert config_of_plate(given, {**ROW, "channels": ""}) == (given, [])
    assert given["detect"]["channel"] == "spots"


def test_what_is_made_of_a_channel_that_a_plate_lacks_is_left_out_by_name():
    ratios = {
        "of_spots": {"numerator": "spots_mean", "denominator": "dna_mean"},
        "kept": {"numerator": "reporter_mean", "denominator": "dna_mean"},
    }
    names = ["spots_mean", "cytoplasm_spots_sum", "of_spots", "spot_count", "kept", "area_um2"]
    own, (sentence,) = config_of_plate(
        config(measure={"ratios": ratios}, profile={"readouts": names, "hit_readout": "of_spots"}),
        ROW,
    )
    assert list(own["measure"]["ratios"]) == ["translocation", "kept"]
    assert own["profile"]["readouts"] == ["kept", "area_um2"]
    assert own["profile"]["hit_readout"] is None
    gone = sentence.partition("left out for that: ")[2].split(", ")
    assert gone == [
        *("stage detect", "ratio of_spots", "readout spots_mean", "readout cytoplasm_spots_sum"),
        *("readout of_spots", "readout spot_count"),
    ]


def test_a_misspelt_readout_is_still_refused_for_a_plate_that_lacks_a_channel():
    given = config(profile={"readouts": ["spots_mean", "reporter_maen"], "hit_readout": None})
    with pytest.raises(BadConfig) as refused:
        refuse_unknown_names(given, {"B": ROW})
    assert "reporter_maen" in refused.value.seen
    assert "plate B" in refused.value.seen
    good = config(profile={"readouts": ["spots_mean", "reporter_mean"], "hit_readout": None})
    refuse_unknown_names(good, {"B": ROW})


@pytest.mark.parametrize(
    ("old", "row", "seen", "do"),
    [
        ({"reporter": {"source": "2"}}, {}, "no channel 'dna' in 'channel_sets.old'", "add 'dna'"),
        ({"dna": {"source": "7"}}, {}, "'segment.cells.channel' names it", "add 'reporter'"),
        (OLD, {"channels": "odl"}, "'odl' in the column 'channels'", "write 'old'"),
    ],
)
def test_a_plate_without_what_segmentation_needs_is_refused_in_words(old, row, seen, do):
    with pytest.raises(BadConfig) as refused:
        config_of_plate(config(old), {**ROW, **row})
    assert seen in refused.value.seen
    assert refused.value.do.startswith(do)


@pytest.mark.parametrize("method", ["ring", "off"])
def test_a_channel_of_cells_that_the_method_does_not_take_is_not_needed(method):
    """What is left of `grow` in the config refused the plate, and quarantined frames without it."""
    given = config({"dna": {"source": "7"}}, segment={"cells": {"method": method}})
    assert given["segment"]["cells"]["channel"] == "reporter"
    assert needed_channels(given) == {"dna": "segment.nuclei.channel"}
    own, _ = config_of_plate(given, ROW)
    assert set(own["channels"]) == {"dna"}
    assert segmented_channels(own["segment"]) == ["dna"]


def test_a_channel_that_only_a_set_has_concerns_the_other_plates_where_it_is_asked_for():
    more = {**OLD, "spots": {"source": "3"}, "actin": {"source": "4"}}
    row = {**ROW, "plate": "A", "channels": ""}
    own, left_out = config_of_plate(config(more), row)
    assert left_out == []
    assert own["detect"]["channel"] == "spots"
    assert "actin" not in own["channels"]
    given = config(more, profile={"readouts": ["actin_mean", "area_um2"]})
    own, (sentence,) = config_of_plate(given, row)
    assert "plate A has no channel 'actin': 'channels' lacks it" in sentence
    assert sentence.endswith("left out for that: readout actin_mean")
    assert own["profile"]["readouts"] == ["area_um2"]
    own, (sentence,) = config_of_plate(config(more, detect={"channel": "actin"}), row)
    assert own["detect"]["channel"] is None
    assert sentence.endswith("left out for that: stage detect")
    assert needed_channels(given) == {
        "dna": "segment.nuclei.channel",
        "reporter": "segment.cells.channel",
    }


def test_two_channels_of_a_set_with_one_token_are_refused():
    twice = config({**OLD, "reporter": {"source": "7"}})
    with pytest.raises(BadConfig, match=r"channel_sets\.old\.dna\.source"):
        refuse_unknown_names(twice, {"B": ROW})


# ---- the whole workflow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Plate A, and B with the same images under other tokens, and without those of spots."""
    run = Run.drawn(tmp_path_factory.mktemp("two"), "plate", {})
    (run.folder / "old").mkdir()
    for path in (run.folder / "images").glob("*_w[12].tif"):
        shutil.copy2(path, run.folder / "old" / path.name.replace("_w1", "_w7"))
    shutil.copy2(path, run.folder / "old" / f"{path.name[:6]}_w3.tif")  # spots, of A alone
    (run.folder / "plates.tsv").write_text(
        "plate\timages\tlayout\tplate_map\tchannels\n"
        "A\timages\tdrawn\tplate_map.tsv\t\n"
        "B\told\tdrawn\tplate_map.tsv\told\n"
    )
    more = {
        "channel_sets": {"old": OLD},
        "profile": {"readouts": ["translocation", "spots_mean", "spots_per_field"]},
    }
    run.config = with_changes(PLATE, more)
    return run


def test_two_plates_of_different_channels_run_together_and_one_set_concerns_one_plate(run):
    targets = ["results/A/cells.parquet", "results/B/warnings.tsv"]
    said = run.run(*targets)
    assert "note: the plate B has no channel 'spots'" in said
    results = run.folder / "results"
    cells = {plate: pd.read_parquet(results / plate / "cells.parquet") for plate in "AB"}
    more = {name for name in cells["A"] if "spot" in name}
    assert {"spots_mean", "cytoplasm_spots_sum", "spot_count"} <= more
    assert set(cells["A"]) - set(cells["B"]) == more
    same = [c for c in cells["B"] if c not in ("plate", "fingerprint", "class_probability")]
    pd.testing.assert_frame_equal(cells["A"][same], cells["B"][same])
    wells = pd.read_parquet(results / "B/wells.parquet")
    assert "translocation" in wells
    assert not [name for name in wells if "spot" in name]
    warnings = pd.read_csv(results / "B/warnings.tsv", sep="\t").set_index("kind")
    sentence = warnings.loc["channels", "seen"]
    assert "stage detect, readout spots_mean, readout spots_per_field" in sentence
    assert not (results / "B/blocks/detect").exists()
    layout = json.loads((results / "B/layout.json").read_text())
    assert layout["channels"] == ["dna", "reporter"]
    over = pd.read_csv(results / "B/passed_over.tsv", sep="\t")
    assert over["reason"].tolist() == [
        "a channel that the plate's set in 'channel_sets' does not name"
    ]
    assert layout["colors"] == ["FFFFFF", "00FF00"]

    sets = {"old": {**OLD, "reporter": {"source": "2", "color": "FF0000"}}}
    said = run.run(*targets, options=("--summary",), channel_sets=sets)
    pending = [line.split("\t")[0] for line in said.splitlines() if "update pending" in line]
    assert pending
    assert all(path.startswith("results/B/") for path in pending)


def test_a_run_with_a_plate_that_cannot_be_segmented_stops_before_any_job(run, tmp_path):
    fresh = run.copied(tmp_path, "images", "old", "plates.tsv", "plate_map.tsv")
    broken = {**run.config, "channel_sets": {"old": {"reporter": {"source": "2"}}}}
    code, said = Run(fresh.folder, broken).attempt()
    assert code != 0
    assert "no channel 'dna' in 'channel_sets.old', which the plate B has" in said
    assert not (tmp_path / "results").exists()
