"""Who matches whom, frame by frame: as py-ctcmetrics matches them, and right where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.metrics.track_matches import KINDS, match_frames, outlined_frames


def written(folder: Path, name: str, labels: np.ndarray) -> Path:
    path = folder / name
    tifffile.imwrite(path, labels.astype(np.uint16))
    return path


@pytest.mark.parametrize("seed", range(4))
def test_as_the_reference_implementation_matches_them(seed: int, tmp_path: Path) -> None:
    from ctc_metrics.utils.representations import match

    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 6, (5, 6)) * 7, np.ones((4, 4), int))
    found = np.roll(truth, rng.integers(0, 2, 2), (0, 1)) * 3
    found[rng.random(found.shape) < 0.2] = 0
    truth[0, 0] = found[0, 0] = 0
    paths = written(tmp_path, "truth.tif", truth), written(tmp_path, "found.tif", found)
    mine = match_frames([paths])
    theirs = match(*map(str, paths))
    assert sum(map(len, theirs)) > 10
    for kind, wanted in zip(KINDS, theirs, strict=True):
        assert mine[kind] == [pytest.approx(wanted)]


def test_a_frame_without_background_loses_no_cell(tmp_path: Path) -> None:
    full = np.repeat([[1, 2]], 4, 0).repeat(4, 1)
    pair = written(tmp_path, "truth.tif", full), written(tmp_path, "found.tif", full + 4)
    matched = match_frames([pair])
    assert matched["mapped_ref"] == [[1, 2]]
    assert matched["mapped_comp"] == [[5, 6]]
    assert matched["ious"] == [[1.0, 1.0]]


def test_outlines_go_with_the_frame_of_their_number(tmp_path: Path) -> None:
    (tmp_path / "SEG").mkdir()
    frames = [Path(f"mask{t:03d}.tif") for t in range(3)]
    second = written(tmp_path / "SEG", "man_seg002.tif", np.zeros((4, 4)))
    assert outlined_frames(tmp_path, frames) == [(second, frames[2])]
    with pytest.raises(CellpipeError, match="2 frames"):
        outlined_frames(tmp_path, frames[:2])
    written(tmp_path / "SEG", "man_seg_001_004.tif", np.zeros((4, 4)))
    with pytest.raises(BadImage, match="man_seg_001_004"):
        outlined_frames(tmp_path, frames)
