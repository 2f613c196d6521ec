"""Movies of a plate against truths in different formats: a row each, and means with notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_true_movies import (
    N_FRAMES,
    PIXEL_UM,
    SHAPE,
    cells,
    frames,
    told_in_ctc,
    told_in_geff,
    told_in_trackmate,
)

from cellpipe.errors import CellpipeError
from cellpipe.evaluate.judging import judge_images, plot_curve, score_table
from cellpipe.evaluate.judging_movies import Movie, judge_movies, summarise_movies
from cellpipe.evaluate.truth import true_frames
from cellpipe.exports.ctc import write_ctc

MOVIES = [Movie(well, 1, N_FRAMES, SHAPE) for well in ("B03", "B04", "C05")]


def told(truth: Path, well: str, tell) -> None:
    """A truth told of B03, brought under another well's name."""
    tell(truth / well)
    for path in (truth / well).iterdir():
        path.rename(truth / path.name.replace("B03", well))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    for well, tell in (("B03", told_in_ctc), ("B04", told_in_trackmate)):
        (tmp_path / "truth" / well).mkdir(parents=True)
        told(tmp_path / "truth", well, tell)
    return tmp_path / "truth"


def results(folder: Path) -> Path:
    """Perfect tracks of B03; of B04 without the division."""
    for well in ("B03", "B04", "C05"):
        links = cells().assign(parent_track_id=0) if well == "B04" else cells()
        write_ctc(folder / f"{well}_1_RES", frames(), links)
    return folder


def test_a_row_per_movie_with_truth_and_means_with_notes(truth: Path, tmp_path: Path) -> None:
    movies = judge_movies(truth, results(tmp_path / "ctc"), MOVIES, PIXEL_UM)
    assert movies[["well", "field"]].to_numpy().tolist() == [["B03", 1], ["B04", 1]]
    assert movies["division_f1_1"].tolist() == [1, 0]
    scores, notes = summarise_movies(movies)
    assert scores["division_f1_1"] == 0.5
    assert scores["SEG"] == 1  # of B03: TrackMate's spots have no outlines
    assert notes["SEG"] == "mean of 1 of 2 movies; the others have none"
    assert notes["division_precision_0"].startswith("mean of 1 of 2")
    assert notes["CCA"] == "the truth has no cell from birth to division"
    assert np.isnan(scores["CCA"])
    assert "LNK" not in notes


def test_faults_name_the_movie(truth: Path, tmp_path: Path) -> None:
    long = [Movie("B04", 1, 3, SHAPE)]
    with pytest.raises(CellpipeError, match=r"movie B04_1: .*frame 0 to 5"):
        judge_movies(truth, results(tmp_path / "ctc"), long, PIXEL_UM)


def test_no_movie_with_truth(tmp_path: Path) -> None:
    movies = judge_movies(tmp_path, tmp_path, MOVIES, PIXEL_UM)
    assert movies.empty
    assert summarise_movies(movies) == ({}, {})


def test_tracks_alone_leave_an_evaluation_without_images(tmp_path: Path) -> None:
    told_in_trackmate(tmp_path)
    assert true_frames(tmp_path, "B03", 1, "nuclei") == {}
    images = judge_images([], None)
    table = score_table(images, {"TRA": 1.0})
    assert table["score"].tolist() == ["TRA"]
    plot_curve(images, tmp_path / "ap.svg")
    assert "svg" in (tmp_path / "ap.svg").read_text()
    images.to_csv(tmp_path / "images.tsv", sep="\t", index=False)
    assert pd.read_csv(tmp_path / "images.tsv", sep="\t").empty


@pytest.mark.parametrize("tell", [told_in_ctc, told_in_geff])
def test_outlines_of_a_true_movie_are_true_labels(tmp_path: Path, tell) -> None:
    tell(tmp_path)
    if tell is told_in_ctc:  # outlines of two frames; all else is markers
        markers = [(t, labels * (np.arange(SHAPE[0]) == 8)[:, None]) for t, labels in frames()]
        write_ctc(tmp_path / "B03_1_GT" / "TRA", markers, cells(), kind="truth")
        for t in (0, 2, 3, 5):
            (tmp_path / "B03_1_GT" / "SEG" / f"man_seg{t:03d}.tif").unlink()
    found = true_frames(tmp_path, "B03", 1, "nuclei")
    assert sorted(found) == ([1, 4] if tell is told_in_ctc else list(range(N_FRAMES)))
    for t, read in found.items():
        np.testing.assert_array_equal(read(), frames()[t][1])


def test_a_movie_whose_tracks_were_not_exported_has_no_scores(truth: Path, tmp_path: Path) -> None:
    ctc = results(tmp_path / "ctc")
    (ctc / "B04_1_RES").rename(ctc / "B04_1_refused")
    movies = judge_movies(truth, ctc, MOVIES, PIXEL_UM).set_index("well")
    assert movies["note"].fillna("").str.contains("not scored").to_dict() == {
        "B03": False,
        "B04": True,
    }
    scores, notes = summarise_movies(movies.reset_index())
    assert scores["division_f1_1"] == 1
    assert notes["division_f1_1"] == "mean of 1 of 2 movies; the others have none"


def test_frames_without_files_after_the_truth_s_last_are_not_judged(
    truth: Path, tmp_path: Path
) -> None:
    ctc = results(tmp_path / "ctc")
    wanted = judge_movies(truth, ctc, MOVIES[:1], PIXEL_UM)
    none = np.zeros(SHAPE, np.uint32)
    longer = [*frames(), (N_FRAMES, none), (N_FRAMES + 1, none)]
    write_ctc(ctc / "B03_1_RES", longer, cells())
    movies = [Movie("B03", 1, N_FRAMES + 2, SHAPE)]
    pd.testing.assert_frame_equal(judge_movies(truth, ctc, movies, PIXEL_UM), wanted)
    seen = np.zeros(SHAPE, np.uint32)
    seen[5:9, 5:9] = 1
    more = pd.DataFrame({"t": [N_FRAMES], "label": 1, "track_id": 99, "parent_track_id": 0})
    write_ctc(ctc / "B03_1_RES", [*frames(), (N_FRAMES, seen)], pd.concat([cells(), more]))
    with pytest.raises(CellpipeError, match="frames in"):
        judge_movies(truth, ctc, movies, PIXEL_UM)
