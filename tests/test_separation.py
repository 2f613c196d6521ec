"""Z′ in the last lines of a run, from the statistics of a plate whose Z′ is known.

positive 19, 20, 21 and negative 9, 10, 11: Z′ = 1 - 3 (1 + 1) / (20 - 10) = 0.4
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from test_summary import inspection, summary

from cellpipe.files.tables import read_statistics
from cellpipe.run.separation import in_a_line, separation
from cellpipe.run.summary import told
from cellpipe.statistics.plate import plate_statistics

NAMES = ["B02", "B03", "B04", "C02", "C03", "C04", "D02"]
CONTROL = ["positive"] * 3 + ["negative"] * 3 + [""]


def wells(signal: list[float], control: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "well": NAMES,
            "condition": ["drug"] * 3 + ["vehicle"] * 3 + ["sample"],
            "control": control or CONTROL,
            "signal": signal,
            "other": [5.0, 1, 4, 2, 3, 1, 2],
        }
    )


def found(table: pd.DataFrame, folder: Path) -> list[str]:
    """The line, with the statistics written and read as a run does, and through summary.json."""
    path = folder / "statistics.tsv"
    plate_statistics(table, ["signal", "other"]).to_csv(path, sep="\t", index=False)
    made = json.loads(json.dumps(separation(table, read_statistics(path))))
    return in_a_line(made)


def test_z_prime_is_given_with_its_readout_and_controls(tmp_path: Path) -> None:
    (line,) = found(wells([19, 20, 21, 9, 10, 11, 15]), tmp_path)
    assert line == "Z′ 0.40 of signal: 3 positive (drug) and 3 negative (vehicle) control wells"


def test_controls_that_overlap_are_reported(tmp_path: Path) -> None:
    (line,) = found(wells([10, 11, 12, 9, 10, 11, 15]), tmp_path)
    assert line.startswith("Z′ -5.00 of signal, controls overlap: 3 positive")


def test_controls_without_spread_are_reported(tmp_path: Path) -> None:
    (line,) = found(wells([20, 20, 20, 0, 0, 0, 15]), tmp_path)
    assert line.startswith("Z′ 1.00 of signal, of controls that have no spread: 3 positive")


def test_a_z_prime_that_cannot_be_judged_has_a_reason(tmp_path: Path) -> None:
    one = ["positive", "", "", "negative", "negative", "negative", ""]
    (line,) = found(wells([19, 20, 21, 9, 10, 11, 15], one), tmp_path)
    assert line.startswith("Z′ of signal cannot be judged: no Z′")
    assert "fewer than two positive control wells" in line


@pytest.mark.parametrize("columns", [["well"], ["well", "control"]])
def test_a_plate_without_controls_has_no_line(tmp_path: Path, columns: list[str]) -> None:
    table = wells([19, 20, 21, 9, 10, 11, 15], [""] * len(NAMES))[[*columns, "signal", "other"]]
    assert found(table, tmp_path) == []


def test_the_line_is_printed_at_the_end_of_a_run(tmp_path: Path) -> None:
    table = wells([19, 20, 21, 9, 10, 11, 15])
    statistics = plate_statistics(table, ["signal"])
    lines = told(summary(wells=table, statistics=statistics), tmp_path)
    assert inspection()["plate"] in lines[0]
    assert any(line.strip().startswith("Z′ 0.40 of signal") for line in lines)
