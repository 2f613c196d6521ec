"""File names of microscopes are understood; what comes with the data cannot lead elsewhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from microscopes import touched

from cellpipe.errors import BadConfig, BadImage
from cellpipe.readers import ONLY, manifest
from cellpipe.readers.layouts import csv, ome_tiff, pattern
from cellpipe.readers.pixels.reading import read_header, read_plane
from cellpipe.wells import row_and_column, row_name, row_number, well_name


def listed(layout: str, folder: Path) -> pd.DataFrame:
    return pattern.list_planes(folder, pattern.BUILT_IN[layout])


def sets(planes: pd.DataFrame) -> dict[str, list]:
    return {name: sorted(planes[name].unique().tolist()) for name in planes if name != "path"}


def test_files_of_another_microscope_are_answered_with_its_layout(tmp_path: Path) -> None:
    touched(tmp_path, "D6_01_1_2_DAPI_001.tif", "D6_01_2_2_GFP_001.tif", "notes.txt")
    with pytest.raises(BadConfig, match="layout imagexpress") as refused:
        manifest.list_planes("imagexpress", tmp_path, {})
    assert refused.value.do == (
        "write 'cytation' as the layout (Agilent BioTek Cytation (Gen5)), which 2 of its files have"
    )


def test_files_of_no_known_microscope_are_answered_without_a_guess(tmp_path: Path) -> None:
    touched(tmp_path, "first.tif")
    with pytest.raises(BadConfig) as refused:
        manifest.list_planes("imagexpress", tmp_path, {})
    assert refused.value.do.startswith("correct the folder, or the layout")


# ---- wells


@pytest.mark.parametrize("text", ["b3", "B-03", "B03", " B 3 ", "B_3", "B - 3"])
def test_a_well_has_one_name(text):
    assert well_name(text) == "B03"


@pytest.mark.parametrize("text", ["", "3B", "B0", "B123", "ABC1", "B03x", "nan"])
def test_what_is_no_well_is_refused(text):
    with pytest.raises(BadConfig, match="the well name"):
        well_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("A01.a1", "A01"), ("A01.b1", "B01"), ("A01.d4", "D04"), ("H12.d4", "AF48"), ("aa2", "AA02"),
     ("r16c24", "P24"), ("W0001", "A01"), ("W12", "W12"), ("A 01", "A01"), ("A-1", "A01")],
)  # fmt: skip
def test_wells_of_other_systems(text, name):
    assert well_name(text) == name


@pytest.mark.parametrize(
    "text", ["I01.a1", "A13.a1", "A01.e1", "A01.a5", "W0000", "r00c01", "NA01", "ZZ9"]
)
def test_what_is_no_well_of_other_systems_is_refused(text):
    with pytest.raises(BadConfig, match="the well name"):
        well_name(text)


def test_running_numbers_need_the_columns_of_the_plate_beyond_row_a(tmp_path):
    assert [well_name("W00013", n) for n in (12, 24, 48)] == ["B01", "A13", "A13"]
    assert well_name("W00384", 24) == "P24"
    with pytest.raises(BadConfig, match="plate_columns"):
        well_name("W00013")
    name = "--W00013--P00001--Z00000--T00000--C.tif"
    planes = pattern.list_planes(touched(tmp_path, name), pattern.BUILT_IN["scanr"], None, 12)
    assert planes["well"].tolist() == ["B01"]


def test_rows_and_numbers_go_there_and_back():
    for number in (1, 2, 26, 27, 32, 52, 53):
        assert row_number(row_name(number)) == number
    assert (row_name("02"), row_name(27), row_name("c")) == ("B", "AA", "C")
    assert row_and_column("AA03") == ("AA", 3)


# ---- real names


@pytest.mark.data
@pytest.mark.parametrize(
    ("layout", "folder", "n", "wells", "fields", "channels", "n_t", "n_z"),
    [
        ("imagexpress", "hcs-faim/ImageXpress/Projection-Mix", 16, 2, [1, 2], "1234", 1, 1),
        ("imagexpress", "hcs-faim/ImageXpress/1well-3C-2S-Zmix-T", 12, 1, [1, 2], "123", 2, 1),
        ("imagexpress", "hcs-faim/ImageXpress_exported/9987_Plate_3420", 1, 1, [1], "1", 1, 1),
        ("imagexpress", "hcs-faim/ImageXpress_exported/9987_Plate_3435", 16, 2, [1, 2], "12", 2, 1),
        ("imagexpress", "hcs-cp-examples/StaphInfection", 1, 1, [1], "2", 1, 1),
        ("cellvoyager", "hcs-faim/CV8000", 96, 3, [1, 2, 3, 4], ["01", "02"], 1, 4),
        ("phenix", "hcs-phenix-pediatric-cp", 6, 1, [3], "123456", 1, 1),
        ("cellomics", "hcs-cp-examples/ExampleHuman", 3, 1, [0], "012", 1, 1),
        ("cellomics", "hcs-transfluor-rowO", 16, 8, [0, 1], "2", 1, 1),
        ("cytation", "hcs-cellpainting-nf1/Plate_2_images", 9, 3, [1, 2, 3],
         ["DAPI", "GFP", "RFP"], 1, 1),
    ],
)  # fmt: skip
def test_real_plates(real_data, layout, folder, n, wells, fields, channels, n_t, n_z):
    planes = listed(layout, real_data / folder)
    assert len(planes) == n
    assert planes["well"].nunique() == wells
    assert sorted(planes["field"].unique()) == fields
    assert sorted(planes["channel"].unique()) == list(channels)
    assert sorted(planes["t"].unique()) == list(range(n_t))
    assert sorted(planes["z"].unique()) == list(range(n_z))
    assert not planes["path"].str.contains("thumb").any()
    assert not planes.duplicated(["well", "field", "t", "channel", "z"]).any()


@pytest.mark.data
def test_real_pixel_sizes_and_times(real_data):
    path = next((real_data / "hcs-faim/ImageXpress/Projection-Mix").glob("*/*/*E07_s1_w1E*.tif"))
    header = read_header(path)
    assert (header.shape, header.dtype, header.pixel_size_um) == ((512, 512), "uint16", 1.3668)
    steps = [
        next((real_data / "hcs-faim/ImageXpress_exported/9987_Plate_3435").glob(f"{t}/*B02_s1_w1*"))
        for t in ("TimePoint_1", "TimePoint_2")
    ]
    first, second = (read_header(path).acquired_s or 0 for path in steps)
    assert 0 < second - first < 3600
    phenix = real_data / "hcs-phenix-pediatric-cp/orig/r03c03f03p01-ch1sk1fk1fl1.tiff"
    assert read_header(phenix).pixel_size_um is None  # 64 µm is the screen's, not the microscope's


@pytest.mark.data
def test_every_odd_file_gives_a_plane_or_words(real_data):
    faults: dict[Path, BadImage] = {}
    planes = {}
    for path in filter(Path.is_file, sorted((real_data / "odd-files").rglob("*"))):
        try:
            planes[path] = read_plane(path)
        except BadImage as bad:
            faults[path] = bad
    assert len(planes) > 30
    assert len(faults) > 30
    for path, pixels in planes.items():
        assert pixels.ndim == 2
        assert pixels.dtype.kind in "uif"
        assert pixels.dtype.isnative
        assert read_header(path).shape == pixels.shape
    for path, bad in faults.items():
        assert path.name in bad.seen
        assert bad.wanted
        assert bad.do


@pytest.mark.data
@pytest.mark.parametrize("name", ["c3_z33", "20241003_experiment_488_7_640_3_1"])
def test_a_companion_without_its_files_names_them(real_data, name, tmp_path):
    """These images name no well either; a plate is put around them to get there."""
    text = (real_data / f"hcs-faim/ome-tiff/{name}.companion.ome").read_text(encoding="utf-8-sig")
    plate = '<Plate ID="Plate:0"><Well ID="Well:0" Row="1" Column="2"><WellSample ID="WellSample:0"'
    plate += ' Index="0"><ImageRef ID="Image:0"/></WellSample></Well></Plate>'
    (tmp_path / f"{name}.companion.ome").write_text(
        text.replace("<Instrument", plate + "<Instrument")
    )
    with pytest.raises(BadConfig, match=r"no file .*_w1.*\.ome\.tif, nor any other"):
        ome_tiff.list_planes(tmp_path)
    (tmp_path / f"{name}.companion.ome").write_text(text)
    with pytest.raises(BadConfig, match="names no well"):
        ome_tiff.list_planes(tmp_path)


# ---- drawn names


@pytest.mark.parametrize(
    ("layout", "name", "wanted"),
    [
        ("imagexpress", "TimePoint_2/ZStep_3/P_B03_s4_w5.tif", ("B03", 4, "5")),
        ("imagexpress", "B03_s4_w5.TIF", ("B03", 4, "5")),
        ("imagexpress", "P_b03_s4_w5.tif", ("B03", 4, "5")),
        ("imagexpress", "P_B3_s4_w5.tif", ("B03", 4, "5")),
        ("imagexpress", "P_aa02_w1.tif", ("AA02", 1, "1")),
        ("cellvoyager", "As_X_A01.a2_T0001F009L01A01Z01C04.tif", ("A02", 9, "04")),
        ("cellvoyager", "As_X_B03.d4_T0001F009L01A01Z01C04.tif", ("H12", 9, "04")),
        ("cellvoyager", "As_X_H12.d4_T0001F009L01A01Z01C04.tif", ("AF48", 9, "04")),
        ("scanr", "--W00012--P00007--Z00000--T00002--cherry.tif", ("A12", 7, "cherry")),
        ("scanr", "EMBO_Group3--empty--W0002--P001--T00001--Z000--C.tif", ("A02", 1, "C")),
        ("scanr", "b3--W00015--P00007--Z00000--T00002--C.tif", ("B03", 7, "C")),
        ("imagexpress", "a/b/P_AF48_w1E94C24BD-45E4-450A-9919-257C714278F7.tif", ("AF48", 1, "1")),
        ("phenix", "Images/r27c48f12p01-ch2sk3fk1fl1.tiff", ("AA48", 12, "2")),
        ("cellvoyager", "As say_B03_T0001F009L01A01Z01C04.tif", ("B03", 9, "04")),
        ("cellomics", "MFGTMP_220101_B03f10d2.C01", ("B03", 10, "2")),
        ("scanr", "data/B3--W00015--P00007--Z00000--T00002--nuc dapi.tif", ("B03", 7, "nuc dapi")),
        ("incell", "B - 3(fld 7 wv DAPI - DAPI).tif", ("B03", 7, "DAPI - DAPI")),
        ("incell", "B - 03(fld 07 wv Blue - FITC z 2 tl 3).tif", ("B03", 7, "Blue - FITC")),
        ("cytation", "B3_01_2_7_GFP_001.tif", ("B03", 7, "GFP")),
    ],
)  # fmt: skip
def test_names_of_microscopes(tmp_path, layout, name, wanted):
    (plane,) = listed(layout, touched(tmp_path, name)).itertuples()
    assert (plane.well, plane.field, plane.channel) == wanted
    assert (plane.path, plane.t, plane.z, plane.page) == (name, 0, 0, ONLY)


@pytest.mark.parametrize("layout", sorted(pattern.BUILT_IN))
def test_every_layout_has_an_example_that_it_matches(tmp_path, layout):
    folder = touched(tmp_path, pattern.EXAMPLES[layout])
    planes = pattern.list_planes(folder, pattern.BUILT_IN[layout], None, 12)
    assert planes["well"].tolist() == ["C03" if layout == "phenix" else "B03"]


def test_thumbnails_are_left_out(tmp_path):
    folder = touched(
        tmp_path,
        "P_B03_s1_w1E94C24BD-45E4-450A-9919-257C714278F7.tif",
        "P_B03_s1_w1_thumbE94C24BD-45E4-450A-9919-257C714278F7.tif",
        "P_B03_s1_w1_thumb.tif",
        "P.HTD",
    )
    assert len(listed("imagexpress", folder)) == 1


def test_a_stack_counts_and_its_projection_does_not(tmp_path):
    """w1 has both, w2 a stack alone, w3 a projection alone."""
    steps = [f"ZStep_{z}/P_B03_w{w}.tif" for z in (1, 2, 3) for w in (1, 2)]
    planes = listed("imagexpress", touched(tmp_path, *steps, "P_B03_w1.tif", "P_B03_w3.tif"))
    depth = planes.groupby("channel")["z"].apply(list).to_dict()
    assert {c: sorted(z) for c, z in depth.items()} == {"1": [0, 1, 2], "2": [0, 1, 2], "3": [0]}


def test_time_points_count_from_the_first_and_keep_their_gaps(tmp_path):
    names = [f"TimePoint_{t}/P_B03_w1.tif" for t in (3, 10, 7)]
    planes = listed("imagexpress", touched(tmp_path, *names)).sort_values("t")
    assert planes["t"].tolist() == [0, 4, 7]
    assert [path.split("/")[0] for path in planes["path"]] == [
        "TimePoint_3", "TimePoint_7", "TimePoint_10"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "odd", ["a b", "it's", 'quo"ted', "semi;colon", "$(touch x)", "ü µ", "a\tb"]
)
def test_odd_names_are_only_names(tmp_path, odd):
    (plane,) = listed("imagexpress", touched(tmp_path, f"{odd}/{odd}_B03_w1.tif")).itertuples()
    assert plane.path == f"{odd}/{odd}_B03_w1.tif"


def test_links_that_lead_out_are_not_followed(tmp_path):
    outside = touched(tmp_path / "outside", "P_C03_w1.tif", "P_C04_w1.tif")
    folder = touched(tmp_path / "plate", "P_B03_w1.tif")
    (folder / "P_B04_w1.tif").symlink_to(folder / "P_B03_w1.tif")
    (folder / "P_B05_w1.tif").symlink_to(outside / "P_C03_w1.tif")
    (folder / "P_B06_w1.tif").symlink_to(tmp_path / "nowhere.tif")
    (folder / "more").symlink_to(outside, target_is_directory=True)
    assert listed("imagexpress", folder)["well"].tolist() == ["B03", "B04"]


def test_a_folder_that_does_not_match_is_said_with_an_example(tmp_path):
    with pytest.raises(BadConfig, match=r"1 file\(s\).*'a\.tif'.*Plate_B03_s1_w2\.tif"):
        listed("imagexpress", touched(tmp_path, "a.tif"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadConfig, match=r"0 file\(s\)"):
        listed("imagexpress", tmp_path / "empty")


@pytest.mark.parametrize(
    ("own", "words"),
    [("(", "pattern"), (r"(?P<wel>.*)", "well"), (r"(?P<well>..)(?P<dye>.)", "dye")],
)
def test_a_wrong_pattern_is_said(tmp_path, own, words):
    with pytest.raises(BadConfig, match=words):
        pattern.list_planes(tmp_path, own)


# ---- a table of planes


def write_manifest(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_manifest_lists_planes_with_defaults_for_what_it_lacks(tmp_path):
    text = 'path,well,t,channel\n"a b; c.tif",b2,3,dna\n"it\'s ""q"".tif",B02,7,dna\n'
    planes = csv.list_planes(write_manifest(tmp_path, "\ufeff" + text))
    assert planes["path"].tolist() == ["a b; c.tif", 'it\'s "q".tif']
    assert sets(planes) == {
        "well": ["B02"], "field": [1], "t": [0, 1], "channel": ["dna"], "z": [0], "page": [ONLY]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path\nx.tif\n", "path and well"),
        ("path,well,time\nx.tif,B02,1\n", "time"),
        ("path,well\n../x.tif,B02\n", "paths below"),
        ("path,well\n/etc/passwd,B02\n", "paths below"),
        ("path,well\nlink.tif,B02\n", "paths below"),
        ("path,well\nx.tif,B02\ny.tif,B02\n", "two planes"),
        ("path,well,t\nx.tif,B02,late\n", "'late' in row 2, column C"),
        ("path,well,page\nx.tif,B02,0.5\n", "'0.5' in row 2, column C"),
        ("path,well,t\nx.tif,B02,-1\n", "'-1' in row 2, column C"),
        ("path,well\nx.tif,hello\n", "'hello' in row 2, column B"),
        ("path,well\n", "no row"),
        ("", "manifest.csv"),
    ],
)
def test_a_wrong_manifest_is_said(tmp_path, text, words):
    folder = tmp_path / "plate"
    folder.mkdir()
    (folder / "link.tif").symlink_to(touched(tmp_path, "secret.tif") / "secret.tif")
    with pytest.raises(BadConfig, match=words):
        csv.list_planes(write_manifest(folder, text))
