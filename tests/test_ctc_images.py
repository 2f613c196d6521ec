"""Data sets of the Cell Tracking Challenge as they are laid out: a folder per movie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadConfig
from cellpipe.evaluate.true_movies import find_true_movie
from cellpipe.evaluate.truth import true_frames
from cellpipe.readers.accounting.files import LABELS, NOT_NAMED, find_files
from cellpipe.readers.layouts.ctc_images import list_planes, recognise
from cellpipe.readers.pixels.reading import read_plane


def written(folder: Path, *paths: str, planes: int = 1) -> Path:
    """Each image holds its number of time point, plus 100 for each plane."""
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        digits = "".join(filter(str.isdigit, file.stem)) or "0"
        stack = np.arange(planes)[:, None, None] * 100 + np.full((planes, 6, 8), int(digits))
        tifffile.imwrite(file, stack.astype(np.uint16).squeeze(), photometric="minisblack")
    return folder


def test_movies_are_fields_of_one_well_and_labels_are_no_images(tmp_path: Path) -> None:
    written(tmp_path, *(f"{movie}/t{t:03}.tif" for movie in ("01", "02") for t in range(3)))
    written(tmp_path, "01_GT/TRA/man_track000.tif", "02_RES/mask000.tif", "overview.tif")
    files = find_files(tmp_path)
    assert recognise(files) == 6
    planes = list_planes(tmp_path, files)
    assert set(planes["well"]) == {"A01"}
    assert planes.groupby("field")["t"].agg(list).to_dict() == {1: [0, 1, 2], 2: [0, 1, 2]}
    for row in planes.itertuples():
        assert (read_plane(tmp_path / row.path, row.page) == row.t).all()
    assert files.passed_over == {
        "01_GT/TRA/man_track000.tif": LABELS,
        "02_RES/mask000.tif": LABELS,
        "overview.tif": NOT_NAMED,
    }


def test_stacks_are_planes_in_z(tmp_path: Path) -> None:
    written(tmp_path, "01/t000.tif", "01/t001.tif", planes=4)
    planes = list_planes(tmp_path)
    assert len(planes) == 8
    for row in planes.itertuples():
        assert (read_plane(tmp_path / row.path, row.page) == row.t + 100 * row.z).all()


def test_data_sets_are_wells_in_the_order_of_their_names(tmp_path: Path) -> None:
    written(tmp_path, "set 10/01/t000.tif", "set 2/01/t000.tif", "set 2/02/t000.tif")
    files = find_files(tmp_path)
    planes = list_planes(tmp_path, files)
    assert sorted(zip(planes["path"], planes["well"], planes["field"], strict=True)) == [
        ("set 10/01/t000.tif", "A02", 1),
        ("set 2/01/t000.tif", "A01", 1),
        ("set 2/02/t000.tif", "A01", 2),
    ]
    assert any("A01 is set 2, A02 is set 10" in note for note in files.notes)


def test_a_lost_time_point_stays_empty_and_a_broken_file_is_named(tmp_path: Path) -> None:
    written(tmp_path, "01/t000.tif", "01/t001.tif", "01/t003.tif")
    (tmp_path / "01/t001.tif").write_bytes(b"II*\0")
    files = find_files(tmp_path)
    assert list_planes(tmp_path, files)["t"].tolist() == [0, 1, 3]
    assert any(note.startswith("01/t001.tif: an image that cannot be used") for note in files.notes)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"no image such as 01/t000\.tif"):
        list_planes(written(tmp_path, "P_B03_s1.tif", "01_GT/TRA/man_track000.tif"))


def test_the_gold_truth_of_a_data_set_is_that_of_its_fields(tmp_path: Path) -> None:
    written(tmp_path, "01/t000.tif", "02/t000.tif", "02_GT/SEG/man_seg000.tif")
    written(tmp_path, "02_GT/TRA/man_track000.tif")
    assert find_true_movie(tmp_path, "A01_2") == tmp_path / "02_GT"
    assert find_true_movie(tmp_path, "A01_1") is find_true_movie(tmp_path, "B03_2") is None
    assert list(true_frames(tmp_path, "A01", 2, "nuclei")) == [0]
    written(tmp_path, "A01_2_GT/TRA/man_track000.tif")  # the name of well and field comes first
    assert find_true_movie(tmp_path, "A01_2") == tmp_path / "A01_2_GT"
