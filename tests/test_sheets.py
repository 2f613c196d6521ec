"""The config and the sheet of plates as the workflow uses them: faults between their parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_config import LEAST, SCHEMAS

from cellpipe.config import sheets, stages
from cellpipe.errors import BadConfig


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"segment": {"nuclei": {"channel": "dan"}}}, "'dan' for 'segment.nuclei.channel'"),
        ({"detect": {"channel": "spots"}}, "'spots' for 'detect.channel'"),
        (
            {"segment": {"nuclei": {"channel": "dna"}, "cells": {"method": "grow"}}},
            "no 'segment.cells.channel'",
        ),
    ],
)
def test_a_channel_that_is_not_there_is_said(section: dict[str, Any], words):
    with pytest.raises(BadConfig, match=words):
        sheets.checked_config({**LEAST, **section}, SCHEMAS)


def written(folder: Path, *lines: str) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    path = folder / "plates.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


HEADER = "plate\timages\tlayout"


def test_rows_come_by_plate_with_their_paths_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", str(tmp_path))
    sheet = written(tmp_path, HEADER, "P1\t$WHERE/images\tcsv", "P2\t${WHERE}/images\tphenix")
    plates = sheets.read_plates(sheet, SCHEMAS)
    assert list(plates) == ["P1", "P2"]
    assert plates["P2"]["images"] == f"{tmp_path}/images"
    assert plates["P1"]["plate_map"] == ""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER], "no plate"),
        ([HEADER, "P\t{}/images\tcsv", "P\t{}/images\tcsv"], "'P' twice"),
        ([HEADER, "P\t{}/images\tcsv", "p\t{}/images\tcsv"], "'P' and 'p'"),
        (["plate images layout", "P {}/images csv"], "separated by blanks.*tabs"),
        ([HEADER, "a b\t{}/images\tcsv"], "'a b' for 'plate'"),
        ([HEADER, "../P\t{}/images\tcsv"], "row 2"),
        ([HEADER, "P\t{}/imgs\tcsv"], "no images at"),
        ([HEADER, "P\t$NO_SUCH/images\tcsv"], "environment variable"),
        (["plate\tfolder\tlayout", "P\t{}/images\tcsv"], "'folder'"),
        ([HEADER, "P\t{}/images\tcsv\tb\tc"], "row 2 of .* with 5 cells"),
        ([""], "tabs"),
        ([HEADER, "P\t{}/images\tphoenix"], "did you mean 'phenix'"),
        ([HEADER + "\tplate_map", "P\t{0}/images\tcsv\t{0}/twice.tsv"], "B02 more than once"),
        ([HEADER + "\tplatemap", "P\t{}/images\tcsv\tx"], "plate_map"),
        ([HEADER, "Screens\t{}/images\tcsv"], "folder of the results of screens"),
        ([HEADER + "\tscreen", "P\t{}/images\tcsv\ta/b"], "'a/b' for 'screen'"),
        (
            [HEADER + "\tscreen", "P\t{}/images\tcsv\tS", "Q\t{}/images\tcsv\ts"],
            "screens 'S' and 's'",
        ),
    ],
)
def test_a_fault_in_the_sheet_is_said(tmp_path, lines, words):
    sheet = written(tmp_path, *(line.format(tmp_path) for line in lines))
    (tmp_path / "twice.tsv").write_text("well\tdose\nB02\t1\nB2\t2\n")
    with pytest.raises(BadConfig, match=words):
        sheets.read_plates(sheet, SCHEMAS, layouts=["mine"])


@pytest.mark.parametrize("path", ["a {b}", "a}"])
def test_braces_in_a_path_are_refused(path):
    with pytest.raises(BadConfig, match="rename the folder"):
        sheets.refuse_odd_paths({"images": path})
    sheets.refuse_odd_paths({"images": "a $(b) `c`; \"d\" 'e'"})


def test_a_sheet_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadConfig, match="no file"):
        sheets.read_plates(tmp_path / "plates.tsv", SCHEMAS)


def test_layers_and_stages_follow_the_config():
    config = sheets.checked_config({**LEAST, "track": {"enabled": True}}, SCHEMAS)
    assert sheets.label_names(config) == ["nuclei", "cells"]
    assert stages.running(config) == ["ingest", "segment", "measure", "track"]
    cells_off = {"segment": {"nuclei": {"channel": "dna"}, "cells": {"method": "off"}}}
    config = sheets.checked_config({**LEAST, **cells_off}, SCHEMAS)
    assert sheets.label_names(config) == ["nuclei"]


def test_a_network_for_spots_counts_where_spots_are_sought():
    detect = {"channel": "dna"}  # by default, a network finds them
    config = sheets.checked_config({**LEAST, "detect": {**detect, "weights": "denoise"}}, SCHEMAS)
    with pytest.raises(BadConfig, match="kind 'denoise' for 'detect'"):
        sheets.networks(config)
    assert sheets.detect_environment(config) == "segment"
    by_filter = {**LEAST, "detect": {**detect, "engine": "log"}}
    assert sheets.detect_environment(sheets.checked_config(by_filter, SCHEMAS)) == "measure"
    config["detect"]["channel"] = None  # none are sought, so no weights are read
    assert [network["used_by"] for network in sheets.networks(config)] == ["segment"]
    assert not sheets.weights_of(config, "detect")
    assert sheets.detect_environment(config) == "measure"
