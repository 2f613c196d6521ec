"""Tracks written as Cell Tracking Challenge folders, read back, and accepted by its tools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.exports.ctc import write_ctc, write_seg
from cellpipe.readers.truth.ctc import read_ctc, read_mask
from cellpipe.readers.truth.ctc_rules import check_masks

# label of each cell in each frame (a column of the picture), "." where it is not seen
FAMILY = """
track 1  parent 0   1 1 . .  . .
track 2  parent 1   . . 2 2  2 2
track 3  parent 1   . . 1 1  1 1
track 7  parent 0   3 3 . 3  3 .
"""


def links_in(picture: str) -> pd.DataFrame:
    rows = []
    for line in picture.strip().split("\n"):
        _, track, _, parent, *labels = line.split()
        for t, label in enumerate(labels):
            if label != ".":
                rows.append((t, int(label), int(track), int(parent)))
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])


def frames_of(links: pd.DataFrame, n_frames: int = 6) -> Iterator[tuple[int, np.ndarray]]:
    """Every object as a square of its own, at a place that its label names."""
    for t in range(n_frames):
        labels = np.zeros((16, 64), np.uint32)
        for label in links.loc[links["t"] == t, "label"]:
            labels[4:12, 10 * label : 10 * label + 8] = label
        yield t, labels


def evaluate(result: Path, truth: Path, metrics: list[str]) -> dict:
    from ctc_metrics.scripts.evaluate import evaluate_sequence

    with contextlib.redirect_stdout(io.StringIO()):
        return evaluate_sequence(str(result), str(truth), metrics, threads=1)


def test_a_folder_with_tracks_of_its_own_is_not_passed_over_for_tra_in_it(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path, frames_of(links), links)
    write_ctc(tmp_path / "TRA", frames_of(links), links[links["track_id"] == 7])
    assert len(read_ctc(tmp_path).tracks) == 5
    assert len(read_ctc(tmp_path / "TRA").tracks) == 2


def test_table_names_parents_and_cuts_at_gaps(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path / "01_RES", frames_of(links), links)
    table = (tmp_path / "01_RES" / "res_track.txt").read_text()
    #     label first last parent; track 7 becomes 4 and, after its gap, 5
    assert table == "1 0 1 0\n2 2 5 1\n3 2 5 1\n4 0 1 0\n5 3 4 4\n"


def test_masks_hold_tracks_instead_of_labels(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path / "01_RES", frames_of(links), links)
    movie = read_ctc(tmp_path / "01_RES")
    assert [np.unique(labels).tolist() for _, labels in movie.labels()] == [
        [0, 1, 4],
        [0, 1, 4],
        [0, 2, 3],
        [0, 2, 3, 5],
        [0, 2, 3, 5],
        [0, 2, 3],
    ]
    for (t, tracked), (_, labels) in zip(movie.labels(), frames_of(links), strict=True):
        assert ((tracked > 0) == (labels > 0)).all(), t
    assert tifffile.imread(movie.frames[0]).dtype == np.uint16


def test_what_was_written_is_read(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    for kind, table in (("result", "res_track.txt"), ("truth", "man_track.txt")):
        write_ctc(tmp_path / kind / "TRA", frames_of(links), links, kind=kind)
        assert (tmp_path / kind / "TRA" / table).is_file()
        movie = read_ctc(tmp_path / kind)
        assert movie.tracks["parent_track_id"].tolist() == [0, 1, 1, 0, 4]
        assert len(movie.frames) == 6


def test_py_ctcmetrics_accepts_it_and_finds_itself_perfect(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path / "01_RES", frames_of(links), links)
    write_ctc(tmp_path / "01_GT" / "TRA", frames_of(links), links, kind="truth")
    write_seg(tmp_path / "01_GT" / "SEG", frames_of(links))
    scores = evaluate(
        tmp_path / "01_RES", tmp_path / "01_GT", ["Valid", "SEG", "DET", "TRA", "LNK"]
    )
    assert scores["Valid"] == 1
    assert [scores[k] for k in ("SEG", "DET", "TRA", "LNK")] == [1, 1, 1, 1]


def test_same_tracks_same_bytes(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    for name in ("one", "two"):
        write_ctc(tmp_path / name, frames_of(links), links.sample(frac=1, random_state=len(name)))
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_an_old_export_is_replaced_as_a_whole(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path / "01_RES", frames_of(links), links)
    short = links[links["t"] < 2]
    write_ctc(tmp_path / "01_RES", frames_of(short, 2), short)
    assert len(list((tmp_path / "01_RES").glob("*.tif"))) == 2


def test_a_fault_leaves_nothing_behind(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    wrong = pd.concat([links, pd.DataFrame([(2, 6, 9, 0)], columns=links.columns)])
    with pytest.raises(CellpipeError, match="label 6 in the table of frame 2"):
        write_ctc(tmp_path / "01_RES", frames_of(links), wrong)
    with pytest.raises(CellpipeError, match="cells in frame 3, but 3 frames"):
        write_ctc(tmp_path / "01_RES", frames_of(links, 3), links)
    with pytest.raises(CellpipeError, match="frame 1 after 0 frames"):
        write_ctc(tmp_path / "01_RES", list(frames_of(links))[1:], links)
    assert list(tmp_path.iterdir()) == []


def test_no_cells_at_all(tmp_path: Path) -> None:
    links = links_in(FAMILY).iloc[:0]
    write_ctc(tmp_path / "01_RES", frames_of(links), links)
    movie = read_ctc(tmp_path / "01_RES")
    assert len(movie.tracks) == 0
    assert all(labels.max() == 0 for _, labels in movie.labels())


def test_untracked_objects_are_left_out(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    links.loc[links["track_id"] == 7, "track_id"] = 0
    write_ctc(tmp_path / "01_RES", frames_of(links_in(FAMILY)), links)
    movie = read_ctc(tmp_path / "01_RES")
    assert movie.tracks["track_id"].tolist() == [1, 2, 3]
    assert max(labels.max() for _, labels in movie.labels()) == 3


def test_more_tracks_than_16_bits_are_refused(tmp_path: Path) -> None:
    n = 65_536
    links = pd.DataFrame({"t": 0, "label": np.arange(1, n + 1), "track_id": np.arange(1, n + 1)})
    labels = np.arange(1, n + 1, dtype=np.uint32).reshape(256, 256)
    with pytest.raises(CellpipeError, match=r"65536 tracks.*GEFF"):
        write_ctc(tmp_path / "01_RES", [(0, labels)], links.assign(parent_track_id=0))
    write_ctc(tmp_path / "01_RES", [(0, labels)], links.assign(parent_track_id=0).iloc[1:])
    assert read_mask(tmp_path / "01_RES" / "mask000.tif").max() == 65_535


def test_long_movies_sort_by_time(tmp_path: Path) -> None:
    links = pd.DataFrame({"t": [0, 1001], "label": 1, "track_id": [1, 2], "parent_track_id": 0})
    frames = ((t, np.full((2, 2), int(t in (0, 1001)), np.uint32)) for t in range(1002))
    write_ctc(tmp_path / "01_RES", frames, links)
    names = sorted(path.name for path in (tmp_path / "01_RES").glob("*.tif"))
    assert (names[0], names[-1]) == ("mask0000.tif", "mask1001.tif")
    assert [labels.max() for _, labels in read_ctc(tmp_path / "01_RES").labels()][-2:] == [0, 2]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither res_track.txt nor man_track.txt"),
        ({"res_track.txt": "1 0 1 0\n"}, "no mask000.tif"),
        ({"res_track.txt": "1 0 one 0\n", "mask000.tif": ""}, "'one'"),
        ({"res_track.txt": "1 0 1\n", "mask000.tif": ""}, "four whole numbers"),
        ({"res_track.txt": "1 0 0 0\n1 0 0 0\n", "mask000.tif": ""}, "occurs twice"),
        ({"res_track.txt": "0 0 0 0\n", "mask000.tif": ""}, "not positive"),
        ({"res_track.txt": "1 0 1 0\n", "mask000.tif": ""}, "frames outside 0 … 0"),
        ({"res_track.txt": "1 0 0 7\n", "mask000.tif": ""}, "not in the table"),
        (
            {"res_track.txt": "1 0 1 0\n2 1 1 1\n", "mask000.tif": "", "mask001.tif": ""},
            'has not ended, in the line "2 1 1 1"',
        ),
        ({"res_track.txt": "1 1 0 0\n", "mask000.tif": "", "mask001.tif": ""}, "before the begin"),
        (
            {"res_track.txt": "1 0 1 0\n", "mask000.tif": "", "mask002.tif": ""},
            "mask002.tif where frame 1 should be",
        ),
    ],
)
def test_bad_folders_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadImage, match=message):
        read_ctc(tmp_path)


def test_masks_that_disagree_with_the_table_are_named(tmp_path: Path) -> None:
    links = links_in(FAMILY)
    write_ctc(tmp_path, frames_of(links), links, kind="truth")
    check_masks(read_ctc(tmp_path))
    table = tmp_path / "man_track.txt"
    as_it_was = table.read_text()
    table.write_text(as_it_was.replace("3 2 5 1", "3 2 4 1"))
    with pytest.raises(BadImage, match=r"man_track005\.tif: label 3 is in the mask alone"):
        check_masks(read_ctc(tmp_path))
    table.write_text(as_it_was.replace("4 0 1 0\n5 3 4 4\n", "4 0 4 0\n"))
    with pytest.raises(BadImage, match=r"man_track002\.tif: label 4 is in the track table, not"):
        check_masks(read_ctc(tmp_path))
    table.write_text(as_it_was)
    tifffile.imwrite(tmp_path / "man_track004.tif", np.zeros((8, 8), np.uint16))
    with pytest.raises(BadImage, match=r"man_track004\.tif is 8 × 8"):
        check_masks(read_ctc(tmp_path))


def test_a_mask_that_is_no_mask(tmp_path: Path) -> None:
    (tmp_path / "torn.tif").write_bytes(b"II*\x00\x08\x00\x00\x00")
    tifffile.imwrite(tmp_path / "float.tif", np.full((4, 4), 0.5, np.float32))
    with pytest.raises(BadImage, match=r"torn\.tif"):
        read_mask(tmp_path / "torn.tif")
    with pytest.raises(BadImage, match="not whole"):
        read_mask(tmp_path / "float.tif")


@pytest.mark.data
def test_a_challenge_result_is_read_and_written_again(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "tracking-formats/ctc-Fluo-N2DL-HeLa-01_RES"
    movie = read_ctc(folder)
    assert len(movie.frames) == 92
    spans = movie.tracks.set_index("track_id")
    rows = [
        (t, label, label, spans.loc[label, "parent_track_id"])
        for t, labels in movie.labels()
        for label in np.unique(labels)[1:].tolist()
    ]
    links = pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])
    write_ctc(tmp_path / "again", movie.labels(), links)
    again = read_ctc(tmp_path / "again")
    name = dict(zip(spans.index, again.tracks["track_id"], strict=True)) | {0: 0}
    renamed = movie.tracks.assign(
        track_id=movie.tracks["track_id"].map(name),
        parent_track_id=movie.tracks["parent_track_id"].map(name),
    )
    pd.testing.assert_frame_equal(again.tracks, renamed)
