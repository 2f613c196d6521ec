"""Nikon's .nd2: planes, channels, scale and times; real files, and small ones written here."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from made_nd2 import clx, write_nd2
from test_account import inspected

from cellpipe.errors import BadImage
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.containers.containers import View, contents_of
from cellpipe.readers.containers.planes import list_planes
from cellpipe.readers.pixels.reading import read_header, read_plane

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 60000, (3, 2, 4, 2, 10, 12)).astype(np.uint16)  # T, P, Z, C, Y, X


def only_view(path: Path) -> View:
    (view,) = contents_of(path).views
    return view


# --- written here


@pytest.mark.parametrize(
    "options", [{}, {"packed": True}, {"padding": 6}, {"packed": True, "padding": 2}], ids=str
)
def test_every_plane_is_at_its_place(tmp_path: Path, options: dict) -> None:
    write_nd2(tmp_path / "a.nd2", PIXELS, ["DAPI", "GFP"], positions=["B02", "C05"], **options)
    planes = list_planes("nd2", tmp_path)
    assert len(planes) == 3 * 2 * 4 * 2
    for row in planes.itertuples():
        place = ["B02", "C05"].index(row.well), row.z, ["DAPI", "GFP"].index(row.channel)
        np.testing.assert_array_equal(
            read_plane(tmp_path / row.path, row.page), PIXELS[row.t, *place]
        )
    assert (planes["field"] == 1).all()


def test_header_holds_scale_and_times(tmp_path: Path) -> None:
    times_ms = np.arange(3 * 2 * 4) * 250.0
    write_nd2(
        tmp_path / "a.nd2", PIXELS, ["DAPI", "GFP"], positions=["", ""], times_ms=times_ms,
        pixel_um=0.65, z_um=1.5,
    )  # fmt: skip
    header = read_header(tmp_path / "a.nd2", 0)
    assert (header.shape, header.dtype) == ((10, 12), "uint16")
    assert (header.pixel_size_y_um, header.pixel_size_um, header.z_step_um) == (0.65, 0.65, 1.5)
    assert header.time_step_s == 2.0  # two positions of four planes
    assert header.scale_source == "axesCalibration of a.nd2"
    assert header.time_source == "acquisition times (AcqTimesCache) of a.nd2"
    first, second = contents_of(tmp_path / "a.nd2").views
    assert (first.stage_um, second.stage_um) == ((0.0, -500.0, 7.0), (1000.0, -500.0, 7.0))
    assert first.objective == "Plan Apo 20x"


def test_a_scale_that_is_not_calibrated_is_unknown(tmp_path: Path) -> None:
    write_nd2(tmp_path / "a.nd2", PIXELS[:1, :1, :1], ["DAPI", "GFP"], pixel_um=0.0)
    header = read_header(tmp_path / "a.nd2", 0)
    assert header.pixel_size_um is None
    assert header.z_step_um is None
    assert "not calibrated" in header.scale_doubt


def test_channels_of_one_name_are_distinguished(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (1, 1, 1, 4, 6, 5)).astype(np.uint8)
    write_nd2(tmp_path / "a.nd2", pixels, ["DAPI", "", "DAPI", " GFP  BP "])
    assert only_view(tmp_path / "a.nd2").channels == ("DAPI", "2", "DAPI (2)", "GFP BP")


def test_a_colour_camera_has_three_channels_stored_blue_green_red(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (1, 1, 1, 3, 6, 5)).astype(np.uint8)
    write_nd2(tmp_path / "a.nd2", pixels, ["Brightfield"])
    assert only_view(tmp_path / "a.nd2").channels == (
        "Brightfield red", "Brightfield green", "Brightfield blue",
    )  # fmt: skip
    for page in range(3):
        np.testing.assert_array_equal(
            read_plane(tmp_path / "a.nd2", page), pixels[0, 0, 0, 2 - page]
        )


def test_a_frame_that_is_not_there_is_listed_without_a_file_and_never_zeros(tmp_path: Path) -> None:
    """The package that parses the file gives zeros for it."""
    import nd2

    write_nd2(tmp_path / "a.nd2", PIXELS[:, :1, :1, :1], ["DAPI"], lost=[1])
    assert not nd2.imread(tmp_path / "a.nd2")[1].any()
    planes = list_planes("nd2", tmp_path)
    assert planes["path"].tolist() == ["a.nd2", "", "a.nd2"]
    assert planes["t"].tolist() == [0, 1, 2]
    with pytest.raises(BadImage, match="does not hold its plane 1"):
        read_plane(tmp_path / "a.nd2", 1)


def test_a_damaged_file_is_a_fault_of_its_well_and_the_others_are_used(tmp_path: Path) -> None:
    for well in ("B02", "B03", "B04"):
        write_nd2(tmp_path / f"{well}.nd2", PIXELS[:1, :1, :1], ["DAPI", "GFP"])
    cut = (tmp_path / "B03.nd2").read_bytes()[:5000]
    (tmp_path / "B03.nd2").write_bytes(cut)
    found, planes, over = inspected(tmp_path, "nd2", {"dna": {"source": "DAPI"}})
    assert planes["well"].tolist() == ["B02", "B04"]
    (fault,) = found["faults"]
    assert (fault["well"], fault["file"], fault["status"]) == ("B03", "B03.nd2", "passed over")
    assert "cannot be read" in fault["reason"]
    assert over["image"].all()
    assert found["files"]["used"] == 2


def test_a_file_of_several_planes_has_no_only_plane(tmp_path: Path) -> None:
    write_nd2(tmp_path / "a.nd2", PIXELS[:1, :1, :1], ["DAPI", "GFP"])
    with pytest.raises(BadImage, match="holds 2 planes") as fault:
        read_plane(tmp_path / "a.nd2")
    assert "layout nd2" in fault.value.do
    with pytest.raises(BadImage, match="holds 2 planes, but not plane 2"):
        read_plane(tmp_path / "a.nd2", 2)


def test_frames_without_a_loop_are_time_points_and_a_note(tmp_path: Path) -> None:
    write_nd2(
        tmp_path / "a.nd2", PIXELS[:, :1, :1, :1], ["DAPI"], change={"ImageMetadataLV!": clx({})}
    )
    files = find_files(tmp_path)
    assert list_planes("nd2", tmp_path, files)["t"].tolist() == [0, 1, 2]
    assert any("taken as time points" in note for note in files.notes)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"ImageMetadataLV!": clx({"SLxExperiment": {"eType": 1, "uLoopPars": {
            "uiCount": 4_000_000_000, "dStart": 0.0, "dPeriod": 0.0, "dDuration": 0.0}}})},
         "count 4,000,000,000 planes"),
        ({"ImageMetadataLV!": clx({"SLxExperiment": {"eType": 7, "uLoopPars": {"uiCount": 5}}})},
         "CustomLoop"),
        ({"ImageMetadataLV!": bytes([76, 0, *bytes(10)]) + zlib.compress(bytes(600_000_000), 9)},
         "unpack to more than"),
        ({"ImageAttributesLV!": clx({"SLxImageAttributes": {"uiWidth": 2**31, "uiHeight": 2**31,
            "uiWidthBytes": 2**31, "uiComp": 2, "uiBpcInMemory": 16, "uiBpcSignificant": 16,
            "uiSequenceCount": 1, "eCompression": 2}})}, "bytes for 2,147,483,648"),
        ({"ImageAttributesLV!": clx({"SLxImageAttributes": {"uiWidth": 12, "uiHeight": 10,
            "uiWidthBytes": 60, "uiComp": 5, "uiBpcInMemory": 8, "uiBpcSignificant": 8,
            "uiSequenceCount": 1, "eCompression": 2}})}, "pixels of 5 numbers in 2 channel"),
        ({"ImageMetadataLV!": b"\x0b"}, "cannot be read"),
    ],
    ids=["endless loop", "another loop", "a bomb", "endless rows", "five numbers", "nonsense"],
)  # fmt: skip
def test_absurd_metadata_are_a_named_fault(tmp_path: Path, change: dict, seen: str) -> None:
    write_nd2(tmp_path / "a.nd2", PIXELS[:1, :1, :1], ["DAPI", "GFP"], change=change)
    with pytest.raises(BadImage, match=seen):
        contents_of(tmp_path / "a.nd2")


def test_an_old_file_is_answered_with_what_converts_it(tmp_path: Path) -> None:
    (tmp_path / "a.nd2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(500))
    with pytest.raises(BadImage, match="JPEG 2000") as fault:
        contents_of(tmp_path / "a.nd2")
    assert "bioformats2raw" in fault.value.do


# --- real files


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "channels", "n_t", "n_z", "um"),
    [
        ("example-multichannel", ("Mono", "DAPI", "FITC BP", "TRITC BP"), 1, 1, 0.323390342594048),
        ("example-pbmc", ("Mono", "DAPI", "FITC BP", "TRITC BP"), 1, 1, 0.646780685188096),
        ("example-timelapse", ("GFP 488 nm",), 53, 1, 0.325),
        ("example-zstack", ("FITC BP",), 1, 11, 0.323390342594048),
    ],
)
def test_real_files_equal_the_reading_of_nd2(
    real_data: Path, name: str, channels: tuple[str, ...], n_t: int, n_z: int, um: float
) -> None:
    import nd2

    path = real_data / "formats-real/nd2" / f"{name}.nd2"
    view = only_view(path)
    assert (view.channels, view.n_t, view.n_z) == (channels, n_t, n_z)
    assert view.pixel_size_um == pytest.approx((um, um), rel=1e-9)
    # (T, Z, C, Y, X), of which the package leaves out axes of one
    whole = nd2.imread(path).reshape(n_t, n_z, len(channels), *view.shape)
    for page in range(view.n_planes):
        t, rest = divmod(page, n_z * len(channels))
        z, c = divmod(rest, len(channels))
        np.testing.assert_array_equal(read_plane(path, page), whole[t, z, c])


@pytest.mark.data
def test_steps_of_real_files(real_data: Path) -> None:
    """The loop of the movie has a period of 0; its frames were 0.50016 s apart."""
    folder = real_data / "formats-real/nd2"
    assert read_header(folder / "example-timelapse.nd2", 0).time_step_s == pytest.approx(0.50016)
    assert read_header(folder / "example-zstack.nd2", 0).z_step_um == 6.0
    assert read_header(folder / "example-multichannel.nd2", 0).z_step_um is None
    view = only_view(folder / "example-zstack.nd2")
    assert view.stage_um == pytest.approx((49481.8, -32354.2, 8776.58))
    assert view.objective == "Plan Apo λ 20x"
