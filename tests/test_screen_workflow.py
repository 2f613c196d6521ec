"""Two plates of one screen through the whole workflow, from images to the page of the screen."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from running import PLATE, Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small plate, and a replicate of it with more noise."""
    folder = tmp_path_factory.mktemp("screen") / "run"
    samples = {**PLATE["profile"], "compare_with": "samples"}  # it has two negative controls
    run = Run.drawn(folder, "plate", {**PLATE, "profile": samples})
    shutil.copytree(folder / "images", folder / "again")
    rng = np.random.default_rng(1)
    for path in sorted((folder / "again").glob("*.tif")):
        pixels = tifffile.imread(path)
        noisy = pixels.astype(float) + rng.normal(0, 3, pixels.shape)
        tifffile.imwrite(path, noisy.clip(0).round().astype(pixels.dtype))
    lines = [
        "plate\timages\tlayout\tplate_map\tscreen\tbatch\treplicate",
        "P\timages\tdrawn\tplate_map.tsv\tS\tmonday\t1",
        "Q\tagain\tdrawn\tplate_map.tsv\tS\ttuesday\t2",
    ]
    (folder / "plates.tsv").write_text("\n".join(lines) + "\n")
    run.run("all")
    return run


def test_treatments_are_judged_over_both_plates(screen: Run) -> None:
    folder = screen.folder / "results/screens/S"
    wells = pd.read_parquet(folder / "wells.parquet")
    assert set(wells["plate"]) == {"P", "Q"}
    assert wells.groupby("plate")["batch"].first().to_dict() == {"P": "monday", "Q": "tuesday"}
    hits = pd.read_csv(folder / "hits.tsv", sep="\t")
    assert hits["wells"].tolist() == ["P B03, P C03, Q B03, Q C03"]  # one treatment, four wells
    # one has no cells, and a single other is no spread: a named gap, from the plates' own words
    assert hits["hit"].isna().all()
    assert "sample well has a value, 3 are needed" in hits["reason"].iloc[0]
    assert 0 < hits["percent_of_control"].iloc[0] < 100
    plates = pd.read_csv(folder / "plates.tsv", sep="\t")
    assert plates["plate"].tolist() == ["P", "Q"]
    pairs = pd.read_csv(folder / "replicates.tsv", sep="\t")
    assert list(pairs) == ["plate", "other", "n", "pearson", "spearman"]
    assert "<h1>S</h1>" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_list_of_hits_of_a_plate_is_that_of_its_wells(screen: Run) -> None:
    hits = pd.read_csv(screen.plate / "hits.tsv", sep="\t")
    wells = pd.read_parquet(screen.plate / "wells.parquet").set_index("well")
    assert set(hits["well"]) == set(wells.index[wells["control"].eq("")])
    known = hits.dropna(subset="percent_of_control")
    np.testing.assert_allclose(
        known["percent_of_control"],
        wells.loc[known["well"], "translocation_normalised"].astype(float),
    )
    assert hits["rank"].tolist() == list(range(1, len(hits) + 1))


def test_a_second_run_has_nothing_to_do_and_a_lost_page_is_made_again(screen: Run) -> None:
    assert "join plates" not in screen.run("all")
    (screen.folder / "results/screens/S/report.html").unlink()
    assert "join plates S" in screen.run("all")
    assert (screen.folder / "results/screens/S/report.html").is_file()
