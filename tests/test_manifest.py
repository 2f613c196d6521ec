"""What is in a plate is found once: wells, fields, channels, frames, holes, scale and time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadConfig, BadImage
from cellpipe.readers import manifest
from cellpipe.readers.accounting.doubles import PIECE, same_bytes
from cellpipe.readers.inspection import inspect_planes, wells_without_images
from cellpipe.readers.pixels.reading import Header

CHANNELS = {"dna": {"source": "1"}, "gfp": {"source": "2"}}
PLACE = ["well", "field", "t", "channel", "z"]


def planes(*lost: tuple, wells=("B02", "B03", "C02"), n_t: int = 1, n_z: int = 1) -> pd.DataFrame:
    """Every plane of a plate of two channels, without those `lost`."""
    rows = [
        (well, 1, t, channel, z)
        for well in wells
        for t in range(n_t)
        for channel in "12"
        for z in range(n_z)
    ]
    table = pd.DataFrame([row for row in rows if row not in lost], columns=PLACE)
    table["path"] = ["_".join(map(str, row)) for row in table.itertuples(index=False)]
    return table.assign(page=-1)


def inspect(table, headers=None, channels=None, **options):
    """Inspect with drawn headers: path → Header, or BadImage; others are as usual."""
    headers = headers or {}
    usual = Header((64, 80), "uint16")

    def read(path, page):
        header = headers.get(path, usual)
        if isinstance(header, Header):
            return header
        raise BadImage(seen=f"{path} is torn", wanted="a whole file", do="copy it again")

    given = {"pixel_size_um": None, "time_step_s": None, "keep_stack": False, **options}
    return inspect_planes(table, channels or CHANNELS, plate="P", read=read, **given)


def test_fields_have_their_shape_and_every_plane_its_channel():
    found, listed = inspect(planes(n_t=3, n_z=2), keep_stack=True)
    assert [f["well"] for f in found["fields"]] == ["B02", "B03", "C02"]
    assert found["fields"][0]["shape"] == [3, 2, 2, 64, 80]
    assert (found["fields"][0]["n_t"], found["fields"][0]["n_z"]) == (3, 2)
    assert inspect(planes(n_z=2))[0]["fields"][0]["shape"] == [1, 2, 1, 64, 80]
    assert set(listed["channel"]) == {"dna", "gfp"}
    assert found["holes"] == found["faults"] == found["other_channels"] == []


def test_a_channel_or_frame_that_is_missing_is_a_hole():
    table = planes(("B03", 1, 1, "2", 0), ("C02", 1, 0, "1", 0), ("C02", 1, 0, "2", 0), n_t=2)
    assert inspect(table)[0]["holes"] == [
        {"well": "B03", "field": 1, "t": 1, "channel": "gfp"},
        {"well": "C02", "field": 1, "t": 0, "channel": "dna"},
        {"well": "C02", "field": 1, "t": 0, "channel": "gfp"},
    ]


def test_channels_that_the_config_does_not_name_are_said_and_left_out():
    found, listed = inspect(planes(), channels={"dna": {"source": "1"}})
    assert found["other_channels"] == ["2"]
    assert set(listed["channel"]) == {"dna"}
    assert found["fields"][0]["shape"] == [1, 1, 1, 64, 80]


def test_a_channel_that_no_file_has_stops_with_those_found():
    with pytest.raises(BadConfig, match=r"'gfp' \(source '3'\).*1, 2"):
        inspect(planes(), channels={"dna": {"source": "1"}, "gfp": {"source": "3"}})


def test_two_files_for_one_plane_set_their_field_aside_unless_they_are_equal():
    table = planes()
    double = table.iloc[[0]].assign(path="again")
    both = pd.concat([table, double])
    found, listed = inspect(both)
    assert [f["well"] for f in found["fields"]] == ["B03", "C02"]
    (fault,) = found["faults"]
    assert (fault["well"], fault["field"], fault["file"]) == ("B02", 1, "again")
    assert "differ" in fault["reason"]
    found, listed = inspect(both, same=lambda one, other: True)
    assert len(found["fields"]) == 3
    assert found["faults"] == []
    assert found["copies"] == {"again": "B02_1_0_1_0"} or list(found["copies"]) == ["B02_1_0_1_0"]
    assert len(listed) == len(table)


def test_a_field_of_which_no_file_can_be_read_is_a_fault_and_the_rest_stays():
    found, _ = inspect(planes(), {"B03_1_0_1_0": "torn", "B03_1_0_2_0": "torn"})
    assert [f["well"] for f in found["fields"]] == ["B02", "C02"]
    assert found["faults"] == [
        {
            "well": "B03",
            "field": 1,
            "file": "B03_1_0_1_0",
            "reason": "B03_1_0_1_0 is torn",
            "remedy": "copy it again",
        }
    ]


def test_a_plate_of_which_nothing_can_be_read_stops_with_the_first_reason():
    with pytest.raises(BadConfig, match=r"of the 3.*B02_1_0_1_0 is torn.*copy it again"):
        inspect(planes(), dict.fromkeys(planes()["path"], "torn"))


def test_a_torn_first_file_does_not_hide_the_field():
    found, _ = inspect(planes(), {"B03_1_0_1_0": "torn"})
    assert len(found["fields"]) == 3


def test_one_shallow_file_does_not_make_the_plate_shallow():
    found, listed = inspect(planes(), {"B02_1_0_1_0": Header((64, 80), "uint8")})
    assert {f["dtype"] for f in found["fields"]} == {"uint16"}
    assert set(listed["dtype"]) == {"uint16"}


def test_channels_may_have_depths_of_their_own():
    shallow = {f"{well}_1_0_2_0": Header((64, 80), "uint8") for well in ("B02", "B03", "C02")}
    found, listed = inspect(planes(), shallow)
    assert {f["dtype"] for f in found["fields"]} == {"uint16"}
    assert dict(zip(listed["channel"], listed["dtype"], strict=True)) == {
        "dna": "uint16",
        "gfp": "uint8",
    }


def test_a_field_of_another_size_keeps_it_but_one_odd_file_does_not_decide():
    small = Header((32, 40), "uint16")
    ragged = {f"B03_1_{t}_{c}_0": small for t in range(3) for c in "12"}
    table = planes(n_t=3, wells=("B02", "B03", "C02", "C03", "C04"))
    found, _ = inspect(table, {**ragged, "C02_1_0_1_0": small})
    sizes = {f["well"]: f["shape"][-1] for f in found["fields"]}
    assert sizes == {"B02": 80, "B03": 40, "C02": 80, "C03": 80, "C04": 80}


def test_pixel_size_is_from_the_files_unless_the_config_says_it():
    said = {p: Header((64, 80), "uint16", 0.325) for p in planes()["path"]}
    found = inspect(planes(), said)[0]
    assert (found["pixel_size_um"], found["pixel_size_known"]) == (0.325, True)
    assert inspect(planes(), said, pixel_size_um=0.5)[0]["pixel_size_um"] == 0.5
    unknown = inspect(planes())[0]
    assert (unknown["pixel_size_um"], unknown["pixel_size_known"]) == (None, False)


def test_a_field_of_another_magnification_is_a_fault():
    said = {p: Header((64, 80), "uint16", 0.65 if "C02" in p else 0.325) for p in planes()["path"]}
    found = inspect(planes(), said)[0]
    assert [f["well"] for f in found["fields"]] == ["B02", "B03"]
    assert [(f["well"], "0.65" in f["reason"]) for f in found["faults"]] == [("C02", True)]
    assert not inspect(planes(), said, pixel_size_um=0.5)[0]["faults"]


def test_time_step_is_from_the_files_unless_the_config_says_it():
    table = planes(n_t=5)
    taken = {
        path: Header((64, 80), "uint16", None, None, 1000.0 + 120 * t)
        for path, t in zip(table["path"], table["t"], strict=True)
    }
    assert inspect(table, taken)[0]["time_step_s"] == 120
    assert inspect(table, taken, time_step_s=60)[0]["time_step_s"] == 60
    said = {path: Header((64, 80), "uint16", None, 30.0) for path in table["path"]}
    assert inspect(table, said)[0]["time_step_s"] == 30
    assert inspect(table)[0]["time_step_s"] is None


def test_wells_without_images_are_faults_unless_the_map_is_of_a_whole_plate():
    wells = [f"B{i:02d}" for i in range(1, 13)]
    (fault,) = wells_without_images(wells, [w for w in wells if w != "B07"])
    assert (fault["well"], "no images of well B07" in fault["reason"]) == ("B07", True)
    assert wells_without_images(wells, wells[:6]) == []
    assert wells_without_images(wells, wells) == []


def test_a_changed_file_is_noticed(tmp_path):
    for name in ("B02_w1.tif", "B03_w1.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    before = manifest.list_planes("imagexpress", tmp_path, {})
    tifffile.imwrite(tmp_path / "B03_w1.tif", np.zeros((8, 9), np.uint16))
    after = manifest.list_planes("imagexpress", tmp_path, {})
    state = ["bytes", "modified_ns"]
    assert (before[state] == after[state]).all(axis=1).tolist() == [True, False]


def test_layouts_of_the_config_come_first_and_unknown_ones_get_the_nearest_name(tmp_path: Path):
    (tmp_path / "x-B02.tif").touch()
    own = {"mine": {"pattern": r"x-(?P<well>...)\.tif"}}
    assert manifest.list_planes("mine", tmp_path, own)["well"].tolist() == ["B02"]
    with pytest.raises(BadConfig, match="did you mean 'imagexpress'"):
        manifest.list_planes("imageexpress", tmp_path, own)
    with pytest.raises(BadConfig, match="no folder"):
        manifest.list_planes("mine", tmp_path / "nowhere", own)


def test_files_are_copies_if_they_are_equal_to_the_last_byte(tmp_path):
    whole = bytes(range(256)) * (2 * PIECE // 256) + b"end"
    files = {"a": whole, "b": whole, "c": whole[:-1] + b"D", "d": whole[:-1], "e": b"", "f": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    same = same_bytes(tmp_path)
    assert [same("a", other) for other in "bcdeg"] == [True, False, False, False, False]
    assert same("e", "f")
