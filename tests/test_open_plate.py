"""A plate of results, opened as a notebook does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from running import ROOT

import cellpipe
from cellpipe.errors import BadConfig, BadImage
from cellpipe.files.publish import publish_table

SHAPE = (3, 2, 1, 60, 80)  # t, c, z, y, x
RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 4000, (SHAPE[0], SHAPE[1], *SHAPE[3:]), dtype=np.uint16)
LABELS = RNG.integers(0, 9, (SHAPE[0], *SHAPE[3:])).astype(np.uint32)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    plate = laid_out(tmp_path / "P", inspected({"B02": [SHAPE, SHAPE]}), labels=["nuclei"])
    for t in range(SHAPE[0]):
        for c in range(SHAPE[1]):
            plate.write_plane("B02", 1, t, c, 0, PIXELS[t, c])
        plate.write_labels("B02", 1, t, "nuclei", LABELS[t])
    wells = pd.DataFrame({"well": ["B02"], "condition": ["DMSO"], "area_um2": [81.5]})
    publish_table(tmp_path / "P/wells.parquet", wells)
    return tmp_path / "P"


def test_images_and_labels_come_as_they_were_written(results: Path) -> None:
    plate = cellpipe.open_plate(results)
    image, labels = plate.image("b2", 1), plate.labels("B02", 1)
    assert (image.axes, image.channels) == ("tczyx", ("dna", "gfp"))
    assert (labels.axes, labels.channels) == ("tzyx", ())
    assert image.scale == {"t": 300.0, "y": 0.65, "x": 0.65}
    assert image.units == {"t": "s", "y": "µm", "x": "µm"}
    assert (image.data.shape, image.data.dtype) == (SHAPE, np.uint16)
    assert np.array_equal(image.data.compute()[:, :, 0], PIXELS)
    assert np.array_equal(
        image.channel("gfp")[1, 0, 7:20, 30:41].compute(), PIXELS[1, 1, 7:20, 30:41]
    )
    assert np.array_equal(labels.data.compute()[:, 0], LABELS)
    assert labels.data.dtype == np.uint32


@pytest.mark.parametrize(("document", "name"), [("README.md", "my-plate"), ("docs/python.md", "P")])
def test_the_documents_read_it_so(
    document: str, name: str, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    block = text.split("```python\n")[1].split("```")[0]
    (results.parent / "results").mkdir()
    results.rename(results.parent / "results" / name)
    monkeypatch.chdir(results.parent)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["image"].axes == "tczyx"


def test_a_coarser_level_has_larger_pixels(tmp_path: Path) -> None:
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 700, 513)]}))
    plate.write_plane("B02", 1, 0, 0, 0, np.full((700, 513), 7, np.uint16))
    opened = cellpipe.open_plate(tmp_path)
    coarse = opened.image("B02", 1, level=1)
    assert coarse.data.shape[-2:] == (350, 256)
    assert coarse.scale["x"] == pytest.approx(1.3)
    assert (coarse.data.compute() == 7).all()
    with pytest.raises(BadConfig, match="a level from 0 to"):
        opened.image("B02", 1, level=9)


def test_images_are_read_when_they_are_computed_and_no_earlier(results: Path) -> None:
    """Field 2 was never written: zeros would be taken for a dark image."""
    image = cellpipe.open_plate(results).image("B02", 2)
    with pytest.raises(BadImage):
        image.data[0].compute()


def test_two_fields_are_two_arrays(results: Path) -> None:
    """Also to dask, which takes arrays of one name for one."""
    plate = cellpipe.open_plate(results)
    assert plate.image("B02", 1).data.name != plate.image("B02", 2).data.name


def test_tables_come_with_what_was_done_to_the_wells(results: Path) -> None:
    plate = cellpipe.open_plate(results)
    assert plate.tables == ["wells"]
    assert list(plate.wells["condition"]) == ["DMSO"]
    assert plate.fields == [("B02", 1), ("B02", 2)]
    assert repr(plate) == "<plate drawn: 2 fields, channels dna, gfp>"


def test_an_unknown_scale_is_no_scale(tmp_path: Path) -> None:
    unknown = inspected({"B02": [SHAPE]}) | {"pixel_size_um": None, "time_step_s": None}
    laid_out(tmp_path, unknown)
    assert cellpipe.open_plate(tmp_path).image("B02", 1).scale == {}


def test_tables_of_tab_separated_values_are_tables_too(results: Path) -> None:
    (results / "statistics.tsv").write_text("readout\tkind\tgroup\tvalue\tnote\nr\tz\t1\t0.5\t\n")
    (results / "warnings.tsv").write_text("well\tsigma\nB02\t2.5\n")
    plate = cellpipe.open_plate(results)
    assert plate.table("statistics").to_dict("records") == [
        {"readout": "r", "kind": "z", "group": "1", "value": 0.5, "note": ""}
    ]
    assert plate.table("warnings")["sigma"].tolist() == [2.5]
    (results / "quarantine.tsv").write_text(
        "plate\twell\tfield\tt\treason\n007\t1E03\t2\t\tNA\nNA\tA01\t3\t1\t\n"
    )
    listed = plate.table("quarantine")
    assert listed["plate"].tolist() == ["007", "NA"]  # as written: neither 7 nor nothing
    assert listed["well"].tolist() == ["1E03", "A01"]
    assert listed["reason"].tolist() == ["NA", ""]
    assert listed["field"].tolist() == [2, 3]
    assert {"statistics", "warnings", "wells"} <= {*plate.tables}


def test_what_is_not_there_is_answered_with_what_is(results: Path) -> None:
    plate = cellpipe.open_plate(results)
    with pytest.raises(BadConfig, match=r"field 3 of well B02.*field 1, 2 of it"):
        plate.image("B02", 3)
    with pytest.raises(BadConfig, match="a well that was imaged: B02"):
        plate.image("C05", 1)
    with pytest.raises(BadConfig, match="did you mean 'nuclei'"):
        plate.labels("B02", 1, "nucleii")
    with pytest.raises(BadConfig, match="did you mean 'gfp'"):
        plate.image("B02", 1).channel("gpf")
    with pytest.raises(BadConfig, match="one of: wells"):
        plate.table("cells")
    with pytest.raises(BadConfig, match="open one of: P"):
        cellpipe.open_plate(results.parent)
