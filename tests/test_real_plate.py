"""The whole chain on a real plate, BBBC013: a translocation assay with controls and doses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from in_process import run_forked

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def plate(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the shipped example config."""
    results = tmp_path_factory.mktemp("bbbc013") / "results"
    command = ["snakemake", "--nolock", "--cores", "2", "all"]
    command += ["--configfile", "config/examples/bbbc013.yaml", "--config", f"results={results}"]
    with pytest.MonkeyPatch.context() as context:
        context.setenv("CELLPIPE_DATA", str(real_data))
        code, printed = run_forked(command, ROOT)
    assert code == 0, printed[-3000:]
    return results / "bbbc013"


def test_every_well_has_its_condition_and_its_cells(plate: Path) -> None:
    wells = pd.read_parquet(plate / "wells.parquet")
    assert len(wells) == 48
    assert (wells["n_cells"] > 80).all()
    assert wells["control"].value_counts().to_dict() == {"": 36, "negative": 8, "positive": 4}
    assert (pd.read_csv(plate / "quarantine.tsv", sep="\t").shape[0]) == 0


def test_controls_are_told_apart(plate: Path) -> None:
    statistics = pd.read_csv(plate / "statistics.tsv", sep="\t")
    controls = statistics[statistics["kind"] == "controls"].set_index("readout")
    assert controls.loc["translocation", "z_prime"] >= 0.75


def test_each_row_rises_with_dose(plate: Path) -> None:
    statistics = pd.read_csv(plate / "statistics.tsv", sep="\t")
    curves = statistics[
        (statistics["kind"] == "dose_response") & (statistics["readout"] == "translocation")
    ].set_index("group")
    assert sorted(curves.index) == ["A", "B", "E", "F"]
    assert (curves["monotonic_tau"] > 0.7).all()
    assert (curves["monotonic_p"] < 0.01).all()
    # the four curves are of two compounds at matched steps: half effect lies within the doses
    assert curves["ec50"].between(4, 64).all()
    assert (curves["ec50_low"] < curves["ec50"]).all()
    assert (curves["ec50"] < curves["ec50_high"]).all()


def test_the_classifier_holds_on_wells_it_has_not_seen(plate: Path) -> None:
    scores = json.loads((plate / "classifier/scores.json").read_text())
    assert scores["balanced_accuracy"] > 0.93
    confusion = pd.read_csv(plate / "classifier/confusion.tsv", sep="\t", index_col=0)
    assert confusion.to_numpy().sum() == scores["n_cells"]
    wells = pd.read_parquet(plate / "wells.parquet").set_index("control")
    assert wells.loc["positive", "fraction_translocated"].min() > 0.9
    assert wells.loc["negative", "fraction_translocated"].max() < 0.1


def test_page_and_figures_are_there(plate: Path) -> None:
    page = (plate / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")  # opens without a network
    names = {path.name for path in (plate / "figures").iterdir()}
    expected = {"heat_map", "dose_response", "controls"}
    assert {f"{kind}_translocation.svg" for kind in expected} <= names
    assert "confusion_matrix.svg" in names
