"""Folders as people leave them: two plates in one, files half copied, names that are none, times.

PlateA_B02  PlateA_B03  PlateB_C02  PlateB_C03      two plates, taken for one: named
P_B04.tif.part  P_B05.tif~                          half copied: their wells are named
XX_f1.tif                                           no well: passed over, the others go on
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
from test_account import inspected, reasons, sums, written

from cellpipe.errors import BadConfig
from cellpipe.readers import watch
from cellpipe.readers.accounting import account
from cellpipe.readers.accounting import files as listing
from cellpipe.readers.pixels.reading import read_header
from cellpipe.readers.units.times import uneven, usual_step_s

FIELD_BY_LETTER = {"own": {"pattern": r"(?P<well>\w+?)_(?:t(?P<t>[^_]+)_)?f(?P<field>\w+)\.tif"}}


def ome(path: Path, n_t: int = 4, **meta: object) -> None:
    movie = np.arange(n_t * 320).reshape(n_t, 16, 20).astype(np.uint16)
    tifffile.imwrite(path, movie, metadata={"axes": "TYX", **meta})


def deltas(*times_s: float) -> dict[str, object]:
    return {"Plane": {"DeltaT": list(times_s), "DeltaTUnit": ["s"] * len(times_s)}}


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["PlateA_B02_w1", "PlateA_B03_w1", "PlateB_C02_w1", "PlateB_C03_w1"], "PlateA_"),
        (["run1/P_B02_w1", "run1/P_B03_w1", "run2/P_C02_w1", "run2/P_C03_w1"], "run1"),
        (["row B/P_B02_w1", "row B/P_B03_w1", "row C/P_C02_w1", "row C/P_C03_w1"], None),
        (["B/P_B02_w1", "B/P_B03_w1", "C/P_C02_w1", "C/P_C03_w1"], None),
        (["001_B02_w1", "002_B03_w1", "003_C02_w1", "004_C03_w1"], None),  # running numbers
        (["x1_B02_w1", "x1_B03_w1", "x2_B02_s2_w1", "x2_B03_s2_w1"], None),  # more of the same
    ],
)
def test_two_plates_in_one_folder_are_named(tmp_path, names, named):
    found, _, _ = inspected(written(tmp_path, *(f"{name}.tif" for name in names)))
    assert len(found["fields"]) == 4
    notes = [note for note in found["notes"] if "taken for one plate" in note]
    assert len(notes) == (named is not None)
    assert named is None or named in notes[0]


def test_a_well_of_which_only_half_copied_files_are_there_is_named(tmp_path):
    written(tmp_path, "P_B02_s1_w1.tif", "P_B02_s2_w1.tif")
    for name in ("P_B03_s1_w1.tif.part", "P_B04_s1_w1.tif~", "P_B05_s1_w1.TIF.bak"):
        (tmp_path / name).write_bytes(bytes(100))
    (tmp_path / "P_B02_s1_w1.tif.bak").write_bytes(bytes(100))  # beside its image: no loss
    found, _, over = inspected(tmp_path)
    assert {f["well"]: f["status"] for f in found["faults"] if f["field"] == 0} == dict.fromkeys(
        ("B03", "B04", "B05"), "passed over"
    )
    assert reasons(over)["P_B02_s1_w1.tif.bak"] == listing.NOT_IMAGE
    (line,) = account.warnings(found["files"])
    assert "3 × an unfinished or old copy" in line
    assert "B03, B04, B05" in line


def test_a_name_without_a_well_is_passed_over_and_the_others_go_on(tmp_path):
    written(tmp_path, "XX_f1.tif", "B02_f1.tif")
    found, planes, over = inspected(tmp_path, "own", layouts=FIELD_BY_LETTER)
    assert planes["well"].tolist() == ["B02"]
    assert reasons(over) == {"XX_f1.tif": listing.NO_WELL}
    assert "XX_f1.tif" in account.warnings(found["files"])[0]
    (tmp_path / "B02_f1.tif").unlink()
    with pytest.raises(BadConfig, match="the well name 'XX'"):
        inspected(tmp_path, "own", layouts=FIELD_BY_LETTER)


@pytest.mark.parametrize(
    ("name", "words"),
    [("B02_fa.tif", "'a' as 'field'"), ("B02_t0.5_f1.tif", "'0.5' as 't'"),
     ("B02_t1h30_f1.tif", "'1h30' as 't'")],
)  # fmt: skip
def test_a_word_where_a_number_should_be_is_refused_with_the_file(tmp_path, name, words):
    written(tmp_path, name)
    with pytest.raises(BadConfig, match=words):
        inspected(tmp_path, "own", layouts=FIELD_BY_LETTER)


def test_time_points_that_begin_late_and_those_that_are_lost_are_named(tmp_path):
    written(tmp_path, *(f"TimePoint_{t}/P_B02_w1.tif" for t in (5, 6, 7, 9, 10)))
    notes = inspected(tmp_path)[0]["notes"]
    assert any("begin at 5" in note for note in notes)
    assert any("frame(s) 3 (time points 8) of 6" in note for note in notes)


def test_images_of_another_size_are_named(tmp_path):
    written(tmp_path, "P_B02_w1.tif", "P_B03_w1.tif")
    tifffile.imwrite(tmp_path / "P_B04_w1.tif", np.zeros((8, 10), np.uint16), metadata=None)
    (note,) = inspected(tmp_path)[0]["notes"]
    assert "B04 field 1 (8 × 10)" in note


def test_corrections_of_the_instrument_are_expected(tmp_path):
    written(tmp_path, "P_B03_T0001F001L01A01Z01C01.tif", "DC_DCAM#1_CAM3.tif")
    written(tmp_path, "SC_BP445-45_20x v2_M01_CH01.tif")
    found, _, over = inspected(tmp_path, "cellvoyager", {"dna": {"source": "01"}})
    assert set(reasons(over).values()) == {listing.CORRECTION}
    assert account.warnings(found["files"]) == []


# ---- lists of planes


def test_one_image_for_two_wells_of_a_manifest_is_refused(tmp_path):
    written(tmp_path, "a.tif", "b.tif")
    (tmp_path / "manifest.csv").write_text("path,well\na.tif,B02\nb.tif,B03\n./a.tif,B04\n")
    with pytest.raises(BadConfig, match=r"'a\.tif' in .* for B02 .* and for B04"):
        inspected(tmp_path, "csv")


def test_a_manifest_finds_names_that_a_mac_spells_otherwise(tmp_path):
    on_disk, typed = (unicodedata.normalize(form, "Zählung.tif") for form in ("NFD", "NFC"))
    written(tmp_path, on_disk)
    (tmp_path / "manifest.csv").write_text(f"path,well\n{typed},B02\n", encoding="utf-8")
    assert inspected(tmp_path, "csv")[1]["path"].tolist() == [on_disk]


# ---- OME-TIFF


@pytest.mark.parametrize("left", [0, 0.5])
def test_a_broken_ome_tiff_is_named_with_its_well_and_mended_by_a_copy(tmp_path, left):
    images = tmp_path / "images"
    images.mkdir()
    for well in ("B02", "B03"):
        ome(images / f"P_{well}_1.ome.tif")
    whole = (images / "P_B03_1.ome.tif").read_bytes()
    (images / "P_B03_1.ome.tif").write_bytes(whole[: int(left * len(whole))])
    written(images, "P_B04_1.tif")
    found, _, over = inspected(images, "ome-tiff")
    assert reasons(over) == {
        "P_B03_1.ome.tif": listing.UNREADABLE, "P_B04_1.tif": listing.NOT_LISTED
    }  # fmt: skip
    assert sorted(fault["well"] for fault in found["faults"]) == ["B03", "B04"]
    assert sums(found) == (3, 1, 0, 2)
    results = tmp_path / "results"
    results.mkdir()
    (results / "inspection.json").write_text(json.dumps({**found, "token": "x"}))
    assert watch.token(results, images) == "x"
    (images / "P_B03_1.ome.tif").write_bytes(whole)  # in place: no folder changes
    assert watch.token(results, images) != "x"


def test_a_link_whose_share_comes_back_is_noticed(tmp_path):
    images = written(tmp_path / "images", "P_B02_w1.tif")
    (images / "day2").symlink_to(tmp_path / "share")
    found, _, _ = inspected(images)
    (line,) = account.warnings(found["files"])
    assert "leads nowhere, such as day2" in line
    results = tmp_path / "results"
    results.mkdir()
    (results / "inspection.json").write_text(json.dumps({**found, "token": "x"}))
    assert watch.token(results, images) == "x"
    (tmp_path / "share").mkdir()
    assert watch.token(results, images) != "x"


def test_frames_that_are_not_evenly_spaced_in_time_are_named(tmp_path):
    for well, times_s in (("B02", (0, 60, 120, 3600)), ("B03", (0, 59, 121, 180))):
        ome(tmp_path / f"P_{well}_1.ome.tif", **deltas(*times_s))
    found, _, _ = inspected(tmp_path, "ome-tiff")
    assert (found["time_step_s"], found["time_step_source"][:14]) == (60, "OME-XML DeltaT")
    (note,) = found["notes"]
    assert "B02" in note
    assert "before frame(s) 3 up to 3,480 s a frame, usually 60 s" in note
    ome(tmp_path / "even.ome.tif", **deltas(0, 50, 100, 150), TimeIncrement=2.0)
    assert read_header(tmp_path / "even.ome.tif", 0).time_step_s == 2


def test_the_usual_step_is_not_that_of_a_pause():
    times_s = {0: 0.0, 1: 10.0, 2: 20.5, 4: 40.0, 5: 1000.0, 6: 1010.0}
    assert usual_step_s(times_s) == pytest.approx(10)
    assert "frame(s) 5 up to 960 s" in uneven(times_s, "B02")
    assert uneven({0: 0.0, 1: 10.0, 3: 30.0}, "B02") == ""
    assert usual_step_s({0: 5.0}) is None
