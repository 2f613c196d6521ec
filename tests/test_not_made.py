"""What could not be made is named, the rest is made, and faults of the place end the job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import CellpipeError
from cellpipe.exports.ctc import write_ctc
from cellpipe.report import ReportContent, render_report
from cellpipe.run.not_made import NotMade, file_name, read_not_made


def make_three(not_made: NotMade, folder: Path, fault: Exception) -> None:
    for name in ("first", "second", "third"):
        with not_made.trying(name):
            if name == "second":
                raise fault
            (folder / name).touch()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (CellpipeError(seen="70000 tracks", wanted="fewer", do="use GEFF"), "70000 tracks"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_one_that_fails_is_named_and_the_others_are_made(tmp_path, fault, said):
    not_made = NotMade()
    make_three(not_made, tmp_path, fault)
    assert {path.name for path in tmp_path.iterdir()} == {"first", "third"}
    not_made.publish(tmp_path / "not_made" / "plot_figures.json")
    rows = json.loads((tmp_path / "not_made/plot_figures.json").read_text())
    assert [set(row) for row in rows] == [{"what", "reason", "do"}]
    assert rows[0]["what"] == "second"
    assert said in rows[0]["reason"]
    assert rows[0]["do"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), MemoryError()])
def test_a_fault_of_the_place_ends_the_job(tmp_path, fault):
    with pytest.raises(type(fault)):
        make_three(NotMade(), tmp_path, fault)


def test_lists_are_read_together_and_shown_in_the_report(tmp_path):
    empty, full = NotMade(), NotMade()
    full.add("ctc/B02_1_RES", "68644 tracks <b>", "read the GEFF export")
    empty.publish(tmp_path / "export_geff.json")
    full.publish(tmp_path / "export_ctc.json")
    assert json.loads((tmp_path / "export_geff.json").read_text()) == []
    table = read_not_made(tmp_path.glob("*.json"))
    assert table["rule"].tolist() == ["export_ctc"]
    page = render_report(ReportContent(plate="P", not_made=table))
    assert "ctc/B02_1_RES" in page
    assert "68644 tracks &lt;b&gt;" in page
    assert "could not be made" not in render_report(ReportContent(plate="P"))


def test_too_many_tracks_are_refused_by_ctc_before_a_mask_is_written(tmp_path):
    n = 65_536
    links = pd.DataFrame({"t": 0, "label": np.arange(n) + 1, "track_id": np.arange(n) + 1})
    links["parent_track_id"] = 0
    not_made = NotMade()
    with not_made.trying("ctc/B02_1_RES"):
        write_ctc(tmp_path / "B02_1_RES", iter(()), links)
    assert "65536 tracks" in not_made.rows[0]["reason"]
    assert "GEFF" in not_made.rows[0]["do"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("heat_map_area_um2", "heat_map_area_um2"),
        ("fraction_G2/M", "fraction_G2-M"),
        ("fraction_G1/S phase", "fraction_G1-S-phase"),
        ("a\\b:c*d?e\"f'g<h>i|j", "a-b-c-d-e-f-g-h-i-j"),
        ("métaphase µ", "métaphase-µ"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("///", "unnamed"),
        ("con", "_con"),
        ("line\nbreak\ttab\0", "line-break-tab"),
    ],
)
def test_any_text_makes_a_name_of_a_file(tmp_path, name, plain):
    assert file_name(name) == plain
    (tmp_path / f"{file_name(name)}.svg").write_text("")


def test_names_never_collide_nor_grow_too_long(tmp_path):
    names: list[str] = []
    for name in ("G2/M", "G2-M", "g2 m", "G2:M"):
        names.append(file_name(name, names))
    assert names == ["G2-M", "G2-M-2", "g2-m-3", "G2-M-4"]
    for sign in ("x", "é", "細"):
        (tmp_path / f"{file_name(sign * 500)}.svg").write_text("")
