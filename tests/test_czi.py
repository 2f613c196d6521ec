"""Zeiss' .czi: scenes, tiles, planes, scale and times; real files, and small ones written here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from made_czi import JPEG_XR, ZSTD, ZSTD_1, Block, document, well_scene, write_czi

from cellpipe.errors import BadImage
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.containers.containers import contents_of
from cellpipe.readers.containers.planes import list_planes
from cellpipe.readers.pixels.reading import read_header, read_plane

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 4000, (24, 32)).astype(np.uint16)
COLOUR = RNG.integers(0, 255, (24, 32, 3)).astype(np.uint8)  # blue, green, red


def planes_of(path: Path) -> list[np.ndarray]:
    n = sum(view.n_planes for view in contents_of(path).views)
    return [read_plane(path, page) for page in range(n)]


# --- written here


def test_every_plane_is_at_its_place(tmp_path: Path) -> None:
    """Indices that do not begin at 0, and a directory in any order."""
    pixels = RNG.integers(0, 4000, (2, 2, 3, 2, 8, 9)).astype(np.uint16)  # S, T, Z, C, Y, X
    blocks = [
        Block(pixels[s, t, z, c], {"X": 500 * s, "Y": -7, "S": s, "T": t + 4, "Z": z + 2, "C": c})
        for s, t, z, c in np.ndindex(2, 2, 3, 2)
    ]
    RNG.shuffle(blocks)
    scenes = well_scene(0, 2, 3) + well_scene(1, 4, 12)
    write_czi(tmp_path / "a.czi", blocks, document(channels=["DAPI", "GFP"], scenes=scenes))
    planes = list_planes("czi", tmp_path)
    assert len(planes) == 24
    for row in planes.itertuples():
        place = ["B03", "D12"].index(row.well), row.t, row.z, ["DAPI", "GFP"].index(row.channel)
        np.testing.assert_array_equal(read_plane(tmp_path / row.path, row.page), pixels[place])


def test_scale_times_stage_and_objective(tmp_path: Path) -> None:
    blocks = [Block(GREY, {"T": t + 5, "Z": z}) for t in range(3) for z in range(2)]
    times = "<Positions><List><Offsets>0 30.5 61</Offsets></List></Positions>"
    scene = well_scene(0, 1, 2)
    write_czi(tmp_path / "a.czi", blocks, document(um=0.1, z_um=0.4, times=times, scenes=scene))
    header = read_header(tmp_path / "a.czi", 0)
    assert (header.pixel_size_um, header.pixel_size_y_um, header.z_step_um) == (0.1, 0.1, 0.4)
    assert header.time_step_s == 30.5
    assert header.scale_source == "Scaling Distance of a.czi"
    (view,) = contents_of(tmp_path / "a.czi").views
    assert view.stage_um == (2000.0, 2000.0, None)
    assert view.objective == "Plan-Apochromat 20x/0.8"


def test_tiles_are_put_together_and_the_last_is_on_top(tmp_path: Path) -> None:
    first, last = np.full((10, 12), 3, np.uint16), np.full((10, 12), 8, np.uint16)
    blocks = [Block(last, {"X": 110, "Y": 54, "M": 1}), Block(first, {"X": 100, "Y": 50, "M": 0})]
    write_czi(tmp_path / "a.czi", blocks, document())
    expected = np.zeros((14, 22), np.uint16)
    expected[:10, :12], expected[4:, 10:] = first, last
    np.testing.assert_array_equal(planes_of(tmp_path / "a.czi")[0], expected)
    assert "2 tiles by their positions; at least 22% of the image is covered by none" in "".join(
        contents_of(tmp_path / "a.czi").notes
    )


def test_tiles_of_a_slide_beyond_a_plane_are_fields(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 4000, (3, 2, 8, 9)).astype(np.uint16)  # M, C, Y, X
    blocks = [
        Block(pixels[m, c], {"X": 60000 * m, "Y": 30000 * m, "M": m, "C": c, "S": 0})
        for m, c in np.ndindex(3, 2)
    ]
    scene = well_scene(0, 2, 3)
    write_czi(tmp_path / "a.czi", blocks, document(channels=["DAPI", "GFP"], scenes=scene))
    files = find_files(tmp_path)
    planes = list_planes("czi", tmp_path, files)
    assert planes["well"].unique().tolist() == ["B03"]
    assert sorted(planes["field"].unique()) == [1, 2, 3]
    for row in planes.itertuples():
        expected = pixels[row.field - 1, ["DAPI", "GFP"].index(row.channel)]
        np.testing.assert_array_equal(read_plane(tmp_path / row.path, row.page), expected)
    assert any("its 3 tiles are fields" in note for note in files.notes)


def test_smaller_copies_of_a_pyramid_are_not_used(tmp_path: Path) -> None:
    copy = Block(GREY[::2, ::2].copy(), {}, size=GREY.shape)
    write_czi(tmp_path / "a.czi", [copy, Block(GREY)], document())
    (plane,) = planes_of(tmp_path / "a.czi")
    np.testing.assert_array_equal(plane, GREY)


def packed(how: str, pixels: np.ndarray) -> Block:
    import imagecodecs

    raw = pixels.tobytes()
    if how == "zstd":
        return Block(pixels, compression=ZSTD, packed=imagecodecs.zstd_encode(raw))
    if how == "zstd with header":
        return Block(pixels, compression=ZSTD_1, packed=b"\x01" + imagecodecs.zstd_encode(raw))
    if how == "low and high bytes":
        sorted_bytes = np.frombuffer(raw, np.uint8).reshape(-1, 2).T.tobytes()
        data = b"\x03\x01\x01" + imagecodecs.zstd_encode(sorted_bytes)
        return Block(pixels, compression=ZSTD_1, packed=data)
    shown = np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else pixels
    return Block(pixels, compression=JPEG_XR, packed=imagecodecs.jpegxr_encode(shown))


@pytest.mark.parametrize("how", ["zstd", "zstd with header", "low and high bytes", "JPEG XR"])
def test_compressed_planes(tmp_path: Path, how: str) -> None:
    write_czi(tmp_path / "a.czi", [packed(how, GREY)], document())
    np.testing.assert_array_equal(planes_of(tmp_path / "a.czi")[0], GREY)


@pytest.mark.parametrize("how", [None, "zstd", "JPEG XR"])
def test_colours_are_three_channels(tmp_path: Path, how: str | None) -> None:
    block = packed(how, COLOUR) if how else Block(COLOUR)
    write_czi(tmp_path / "a.czi", [block], document(channels=["TL"]))
    (view,) = contents_of(tmp_path / "a.czi").views
    assert view.channels == ("TL red", "TL green", "TL blue")
    np.testing.assert_array_equal(np.stack(planes_of(tmp_path / "a.czi"), -1), COLOUR[..., ::-1])


def test_a_channel_without_some_planes_lacks_them_and_others_do_not(tmp_path: Path) -> None:
    blocks = [Block(GREY, {"C": c, "Z": z}) for c, z in ((0, 0), (0, 1), (1, 1))]
    write_czi(tmp_path / "a.czi", blocks, document(channels=["DAPI", "GFP"]))
    planes = list_planes("czi", tmp_path)
    lost = planes[planes["path"] == ""]
    assert lost[["channel", "z"]].to_numpy().tolist() == [["GFP", 0]]
    assert len(planes) == 4


@pytest.mark.parametrize(
    ("scene", "well"),
    [
        ('<Scene Index="0" Name="D6"><ArrayName>D6</ArrayName></Scene>', "D06"),
        ('<Scene Index="0" Name="S"><Shape Name="E11" /></Scene>', "E11"),
        ('<Scene Index="0" Name="ScanRegion0" />', "A01"),  # the first file
        ('<Scene Index="0"><Shape><RowIndex>4000</RowIndex><ColumnIndex>1</ColumnIndex></Shape>'
         '</Scene>', "A01"),
    ],
)  # fmt: skip
def test_wells_of_scenes(tmp_path: Path, scene: str, well: str) -> None:
    write_czi(tmp_path / "a.czi", [Block(GREY, {"S": 0})], document(scenes=scene))
    assert list_planes("czi", tmp_path)["well"].tolist() == [well]


HUGE = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (40000, 40000), (0, 0))


@pytest.mark.parametrize(
    ("blocks", "seen"),
    [
        ([], "no sub-block holds pixels"),
        ([Block(GREY, {"H": h}) for h in range(3)], "3 phases, which are not read"),
        ([Block(GREY, {"Z": 0}), Block(GREY, {"Z": 2**31 - 1})], "count 2,147,483,648 planes"),
        ([Block(GREY), Block(GREY, {"X": 2**30})], "24 × 1,073,741,856 pixels"),
        ([Block(GREY), Block(COLOUR, {"M": 1})], "pixels of types"),
    ],
    ids=["nothing", "phases", "endless stack", "endless mosaic", "mixed"],
)
def test_what_is_not_read_is_a_named_fault(tmp_path: Path, blocks: list, seen: str) -> None:
    write_czi(tmp_path / "a.czi", blocks, document())
    with pytest.raises(BadImage, match=seen):
        contents_of(tmp_path / "a.czi")


def test_more_pixels_than_a_file_can_hold_are_refused_before_they_have_memory(
    tmp_path: Path,
) -> None:
    block = Block(HUGE[:30000, :30000], compression=ZSTD, packed=b"few bytes")
    write_czi(tmp_path / "a.czi", [block], document())
    with pytest.raises(BadImage, match="900,000,000 bytes of pixels from 9"):
        read_plane(tmp_path / "a.czi", 0)


def test_a_bomb_of_compressed_pixels_has_the_room_of_the_plane_alone(tmp_path: Path) -> None:
    import imagecodecs

    block = Block(GREY, compression=ZSTD, packed=imagecodecs.zstd_encode(bytes(10**8)))
    write_czi(tmp_path / "a.czi", [block], document())
    with pytest.raises(BadImage, match="cannot be read"):
        read_plane(tmp_path / "a.czi", 0)


def test_a_file_that_was_not_closed_is_read_with_a_note(tmp_path: Path) -> None:
    write_czi(tmp_path / "a.czi", [Block(GREY)], document(), pending=True)
    np.testing.assert_array_equal(planes_of(tmp_path / "a.czi")[0], GREY)
    assert any("did not close it" in note for note in contents_of(tmp_path / "a.czi").notes)


def test_a_file_without_metadata_has_numbers_as_channels_and_no_scale(tmp_path: Path) -> None:
    blocks = [Block(GREY, {"C": c, "T": t}) for c in range(2) for t in range(2)]
    write_czi(tmp_path / "a.czi", blocks, "")
    (view,) = contents_of(tmp_path / "a.czi").views
    assert (view.channels, view.n_t, view.pixel_size_um) == (("1", "2"), 2, None)
    assert any("no metadata" in note for note in contents_of(tmp_path / "a.czi").notes)


def test_entities_in_the_metadata_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + document()
    write_czi(tmp_path / "a.czi", [Block(GREY)], bomb)
    with pytest.raises(BadImage, match="entities"):
        contents_of(tmp_path / "a.czi")


# --- real files

# sha256 of all planes in the order of pages, as pylibCZIrw 6.1.0 reads each plane by scene
BY_PYLIBCZIRW = {
    "formats-real/czi/CellDivision_T3_Z5_CH2_X240_Y170.czi": "f8a708c1efbac3fe",
    "formats-real/czi/DAPI_GFP.czi": "dfb487206db90989",
    "formats-real/czi/WellD6_S1.czi": "7edaec458f442eb4",
    "odd-files/neubias-hostile/xyz__multiple_images.czi": "d847f413265a68d8",
}


@pytest.mark.data
@pytest.mark.parametrize("name", BY_PYLIBCZIRW)
def test_real_files_equal_the_reading_of_pylibczirw(real_data: Path, name: str) -> None:
    digest = hashlib.sha256()
    for plane in planes_of(real_data / name):
        digest.update(plane.tobytes())
    assert digest.hexdigest()[:16] == BY_PYLIBCZIRW[name]


@pytest.mark.data
def test_metadata_of_real_files(real_data: Path) -> None:
    folder = real_data / "formats-real/czi"
    (cells,) = contents_of(folder / "CellDivision_T3_Z5_CH2_X240_Y170.czi").views
    assert (cells.channels, cells.n_t, cells.n_z) == (("LED555", "LED470"), 3, 5)
    header = read_header(folder / "CellDivision_T3_Z5_CH2_X240_Y170.czi", 0)
    assert header.pixel_size_um == pytest.approx(0.0905766741522)
    assert header.z_step_um == 0.32
    assert header.time_step_s == pytest.approx(60.0, abs=0.1)
    assert cells.stage_um == pytest.approx((16977.153, 18621.489, 1115.13))
    (well,) = contents_of(folder / "WellD6_S1.czi").views
    assert (well.well, well.pixel_size_um, well.shape) == ("D06", (0.1, 0.1), (440, 544))
    (unscaled,) = contents_of(folder / "DAPI_GFP.czi").views
    assert unscaled.channels == ("DAPI", "GFP")
    assert unscaled.pixel_size_um is None
    assert "without a length" in unscaled.scale_doubt


@pytest.mark.data
def test_scenes_of_a_real_file_are_fields(real_data: Path) -> None:
    folder = real_data / "odd-files/neubias-hostile"
    files = find_files(folder)
    planes = list_planes("czi", folder, files)
    assert planes[["field", "z"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    header = read_header(folder / "xyz__multiple_images.czi", 0)
    assert (header.pixel_size_um, header.z_step_um) == (pytest.approx(0.195644376), 0.3)
