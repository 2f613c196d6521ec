"""Perfect tracks score 1, and each planted fault lowers the score that is there to see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import CellpipeError
from cellpipe.formats.ctc import write_ctc, write_seg
from cellpipe.metrics.tracks import CTC_SCORES, score_tracking

N_FRAMES = 8


def lineage() -> pd.DataFrame:
    """Tracks 1 and 2 side by side; 3 divides at t = 3 into 4 and 5. Label = track."""
    spans = {1: (0, 7, 0), 2: (0, 7, 0), 3: (0, 3, 0), 4: (4, 7, 3), 5: (4, 7, 3)}
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
        labels = np.zeros((16, 64), np.uint32)
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
    unlike = {name for name, score in scores.items() if score != 1}
    assert unlike == {"CCA"}  # NaN: no cell is seen from birth to division
    assert [scores[f"division_f1_{n}"] for n in (0, 1)] == [1, 1]


def test_a_swap_of_two_cells_lowers_links_and_not_detections(truth: Path) -> None:
    links = lineage()
    late = links["t"] >= 4
    links.loc[late, "track_id"] = links.loc[late, "track_id"].replace({1: 2, 2: 1})
    scores = scored(truth, links, squares(links))
    assert scores["DET"] == scores["SEG"] == 1
    assert scores["LNK"] < 0.9
    assert scores["TRA"] < 1
    assert scores["CT"] == pytest.approx(3 / 5)  # of five true tracks two are torn
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
    assert scores["division_f1_0"] == 0
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
    assert set(scores.values()) == {0}


def test_faults_are_named(truth: Path) -> None:
    links = lineage()
    write_ctc(truth.parent / "01_RES", squares(links)[:4], links.query("t < 4"))
    with pytest.raises(CellpipeError, match="4 frames"):
        score_tracking(truth, truth.parent / "01_RES")
    write_ctc(truth.parent / "01_RES", squares(links), links)
    table = truth.parent / "01_RES" / "res_track.txt"
    table.write_text(table.read_text().replace("1 0 7 0", "1 0 6 0"))
    with pytest.raises(CellpipeError, match="not in res_track"):
        score_tracking(truth, truth.parent / "01_RES")
    write_ctc(truth / "TRA", squares(links.iloc[:0]), links.iloc[:0], kind="truth")
    with pytest.raises(CellpipeError, match="no tracks"):
        score_tracking(truth, truth.parent / "01_RES")
