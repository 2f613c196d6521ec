"""The whole workflow on a small drawn plate: what it finds, and what it makes again.

A change must reach what depends on it, and nothing else: the plan of a rerun is asked for by
rule, and receipts (inode and time of each file) say which frames were computed again.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import tifffile
from running import ROOT, Run, digests, final_digests, whole_plate
from scipy.spatial import cKDTree

pytestmark = pytest.mark.slow

NEVER_TOUCHED = {"inspect_plate", "lay_out_plate", "ingest_block"}
OTHER_RATIO = {
    "measure": {"ratios": {"dna": {"numerator": "dna_mean", "denominator": "reporter_mean"}}}
}
CELLS, VERIFIED = "results/P/cells.parquet", "results/P/verified.tsv"
STAGES = ("ingest", "segment", "measure", "detect")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return whole_plate(tmp_path_factory)


@pytest.fixture
def copy(whole: Run, tmp_path: Path) -> Run:
    return whole.copied(tmp_path / "run")


def block_table(stage: str) -> str:
    """The only block of the plate, unless a test cuts it otherwise."""
    return f"results/P/blocks/{stage}/0000.parquet"


def of_truth(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(run.folder / "truth" / f"{name}.tsv", sep="\t")


def matched(cells: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Rows of the truth, with the row of `cells` that lies nearest in the same well."""
    found = []
    for well, drawn in truth.groupby("well"):
        in_well = cells[cells["well"] == well]
        tree = cKDTree(in_well[["y_um", "x_um"]])
        distance_um, nearest = tree.query(drawn[["y_um", "x_um"]])
        measured = in_well.iloc[nearest].add_prefix("found_").set_index(drawn.index)
        found.append(drawn.join(measured).assign(distance_um=distance_um))
    return pd.concat(found)


def test_every_nucleus_that_was_drawn_is_found_where_it_is(whole: Run) -> None:
    cells, truth = pd.read_parquet(whole.plate / "cells.parquet"), of_truth(whole, "nuclei")
    assert cells.groupby("well").size().to_dict() == truth.groupby("well").size().to_dict()
    pairs = matched(cells, truth)
    assert pairs["distance_um"].max() < 0.5  # a pixel
    ratio = pairs["found_area_um2"] / pairs["area_um2"]
    assert ratio.median() == pytest.approx(1, abs=0.05)
    assert ratio.between(0.8, 1.25).all()


def test_ratio_class_and_spots_follow_the_truth(whole: Run) -> None:
    cells, truth = pd.read_parquet(whole.plate / "cells.parquet"), of_truth(whole, "nuclei")
    pairs = matched(cells, truth)
    assert pairs["ratio"].corr(pairs["found_translocation"]) > 0.95
    clear = ~pairs["ratio"].between(1.4, 2.2)  # the cut between the classes is drawn at 1.85
    assert (pairs["class"] == pairs["found_class"])[clear].mean() > 0.9
    drawn, found = pairs["spot_count"].sum(), pairs["found_spot_count"].sum()
    assert found == pytest.approx(drawn, rel=0.15)


def test_wells_join_the_plate_map(whole: Run) -> None:
    wells = pd.read_parquet(whole.plate / "wells.parquet").set_index("well")
    plate_map = pd.read_csv(whole.folder / "plate_map.tsv", sep="\t").set_index("well")
    assert wells.index.tolist() == plate_map.index.tolist()
    assert wells["dose"].tolist() == plate_map["dose"].tolist()
    assert wells["n_cells"].to_dict()["C03"] == 0  # drawn empty: a well without cells is a result
    controls = wells.groupby("control")["translocation_normalised"].mean()
    assert controls["negative"] == pytest.approx(0, abs=1e-6)
    assert controls["positive"] == pytest.approx(100, abs=1e-6)


def test_the_plate_ends_verified_and_reported(whole: Run) -> None:
    assert pd.read_csv(whole.plate / "verified.tsv", sep="\t").empty
    assert pd.read_csv(whole.plate / "quarantine.tsv", sep="\t").empty
    assert "</html>" in (whole.plate / "report.html").read_text(encoding="utf-8")
    crate = json.loads((whole.plate / "ro-crate-metadata.json").read_text())["@graph"]
    named = {entity["name"] for entity in crate if entity["@type"] == "CreateAction"}
    ran = {path.name for path in (whole.plate / "blocks").iterdir()} - {"verify"}
    ran |= {"gather_plate", "profile_plate", "train_classifier"}
    assert named == ran  # neither denoising nor tracking was asked for


def test_every_rule_left_a_log_and_a_benchmark(whole: Run) -> None:
    kept = {kind: whole.plate.parent / kind for kind in ("logs", "benchmarks")}
    rules = {kind: {path.name for path in folder.iterdir()} for kind, folder in kept.items()}
    assert (
        rules["logs"] == rules["benchmarks"] >= {"inspect_plate", "segment_block", "write_report"}
    )
    logs = [path.read_text() for path in kept["logs"].rglob("*.log")]
    assert all("done" in text for text in logs)


def test_a_second_run_has_nothing_to_do(copy: Run) -> None:
    before = final_digests(copy)
    code, said = copy.attempt()
    assert code == 0
    assert "Nothing to be done" in said
    assert final_digests(copy) == before


@pytest.mark.parametrize(
    ("changes", "first", "kept"),
    [
        ({"segment": {"nuclei": {"min_area_um2": 30}}}, "segment_block", set()),
        (
            OTHER_RATIO,
            "measure_block",
            {"segment_block"},
        ),
        ({"profile": {"hit_threshold": 4}}, "profile_plate", {"segment_block", "measure_block"}),
    ],
    ids=["segment", "measure", "profile"],
)
def test_a_change_reaches_what_depends_on_it_alone(
    whole: Run, changes: dict, first: str, kept: set[str]
) -> None:
    plan = whole.plan(**changes)
    again, as_is = plan["update pending"], plan["no update"]
    assert {first, "profile_plate", "write_report"} <= again
    assert NEVER_TOUCHED | kept <= as_is
    assert not again & as_is


def test_a_misspelt_key_is_refused_by_name_before_any_job(whole: Run, tmp_path: Path) -> None:
    run = whole.fresh(tmp_path / "run")
    code, said = run.attempt(segment={"nuclei": {"min_area_um": 30}})
    assert code != 0
    assert "segment.nuclei.min_area_um" in said
    assert "did you mean 'segment.nuclei.min_area_um2'?" in said
    assert "Traceback" not in said
    assert not run.plate.exists()


def test_names_with_spaces_and_quotes_are_only_names(whole: Run, tmp_path: Path) -> None:
    odd = tmp_path / 'o\'clock; "two words" $HOME $(touch executed) & `touch executed`'
    parts = ("cellpipe", "config", "envs", "profiles", "rules", "scripts")
    for part in parts:
        shutil.copytree(ROOT / part, odd / "workflow" / part)
    shutil.copy(ROOT / "Snakefile", odd / "workflow")
    run = whole.fresh(odd / "run")
    run.workflow = odd / "workflow"
    images = run.folder / "day 1; Anna's $(touch executed)"
    (run.folder / "images").rename(images)
    sheet = run.folder / "plates.tsv"
    sheet.write_text(sheet.read_text().replace("P\timages", f"P\t{images.name}"))
    results = "out; $(touch executed) 'a b'"
    run.run(block_table("ingest").replace("results", results), results=results)
    run.plate = run.folder / results / "P"
    assert len(run.receipts("ingest")) == 6
    assert not list(tmp_path.rglob("executed"))


def test_a_table_whose_job_was_killed_before_its_record_is_made_again(
    copy: Run, whole: Run
) -> None:
    """Snakemake marks it as incomplete, and does not look at marks behind a checkpoint."""
    records = [
        copy.plate / "digests/measure_block/0000.json",
        copy.plate / "digests/gather_plate.json",
    ]
    for record in records:
        record.unlink()
    before = copy.receipts("measure")
    copy.run(CELLS)
    assert all(record.is_file() for record in records)
    assert copy.receipts("measure") == before
    assert final_digests(copy) == final_digests(whole)


def test_another_block_size_computes_no_frame_again(copy: Run, whole: Run) -> None:
    before = {stage: copy.receipts(stage) for stage in STAGES}
    copy.run(CELLS, blocks={"frames_per_block": 3})
    assert len(list((copy.plate / "blocks/segment").glob("*.parquet"))) == 2
    assert {stage: copy.receipts(stage) for stage in STAGES} == before
    assert final_digests(copy) == final_digests(whole)


def test_other_parameters_leave_nothing_old_behind(copy: Run, whole: Run, tmp_path: Path) -> None:
    """Cut short after a change, then changed back: the results are those of the first run."""
    copy.run(block_table("segment"), segment={"nuclei": {"min_area_um2": 150}})
    assert digests(copy.plate, ("*.zarr/**/nuclei/**/*",)) != digests(
        whole.plate, ("*.zarr/**/nuclei/**/*",)
    )
    copy.run(CELLS)
    assert final_digests(copy) == final_digests(whole)


def test_a_changed_file_is_ingested_again_alone(copy: Run) -> None:
    before = copy.receipts("ingest"), copy.receipts("segment")
    path = copy.folder / "images" / "B03_s1_w1.tif"
    image = tifffile.imread(path)
    image[:60] = image[-60:]
    tifffile.imwrite(path, image, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    copy.run(block_table("segment"))
    for stage, receipts in zip(("ingest", "segment"), before, strict=True):
        again = {unit for unit, was in copy.receipts(stage).items() if was != receipts[unit]}
        assert again == {"B03_f1_t0-1"}, stage


def test_a_new_field_is_ingested_alone(copy: Run) -> None:
    before = copy.receipts("ingest")
    for w in (1, 2, 3):
        images = copy.folder / "images"
        shutil.copy(images / f"B03_s1_w{w}.tif", images / f"B03_s2_w{w}.tif")
    copy.run(block_table("measure"))  # the folder's own time has changed
    after = copy.receipts("ingest")
    assert {unit: after[unit] for unit in before} == before
    assert set(after) - set(before) == {"B03_f2_t0-1"}
    cells = pd.read_parquet(copy.folder / block_table("measure"))
    counts = cells[cells["well"] == "B03"].groupby("field").size()
    assert counts[1] == counts[2]


def test_a_lost_chunk_is_found_and_the_remedy_mends_it(copy: Run, whole: Run) -> None:
    chunks = (copy.plate / "P.ome.zarr/B/04/1/labels/nuclei/0/c").rglob("*")
    next(path for path in chunks if path.is_file()).unlink()
    code, said = copy.attempt(VERIFIED, options=("--forcerun", "verify_block"))
    assert code != 0
    assert "B04 field 1" in said
    assert "cellpipe verify results/P" in said
    before = copy.receipts("segment")
    command = [sys.executable, "-m", "cellpipe", "verify", "results/P", "--mend", "--cores", "2"]
    command += ["--configfile", "config.yaml"]
    mended = copy.start(command)
    said, _ = mended.communicate(timeout=600)
    assert mended.returncode == 0, said
    assert "B04 field 1 frame 0, nuclei" in said
    again = {unit for unit, was in copy.receipts("segment").items() if was != before[unit]}
    assert again == {"B04_f1_t0-1"}
    assert final_digests(copy) == final_digests(whole)
