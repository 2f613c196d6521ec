"""Size of a pixel, step in z and time step: from which source, believed or not, in which unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.image.units import KNOWN, Scale, label, micrometres, seconds, words_of
from cellpipe.readers import xml_text
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.manifest import list_planes, read_header_below
from cellpipe.readers.pixels.reading import Header, read_header
from cellpipe.readers.units.scales import plate_scale
from cellpipe.readers.vendor import harmony

IMAGE = np.zeros((4, 6), np.uint16)


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        *[(u, 1.0) for u in ("µm", "μm", "um", "micron", "microns", "Micrometer", "micrometre")],
        *[("micrometers", 1.0), ("\\u00B5m", 1.0), ("m", 1e6), ("meter", 1e6), ("nm", 1e-3)],
        *[("mm", 1e3), ("cm", 1e4), ("inch", 25400.0), ("angstrom", 1e-4)],
        *[(u, None) for u in ("pixel", "pixels", "", " ", "reference frame", "µs", None, 3)],
    ],
)
def test_units_of_length_as_files_write_them(unit: object, um: float | None) -> None:
    assert micrometres(unit) == um


@pytest.mark.parametrize(
    ("unit", "s"),
    [("s", 1), ("sec", 1), ("ms", 1e-3), ("min", 60), ("minutes", 60), ("h", 3600), ("hour", 3600),
     ("frame", None), ("", None), (None, None)],
)  # fmt: skip
def test_units_of_time_as_files_write_them(unit: object, s: float | None) -> None:
    assert seconds(unit) == s


@pytest.mark.parametrize(
    ("name", "pixels", "frames"),
    [
        ("area_um2", "area_px2", "area_um2"),
        ("cell_area_um2_robust_z", "cell_area_px2_robust_z", "cell_area_um2_robust_z"),
        ("median_speed_um_s", "median_speed_px_s", "median_speed_um_frame"),
        ("diffusion_se_um2_s", "diffusion_se_px2_s", "diffusion_se_um2_frame"),
        ("median_lifetime_s", "median_lifetime_s", "median_lifetime_frames"),
        ("n_frames", "n_frames", "n_frames"),
        ("dna_mean", "dna_mean", "dna_mean"),
        ("ki67_s", "ki67_s", "ki67_s"),
    ],
)
def test_columns_are_called_by_the_units_that_are_known(
    name: str, pixels: str, frames: str
) -> None:
    no_length, no_time = Scale(time_known=True), Scale(length_known=True)
    assert (KNOWN.column(name), no_length.column(name), no_time.column(name)) == (
        name, pixels, frames
    )  # fmt: skip
    for scale in (KNOWN, no_length, no_time, Scale()):
        assert scale.computed_column(scale.column(name)) == name


def test_labels_speak_of_pixels_and_frames_where_nothing_else_is_known() -> None:
    assert label("MSD (µm²/s)") == "MSD (µm²/s)"
    with words_of(Scale()):
        assert label("MSD (µm²/s)") == "MSD (px²/frame)"
    assert label("x (µm)") == "x (µm)"


def tiff(path: Path, **options: object) -> Header:
    tifffile.imwrite(path, IMAGE, **options)  # type: ignore[arg-type]
    return read_header(path)


def sizes(header: Header) -> tuple[float | None, float | None]:
    return header.pixel_size_y_um, header.pixel_size_um


@pytest.mark.parametrize(
    ("um", "software", "word"),
    [
        (0.65, "tifffile.py", ""),
        (6.45, "tifffile.py", "camera"),  # whoever wrote it
        (6.45, "NGen 4.9", "camera"),
        (0.65, "NGen 4.9", "'NGen 4.9', which may not"),
        (0.65, "", "does not give its name"),
        (0.001, "tifffile.py", "smaller"),
    ],
)
def test_a_plain_resolution_is_believed_only_from_who_means_the_sample(
    tmp_path: Path, um: float, software: str, word: str
) -> None:
    per_cm = (1e4 / um, 1e4 / um)
    header = tiff(
        tmp_path / "x.tif", metadata=None, software=software or "x",
        resolution=per_cm, resolutionunit="CENTIMETER",
    )  # fmt: skip
    if not software:
        with tifffile.TiffFile(tmp_path / "x.tif", mode="r+") as file:
            file.pages[0].tags["Software"].overwrite("")
        header = read_header(tmp_path / "x.tif")
    assert word in header.scale_doubt
    assert bool(header.scale_doubt) == bool(word)
    assert header.pixel_size_um == (None if word else pytest.approx(um))
    if not word:
        assert header.scale_source == "TIFF resolution tag of x.tif"


@pytest.mark.parametrize("dpi", [72, 96, 300, 25400])
def test_dots_per_inch_are_the_screens(tmp_path: Path, dpi: int) -> None:
    header = tiff(tmp_path / "x.tif", metadata=None, resolution=(dpi, dpi), resolutionunit="INCH")
    assert header.pixel_size_um is None


@pytest.mark.parametrize(
    ("attributes", "y", "x"),
    [
        ({"PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0}, 1.0, 0.5),
        ({"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm"}, 0.5, 0.5),
        ({"PhysicalSizeX": 5e-7, "PhysicalSizeXUnit": "m"}, 0.5, 0.5),
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}, None, None),
        ({"PhysicalSizeX": 0}, None, None),
    ],
)
def test_ome_sizes_with_their_units(
    tmp_path: Path, attributes: dict, y: float | None, x: float | None
) -> None:
    header = tiff(tmp_path / "x.ome.tif", metadata={"axes": "YX", **attributes})
    assert sizes(header) == (y and pytest.approx(y), x and pytest.approx(x))
    assert header.scale_source.startswith("OME-XML PhysicalSizeX of") or x is None


def test_a_pixel_of_imagej_in_pixels_is_not_known(tmp_path: Path) -> None:
    known = tiff(tmp_path / "a.tif", imagej=True, resolution=(4, 2), metadata={"unit": "microns"})
    assert sizes(known) == (0.5, 0.25)
    assert known.scale_source == "ImageJ resolution of a.tif"
    unknown = tiff(tmp_path / "b.tif", imagej=True, resolution=(4, 4), metadata={"unit": "pixel"})
    assert sizes(unknown) == (None, None)


@pytest.mark.parametrize(
    ("unit", "dots", "word"),
    [("inch", 26, "printer"), ("inch", 25400, "printer"), ("cm", 72 / 2.54, "screen"),
     ("cm", 118, "screen"), ("cm", 20000, "")],
)  # fmt: skip
def test_what_image_editors_write_through_imagej_is_no_pixel_of_a_sample(
    tmp_path: Path, unit: str, dots: float, word: str
) -> None:
    header = tiff(tmp_path / "a.tif", imagej=True, resolution=(dots, dots), metadata={"unit": unit})
    assert header.pixel_size_um == (None if word else pytest.approx(0.5))
    assert word in header.scale_doubt
    assert bool(word) == bool(header.scale_doubt)


def test_a_size_of_the_screen_in_ome_xml_is_not_believed(tmp_path: Path) -> None:
    """As converters make it of 72 dots per inch."""
    header = tiff(tmp_path / "x.ome.tif", metadata={"axes": "YX", "PhysicalSizeX": 352.7778})
    assert header.pixel_size_um is None
    assert "352.778 µm in the OME-XML PhysicalSizeX" in header.scale_doubt


def header_of(x: float | None, y: float | None = None, **more: object) -> Header:
    return Header((4, 6), "uint16", x, pixel_size_y_um=y, **more)  # type: ignore[arg-type]


def test_the_source_of_the_plates_size_is_named() -> None:
    of_files = {("B02", 1): header_of(0.65, scale_source="OME-XML PhysicalSizeX of a.ome.tif")}
    found, _ = plate_scale(of_files, None)
    assert (found["pixel_size_um"], found["pixel_size_source"]) == (
        0.65, "OME-XML PhysicalSizeX of a.ome.tif"
    )  # fmt: skip
    given, _ = plate_scale(of_files, 0.5)
    assert (given["pixel_size_um"], given["pixel_size_source"]) == (0.5, "config")
    assert "0.65 µm" in given["pixel_size_seen"]
    assert "unlike the config" in given["pixel_size_seen"]
    unknown, _ = plate_scale({("B02", 1): header_of(None, scale_doubt="6.45 is a camera's")}, None)
    assert (unknown["pixel_size_um"], unknown["pixel_size_source"]) == (None, "unknown")
    assert unknown["pixel_size_seen"] == "6.45 is a camera's"


def test_edges_that_differ_are_both_kept() -> None:
    found, _ = plate_scale({("B02", 1): header_of(0.5, 1.0)}, None)
    assert found["pixel_size_um"] is None
    assert (found["pixel_size_y_um"], found["pixel_size_x_um"]) == (1.0, 0.5)
    assert found["pixel_size_known"]
    assert Scale.from_dict(found).pixel_size == (1.0, 0.5)
    assert plate_scale({}, [1.0, 0.5])[0]["pixel_size_y_um"] == 1.0


# ---- Harmony

IMAGE_XML = """<Image Version="1"><URL>{url}</URL><Row>1</Row><Col>1</Col><FieldID>1</FieldID>
<PlaneID>{plane}</PlaneID><TimepointID>{time}</TimepointID><ChannelID>{channel}</ChannelID>{size}
<PositionZ Unit="m">{z}</PositionZ>
<MeasurementTimeOffset Unit="s">{offset}</MeasurementTimeOffset></Image>"""
SIZE = """<ImageResolutionX Unit="m">{x}</ImageResolutionX>
<ImageResolutionY Unit="m">{y}</ImageResolutionY>"""


def harmony_export(folder: Path, *, by_channel: bool = False, x=5.98e-07, y=5.98e-07) -> Path:
    """An export of two planes in z and two time points, whose TIFF holds the camera's pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    size, images = SIZE.format(x=x, y=y), []
    for plane in (1, 2):
        for time in (0, 1):
            url = f"r01c01f01p{plane:02d}-ch1sk{time + 1}fk1fl1.tiff"
            tiff(folder / url, metadata=None, software="NGen 4.9", resolutionunit="CENTIMETER",
                 resolution=(1e4 / 6.45, 1e4 / 6.45))  # fmt: skip
            images.append(
                IMAGE_XML.format(
                    url=url, plane=plane, time=time, channel=1, z=plane * 2e-6,
                    offset=time * 120, size="" if by_channel else size,
                )
            )  # fmt: skip
    entry = f'<Entry ChannelID="1">{size}</Entry>' if by_channel else ""
    (folder / ("Index.xml" if by_channel else "Index.idx.xml")).write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData xmlns="any/HarmonyV9">'
        f"<Maps><Map>{entry}</Map></Maps><Images>{''.join(images)}</Images></EvaluationInputData>",
        encoding="utf-8-sig",
    )
    return folder


@pytest.mark.parametrize("by_channel", [False, True])
def test_harmonys_index_is_believed_and_its_tiff_is_not(tmp_path: Path, by_channel: bool) -> None:
    folder = harmony_export(tmp_path / "Images", by_channel=by_channel)
    path = list_planes("phenix", folder, {})["path"].iloc[0]
    header = read_header_below(folder)(path, -1)
    assert header.pixel_size_um == pytest.approx(0.598)
    assert header.z_step_um == pytest.approx(2.0)
    assert header.time_step_s == pytest.approx(120.0)
    assert header.scale_source.endswith("ImageResolutionX")
    next(folder.glob("Index*")).unlink()
    harmony._index_beside.cache_clear()
    header = read_header_below(folder)(path, -1)
    assert header.pixel_size_um is None
    assert "6.45 µm is the camera's" in header.scale_doubt


def test_harmonys_pixels_that_are_not_square(tmp_path: Path) -> None:
    folder = harmony_export(tmp_path, x=5e-7, y=1e-6)
    header = read_header_below(folder)("r01c01f01p01-ch1sk1fk1fl1.tiff", -1)
    assert sizes(header) == (pytest.approx(1.0), pytest.approx(0.5))


@pytest.mark.parametrize("text", ["", "<a><b></a>", "no xml", '<!DOCTYPE a [<!ENTITY b "c">]><a/>'])
def test_an_index_that_cannot_be_read_is_a_doubt(tmp_path: Path, text: str) -> None:
    folder = harmony_export(tmp_path)
    (folder / "Index.idx.xml").write_text(text)
    header = read_header_below(folder)("r01c01f01p01-ch1sk1fk1fl1.tiff", -1)
    assert header.pixel_size_um is None
    assert "Index.idx.xml: cannot be read" in header.scale_doubt


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "file", "um"),
    [
        ("operetta-compose/Images", "r03c03f01p01-ch1sk1fk1fl1.tiff", 1.19595),
        ("pe2loaddata-v5/images", "r01c01f01p01-ch1sk1fk1fl1.tiff", 0.597976),
    ],
)
def test_real_exports_of_harmony(real_data: Path, folder: str, file: str, um: float) -> None:
    header = read_header_below(real_data / "hcs-harmony" / folder)(file, -1)
    assert header.pixel_size_um == pytest.approx(um, rel=1e-4)


# ---- XML that came with the data

LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(12))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_expanded(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [{LAUGHS}]><a>&l11;</a>'
    with pytest.raises(xml_text.BadXml, match="entities"):
        xml_text.parse(text.encode(encoding))


def test_the_code_page_of_windows_is_read() -> None:
    text = '<?xml version="1.0" encoding="utf-8"?><a unit="µm"/>'
    assert xml_text.parse(text.encode("cp1252")).get("unit") == "µm"


# ---- NGFF


def source(scale: list[float], units: list[str | None], size_um=None, y_um=None) -> dict:
    return {
        "source": "/x", "ngff_version": "0.5", "faults": [],
        "fields": [{
            "well": "B02", "field": 1, "channels": ["dna"], "shape": [1, 4, 6], "dtype": "uint16",
            "axes": "cyx", "source_path": "B/2/0", "pixel_size_um": size_um,
            "pixel_size_y_um": y_um, "pixel_scale": scale, "z_step_um": None, "time_step_s": None,
        }],
    }  # fmt: skip


def of_source(described: dict, given: object = None) -> dict:
    channels = {"dna": {"source": "dna"}}
    return inspect_source(
        described, channels, plate="P", pixel_size_um=given, time_step_s=None  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_scale_without_a_unit_is_not_micrometres_but_keeps_its_proportion() -> None:
    found = of_source(source([1.0, 0.5], [None, None]))
    assert (found["pixel_size_known"], found["pixel_size_um"]) == (False, None)
    assert found["pixel_edges_px"] == [2.0, 1.0]
    assert "without a unit" in found["pixel_size_seen"]
    assert Scale.from_dict(found).pixel_size == (2.0, 1.0)
    assert found["time_step_s"] is None


def test_one_size_in_the_config_for_pixels_that_are_not_square_is_said() -> None:
    found = of_source(source([1.0, 0.5], [None, None]), 0.5)
    assert "2 : 1, unlike the config" in found["pixel_size_seen"]


def test_the_source_of_an_ngff_scale_is_named() -> None:
    found = of_source(source([0.65, 0.65], ["micrometer"] * 2, 0.65, 0.65))
    assert (found["pixel_size_um"], found["pixel_size_source"]) == (0.65, "NGFF metadata")


# ---- absurd and malformed OME-XML


def ome_file(path: Path, pixels: str, encoding: str = "utf-8") -> None:
    """One page with an OME-XML of our own making."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><OME xmlns="any"><Image ID="I" Name="B02">'
        f'<Pixels DimensionOrder="XYCZT" SizeX="6" SizeY="4" Type="uint16" {pixels}</Image></OME>'
    )
    tifffile.imwrite(path, IMAGE, description=text.encode(encoding, "replace"), metadata=None)


GOOD = 'SizeC="1" SizeZ="1" SizeT="1"><TiffData IFD="0" PlaneCount="1"/></Pixels>'


@pytest.mark.parametrize(
    "pixels",
    [
        'SizeC="1" SizeZ="1" SizeT="1000000000"><TiffData/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="900000"><TiffData/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="1"><TiffData IFD="0" PlaneCount="999999999" '
        'FirstT="999999"/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="999999"><TiffData IFD="0" PlaneCount="999999999"/></Pixels>',
        'SizeC="one" SizeZ="1" SizeT="1"><TiffData/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="-3"><TiffData/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="1"><TiffData IFD="-7"/></Pixels>',
        'SizeC="1" SizeZ="1" SizeT="1"><TiffData IFD="0">',  # cut short
    ],
)
def test_an_image_with_absurd_metadata_is_passed_over_by_name_and_the_rest_goes_on(
    tmp_path: Path, pixels: str
) -> None:
    from cellpipe.readers.accounting.files import find_files

    ome_file(tmp_path / "B02.ome.tif", pixels)
    ome_file(tmp_path / "C03.ome.tif", GOOD.replace("B02", "C03"))
    files = find_files(tmp_path)
    planes = list_planes("ome-tiff", tmp_path, {}, files)
    assert list(planes["path"]) == ["C03.ome.tif"]
    assert "B02.ome.tif" in files.passed_over
    assert any("B02.ome.tif" in note for note in files.notes)


def test_a_companion_that_declares_entities_is_passed_over(tmp_path: Path) -> None:
    from cellpipe.readers.accounting.files import find_files

    ome_file(tmp_path / "B02.ome.tif", GOOD)
    (tmp_path / "x.companion.ome").write_text(f"<!DOCTYPE a [{LAUGHS}]><OME>&l11;</OME>")
    files = find_files(tmp_path)
    assert len(list_planes("ome-tiff", tmp_path, {}, files)) == 1
    assert "entities" in files.passed_over["x.companion.ome"]
