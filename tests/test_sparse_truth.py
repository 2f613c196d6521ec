"""Truths that cannot bear every score: some cells outlined, markers, masks, no spots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from test_evaluation import squares

from cellpipe.errors import CellpipeError
from cellpipe.evaluate.judged_folders import judged_folders
from cellpipe.evaluate.judging import (
    JudgedImage,
    judge_images,
    plot_curve,
    plot_worst,
    score_notes,
    score_table,
)
from cellpipe.evaluate.judging_spots import judge_spots
from cellpipe.evaluate.marked_cells import completeness, unused_truth
from cellpipe.exports.ctc import write_ctc
from cellpipe.metrics.overlap import overlap
from cellpipe.metrics.truths import why_markers, why_no_labels
from cellpipe.report import ReportContent, render_report

ALL = squares((3, 4), (30, 40), (45, 60), (10, 60))
SOME = np.where(ALL == 2, 0, ALL)


def image(truth: np.ndarray, found: np.ndarray = ALL, t: int = 0, **known) -> JudgedImage:
    place = {"well": "B03", "field": 1, "t": t, "object": "nuclei"}
    return JudgedImage(place, lambda: truth, lambda: found, **known)


def gold(folder: Path) -> Path:
    """A movie of two frames as the challenge gives it: four cells marked, three outlined in t 1."""
    movie = folder / "B03_1_GT"
    links = pd.DataFrame([(t, label) for t in (0, 1) for label in (1, 2, 3, 4)])
    links = links.set_axis(["t", "label"], axis=1).assign(parent_track_id=0)
    links["track_id"] = links["label"]
    write_ctc(movie / "TRA", [(0, ALL), (1, ALL)], links, kind="truth")
    (movie / "SEG").mkdir()
    tifffile.imwrite(movie / "SEG/man_seg001.tif", SOME)
    return movie


def test_outlines_of_some_cells_leave_empty_what_counts_false_objects() -> None:
    images = judge_images([image(SOME, n_marked=4), image(ALL, t=1, n_marked=4)], 0.5)
    assert images["note"].tolist() == ["outlines of 3 of 4 marked cells", ""]
    empty = images.iloc[0][["ap_0.5", "f1_mean", "pq", "rq", "aji", "dice", "precision_0.5"]]
    assert empty.isna().all()
    assert np.isnan(images["n_false"].iloc[0])
    kept = images.iloc[0][["seg", "recall_0.5", "sq"]]
    assert (kept == 1).all()
    scores, notes = score_table(images, {}).set_index("score"), score_notes(images)
    assert scores.loc["ap_0.5"].tolist() == [1, 1]  # of the other image alone
    assert scores.loc["n_missed", "pooled"] == 0
    assert notes["ap_0.5"].startswith("mean of 1 of 2 images: the truth outlines some cells only")
    assert "seg" not in notes


def test_a_truth_of_some_cells_only_has_no_curve(tmp_path: Path) -> None:
    images = judge_images([image(SOME, n_marked=4)], None)
    scores = score_table(images, {}).set_index("score")["value"]
    assert np.isnan(scores["ap_0.5"])
    assert scores["seg"] == 1
    plot_curve(images, tmp_path / "ap.svg")
    plot_worst([image(SOME)], images, tmp_path / "worst", n_worst=3)
    notes = score_notes(images)
    page = render_report(
        ReportContent(plate="P", evaluation=scores.to_dict(), evaluation_notes=notes, judged=images)
    )
    assert "outlines of 3 of 4 marked cells" in page
    assert "Average precision" not in page


def test_what_the_config_says_of_the_truth_counts() -> None:
    assert np.isnan(judge_images([image(ALL)], None, sparse=True)["ap_0.5"][0])
    assert judge_images([image(SOME, n_marked=4)], None, sparse=False)["ap_0.5"][0] == 0.75


def test_markers_say_how_many_cells_there_are(tmp_path: Path) -> None:
    gold(tmp_path)
    known = completeness(tmp_path, "B03", 1, n_frames=2)
    assert known.n_marked == {0: 4, 1: 4}
    assert not known.maybe_markers
    (tmp_path / "B03_1_GT/TRA/man_track.txt").unlink()
    for path in (tmp_path / "B03_1_GT/TRA").iterdir():
        path.unlink()
    (tmp_path / "B03_1_GT/TRA").rmdir()
    assert "outlines of 1 of 2 frames" in completeness(tmp_path, "B03", 1, n_frames=2).reason


def test_a_folder_seg_beside_tra_is_known_to_be_sparse(tmp_path: Path) -> None:
    movie = gold(tmp_path)
    (tmp_path / "found").mkdir()
    tifffile.imwrite(tmp_path / "found/man_seg001.tif", ALL)
    images = judge_images(judged_folders(movie / "SEG", tmp_path / "found"), None)
    assert np.isnan(images["ap_0.5"][0])
    assert images["seg"][0] == 1


def test_what_does_not_fit_is_named_and_the_rest_is_scored() -> None:
    images = judge_images(
        [image(ALL), image(ALL, found=ALL[:32], t=1), image(ALL, t=2, absent="not imaged")], None
    )
    assert images["note"].str.startswith("not scored").tolist() == [False, True, True]
    scores = score_table(images, {}).set_index("score")["value"]
    assert scores[["ap_0.5", "n_images", "n_images_not_scored"]].tolist() == [1, 1, 2]
    assert "64, 80" in score_notes(images)["n_images_not_scored"]


def test_a_mask_is_no_truth_of_objects() -> None:
    mask = np.where(ALL > 0, 255, 0)
    assert "4 separate pieces under the value 255: a mask" in why_no_labels(mask)
    with pytest.raises(CellpipeError, match="a mask, not a label per object"):
        judge_images([image(mask)], None)
    classes = np.where(ALL > 2, 2, np.minimum(ALL, 1))
    assert "classes of pixels" in why_no_labels(classes)
    for labels in (ALL, np.where(ALL == 1, 255, 0), ALL * 0):
        assert why_no_labels(labels) == ""


def test_markers_are_no_outlines() -> None:
    markers = ALL.copy()
    markers[:, 1::2] = 0
    markers[1::2] = 0
    assert "25% of the area" in why_markers(overlap(markers, ALL))
    assert why_markers(overlap(ALL, ALL)) == ""
    with pytest.raises(CellpipeError, match="markers"):
        judge_images([image(markers, maybe_markers=True)], None)


def test_truth_that_the_plate_lacks_is_named(tmp_path: Path) -> None:
    gold(tmp_path)
    tifffile.imwrite(tmp_path / "B03_1_GT/SEG/man_seg_000_012.tif", SOME)
    for name in ("B03_1_nuclei.tif", "B03_1_nucleus.tif", "D09_1_nuclei.tif"):
        tifffile.imwrite(tmp_path / name, ALL)
    (tmp_path / "spots.tsv").write_text("well\tfield\ty_um\tx_um\n")
    unused = unused_truth(tmp_path, {("B03", 1)}, ["B03_1_nuclei.tif"])
    assert unused == [
        "B03_1_GT/SEG/man_seg_000_012.tif",
        "B03_1_nucleus.tif",
        "D09_1_nuclei.tif",
    ]


FRAMES = {("B02", 1, 0), ("B03", 1, 0), ("B04", 1, 0)}
NONE = pd.DataFrame(columns=["well", "field", "t", "y_um", "x_um"])


def spots(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["well", "y_um", "x_um"]).assign(field=1, t=0)


def test_no_spots_found_is_a_score() -> None:
    scores, notes = judge_spots(NONE, spots(("B02", 1.0, 1.0), ("B03", 2.0, 2.0)), FRAMES, 1.0)
    assert scores["spots_recall"] == scores["spots_f1"] == 0
    assert np.isnan(scores["spots_precision"])
    assert notes["spots_precision"] == "no spots were found"
    assert scores["spots_n_frames"] == 2
    assert "1 frames of the plate are not in spots.tsv" in notes["spots_n_frames"]


def test_a_field_without_spots_and_none_found_says_so() -> None:
    scores, notes = judge_spots(NONE, spots(("B02", np.nan, np.nan)), FRAMES, 1.0)
    assert np.isnan(scores["spots_f1"])
    assert notes["spots_f1"] == "the truth has no spots, and none were found"
    false = spots(("B02", 1.0, 1.0))
    assert judge_spots(false, spots(("B02", np.nan, np.nan)), FRAMES, 1.0)[0]["spots_f1"] == 0


def test_spots_of_frames_that_were_not_imaged_are_no_misses() -> None:
    true = spots(("B02", 1.0, 1.0), ("H12", 5.0, 5.0))
    scores, notes = judge_spots(spots(("B02", 1.0, 1.2)), true, FRAMES, 1.0)
    assert scores["spots_recall"] == 1
    assert "H12 field 1 t 0" in notes["spots_n_frames"]
    assert judge_spots(NONE, NONE, FRAMES, 1.0)[0]["spots_n_frames"] == 0


def test_stray_pixels_beside_a_label_are_no_pieces_of_a_mask() -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[4:24, 4:24], labels[30:50, 30:50] = 1, 2
    strays = labels.copy()
    strays[60, ::8] = 1
    assert why_no_labels(strays) == ""
    strays[55:62, 4:24] = 2  # a third of the larger piece
    strays[26:40, 4:24] = 1
    assert "4 separate pieces under the value 1, 2: classes of pixels" in why_no_labels(strays)
