"""Leica's .lif: series, tiles, planes, scale and times; a real file, and written ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_lif import Series, write_lif

from cellpipe.errors import BadImage
from cellpipe.readers import manifest
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.containers.containers import contents_of
from cellpipe.readers.containers.planes import list_planes
from cellpipe.readers.pixels.reading import read_header, read_plane
from cellpipe.readers.vendor.acquisition import ANYWHERE
from cellpipe.readers.vendor.centres import field_centres

RNG = np.random.default_rng(0)
STACKS = RNG.integers(0, 60000, (2, 3, 2, 8, 10)).astype(np.uint16)  # T, Z, C, Y, X
FLAT = RNG.integers(0, 255, (2, 8, 10)).astype(np.uint8)  # C, Y, X
SECOND = 10**7  # of time stamps, which count 100 ns


# --- written here


def test_every_plane_is_at_its_place(tmp_path: Path) -> None:
    second = STACKS[::-1].copy()
    write_lif(
        tmp_path / "a.lif",
        [
            Series("TileScan 1/B/3/R1", STACKS, "TZCYX", ["Green", "Gray"]),
            Series("TileScan 1/C/4/R1", second, "TZCYX", ["Green", "Gray"]),
        ],
    )
    planes = list_planes("lif", tmp_path)
    assert len(planes) == 2 * STACKS[..., 0, 0].size
    for row in planes.itertuples():
        pixels = {"B03": STACKS, "C04": second}[row.well]
        expected = pixels[row.t, row.z, ["Green", "Gray"].index(row.channel)]
        np.testing.assert_array_equal(read_plane(tmp_path / row.path, row.page), expected)


def test_scale_times_stage_and_objective(tmp_path: Path) -> None:
    setting = (
        '<Attachment Name="HardwareSetting"><ATLConfocalSettingDefinition StagePosX="0.03" '
        'StagePosY="-0.01" ObjectiveName="HC PL APO 63x " /></Attachment>'
    )
    lengths = {"X": 9e-6, "Y": 14e-6, "Z": 3e-6, "T": 5.0}
    stamps = [SECOND * (10**10 + 7 * k) for k in range(2 * 3)]
    series = Series("a", STACKS, "TZCYX", ["G", "G"], lengths, stamps, setting)
    write_lif(tmp_path / "a.lif", [series])
    header = read_header(tmp_path / "a.lif", 0)
    # from the centre of the first to that of the last pixel
    assert (header.pixel_size_um, header.pixel_size_y_um, header.z_step_um) == (1.0, 2.0, 1.5)
    assert header.time_step_s == 21.0
    (view,) = contents_of(tmp_path / "a.lif").views
    assert view.channels == ("G", "G (2)")
    assert view.stage_um == (30000.0, -10000.0, None)
    assert view.objective == "HC PL APO 63x"


def test_without_time_stamps_the_dimension_has_the_time(tmp_path: Path) -> None:
    series = Series("a", STACKS, "TZCYX", ["G", "R"], {"T": 5.0})
    write_lif(tmp_path / "a.lif", [series])
    header = read_header(tmp_path / "a.lif", 0)
    assert header.time_step_s == 5.0
    assert header.pixel_size_um is None  # no length


def test_broken_times_and_tiles_are_unknown_and_the_pixels_are_read(tmp_path: Path) -> None:
    tiles = '<Attachment Name="TileScanInfo"><Tile PosX="here" PosY="0" /></Attachment>'
    series = Series("a", STACKS, "TZCYX", ["G", "R"], {}, ["zz", "1"], tiles)
    write_lif(tmp_path / "a.lif", [series])
    (view,) = contents_of(tmp_path / "a.lif").views
    assert (view.times_s, view.stage_um) == ({}, None)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 1), STACKS[0, 0, 1])


def test_a_scan_through_the_depth_has_rows_along_z_and_a_note(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (3, 2, 6, 9)).astype(np.uint8)  # Y, C, Z, X
    lengths = {"X": 8e-6, "Z": 10e-6, "Y": 4e-6}
    write_lif(tmp_path / "a.lif", [Series("xzy", pixels, "YCZX", ["G", "R"], lengths)])
    (view,) = contents_of(tmp_path / "a.lif").views
    assert (view.shape, view.n_z) == ((6, 9), 3)
    assert (view.pixel_size_um, view.z_step_um) == ((2.0, 1.0), 2.0)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 3), pixels[1, 1])
    assert any("along z" in note for note in contents_of(tmp_path / "a.lif").notes)


def test_tiles_are_fields_with_stage_positions_and_the_merged_image_is_left_out(
    tmp_path: Path,
) -> None:
    tiles = RNG.integers(0, 255, (3, 8, 10)).astype(np.uint8)
    places = "".join(f'<Tile PosX="{0.01 * k}" PosY="0.02" />' for k in range(3))
    scan = f'<Attachment Name="TileScanInfo">{places}</Attachment>'
    write_lif(
        tmp_path / "a.lif",
        [
            Series("Scan", tiles, "MYX", attachment=scan),
            Series("Scan_Merged", FLAT[0], "YX"),
        ],
    )
    contents = contents_of(tmp_path / "a.lif")
    assert [view.stage_um for view in contents.views] == [
        pytest.approx((10000.0 * k, 20000.0, None)) for k in range(3)
    ]
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 2), tiles[2])
    assert any("'Scan_Merged' is merged of tiles" in note for note in contents.notes)


# FlipX, FlipY, SwapXY: where the tile at FieldX 1 and that at FieldY 1 lie from the first (y, x)
WAYS = {
    "000": ((0, 1), (1, 0)), "100": ((0, -1), (1, 0)), "010": ((0, 1), (-1, 0)),
    "110": ((0, -1), (-1, 0)), "001": ((1, 0), (0, 1)), "111": ((-1, 0), (0, -1)),
}  # fmt: skip


@pytest.mark.parametrize("flags", [*WAYS, "101", "011", "", "00"])
def test_flags_of_a_tile_scan_are_the_directions_of_its_positions(
    tmp_path: Path, flags: str
) -> None:
    """111 is as LAS X merges tiles; of one mirrored and both exchanged, readers differ."""
    tiles = np.zeros((3, 8, 10), np.uint8)
    step, names = 500e-6, ("FlipX", "FlipY", "SwapXY")
    set_to = " ".join(f'{name}="{flag}"' for name, flag in zip(names, flags, strict=False))
    places = "".join(
        f'<Tile FieldX="{x}" FieldY="{y}" PosX="{0.01 + x * step}" PosY="{0.02 + y * step}" />'
        for x, y in ((0, 0), (1, 0), (0, 1))
    )
    scan = f'<Attachment Name="TileScanInfo" {set_to}>{places}</Attachment>'
    write_lif(tmp_path / "a.lif", [Series("Scan", tiles, "MYX", attachment=scan)])
    planes = manifest.list_planes("lif", tmp_path, {})
    at = field_centres(planes, tmp_path, "lif")
    first, *others = (at["A01", field] for field in (1, 2, 3))
    if flags not in WAYS:
        assert {centre.origin for centre in at.values()} == {ANYWHERE}
        assert (first.y_um, first.x_um) == pytest.approx((20000, 10000))
        return
    assert {(centre.origin, centre.source) for centre in at.values()} == {("stage", "TileScanInfo")}
    for centre, way in zip(others, WAYS[flags], strict=True):
        moved = (centre.y_um - first.y_um, centre.x_um - first.x_um)
        assert moved == pytest.approx((500 * way[0], 500 * way[1]))


def test_a_merged_image_without_its_tiles_is_used(tmp_path: Path) -> None:
    write_lif(tmp_path / "a.lif", [Series("Scan_Merged", FLAT[0], "YX")])
    assert len(contents_of(tmp_path / "a.lif").views) == 1


def test_colours_are_three_channels(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (2, 8, 10, 3)).astype(np.uint8)
    write_lif(tmp_path / "a.lif", [Series("a", pixels, "ZYXS", ["Red", "Green", "Blue"])])
    (view,) = contents_of(tmp_path / "a.lif").views
    assert view.channels == ("red", "green", "blue")
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 4), pixels[1, ..., 1])


def test_stacks_among_single_planes_are_a_note(tmp_path: Path) -> None:
    flat = [Series(f"p{k}", FLAT, "CYX", "GR") for k in range(3)]
    write_lif(tmp_path / "a.lif", [*flat, Series("stack", STACKS[:1], "TZCYX", "GR")])
    files = find_files(tmp_path)
    assert len(list_planes("lif", tmp_path, files)) == 3 * 2 + 6
    assert any("1 of 4 positions" in note and "'stack' of a.lif" in note for note in files.notes)


def test_series_of_one_name_are_both_there(tmp_path: Path) -> None:
    write_lif(
        tmp_path / "a.lif", [Series("a", FLAT, "CYX", "GR"), Series("a", FLAT + 1, "CYX", "GR")]
    )
    assert len(contents_of(tmp_path / "a.lif").views) == 2
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 3), FLAT[1] + 1)


def test_a_line_scan_is_left_out_with_its_reason(tmp_path: Path) -> None:
    line = RNG.integers(0, 255, (4, 10)).astype(np.uint8)
    write_lif(tmp_path / "a.lif", [Series("line", line, "TX"), Series("a", FLAT, "CYX", "GR")])
    files = find_files(tmp_path)
    assert len(list_planes("lif", tmp_path, files)) == 2
    assert any("series 'line' is left out: a scan of tx" in note for note in files.notes)


def test_planes_that_were_cut_off_are_counted_and_have_no_file(tmp_path: Path) -> None:
    write_lif(
        tmp_path / "a.lif", [Series("a", STACKS, "TZCYX", "GR"), Series("b", FLAT, "CYX", "GR")]
    )
    content = (tmp_path / "a.lif").read_bytes()
    (tmp_path / "a.lif").write_bytes(content[: -FLAT.nbytes - 300])
    planes = list_planes("lif", tmp_path)
    assert len(planes) == 14
    assert (planes["path"] == "").sum() == 2 + 2  # of the first series 2 of 12, of the second all
    with pytest.raises(BadImage, match="does not hold its plane 11"):
        read_plane(tmp_path / "a.lif", 11)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.lif", 9), STACKS[1, 1, 1])


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"\x70\0\0\0" + bytes(500), "does not begin as a .lif file"),
        (b"\x70\0\0\0\x05\0\0\0\x2a\xff\xff\xff\x7f" + bytes(500), "XML of 4,294,967,294 bytes"),
        (b"\x70\0\0\0\x05\0\0\0\x2a\xff\xff\0\0" + bytes(500), "its XML would end at byte"),
        (b"", "its first bytes would end at byte 13 of 0"),
    ],
)
def test_other_bytes_are_a_named_fault(tmp_path: Path, content: bytes, seen: str) -> None:
    (tmp_path / "a.lif").write_bytes(content)
    with pytest.raises(BadImage, match=seen):
        contents_of(tmp_path / "a.lif")


@pytest.mark.parametrize(
    ("extra", "seen"),
    [
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]>', "entities"),
        ("<LMS_Object_File />" + " " * 300, "a part of a LAS X project"),
    ],
)
def test_documents_that_could_lead_elsewhere_are_refused(
    tmp_path: Path, extra: str, seen: str
) -> None:
    write_lif(tmp_path / "a.lif", [Series("a", FLAT, "CYX", "GR")], extra)
    with pytest.raises(BadImage, match=seen):
        contents_of(tmp_path / "a.lif")


# --- a real file


@pytest.mark.data
@pytest.mark.parametrize(("name", "t", "channel"), [("c0t0.tif", 0, 0), ("c1t8.tif", 8, 1)])
def test_a_real_file_equals_the_planes_next_to_it(
    real_data: Path, name: str, t: int, channel: int
) -> None:
    folder = real_data / "formats-real/lif"
    plane = read_plane(folder / "xz-example.lif", 2 * t + channel)
    np.testing.assert_array_equal(plane, read_plane(folder / name))


@pytest.mark.data
def test_a_real_file_equals_the_arrays_of_liffile(real_data: Path) -> None:
    import liffile

    path = real_data / "formats-real/lif/xz-example.lif"
    page = 0
    with liffile.LifFile(path) as lif:
        for image in lif.images:  # T, Y, C, Z, X as far as there are several
            for expected in image.asarray().reshape(-1, *image.shape[-2:]):
                np.testing.assert_array_equal(read_plane(path, page), expected)
                page += 1
    assert page == sum(view.n_planes for view in contents_of(path).views) == 88


@pytest.mark.data
def test_metadata_of_a_real_file(real_data: Path) -> None:
    path = real_data / "formats-real/lif/xz-example.lif"
    movie, stack, section = contents_of(path).views
    assert [view.channels for view in (movie, stack, section)] == [("Green", "Red")] * 3
    assert ((movie.n_t, movie.n_z), (stack.n_t, stack.n_z)) == ((20, 1), (1, 23))
    assert movie.pixel_size_um == pytest.approx((0.14028, 0.14028), abs=1e-5)
    assert stack.z_step_um == pytest.approx(0.22906, abs=1e-5)
    assert read_header(path, 0).time_step_s == pytest.approx(0.53)
    assert movie.objective == "HC PL APO CS2    63x/1.30 GLYC"
    assert movie.stage_um == pytest.approx((34620.9393, 14743.0540, None))
