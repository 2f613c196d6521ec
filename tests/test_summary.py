"""The end of a run: what is counted as left out, when a plate ends with an error, what is told.

B02  f1 f2   quarantined: all of B02 f2, frame 1 of B03 f1, and a well that was never imaged:
B03  f1 f2   3 of 8 frames are left out, one field of four
B04  -
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from drawn_plate import inspected, laid_out

from cellpipe.files import digests
from cellpipe.files.removal import remove
from cellpipe.run.contents import incomplete, lost_stores
from cellpipe.run.limits import story_of
from cellpipe.run.summary import end_of_run, left_out, not_whole, summarise, told

PLACES = [("B02", 1), ("B02", 2), ("B03", 1), ("B03", 2)]
QUARANTINE = ["well", "field", "t", "stage", "status", "reason", "remedy"]
NONE_MADE = pd.DataFrame(columns=["rule", "what", "reason", "do"])
NO_CONTROLS = pd.DataFrame(columns=["readout", "kind", "z_prime", "note"])
NO_WARNING = pd.DataFrame(columns=["kind", "where", "seen", "likely_cause", "do"])


def inspection(n_t: int = 2) -> dict:
    return {
        "plate": "P",
        "fields": [{"well": w, "field": f, "n_t": n_t} for w, f in PLACES],
        "faults": [],
    }


def quarantined(*rows: tuple[str, str, str], status: str = "quarantined") -> pd.DataFrame:
    table = [(*row, "ingest", status, "cut", "copy it again") for row in rows]
    return pd.DataFrame(table, columns=QUARANTINE, dtype=str)


OF_MAP = quarantined(("B04", "0", ""), status="missing").assign(file="plate map")
LOST = pd.concat([quarantined(("B02", "2", ""), ("B03", "1", "1"), ("B03", "1", "1")), OF_MAP])


def wells(**columns: list) -> pd.DataFrame:
    return pd.DataFrame({"well": ["B02", "B03"], **columns})


def summary(quarantine: pd.DataFrame = LOST, **tables: pd.DataFrame) -> dict:
    given = {
        "wells": wells(),
        "statistics": NO_CONTROLS,
        "warnings": NO_WARNING,
        "not_made": NONE_MADE,
        **tables,
    }
    return summarise(inspection(), quarantine=quarantine, **given)


def test_frames_that_are_left_out_are_counted_once() -> None:
    lost = left_out(inspection(), LOST)
    assert (lost["n_fields"], lost["n_frames"], lost["n_left_out"]) == (4, 8, 3)
    assert lost["fields"] == {("B02", 2)}
    assert lost["wells"] == ["B02", "B03"]


@pytest.mark.parametrize(("status", "n"), [("passed over", 2), ("missing", 4), ("quarantined", 4)])
def test_a_well_of_which_nothing_can_be_used_counts_as_the_others(status: str, n: int) -> None:
    """Files of another name speak for one field of a well, not for all that others have."""
    rows = quarantined(("B04", "0", ""), ("B04", "0", ""), status=status).assign(file="B/04")
    lost = left_out(inspection(), rows)
    assert (lost["n_fields"], lost["n_frames"], lost["n_left_out"]) == (4 + n // 2, 8 + n, n)
    assert lost["wells"] == ["B04"]
    images = quarantined(("B04", "", ""), status="passed over")
    assert left_out(inspection(), images)["n_left_out"] == 0


def test_fields_that_are_numbered_from_0_are_fields() -> None:
    found = {
        "plate": "P",
        "fields": [{"well": w, "field": f, "n_t": 1} for w in "AB" for f in (0, 1)],
    }
    lost = left_out(found, quarantined(("A", "0", "0"), ("B", "0", "")))
    assert (lost["n_fields"], lost["n_left_out"], lost["wells"]) == (4, 2, ["A", "B"])


def test_a_field_without_a_readable_header_counts_as_the_others() -> None:
    lost = left_out(inspection(), quarantined(("B05", "1", "")))
    assert (lost["n_fields"], lost["n_frames"], lost["n_left_out"]) == (5, 10, 2)


def test_images_that_are_passed_over_are_not_left_out() -> None:
    over = quarantined(("B02", "", ""), ("", "", ""), status="passed over")
    assert left_out(inspection(), over)["n_left_out"] == 0
    assert summary(over)["passed_over"]["files"] == 2


@pytest.mark.parametrize(
    ("most", "fails"), [(0.1, True), (0.374, True), (0.375, False), (1, False)]
)
def test_a_plate_fails_when_more_was_left_out_than_may_be(most: float, fails: bool) -> None:
    fault = not_whole(summary(), most)
    assert (fault is not None) == fails
    if fault:
        seen = "3 of 8 frames were left out (37.5%), of wells B02, B03"
        assert fault.seen == f"plate P, finished but not whole: {seen}"
        assert "'max_left_out' in the config to 0.375 or more" in fault.do


def test_frames_without_an_image_are_told_from_those_that_were_found_bad() -> None:
    lost = quarantined(("B02", "2", ""), ("B03", "1", "1"), status="missing")
    fault = not_whole(summary(lost), 0.1)
    assert fault
    assert "3 of 8 frames were left out (37.5%), all without an image, of" in fault.seen
    both = pd.concat([lost, quarantined(("B03", "2", "1"))])
    fault = not_whole(summary(both), 0.1)
    assert fault
    assert "(50.0%), 3 of them without an image, of" in fault.seen


def test_nothing_left_out_is_no_fault_even_where_nothing_may_be() -> None:
    assert not_whole(summary(quarantined()), 0) is None


def test_an_error_that_was_not_expected_ends_a_plate_however_few_its_frames() -> None:
    rows = quarantined(("B02", "2", "1"), ("B03", "1", "1"), status="failed")
    fault = not_whole(summary(rows), 1)
    assert fault
    assert "B02 field 2, B03 field 1 failed: cut" in fault.seen
    assert "max_left_out" not in fault.do


def test_what_was_not_made_is_a_fault() -> None:
    row = {"rule": "export_ctc", "what": "ctc/B02_1", "reason": "too many tracks", "do": "use GEFF"}
    made = summary(quarantined(), not_made=pd.DataFrame([row]))
    fault = not_whole(made, 1)
    assert fault
    assert "1 not made: ctc/B02_1" in fault.seen
    assert fault.do == "for what was not made: use GEFF"
    assert any(
        "not made: ctc/B02_1: too many tracks; use GEFF" in line for line in told(made, Path("P"))
    )


def test_everything_a_person_should_know_is_told(tmp_path: Path) -> None:
    warning = {
        "kind": "units",
        "where": "plate",
        "seen": "no pixel size",
        "likely_cause": "",
        "do": "set it",
    }
    judged = wells(hit=pd.array([True, None], dtype="boolean"), hit_reason=["", "no cells"])
    lines = told(summary(wells=judged, warnings=pd.DataFrame([warning])), tmp_path)
    text = "\n".join(lines)
    assert str(tmp_path / "report.html") in lines[0]
    assert "2 of 2 wells, 3 of 4 fields used" in text
    assert "left out: 3 of 8 frames, of wells B02, B03" in text
    assert "cannot be judged, no cells: 1 wells, B03" in text
    assert "warning, units: plate: no pixel size; set it" in text


def test_the_end_tells_finished_plates_and_names_where_others_stopped(tmp_path: Path) -> None:
    (tmp_path / "P").mkdir()
    (tmp_path / "P/summary.json").write_text(json.dumps(summary()))
    text = end_of_run(tmp_path, ["P", "Q"], {"Q": ["ingest_block", "ingest_block"]})
    assert "P/report.html" in text
    assert "Q: not finished, at ingest_block\n" in text
    assert end_of_run(tmp_path, [], {}) == ""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("12:00 INFO 3 units\n", "ends without a message: the job was killed"),
        ("12:00 ERROR seen: a; wanted: b; what to do: c\n", "seen: a; wanted: b; what to do: c"),
        ("12:00 INFO done\n", ""),
    ],
)
def test_why_a_plate_stopped_is_told_from_its_logs(tmp_path: Path, log: str, words: str) -> None:
    path = tmp_path / "logs/segment_block/Q/0001.log"
    path.parent.mkdir(parents=True)
    path.with_name("0000.log").write_text("12:00 INFO done\n")
    path.write_text(log)
    text = end_of_run(tmp_path, ["Q"], {"Q": ["segment_block"]})
    assert words in text
    assert bool(words) == (str(path) in text), text


LAID_OUT, TABLE = ["layout.json"], ["blocks/ingest/0000.parquet"]
FOLDERS = {"figures": "figures", "evaluation/worst": "evaluation/worst", "*.geff": "geff.tsv"}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    for rule, names in (
        ("plot_figures", ["figures/a.svg", "figures/b.svg", "cells/figures/z"]),
        ("evaluate_plate", ["evaluation/worst/x.png"]),
        ("export_geff", ["P_1.geff/c/0"]),
    ):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        digests.write_record(tmp_path, rule, None, [tmp_path / name for name in names])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("figures/b.svg", ["figures"]),
        ("evaluation/worst/x.png", ["evaluation/worst"]),
        ("P_1.geff/c/0", ["geff.tsv"]),
        ("cells/figures/z", []),
    ],
)
def test_a_file_that_is_gone_names_what_is_to_be_made_again(
    finished: Path, name: str, output: list[str]
) -> None:
    assert incomplete(finished, FOLDERS) == []
    (finished / name).unlink()
    (finished / "figures/.snakemake_timestamp").touch()  # which stands in an empty folder too
    assert incomplete(finished, FOLDERS) == output
    for path in (finished / "digests").iterdir():
        path.write_text("{")
    assert incomplete(finished, FOLDERS) == []  # nothing is known


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize(
    ("gone", "lost"),
    [
        ("P.ome.zarr", [*LAID_OUT, *TABLE, "verified.tsv"]),
        ("P.ome.zarr/B/02/2/1/ARRAY", [*LAID_OUT, *TABLE, "verified.tsv"]),
        ("P.ome.zarr/B/02/2/labels/nuclei/0/ARRAY", [*LAID_OUT, *TABLE, "verified.tsv"]),
        ("P.ome.zarr/GROUP", [*LAID_OUT, "verified.tsv"]),
        ("P.ome.zarr/B/02/GROUP", [*LAID_OUT, "verified.tsv"]),
        ("P.ome.zarr/B/02/1/GROUP", [*LAID_OUT, "verified.tsv"]),
        ("P.ome.zarr/B/02/1/labels/nuclei/GROUP", [*LAID_OUT, "verified.tsv"]),
    ],
)
def test_what_a_store_has_lost_is_known(
    tmp_path: Path, version: str, gone: str, lost: list[str]
) -> None:
    (tmp_path / "blocks/ingest").mkdir(parents=True)
    (tmp_path / TABLE[0]).touch()
    assert lost_stores(tmp_path) == []
    fields = {"B02": [(1, 1, 1, 64, 64), (1, 1, 1, 600, 600)]}
    plan = inspected(fields, plate="P")
    laid_out(tmp_path, plan, labels=["nuclei"], ngff_version=version)
    assert lost_stores(tmp_path) == []
    old = version == "0.4"
    gone = gone.replace("ARRAY", ".zarray" if old else "zarr.json")
    remove(tmp_path / gone.replace("GROUP", ".zattrs" if old else "zarr.json"), tmp_path)
    assert lost_stores(tmp_path) == lost
    laid_out(tmp_path, plan, labels=["nuclei"], ngff_version=version)
    assert lost_stores(tmp_path) == []


def test_logs_of_a_run_come_alone_or_as_a_list(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("Error in rule segment_block")
    assert story_of(path) == story_of([path, tmp_path / "none"]) == path.read_text()
    assert story_of([]) == ""


def test_a_screen_ends_with_its_hits_or_with_why_it_was_not_joined(tmp_path):
    folder, logs = tmp_path / "screens/S", tmp_path / "logs/join_plates"
    logs.mkdir(parents=True)
    (logs / "S.log").write_text("2026 ERROR plates of one screen with different units\n")
    said = end_of_run(tmp_path, [], {}, ["S"])
    assert "S: plates are not joined" in said
    assert "different units" in said
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    (folder / "hits.tsv").write_text("rank\thit\n1\tTrue\n2\tFalse\n3\t\n")
    said = end_of_run(tmp_path, [], {}, ["S"])
    assert "1 hits of 3 treatments, 1 cannot be judged" in said
    assert str(folder / "report.html") in said
