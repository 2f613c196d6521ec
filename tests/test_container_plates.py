"""Plates of .nd2 files and truths of COCO through the whole workflow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from made_nd2 import write_nd2
from running import PLATE, whole_plate


def run_lengths(mask: np.ndarray) -> list[int]:
    """Column by column, the first of background."""
    flat = np.concatenate([[False], mask.T.ravel()])
    runs = np.diff(np.flatnonzero(np.diff(flat)), prepend=0).tolist()
    return [*runs, mask.size - sum(runs)]


def as_coco(truth: Path, images: Path) -> dict:
    """The label images B03_1_nuclei.tif of a truth, as annotations of the images of nuclei."""
    content: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}]}
    for number, path in enumerate(sorted(truth.glob("*_nuclei.tif"))):
        well, field, _ = path.stem.split("_")
        labels = tifffile.imread(path)
        (name,) = (p.name for p in images.glob(f"*{well}_s{field}_w1*"))
        content["images"].append(
            {"id": number, "file_name": name, "height": labels.shape[0], "width": labels.shape[1]}
        )
        content["annotations"] += [
            {"image_id": number, "category_id": 1,
             "segmentation": {"size": list(labels.shape), "counts": run_lengths(labels == one)}}
            for one in np.unique(labels[labels > 0])
        ]  # fmt: skip
    return content


@pytest.mark.slow
def test_a_plate_of_nd2_files_gives_what_the_same_pixels_give_as_tiff(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Names of files name the wells; pixel size and channels come from the files."""
    tiff = whole_plate(tmp_path_factory)
    nd2 = tiff.fresh(tmp_path / "nd2")
    nd2.config = {**PLATE, "ingest": {}}
    by_field: dict[str, list[np.ndarray]] = {}
    for path in sorted((nd2.folder / "images").glob("*.tif")):
        by_field.setdefault(path.stem.rpartition("_")[0], []).append(tifffile.imread(path))
        path.unlink()
    for name, planes in by_field.items():
        pixels = np.stack(planes)[None, None, None]
        channels = [str(k + 1) for k in range(len(planes))]
        write_nd2(nd2.folder / f"images/{name}.nd2", pixels, channels, pixel_um=0.5)
    sheet = nd2.folder / "plates.tsv"
    sheet.write_text(sheet.read_text().replace("drawn", "nd2"))
    nd2.run("results/P/cells.parquet")
    own, other = (pd.read_parquet(run.plate / "cells.parquet") for run in (nd2, tiff))
    pd.testing.assert_frame_equal(own, other)
    inspection = json.loads((nd2.plate / "inspection.json").read_text())
    assert inspection["pixel_size_source"].startswith("axesCalibration of ")
    assert inspection["files"]["n"] == inspection["files"]["used"] == len(by_field)


@pytest.mark.slow
def test_colour_images_give_what_their_channels_give_as_grey_images(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    grey = whole_plate(tmp_path_factory)
    channels = {
        name: {"source": colour}
        for name, colour in zip(PLATE["channels"], ("blue", "red", "green"), strict=True)
    }
    ingest = {**PLATE["ingest"], "colour_images": "channels"}
    colour = grey.fresh(tmp_path / "colour")
    of_names = {"drawn": {"pattern": r"(?P<well>[A-Z]\d\d)_s(?P<field>\d+)\.tif"}}
    colour.config = {**PLATE, "channels": channels, "ingest": ingest, "layouts": of_names}
    images = colour.folder / "images"
    for field in sorted({path.stem.rpartition("_")[0] for path in images.glob("*.tif")}):
        blue, red, green = (tifffile.imread(images / f"{field}_w{k}.tif") for k in (1, 2, 3))
        for k in (1, 2, 3):
            (images / f"{field}_w{k}.tif").unlink()
        pixels = np.stack([red, green, blue], axis=-1)
        tifffile.imwrite(images / f"{field}.tif", pixels, photometric="rgb")
    colour.run("results/P/cells.parquet")
    own, other = (pd.read_parquet(run.plate / "cells.parquet") for run in (colour, grey))
    pd.testing.assert_frame_equal(own, other)


@pytest.mark.slow
def test_annotations_of_coco_score_as_the_labels_they_were_made_of(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = whole_plate(tmp_path_factory).copied(tmp_path / "run")
    content = as_coco(run.folder / "truth", run.folder / "images")
    assert content["annotations"]
    (run.folder / "truth.json").write_text(json.dumps(content))
    sheet = run.folder / "plates.tsv"
    head, row = sheet.read_text().splitlines()
    scores = []
    for truth in ("truth", "truth.json"):
        sheet.write_text(f"{head}\ttruth\n{row}\t{truth}\n")
        run.run("results/P/evaluation/scores.tsv")
        table = pd.read_csv(run.plate / "evaluation/scores.tsv", sep="\t", index_col="score")
        scores.append(table[["value", "pooled"]])
    both = scores[0].index.intersection(scores[1].index)
    assert "ap_0.5" in both
    of_nuclei = [name for name in both if not name.startswith(("cells", "class", "spot"))]
    pd.testing.assert_frame_equal(scores[0].loc[of_nuclei], scores[1].loc[of_nuclei])
