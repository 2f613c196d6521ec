"""Labels as other programs store them: whole numbers in floats are labels, fractions are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadImage
from cellpipe.evaluate.label_folders import read_labels
from cellpipe.evaluate.truth import true_frames
from cellpipe.readers.truth.ctc import read_mask
from cellpipe.readers.truth.whole_labels import as_labels

LABELS = np.array([[0, 1, 1], [0, 70000, 2]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint32", "int64"])
def test_whole_numbers_of_any_type_are_labels(dtype: str) -> None:
    found = as_labels(LABELS.astype(dtype), "x")
    assert found.dtype == np.uint32
    assert np.array_equal(found, LABELS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 1.5], "not whole, such as 1.5"),
        ([0.0, np.nan], "NaN"),
        ([0.0, -1.0], "from -1"),
        (np.array([0, -1], np.int16), "from -1"),
        (np.array([0, 2**24], np.float32), "distinguishes whole numbers below 16,777,216"),
        (np.array([0, 2**33], np.int64), "0 to 4294967295"),
        (np.array([0, 1j]), "complex"),
    ],
)
def test_what_only_looks_like_labels_is_refused(values: object, words: str) -> None:
    with pytest.raises(BadImage, match=words):
        as_labels(np.asarray(values), "x")


@pytest.mark.parametrize("read", [read_mask, read_labels])
def test_truth_in_float32_is_read_or_refused(tmp_path: Path, read) -> None:
    tifffile.imwrite(tmp_path / "B02_1_nuclei.tif", LABELS.astype(np.float32))
    assert np.array_equal(read(tmp_path / "B02_1_nuclei.tif"), LABELS)
    assert np.array_equal(true_frames(tmp_path, "B02", 1, "nuclei")[0](), LABELS)
    tifffile.imwrite(tmp_path / "x.tif", LABELS.astype(np.float32) / 2)
    with pytest.raises(BadImage, match="not whole"):
        read(tmp_path / "x.tif")
