"""COCO annotations as labels, and as the truth of folders and plates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadConfig, BadImage
from cellpipe.evaluate.coco_truth import frames_of, unused_images
from cellpipe.evaluate.judged_folders import judged_folders
from cellpipe.readers.manifest import list_planes
from cellpipe.readers.truth.coco import Coco, read_coco

SQUARE = [2.0, 3.0, 6.0, 3.0, 6.0, 8.0, 2.0, 8.0]  # rows 3 to 7, columns 2 to 5
SMALL = [4.0, 4.0, 5.0, 4.0, 5.0, 6.0, 4.0, 6.0]  # rows 4 and 5 of column 4
SHAPE = (10, 12)


def written(folder: Path, annotations: Any, **changes: Any) -> Path:
    content = {
        "images": [
            {"id": 7, "file_name": "sub/A7_1.tif", "height": 10, "width": 12},
            {"id": 8, "file_name": "A8_1.tif", "height": 10, "width": 12},
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "nuclei"}, {"id": 2, "name": "cells"}],
        **changes,
    }
    path = folder / "truth.json"
    path.write_text(json.dumps(content))
    return path


def annotation(outline: Any, image: int = 7, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": outline, **more}


def square(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[rows, columns] = True
    return mask


def test_an_outline_holds_the_pixels_whose_centres_are_in_it(tmp_path: Path) -> None:
    labels = read_coco(written(tmp_path, [annotation([SQUARE])])).labels("A7_1")
    np.testing.assert_array_equal(labels, square(slice(3, 8), slice(2, 6)).astype(np.uint32))


def test_an_object_of_several_parts_is_one_label(tmp_path: Path) -> None:
    far = [9.0, 0.0, 11.0, 0.0, 11.0, 2.0, 9.0, 2.0]
    labels = read_coco(written(tmp_path, [annotation([SQUARE, far])])).labels("A7_1")
    assert np.unique(labels).tolist() == [0, 1]
    assert labels.sum() == 20 + 4


def test_of_objects_that_overlap_the_smaller_is_on_top(tmp_path: Path) -> None:
    coco = read_coco(written(tmp_path, [annotation([SMALL]), annotation([SQUARE])]))
    labels = coco.labels("A7_1")
    np.testing.assert_array_equal(labels == 1, square(slice(4, 6), slice(4, 5)))
    assert (labels == 2).sum() == 20 - 2


def test_run_lengths_go_down_the_columns(tmp_path: Path) -> None:
    mask = square(slice(3, 8), slice(2, 6))
    flat = np.concatenate([[False], mask.T.ravel()])
    runs = np.diff(np.flatnonzero(np.diff(flat)), prepend=0).tolist()
    runs.append(mask.size - sum(runs))
    rle = {"size": [10, 12], "counts": runs}
    labels = read_coco(written(tmp_path, [annotation(rle)])).labels("A7_1")
    np.testing.assert_array_equal(labels, mask.astype(np.uint32))


def test_run_lengths_as_text(tmp_path: Path) -> None:
    """As pycocotools 2.0.11 writes the same square."""
    rle = {"size": [10, 12], "counts": "g05500000i1"}
    labels = read_coco(written(tmp_path, [annotation(rle)])).labels("A7_1")
    expected = square(slice(3, 8), slice(2, 6)).astype(np.uint32)
    np.testing.assert_array_equal(labels, expected)


def test_crowds_are_counted_and_are_no_objects(tmp_path: Path) -> None:
    listed = [annotation([SQUARE], iscrowd=1), annotation([SMALL])]
    coco = read_coco(written(tmp_path, listed))
    assert coco.crowds == 1
    assert coco.labels("A7_1").max() == 1


def test_annotations_in_a_dictionary_as_livecell_has_them(tmp_path: Path) -> None:
    coco = read_coco(written(tmp_path, {"1": annotation([SQUARE]), "2": annotation([SMALL], 8)}))
    assert coco.labels("A8_1").sum() == 2


@pytest.mark.parametrize(
    "outline",
    [[[1.0, 2.0]], [[1.0] * 7], [["x"] * 6], {"size": [10, 12], "counts": [5]},
     {"size": [12, 10], "counts": [120]}, {"size": [10, 12], "counts": [-5, 125]},
     {"size": [10, 12]}],
)  # fmt: skip
def test_a_wrong_outline_is_a_fault_of_its_image(tmp_path: Path, outline: Any) -> None:
    coco = read_coco(written(tmp_path, [annotation(outline), annotation([SQUARE], 8)]))
    with pytest.raises(BadImage, match="of 'A7_1'"):
        coco.labels("A7_1")
    assert coco.labels("A8_1").any()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"images": [{}], "annotations": []}', '{"images": 1, "annotations": 2}',
     '{"images": [{"id": 1, "file_name": "a", "height": 0, "width": 9}], "annotations": []}',
     '{"images": [{"id": 1, "file_name": "a/x.tif", "height": 9, "width": 9}, {"id": 2, '
     '"file_name": "b/x.png", "height": 9, "width": 9}], "annotations": []}', "[" * 100_000],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadConfig, match="no file of COCO annotations"):
        read_coco(tmp_path / "x.json")


# --- as a truth


def planes() -> pd.DataFrame:
    rows = [
        ("day 1/A7_1.tif", "A07", 1, 0),
        ("day 1/A7_2.tif", "A07", 1, 1),
        ("x.tif", "A08", 1, 0),
    ]
    return pd.DataFrame(rows, columns=["path", "well", "field", "t"])


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    return read_coco(written(tmp_path, [annotation([SQUARE]), annotation([SMALL], category=2)]))


def test_images_of_a_plate_belong_to_annotations_by_their_names(coco: Coco) -> None:
    frames = frames_of(coco, planes(), "A07", 1, "nuclei", True)
    assert list(frames) == [0]
    assert frames[0]().sum() == 20
    assert frames_of(coco, planes(), "A08", 1, "nuclei", True) == {}
    assert unused_images(coco, planes()) == ["A8_1"]


def test_quarters_of_livecell_have_annotations_of_their_own(tmp_path: Path) -> None:
    """A crop is a field; its truth is that of its own name, at its own place."""
    names = [f"A172_Phase_A7_1_00d04h00m_{crop}.tif" for crop in (1, 2, 3, 4)]
    images = [
        {"id": k, "file_name": name, "height": 10, "width": 12, "original_filename": "A172.png"}
        for k, name in enumerate(names, start=1)
    ]
    listed = {str(k): annotation([SQUARE if k == 3 else SMALL], k) for k in (1, 3, 4)}
    coco = read_coco(written(tmp_path, listed, images=images))
    (folder := tmp_path / "A172").mkdir()
    for name in names:
        (folder / name).touch()
    found = list_planes("incucyte", folder, {})
    pixels = [
        int(frames_of(coco, found, "A07", crop, "nuclei", True)[0]().sum()) for crop in (1, 2, 3, 4)
    ]
    assert pixels == [2, 0, 20, 2]


def test_a_layer_has_its_category_or_the_only_layer_all(coco: Coco) -> None:
    assert frames_of(coco, planes(), "A07", 1, "cells", False)[0]().sum() == 2
    assert frames_of(coco, planes(), "A07", 1, "yeast", False) == {}
    assert frames_of(coco, planes(), "A07", 1, "yeast", True)[0]().max() == 2
    assert frames_of(coco, pd.DataFrame(), "A07", 1, "nuclei", True) == {}


def test_a_folder_of_labels_is_scored_by_annotations(coco: Coco, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    for name in ("A7_1", "A8_1"):
        tifffile.imwrite(found / f"{name}.tif", coco.labels(name).astype(np.uint16))
    judged = judged_folders(coco.path, found)
    assert [image.place["image"] for image in judged] == ["A7_1", "A8_1"]
    for image in judged:
        np.testing.assert_array_equal(image.truth(), image.found())
    (found / "A8_1.tif").unlink()
    with pytest.raises(BadConfig, match="no A8_1"):
        judged_folders(coco.path, found)
    (found / "A7_1.tif").rename(found / "other.tif")
    with pytest.raises(BadConfig, match="with the name of one of the 2"):
        judged_folders(coco.path, found)
