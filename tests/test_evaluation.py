"""Judging from end to end: truth in each of its forms, tables, curve, pictures of the worst."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_plate import inspected, laid_out
from PIL import Image

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.evaluate.judged_folders import judged_folders
from cellpipe.evaluate.judging import (
    JudgedImage,
    gallery,
    judge_images,
    plot_curve,
    plot_worst,
    score_table,
)
from cellpipe.evaluate.label_folders import paired_files, read_labels
from cellpipe.evaluate.truth import true_frames
from cellpipe.exports.ctc import write_ctc
from cellpipe.figures.evaluation import BOTH, FOUND, TRUTH, picture_of_errors, worst_window
from cellpipe.report import ReportContent, WorstImage, render_report

ROOT = Path(__file__).parents[1]


def squares(*corners: tuple[int, int], shape: tuple[int, int] = (64, 80)) -> np.ndarray:
    """Squares of 10 × 10 pixels, numbered from 1."""
    labels = np.zeros(shape, np.uint16)
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + 10, x : x + 10] = number
    return labels


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_truth_is_a_label_layer_of_a_plate(version: str, tmp_path: Path) -> None:
    found = inspected({"B03": [(2, 1, 1, 64, 80)], "C04": [(2, 1, 1, 64, 80)]})
    plate = laid_out(tmp_path, found, labels=["drawn"], ngff_version=version)
    frames = [squares((3, 4)), squares((3, 5), (40, 60))]
    for t, labels in enumerate(frames):
        plate.write_labels("B03", 1, t, "drawn", labels)
    truth = true_frames(plate.path, "B03", 1, "nuclei", "drawn")
    assert list(truth) == [0, 1]
    for t, labels in enumerate(frames):
        np.testing.assert_array_equal(truth[t](), labels)
    assert true_frames(plate.path, "B03", 1, "drawn").keys() == {0, 1}
    assert true_frames(plate.path, "B03", 1, "nuclei") == {}
    assert true_frames(plate.path, "D09", 1, "drawn") == {}


def test_truth_is_a_folder(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "B03_1_nuclei.tif", squares((3, 4)))
    tifffile.imwrite(tmp_path / "B03_1_cells.tif", squares((3, 4), (30, 4)))
    links = pd.DataFrame({"t": [0, 1], "label": [1, 1], "track_id": [1, 1]})
    movie = [(t, squares((3, 4 + t))) for t in range(2)]
    write_ctc(tmp_path / "C04_1_GT/TRA", movie, links.assign(parent_track_id=0), kind="truth")
    assert true_frames(tmp_path, "B03", 1, "nuclei")[0]().max() == 1
    assert true_frames(tmp_path, "B03", 1, "cells")[0]().max() == 2
    movie_truth = true_frames(tmp_path, "C04", 1, "nuclei")
    np.testing.assert_array_equal(movie_truth[1](), movie[1][1])
    assert true_frames(tmp_path, "C04", 1, "cells") == {}
    assert true_frames(tmp_path, "B03", 2, "nuclei") == {}


def test_scores_of_several_objects_stand_apart() -> None:
    labels = squares((3, 4), (30, 4))

    def image(kind: str, found: np.ndarray) -> JudgedImage:
        return JudgedImage({"well": "B03", "object": kind}, lambda: labels, lambda: found)

    half = np.where(labels == 1, 1, 0)
    table = judge_images([image("nuclei", labels), image("cells", half)], None)
    scores = score_table(table, {"TRA": 0.9}).set_index("score")
    assert scores.loc["ap_0.5", "value"] == 1
    assert scores.loc["cells_ap_0.5"].tolist() == [0.5, 0.5]
    assert scores.loc["cells_n_missed", "pooled"] == 1
    assert scores.loc["TRA", "value"] == 0.9
    assert "boundary_mean_um" not in scores.index


def test_tracks_may_be_all_that_is_known(tmp_path: Path) -> None:
    images = judge_images([], 0.5)
    assert score_table(images, {"TRA": 0.9})["score"].tolist() == ["TRA"]
    plot_curve(images, tmp_path / "ap.svg")
    plot_worst([], images, tmp_path / "worst", n_worst=3)
    assert list((tmp_path / "worst").iterdir()) == []
    images.to_csv(tmp_path / "images.tsv", sep="\t", index=False)
    read = pd.read_csv(tmp_path / "images.tsv", sep="\t")
    page = render_report(ReportContent(plate="P", evaluation={"TRA": 0.9}, judged=read))
    assert "<dt>TRA</dt>" in page
    assert "Average precision" not in page


def test_an_image_that_cannot_be_judged_is_named() -> None:
    small = JudgedImage(
        {"well": "B03", "field": 2, "t": 0, "object": "nuclei"},
        lambda: squares((3, 4)),
        lambda: squares((3, 4), shape=(32, 32)),
    )
    with pytest.raises(CellpipeError, match=r"well B03 field 2 t 0 nuclei: .*64, 80.*32, 32"):
        judge_images([small], None)


def test_the_picture_shows_what_was_missed_in_the_colour_of_the_truth() -> None:
    truth, found = np.zeros((2, 900, 900), int)
    truth[100:130, 100:130], found[100:130, 100:130] = 1, 5  # agrees
    truth[700:730, 640:670] = 2  # missed
    found[650:670, 600:620] = 9  # invented
    rows, columns = worst_window(truth, found)
    assert truth[rows, columns].max() == 2
    assert found[rows, columns].max() == 9
    pixels = np.random.default_rng(0).poisson(100, truth.shape)
    picture = picture_of_errors(pixels, truth, found)
    assert picture.shape == (768, 768, 3)
    y, x = 2 * (700 - rows.start), 2 * (655 - columns.start)
    assert picture[y, x].tolist() == colour(TRUTH)
    y, x = 2 * (650 - rows.start), 2 * (610 - columns.start)
    assert picture[y, x].tolist() == colour(FOUND)
    agreed = picture_of_errors(None, truth[:200, :200], found[:200, :200])
    assert agreed[3 * 100, 3 * 115].tolist() == colour(BOTH)
    assert not (agreed == colour(TRUTH)).all(axis=2).any()


def colour(rgb: tuple[float, float, float]) -> list[int]:
    return [int(255 * c + 0.5) for c in rgb]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """truth/ (TIFF) and found/ (PNG): a is right, b misses one, c holds nothing and is right."""
    (tmp_path / "truth").mkdir()
    (tmp_path / "found").mkdir()
    right, both = squares((3, 4), (30, 40)), squares((20, 20), (40, 60))
    for name, truth, found in [("a", right, right), ("b", both, np.where(both == 1, 7, 0)),
                               ("c", right * 0, right * 0)]:  # fmt: skip
        tifffile.imwrite(tmp_path / f"truth/{name}.tif", truth)
        Image.fromarray(found.astype(np.uint8)).save(tmp_path / f"found/{name}.png")
    return tmp_path


def judge_folders(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "scripts/evaluate_labels.py"), "--out", "out", *options]
    words = ["--truth", "truth", "--found", "found"]
    return subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True)


def test_two_folders_are_judged_without_a_plate(folders: Path) -> None:
    done = judge_folders(folders, "--pixel-size-um", "0.5", "--pixels", "truth")
    assert done.returncode == 0, done.stderr
    images = pd.read_csv(folders / "out/images.tsv", sep="\t").set_index("image")
    assert images["ap_0.5"].to_dict() == {"a": 1.0, "b": 0.5, "c": 1.0}
    assert images.loc["b", "n_missed"] == 1
    scores = pd.read_csv(folders / "out/scores.tsv", sep="\t").set_index("score")
    assert scores.loc["ap_0.5", "value"] == pytest.approx(2.5 / 3)
    assert scores.loc["ap_0.5", "pooled"] == 3 / 4
    assert scores.loc["boundary_mean_um", "value"] == 0
    assert [path.name for path in (folders / "out/worst").iterdir()] == ["1_labels_b.png"]
    assert "<svg" in (folders / "out/ap.svg").read_text()


def test_the_gallery_on_the_page_is_that_of_the_folder(folders: Path) -> None:
    judged = judged_folders(folders / "truth", folders / "found")
    table = judge_images(judged, 0.5)
    plot_worst(judged, table, folders / "worst", n_worst=5)
    (picture,) = gallery(table, folders / "worst")
    assert picture[:2] == ("labels b", "F1@0.5 0.67, mean F1 0.67; of 2: 1 missed")
    scores = score_table(table, {"TRA": 0.987})
    content = ReportContent(
        plate="P",
        evaluation=dict(zip(scores["score"], scores["value"], strict=True)),
        judged=table,
        worst=[WorstImage(*picture)],
    )
    page = render_report(content)
    assert "of 2: 1 missed" in page
    assert page.count("data:image/webp") == 1
    assert page.count("<polyline") == 2  # mean and pooled
    tiles = page[page.index('<section id="truth">') :]
    tiles = tiles[: tiles.index("</dl>")]
    assert re.findall("<dt>(.*?)</dt>", tiles) == [
        "AP@0.5",
        "AP@0.75",
        "F1@0.5",
        "PQ",
        "SEG",
        "TRA",
    ]
    assert "0.987" in tiles


def test_a_label_image_that_is_missing_is_named(folders: Path) -> None:
    (folders / "found/b.png").unlink()
    with pytest.raises(BadConfig, match=r"no b in .*found \(1 of 3 images are missing\)"):
        judged_folders(folders / "truth", folders / "found")


def test_pixels_may_be_there_for_some_images(folders: Path) -> None:
    (folders / "pixels").mkdir()
    tifffile.imwrite(folders / "pixels/b.tif", squares((3, 4)))
    given = judged_folders(*(folders / name for name in ("truth", "found", "pixels")))
    assert [image.pixels() is None for image in given] == [True, False, True]


def test_what_is_no_folder_of_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no folder"):
        paired_files(tmp_path / "absent")
    with pytest.raises(BadConfig, match="no image in"):
        paired_files(tmp_path)
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 0.5, np.float32))
    with pytest.raises(CellpipeError, match="not whole"):
        read_labels(tmp_path / "a.tif")
    Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(BadConfig, match="one image of each name"):
        paired_files(tmp_path)
