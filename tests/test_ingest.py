"""Frames are put together from planes; what is wrong with a plate's files is set aside, in words.

B02  fine
B03  one file cut short
B04  one channel missing
C02  one channel of another bit depth
C03  no file at all, though the plate map names it
C04  one header that claims 3.5 TiB
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from running import PLATE, Run

from cellpipe.errors import BadImage
from cellpipe.readers.accounting.holes import stack_sizes
from cellpipe.run.frames import ingest
from cellpipe.run.receipts import read_receipts, read_rows

TABLE = "results/P/blocks/ingest/0000.parquet"


def plane(value: int, dtype: str = "uint16") -> np.ndarray:
    return np.full((4, 5), value, dtype)


@pytest.mark.parametrize("projection", ["max", None])
def test_channels_and_planes_stand_in_their_order(projection):
    planes = {
        ("gfp", 1): plane(11),
        ("dna", 0): plane(2),
        ("gfp", 0): plane(10),
        ("dna", 1): plane(1),
    }
    frame = ingest.assemble(
        planes, ["dna", "gfp"], dtype="uint16", n_z={"dna": 2, "gfp": 2}, projection=projection
    ).pixels
    assert frame.shape == (2, 1 if projection else 2, 4, 5)
    assert frame[:, :, 0, 0].tolist() == ([[2], [11]] if projection else [[2, 1], [10, 11]])


def test_a_projection_stands_beside_a_stack():
    planes = {("dna", 0): plane(7), ("gfp", 0): plane(1), ("gfp", 1): plane(3)}
    frame = ingest.assemble(
        planes, ["dna", "gfp"], dtype="uint16", n_z={"dna": 1, "gfp": 2}, projection="max"
    ).pixels
    assert frame[:, 0, 0, 0].tolist() == [7, 3]


@pytest.mark.parametrize(("gone", "words"), [("gfp", "'gfp' is missing"), ("dna", "1 plane")])
def test_a_missing_channel_or_plane_is_a_bad_image(gone, words):
    planes = {("dna", 0): plane(1), ("dna", 1): plane(2), ("gfp", 0): plane(3)}
    planes.pop((gone, 0))
    with pytest.raises(BadImage, match=words):
        ingest.assemble(
            planes, ["dna", "gfp"], dtype="uint16", n_z={"dna": 2, "gfp": 1}, projection="max"
        )


def test_the_depth_of_a_stack_is_that_of_most_frames():
    rows = [
        {"well": well, "field": 1, "t": 0, "channel": channel, "z": z}
        for well in ("B02", "B03", "B04")
        for channel, depth in (("dna", 3), ("gfp", 1))
        for z in range(depth)
    ]
    one_lost = pd.DataFrame(rows).drop(index=[1])
    assert stack_sizes(one_lost) == {"dna": 3, "gfp": 1}


@pytest.mark.parametrize("wrong", [plane(1, "uint8"), np.zeros((5, 4), np.uint16)])
def test_a_plane_of_another_kind_is_refused_with_its_file(wrong):
    with pytest.raises(BadImage, match=r"images/x\.tif is .* × .*uint16"):
        ingest.refuse_other(wrong, "images/x.tif", (4, 5), "uint16")


@pytest.mark.parametrize(("wanted", "binned"), [((8, 10), True), ((9, 11), True), ((8, 5), False)])
def test_a_channel_that_was_binned_is_told_what_helps(wanted, binned):
    with pytest.raises(BadImage) as fault:
        ingest.refuse_other(np.zeros((4, 5), np.uint16), "images/x.tif", wanted, "uint16")
    assert ("binned 2 × 2, leave it out of 'channels'" in fault.value.do) is binned
    assert fault.value.do.endswith("export the field again with the camera settings of the others")


def test_equal_pixels_have_equal_digests_and_others_have_not():
    frame = np.arange(24, dtype=np.uint16).reshape(1, 1, 4, 6)
    strided = np.repeat(frame, 2, axis=3)[..., ::2]
    assert ingest.pixel_digest(frame) == ingest.pixel_digest(strided)
    others = (frame + 1, frame.astype(np.uint8), frame.reshape(1, 1, 6, 4))
    assert len({ingest.pixel_digest(x) for x in (frame, *others)}) == 4


def test_figures_of_a_frame():
    frame = np.stack([[plane(100)], [plane(65535)]])
    figures = ingest.frame_figures(frame, ["dna", "gfp"])
    levels = ("background", "noise", "step", "digest")  # see test_levels
    assert {k: v for k, v in figures.items() if not k.endswith(levels)} == {
        "dna_mean": 100.0,
        "dna_blank": 1.0,
        "dna_equal": 1.0,
        "dna_lines": 0,
        "dna_saturated": 0.0,
        "dna_top": 100.0,
        "dna_at_top": 1.0,
        "gfp_mean": 65535.0,
        "gfp_saturated": 1.0,
        "gfp_top": 65535.0,
        "gfp_at_top": 1.0,
        "gfp_blank": 1.0,
        "gfp_equal": 1.0,
        "gfp_lines": 0,
    }


def claim_huge(path: Path) -> None:
    """A TIFF header that claims 900 × 65,535 × 65,535 pixels in a few hundred bytes."""
    tags = [(256, 4, 65535), (257, 4, 65535), (258, 3, 8), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 900), (278, 4, 65535), (279, 4, 100)]
    body = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
    body += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    path.write_bytes(body + struct.pack("<I", 0))


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Run:
    run = Run.drawn(tmp_path_factory.mktemp("damaged"), "plate", PLATE)
    images = run.folder / "images"
    shutil.copytree(images, run.folder / "whole")
    cut = images / "B03_s1_w2.tif"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (images / "B04_s1_w3.tif").unlink()
    shallow = images / "C02_s1_w1.tif"
    tifffile.imwrite(shallow, (tifffile.imread(shallow) >> 8).astype(np.uint8))
    for path in images.glob("C03_*"):
        path.unlink()
    claim_huge(images / "C04_s1_w1.tif")
    run.run(TABLE)
    return run


@pytest.fixture(scope="module")
def said(damaged) -> dict[str, list]:
    """Quarantined frames, by well."""
    return {r.unit.well: r.bad_frames for r in read_receipts(damaged.folder / TABLE)}


@pytest.mark.parametrize(
    ("well", "reason", "remedy"),
    [
        ("B03", "images/B03_s1_w2.tif is truncated", "copy the file again"),
        ("B04", "channel 'spots' is missing", "copy the missing files"),
        ("C02", "images/C02_s1_w1.tif is 192 × 192, uint8; wanted: 192 × 192, uint16", "camera"),
        ("C04", "images/C04_s1_w1.tif claims", "leave"),
    ],
)
def test_a_bad_file_quarantines_its_field_with_reason_and_remedy(said, well, reason, remedy):
    (frame,) = said[well]
    assert frame.status == "quarantined"
    assert reason in frame.reason
    assert remedy in frame.remedy


def test_the_rest_of_the_plate_goes_on(damaged, said):
    assert said["B02"] == []
    assert read_rows([damaged.folder / TABLE])["well"].tolist() == ["B02"]


def test_a_well_without_files_is_named(damaged):
    inspection = (damaged.plate / "inspection.json").read_text()
    assert "there are no images of well C03" in inspection


@pytest.fixture(scope="module")
def before_mending(damaged) -> dict:
    """Receipts of the damaged plate, which then is mended in two places and run again."""
    before = damaged.receipts("ingest")
    for name in ("B03_s1_w2.tif", "C02_s1_w1.tif"):
        shutil.copyfile(damaged.folder / "whole" / name, damaged.folder / "images" / name)
    damaged.run(TABLE)
    return before


def test_a_file_that_was_mended_is_taken_up_and_the_others_are_not_read_again(
    damaged, before_mending
):
    rows = read_rows([damaged.folder / TABLE])
    assert rows["well"].tolist() == ["B02", "B03", "C02"]
    after = damaged.receipts("ingest")
    assert {name for name in after if after[name] == before_mending.get(name)} == {
        "B02_f1_t0-1",
        "B04_f1_t0-1",
        "C04_f1_t0-1",
    }


@pytest.mark.usefixtures("before_mending")  # the first of those that are left is a missing file
def test_stop_stops_with_words(damaged):
    code, words = damaged.attempt(TABLE, on_bad_image="stop")
    assert code != 0
    assert "channel 'spots' is missing" in words
    assert "copy the missing files" in words
    assert "Traceback" not in words


def test_a_wrong_folder_stops_before_any_job(damaged):
    sheet = damaged.folder / "plates.tsv"
    whole = sheet.read_text()
    sheet.write_text(whole.replace("images\tdrawn", "imags\tdrawn"))
    code, words = damaged.attempt(TABLE)
    sheet.write_text(whole)
    assert code != 0
    assert "no images at imags" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("B2\ta\t0\tnegative", "B02"), ("Z99\ta\t0\tnegative", "Z99")],
)
def test_a_wrong_plate_map_stops_before_pixels_are_read(damaged, line, wanted):
    path = damaged.folder / "plate_map.tsv"
    whole = path.read_text()
    path.write_text("\n".join([*whole.splitlines()[:-1], line]) + "\n")
    code, words = damaged.attempt(TABLE)
    path.write_text(whole)
    assert code != 0
    assert wanted in words
    assert "do:" in words
    assert "Traceback" not in words
