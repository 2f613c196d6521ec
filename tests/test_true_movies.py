"""One drawn family, told in every format that is read as truth, scores 1 in each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadImage
from cellpipe.evaluate.true_movies import as_ctc, find_true_movie
from cellpipe.exports.ctc import write_ctc, write_seg
from cellpipe.exports.geff import related_labels, write_geff
from cellpipe.exports.trackmate import write_trackmate
from cellpipe.metrics.tracks import score_tracking
from cellpipe.readers.truth.ctc import read_ctc

SHAPE, N_FRAMES, PIXEL_UM = (20, 60), 6, 0.5
# track: first frame, last, parent
FAMILY = {1: (0, 5, 0), 2: (0, 2, 0), 3: (3, 5, 2), 4: (3, 5, 2)}


def cells() -> pd.DataFrame:
    rows = [
        (t, track, track, parent, PIXEL_UM * 8.5, PIXEL_UM * (12 * track + 3.5), 16.0)
        for track, (first, last, parent) in FAMILY.items()
        for t in range(first, last + 1)
    ]
    names = ["t", "label", "track_id", "parent_track_id", "y_um", "x_um", "area_um2"]
    return pd.DataFrame(rows, columns=names).sort_values(["t", "label"], ignore_index=True)


def frames() -> list[tuple[int, np.ndarray]]:
    """Squares of 8 × 8 pixels."""
    drawn = [np.zeros(SHAPE, np.uint32) for _ in range(N_FRAMES)]
    for cell in cells().itertuples():
        drawn[cell.t][5:13, 12 * cell.label : 12 * cell.label + 8] = cell.label
    return list(enumerate(drawn))


def write_labels(path: Path, version: str) -> None:
    """An OME-Zarr label image, as other programs write it."""
    import zarr

    group = zarr.create_group(str(path), zarr_format=3 if version == "0.5" else 2)
    stack = np.stack([labels for _, labels in frames()])[:, None]
    group.create_array("0", data=stack, chunks=(1, 1, *SHAPE))
    axes = [{"name": n, "type": "time" if n == "t" else "space"} for n in "tzyx"]
    multiscale = {"axes": axes, "datasets": [{"path": "0"}], "version": version}
    content = {"multiscales": [multiscale]}
    group.attrs.update({"ome": {**content, "version": "0.5"}} if version == "0.5" else content)


def told_in_ctc(truth: Path) -> None:
    write_ctc(truth / "B03_1_GT" / "TRA", frames(), cells(), kind="truth")
    write_seg(truth / "B03_1_GT" / "SEG", frames())


def told_in_geff(truth: Path, version: str = "0.5") -> None:
    write_labels(truth / "labels.zarr", version)
    scales = {"pixel_size_um": PIXEL_UM, "time_step_s": 60}
    write_geff(truth / "B03_1.geff", cells(), **scales, labels_path=truth / "labels.zarr")


def told_in_geff_of_ngff_04(truth: Path) -> None:
    told_in_geff(truth, "0.4")


def told_in_points(truth: Path) -> None:
    write_geff(truth / "B03_1.geff", cells(), pixel_size_um=PIXEL_UM, time_step_s=60)


def told_in_trackmate(truth: Path) -> None:
    scales = {"pixel_size_um": PIXEL_UM, "time_step_s": 60}
    write_trackmate(truth / "B03_1.xml", cells(), **scales, shape=SHAPE)


def truth_of(truth: Path, out: Path) -> Path:
    source = find_true_movie(truth, "B03_1")
    assert source is not None
    return as_ctc(source, out, n_frames=N_FRAMES, shape=SHAPE, pixel_size_um=PIXEL_UM)


@pytest.mark.parametrize(
    ("tell", "outlines"),
    [
        (told_in_ctc, True),
        (told_in_geff, True),
        (told_in_geff_of_ngff_04, True),
        (told_in_points, False),
        (told_in_trackmate, False),
    ],
)
def test_each_format_tells_the_same_truth(tmp_path: Path, tell, outlines: bool) -> None:
    (tmp_path / "truth").mkdir()
    tell(tmp_path / "truth")
    truth = truth_of(tmp_path / "truth", tmp_path / "as_ctc")
    write_ctc(tmp_path / "RES", frames(), cells())
    scores = score_tracking(truth, tmp_path / "RES")
    assert {s for s in scores.values() if np.isfinite(s)} == {1}
    assert scores["division_f1_0"] == scores["LNK"] == 1
    assert np.isfinite(scores["SEG"]) == outlines
    assert read_ctc(truth).tracks["parent_track_id"].tolist() == [0, 0, 2, 2]


def test_scales_are_the_file_s_own(tmp_path: Path) -> None:
    """Positions counted in pixels lie where they lie, whatever the plate's pixel size."""
    table = cells().assign(y_um=cells()["y_um"] / PIXEL_UM, x_um=cells()["x_um"] / PIXEL_UM)
    write_geff(tmp_path / "B03_1.geff", table, pixel_size_um=1, time_step_s=1)
    found = truth_of(tmp_path, tmp_path / "as_ctc")
    marks = [np.argwhere(labels == 1)[0].tolist() for _, labels in read_ctc(found).labels()]
    assert marks == [[8, 16]] * N_FRAMES  # 8.5 is rounded to even, and 15.5


def test_no_truth_and_two_truths(tmp_path: Path) -> None:
    assert find_true_movie(tmp_path, "B03_1") is None
    told_in_ctc(tmp_path)
    assert find_true_movie(tmp_path, "B03_10") is None
    told_in_trackmate(tmp_path)
    with pytest.raises(BadImage, match=r"B03_1_GT and B03_1\.xml"):
        find_true_movie(tmp_path, "B03_1")


def test_truths_of_another_movie_are_refused(tmp_path: Path) -> None:
    told_in_points(tmp_path)
    source = tmp_path / "B03_1.geff"
    movie = {"n_frames": N_FRAMES, "shape": SHAPE, "pixel_size_um": PIXEL_UM}
    with pytest.raises(BadImage, match="cells from frame 0 to 5"):
        as_ctc(source, tmp_path / "out", **{**movie, "n_frames": 4})
    with pytest.raises(BadImage, match=r"within 20 × 30 pixels"):
        as_ctc(source, tmp_path / "out", **{**movie, "shape": (20, 30)})
    doubled = cells().assign(x_um=PIXEL_UM * 20)
    write_geff(source, doubled, pixel_size_um=PIXEL_UM, time_step_s=60)
    with pytest.raises(BadImage, match="two cells at one pixel of frame 0"):
        as_ctc(source, tmp_path / "out", **movie)
    assert not (tmp_path / "out" / "TRA").exists()


def test_labels_that_do_not_belong_to_the_graph_are_refused(tmp_path: Path) -> None:
    told_in_geff(tmp_path)
    write_geff(
        tmp_path / "B03_1.geff",
        cells().assign(label=cells()["label"] + 10),
        pixel_size_um=PIXEL_UM,
        time_step_s=60,
        labels_path=tmp_path / "labels.zarr",
    )
    with pytest.raises(BadImage, match="no label 11 in frame 0"):
        truth_of(tmp_path, tmp_path / "out")


def test_labels_are_read_frame_by_frame_and_never_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    told_in_geff(tmp_path / "truth")
    path = tmp_path / "truth" / "B03_1.geff"
    for t, read in related_labels(path).items():
        np.testing.assert_array_equal(read(), frames()[t][1])
    scales = {"pixel_size_um": PIXEL_UM, "time_step_s": 60}
    write_geff(path, cells(), **scales, labels_path=tmp_path / "labels.zarr")
    write_labels(tmp_path / "labels.zarr", "0.5")
    with pytest.raises(BadImage, match="outside of the folder"):
        related_labels(path)
    write_geff(path, cells(), **scales, labels_path=tmp_path / "truth" / "none.zarr")
    with pytest.raises(BadImage, match=r"none\.zarr that cannot be read"):
        related_labels(path)


def test_nobody_there_is_a_truth_too(tmp_path: Path) -> None:
    write_trackmate(
        tmp_path / "B03_1.xml", cells().iloc[:0], pixel_size_um=1, time_step_s=1, shape=SHAPE
    )
    assert len(read_ctc(truth_of(tmp_path, tmp_path / "out")).tracks) == 0
