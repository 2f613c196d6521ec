"""Perfect tracks score 1, and each planted fault lowers the score that is there to see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.exports.ctc import write_ctc, write_seg
from cellpipe.metrics.tracks import CTC_SCORES, score_tracking, why_empty

N_FRAMES = 12


def lineage() -> pd.DataFrame:
    """Two alone, and a family of two generations. Label = track.

    t   0 … 3   4 … 8   9 … 11
        1 1 1   1 1 1   1 1 1
        2 2 2   2 2 2   2 2 2
        3 3 3   4 4 4   6 6 6
                        7 7 7
                5 5 5   5 5 5
    """
    spans = {
        **{1: (0, 11, 0), 2: (0, 11, 0), 3: (0, 3, 0)},
        **{4: (4, 8, 3), 5: (4, 11, 3), 6: (9, 11, 4), 7: (9, 11, 4)},
    }
    rows = [
        (t, track, track, parent)
        for track, (start, end, parent) in spans.items()
        for t in range(start, end + 1)
    ]
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])


def squares(links: pd.DataFrame, skip: tuple[int, int] = (-1, -1)) -> list[tuple[int, np.ndarray]]:
    """Frames with one 8 × 8 square per label, without the (t, label) `skip`."""
    frames = []
    for t in range(N_FRAMES):
        labels = np.zeros((16, 80), np.uint32)
        for label in links.loc[links["t"] == t, "label"]:
            if (t, label) != skip:
                labels[4:12, 10 * label : 10 * label + 8] = label
        frames.append((t, labels))
    return frames


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    write_ctc(tmp_path / "01_GT" / "TRA", squares(lineage()), lineage(), kind="truth")
    write_seg(tmp_path / "01_GT" / "SEG", squares(lineage()))
    return tmp_path / "01_GT"


def scored(truth: Path, links: pd.DataFrame, frames: list[tuple[int, np.ndarray]]) -> dict:
    result = truth.parent / "01_RES"
    write_ctc(result, frames, links)
    return score_tracking(truth, result)


def test_perfect_tracks_score_one(truth: Path) -> None:
    scores = scored(truth, lineage(), squares(lineage()))
    assert set(CTC_SCORES) < set(scores)
    assert set(scores.values()) == {1}
    assert why_empty(scores) == {}


def without_second_division(links: pd.DataFrame) -> pd.DataFrame:
    return links.assign(parent_track_id=links["parent_track_id"].replace({4: 0}))


def with_swap(links: pd.DataFrame) -> pd.DataFrame:
    late = links["t"] >= 6
    return links.assign(track_id=links["track_id"].mask(late, links["track_id"].replace(SWAP)))


def without_a_cell(links: pd.DataFrame) -> pd.DataFrame:
    return links[links["track_id"] != 2]


SWAP = {1: 2, 2: 1}
DETECTIONS = {"SEG", "DET"}
DIVISIONS = {
    *("BC(0)", "BC(1)", "BC(2)", "BC(3)", "CCA"),
    *(f"division_{kind}_{n}" for kind in ("recall", "f1") for n in (0, 1)),
}
PRECISION = {"division_precision_0", "division_precision_1"}
ALWAYS = {"TRA", "LNK", "OP_CTB", "OP_CLB(0)", "OP_CLB(1)", "CHOTA"}


@pytest.mark.parametrize(
    ("err", "lowered"),
    [
        # daughters without a mother are whole tracks all the same
        (without_second_division, ALWAYS | DIVISIONS),
        (with_swap, ALWAYS | {"CT", "TF", "IDF1"}),
        # TF is of the tracks that were found at all
        (without_a_cell, ALWAYS | DETECTIONS | {"CT", "IDF1"}),
    ],
)
def test_an_error_lowers_the_scores_that_are_there_to_see_it(
    truth: Path, err: Callable[[pd.DataFrame], pd.DataFrame], lowered: set[str]
) -> None:
    links = err(lineage())
    scores = scored(truth, links, squares(links))
    assert {name for name, score in scores.items() if score < 1} == lowered
    assert {name for name, score in scores.items() if score == 1} == set(scores) - lowered


def test_a_swap_of_two_cells_lowers_links_and_not_detections(truth: Path) -> None:
    links = lineage()
    late = links["t"] >= 4
    links.loc[late, "track_id"] = links.loc[late, "track_id"].replace({1: 2, 2: 1})
    scores = scored(truth, links, squares(links))
    assert scores["DET"] == scores["SEG"] == 1
    assert scores["LNK"] < 0.95
    assert scores["TRA"] < 1
    assert scores["CT"] == pytest.approx(5 / 7)  # of seven true tracks two are torn
    assert scores["division_f1_0"] == 1


def test_a_missed_cell_lowers_detections(truth: Path) -> None:
    links = lineage().query("not (t == 2 and label == 1)")
    scores = scored(truth, links, squares(links))
    assert scores["DET"] < 1
    assert scores["SEG"] == pytest.approx(1 - 1 / len(lineage()))


def test_a_late_division_counts_within_one_frame(truth: Path) -> None:
    links = lineage()
    # the mother goes on as daughter 4 for a frame, in which daughter 5 is not seen
    first = (links["t"] == 4) & (links["label"] == 4)
    links.loc[first, ["track_id", "parent_track_id"]] = (3, 0)
    links = links[~((links["t"] == 4) & (links["label"] == 5))]
    scores = scored(truth, links, squares(links))
    assert scores["division_f1_0"] == 0.5  # the other division is on time
    assert scores["division_f1_1"] == 1


def test_a_missed_division_is_no_division(truth: Path) -> None:
    links = lineage().assign(parent_track_id=0)
    scores = scored(truth, links, squares(links))
    assert scores["division_recall_1"] == 0
    assert scores["BC(1)"] == 0


def test_truth_without_outlines_has_no_seg(truth: Path) -> None:
    for path in (truth / "SEG").iterdir():
        path.unlink()
    scores = scored(truth, lineage(), squares(lineage()))
    assert np.isnan(scores["SEG"])
    assert np.isnan(scores["OP_CTB"])
    assert scores["TRA"] == 1


def test_nothing_found_scores_nothing(truth: Path) -> None:
    nothing = lineage().iloc[:0]
    scores = scored(truth, nothing, squares(nothing))
    assert {name for name, score in scores.items() if score != 0} == PRECISION
    assert set(why_empty(scores).values()) == {"no divisions were found"}
    assert set(scores) == set(scored(truth, lineage(), squares(lineage())))


def test_without_divisions_in_the_truth_what_speaks_of_them_is_empty_and_says_why(
    truth: Path,
) -> None:
    alone = lineage().query("track_id < 3")
    write_ctc(truth / "TRA", squares(alone), alone, kind="truth")
    write_seg(truth / "SEG", squares(alone))
    scores = scored(truth, alone, squares(alone))
    empty = why_empty(scores)
    assert set(empty) == DIVISIONS | PRECISION
    assert empty["BC(1)"] == empty["division_f1_0"] == "the truth has no divisions"
    assert {score for name, score in scores.items() if name not in empty} == {1}
    invented = lineage()  # divisions where there are none: as many false positives
    assert scored(truth, invented, squares(invented))["division_precision_1"] == 0


def test_a_movie_of_one_frame(truth: Path) -> None:
    one = lineage().query("t == 0")
    write_ctc(truth / "TRA", squares(one)[:1], one, kind="truth")
    write_seg(truth / "SEG", squares(one)[:1])
    scores = scored(truth, one, squares(one)[:1])
    assert scores["DET"] == scores["SEG"] == scores["TRA"] == 1
    assert why_empty(scores)["LNK"] == "the truth has no links"
    nothing = scored(truth, one.iloc[:0], squares(one.iloc[:0])[:1])
    assert np.isnan(nothing["LNK"])
    assert nothing["DET"] == 0


def test_frames_without_cells_first_last_and_between(truth: Path) -> None:
    links = lineage()
    links = links[~links["t"].isin([0, 1, 5, 6, 11])]
    write_ctc(truth / "TRA", squares(links), links, kind="truth")
    write_seg(truth / "SEG", squares(links))
    scores = scored(truth, links, squares(links))
    assert {score for score in scores.values() if np.isfinite(score)} == {1}
    assert scores["division_f1_0"] == 1
    # the truth goes on while the result is blind
    write_ctc(truth / "TRA", squares(lineage()), lineage(), kind="truth")
    blinded = scored(truth, links, squares(links))
    assert 0 < blinded["DET"] < 1
    assert 0 < blinded["LNK"] < 1


def test_markers_are_truth_enough_for_links_and_divisions(truth: Path) -> None:
    for path in (truth / "SEG").iterdir():
        path.unlink()
    markers = []
    for t, labels in squares(lineage()):
        inner = np.zeros_like(labels)
        inner[7:9] = labels[7:9]
        markers.append((t, inner))
    write_ctc(truth / "TRA", markers, lineage(), kind="truth")
    scores = scored(truth, lineage(), squares(lineage()))
    assert {score for score in scores.values() if np.isfinite(score)} == {1}
    assert scores["division_f1_0"] == 1


def test_faults_are_named(truth: Path) -> None:
    links = lineage()
    write_ctc(truth.parent / "01_RES", squares(links)[:4], links.query("t < 4"))
    with pytest.raises(CellpipeError, match="4 frames"):
        score_tracking(truth, truth.parent / "01_RES")
    write_ctc(truth.parent / "01_RES", squares(links), links)
    table = truth.parent / "01_RES" / "res_track.txt"
    table.write_text(table.read_text().replace("1 0 11 0", "1 0 10 0"))
    with pytest.raises(CellpipeError, match="not in res_track"):
        score_tracking(truth, truth.parent / "01_RES")
    smaller = [(t, labels[:, :78]) for t, labels in squares(links)]
    write_ctc(truth.parent / "01_RES", smaller, links)
    with pytest.raises(CellpipeError, match="16 × 78"):
        score_tracking(truth, truth.parent / "01_RES")
    write_ctc(truth.parent / "01_RES", squares(links), links)
    true_table = truth / "TRA" / "man_track.txt"
    true_table.write_text(true_table.read_text().replace("1 0 11 0", "1 0 10 0"))
    with pytest.raises(BadImage, match=r"man_track011\.tif: label 1 is in the mask alone"):
        score_tracking(truth, truth.parent / "01_RES")
    write_ctc(truth / "TRA", squares(links.iloc[:0]), links.iloc[:0], kind="truth")
    with pytest.raises(CellpipeError, match="no tracks"):
        score_tracking(truth, truth.parent / "01_RES")


def test_labels_that_would_wrap_in_16_bits_are_refused(truth: Path) -> None:
    one = lineage().query("t == 0 and track_id == 1")
    write_ctc(truth / "TRA", squares(one)[:1], one, kind="truth")
    write_ctc(truth.parent / "01_RES", squares(one)[:1], one)
    for folder, name in ((truth / "TRA", "man_track"), (truth.parent / "01_RES", "mask")):
        mask = tifffile.imread(folder / f"{name}000.tif") * np.uint16(40_000)
        tifffile.imwrite(folder / f"{name}000.tif", mask)
        table = "man_track.txt" if name == "man_track" else "res_track.txt"
        (folder / table).write_text("40000 0 0 0\n")
    with pytest.raises(CellpipeError, match="40000 and 40000"):
        score_tracking(truth, truth.parent / "01_RES")
