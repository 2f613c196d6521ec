"""Pointing at the wrong folder: too high, too low, at several plates, at nothing to read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from microscopes import WELLS, cellvoyager, harmony, metaxpress, touched

from cellpipe.cli import main
from cellpipe.errors import BadConfig, Unreachable
from cellpipe.inspect.find import Found, find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.inspect.written import names
from cellpipe.readers import manifest
from cellpipe.readers.accounting.files import LINK_NOWHERE, Files, find_files


def folders(found: list[Found], below: Path) -> list[str]:
    return [str(one.folder.relative_to(below)) for one in found]


def refused(folder: Path, **options) -> BadConfig:
    with pytest.raises(BadConfig) as fault:
        find_plates(folder, **options)
    return fault.value


# ---- one plate


@pytest.mark.parametrize("microscope", [harmony, metaxpress, cellvoyager])
def test_a_folder_above_the_plate_is_narrowed_to_it(tmp_path: Path, microscope) -> None:
    microscope(tmp_path / "2024" / "plate")
    images = "/Images" * (microscope is harmony)
    assert folders(find_plates(tmp_path), tmp_path) == [f"2024/plate{images}"]


def test_a_time_point_is_answered_with_the_plate(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P", frames=2)
    (found,) = find_plates(folder / "TimePoint_1")
    (hint,) = found.hints
    assert hint.startswith(f"TimePoint_1 is one of 2 such folders of {folder}: cellpipe inspect")


def test_a_well_is_answered_with_the_plate(tmp_path: Path) -> None:
    touched(tmp_path, "B02/x_B02_w1.tif", "B03/x_B03_w1.tif")
    (found,) = find_plates(tmp_path / "B02")
    assert found.hints[0].startswith(f"B02 is one of 2 such folders of {tmp_path}")


def test_folders_of_wells_are_one_plate(tmp_path: Path) -> None:
    touched(tmp_path, "B02/x_B02_w1.tif", "B03/x_B03_w1.tif")
    (found,) = find_plates(tmp_path)
    assert found.planes is not None
    assert sorted(found.planes["well"]) == ["B02", "B03"]


def test_folders_with_parts_of_one_plate_are_one(tmp_path: Path) -> None:
    """The same name of the plate, other wells, no metadata of their own."""
    touched(tmp_path, "left/x_B02_w1.tif", "right/x_B03_w1.tif")
    assert folders(find_plates(tmp_path), tmp_path) == ["."]


# ---- several


def test_plates_with_the_same_wells_are_several(tmp_path: Path) -> None:
    metaxpress(tmp_path / "one")
    metaxpress(tmp_path / "two", frames=2)
    found = find_plates(tmp_path)
    assert folders(found, tmp_path) == ["one", "two"]
    assert [one.planes["t"].max() for one in found if one.planes is not None] == [0, 1]


def test_plates_whose_files_bear_names_of_their_own_are_several(tmp_path: Path) -> None:
    touched(tmp_path, "a/Alpha_B02_w1.tif", "a/Alpha_B03_w1.tif", "b/Beta_C02_w1.tif")
    assert folders(find_plates(tmp_path), tmp_path) == ["a", "b"]


def test_plates_with_metadata_of_their_own_are_several(tmp_path: Path) -> None:
    for name, row in (("a", 2), ("b", 3)):
        folder = harmony(tmp_path / name)
        for path in (folder / "Images").glob(f"r0{5 - row}*"):
            path.unlink()
    found = find_plates(tmp_path)
    assert folders(found, tmp_path) == ["a/Images", "b/Images"]


def test_plates_named_as_rows_are_several_if_they_hold_the_same_wells(tmp_path: Path) -> None:
    metaxpress(tmp_path / "A", name="A")
    metaxpress(tmp_path / "B", name="B")
    assert folders(find_plates(tmp_path), tmp_path) == ["A", "B"]
    rows = tmp_path / "rows"
    touched(rows, "A/x_A02_w1.tif", "B/x_B02_w1.tif")
    assert folders(find_plates(rows), rows) == ["."]


def test_two_plates_in_one_folder_are_named_by_their_doubles(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P")
    for path in list((folder / "TimePoint_1").glob("*.tif")):
        shutil.copy(path, path.with_name(path.name.replace("P_", "my plate_")))
    (found,) = find_plates(folder)
    plate = inspect_plate(found)
    assert plate.doubles == 24
    (note,) = [note for note in plate.notes if "doubles" in note]
    assert note.startswith("the names of doubles begin with 'P', 'my plate': if these are 2 plates")


def test_plates_of_two_formats_are_both_found(tmp_path: Path) -> None:
    metaxpress(tmp_path / "one")
    cellvoyager(tmp_path / "two")
    touched(tmp_path, "three/strange.tif")
    found = find_plates(tmp_path)
    assert [(one.folder.name, one.format.name) for one in found] == [
        ("one", "imagexpress"), ("two", "cellvoyager"),
    ]  # fmt: skip
    assert found[0].hints == [
        f"1 image(s) of {tmp_path} are of no plate that is recognised, such as 'three/strange.tif'"
    ]


def test_a_measurement_without_its_images_is_named_next_to_others(tmp_path: Path) -> None:
    metaxpress(tmp_path / "one")
    metaxpress(tmp_path / "two")
    for path in (harmony(tmp_path / "three") / "Images").glob("*.tiff"):
        path.unlink()
    found = find_plates(tmp_path)
    assert folders(found, tmp_path) == ["one", "two"]
    index = tmp_path / "three" / "Images" / "Index.idx.xml"
    assert found[0].hints[0].startswith(f"{index} names 24 image(s)")


def test_a_plate_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    touched(tmp_path, "one/A_B02_w1.tif", "two/B_B02_w1.tif", "three/C_ZZ99_w1.tif")
    found = find_plates(tmp_path)
    assert folders(found, tmp_path) == ["one", "two"]


def test_a_few_files_of_another_format_are_named(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P")
    names = [f"r01c0{c}f01p01-ch1sk1fk1fl1.tiff" for c in range(1, 9)]
    (found,) = find_plates(touched(folder, *names))
    assert found.format.name == "imagexpress"
    assert found.hints == [
        "files also match 'phenix'; 'imagexpress' matches most (--layout chooses)"
    ]


# ---- nothing


def test_a_file_is_answered_with_its_folder(tmp_path: Path) -> None:
    touched(tmp_path, "x_B02_w1.tif")
    assert refused(tmp_path / "x_B02_w1.tif").do == f"cellpipe inspect {tmp_path}"


def test_a_misspelt_folder_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "Plate_1034").mkdir()
    fault = refused(tmp_path / "Plate_1043" / "images")
    assert fault.do == f"did you mean {tmp_path / 'Plate_1034'}?"
    assert "there is no 'Plate_1043'" in fault.seen


def test_an_empty_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).seen == f"no file in {tmp_path}"


def test_a_folder_of_links(tmp_path: Path) -> None:
    plate, links = metaxpress(tmp_path / "P"), tmp_path / "links"
    links.mkdir()
    os.symlink(plate, links / "plate")
    fault = refused(links)
    assert fault.seen.startswith(f"1 link(s) in {links} that lead out of it, such as 'plate'")
    assert fault.do == f"cellpipe inspect {links} --follow-links"


def test_folders_that_cannot_be_listed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe.inspect import find

    metaxpress(tmp_path / "open")
    (tmp_path / "shut").mkdir()

    def listed(folder: Path, follow: bool) -> Files:
        files = find_files(folder, follow)
        if folder == tmp_path:
            files.closed["shut/"] = "Permission denied"
        return files

    monkeypatch.setattr(find, "find_files", listed)
    found = find_plates(tmp_path)
    assert "1 folder(s) cannot be listed, such as 'shut/': Permission denied" in found[0].hints


def test_one_file_that_cannot_be_reached_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = metaxpress(tmp_path / "P")
    shut = "P_B02_s1_w1"

    def header(read: Any, away: str) -> Any:
        def reached(path: str, page: int) -> Any:
            if away in path:
                raise Unreachable(seen=f"{path} is shut", wanted="a file", do="open it")
            return read(path, page)

        return reached

    real = manifest.read_header_below
    monkeypatch.setattr(manifest, "read_header_below", lambda root: header(real(root), shut))
    (found,) = find_plates(folder)
    plate = inspect_plate(found)
    assert list(plate.unreadable.values()) == [f"TimePoint_1/{shut}.tif is shut"]
    assert plate.sizes
    monkeypatch.setattr(manifest, "read_header_below", lambda root: header(real(root), "P_"))
    with pytest.raises(Unreachable):
        inspect_plate(found)


def test_what_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = metaxpress(tmp_path / "P")
    assert main(["inspect", str(folder), "--write", str(folder / "P.HTD")]) == 2
    out, err = capsys.readouterr()
    assert "in which nothing can be written" in out + err


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "P_B02_s1_w1.tif").symlink_to(tmp_path / "away" / "x.tif")
    fault = refused(tmp_path)
    assert fault.seen.startswith(f"1 link(s) in {tmp_path} that lead nowhere, such as 'P_B02")
    assert fault.do.startswith("mount the disk or share")


def test_commands_in_remedies_can_be_pasted(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "Maß 1 (ä)")
    assert refused(folder / "P.HTD").do == f"cellpipe inspect '{folder}'"


def test_a_folder_of_other_files(tmp_path: Path) -> None:
    touched(tmp_path, "a.txt", "b.txt", "c.pdf")
    assert refused(tmp_path).seen == f"no image among the files of {tmp_path}: 2 .txt, 1 .pdf"


def test_images_of_no_known_microscope(tmp_path: Path) -> None:
    fault = refused(touched(tmp_path, "mask000.tif", "mask001.tif"))
    assert fault.seen.startswith(f"2 image(s) in {tmp_path} whose names are of no known microscope")
    assert "manifest.csv" in fault.do


def test_files_of_formats_that_are_not_read(tmp_path: Path) -> None:
    fault = refused(touched(tmp_path, "a.oir", "b.oir"))
    assert fault.seen == f"2 .oir in {tmp_path}, which are not read"
    assert "OME-TIFF" in fault.do


def test_an_index_without_its_images(tmp_path: Path) -> None:
    folder = harmony(tmp_path / "P") / "Images"
    for path in folder.glob("*.tiff"):
        path.unlink()
    fault = refused(tmp_path)
    assert fault.seen.startswith(f"{folder / 'Index.idx.xml'} names 24 image(s)")
    assert fault.do == "copy them from the microscope"


def test_an_unknown_layout_is_answered_with_the_nearest(tmp_path: Path) -> None:
    assert refused(tmp_path, layout="phoenix").do == "did you mean 'phenix'?"


def test_a_layout_that_the_files_do_not_have_is_answered_with_theirs(tmp_path: Path) -> None:
    fault = refused(harmony(tmp_path / "P"), layout="cytation")
    assert fault.do.startswith("write 'phenix' as the layout")
    assert "leave --layout out" in refused(tmp_path / "P", layout="ome-zarr").do


# ---- OME-Zarr


def zarr(folder: Path, **attributes) -> Path:
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text(
        json.dumps({"node_type": "group", "attributes": {"ome": {"version": "0.5", **attributes}}})
    )
    return folder


@pytest.fixture
def zarr_plate(tmp_path: Path) -> Path:
    plate = zarr(tmp_path / "data" / "P.zarr", plate={"wells": [{"path": "B/03"}]})
    zarr(plate / "B" / "03", well={"images": [{"path": "0"}]})
    zarr(plate / "B" / "03" / "0", multiscales=[])
    return plate


@pytest.mark.parametrize("part", ["B", "B/03", "B/03/0"])
def test_a_part_of_an_ome_zarr_plate_is_answered_with_the_plate(
    zarr_plate: Path, part: str
) -> None:
    fault = refused(zarr_plate / part)
    assert fault.do == f"cellpipe inspect {zarr_plate}"
    assert f"which is {part} of the OME-Zarr plate" in fault.seen


def test_ome_zarr_plates_are_found_below(zarr_plate: Path) -> None:
    shutil.copytree(zarr_plate, zarr_plate.parent / "Q.zarr")
    for above in (zarr_plate.parent, zarr_plate.parent.parent):
        found = find_plates(above)
        assert folders(found, zarr_plate.parent) == ["P.zarr", "Q.zarr"]
    assert [one.format.name for one in found] == ["ome-zarr"] * 2
    assert folders(find_plates(zarr_plate), zarr_plate) == ["."]


def test_ome_zarr_images_without_a_plate_are_taken_in_place(tmp_path: Path) -> None:
    zarr(tmp_path / "image.zarr", multiscales=[])
    for folder in (tmp_path, tmp_path / "image.zarr"):
        (found,) = find_plates(folder)
        assert (found.folder, found.format.name) == (folder, "ome-zarr")
        with pytest.raises(BadConfig, match="cannot be read"):
            inspect_plate(found)


def test_other_plates_next_to_ome_zarr_are_found(zarr_plate: Path) -> None:
    metaxpress(zarr_plate.parent / "raw")
    zarr(zarr_plate.parent / "image.zarr", multiscales=[])
    found = find_plates(zarr_plate.parent)
    assert [one.format.name for one in found] == ["ome-zarr", "imagexpress"]
    left_out = "1 OME-Zarr file(s) next to {} are left out, such as image.zarr"
    assert found[0].hints[0].startswith(left_out.format("a plate"))
    shutil.rmtree(zarr_plate)
    found = find_plates(zarr_plate.parent)
    assert folders(found, zarr_plate.parent) == ["raw"]
    assert any(h.startswith(left_out.format("images of another format")) for h in found[0].hints)


def test_every_plate_of_a_folder_has_its_own_wells(tmp_path: Path) -> None:
    harmony(tmp_path / "a")
    cellvoyager(tmp_path / "b")
    for one in find_plates(tmp_path):
        assert one.planes is not None
        assert sorted(set(one.planes["well"])) == list(WELLS)


def test_plates_side_by_side_that_are_numbers_keep_them_as_names(tmp_path: Path) -> None:
    """MetaXpress puts a number below the plate's name; barcodes side by side are names."""
    for number in ("3436", "3437"):
        metaxpress(tmp_path / "screen 1" / number)
    metaxpress(tmp_path / "P" / "2023-02-21" / "1334")
    found = [one.folder for one in find_plates(tmp_path)]
    assert sorted(names(found)) == ["P", "screen_1_3436", "screen_1_3437"]
    assert names(found[-1:]) == ["screen_1"]


def test_most_images_of_other_names_put_the_format_in_doubt(tmp_path: Path) -> None:
    metaxpress(tmp_path)
    (image, *_) = tmp_path.rglob("*.tif")
    for n in range(30):
        (tmp_path / f"holiday {n}.tif").write_bytes(image.read_bytes())
    (plate,) = find_plates(tmp_path)
    assert any("24 of 54 images have names of" in note for note in inspect_plate(plate).notes)
    for n in range(7):
        (tmp_path / f"holiday {n}.tif").unlink()
    (plate,) = find_plates(tmp_path)
    assert not any("have names of" in note for note in inspect_plate(plate).notes)


def test_a_link_whose_target_cannot_be_looked_at_is_passed_over(tmp_path: Path) -> None:
    """As one into a folder of another account; here, a name that no disk can have."""
    folder = metaxpress(tmp_path / "P")
    os.symlink("x" * 300, folder / "strange.tif")
    (found,) = find_plates(folder)
    assert found.files.passed_over["strange.tif"] == LINK_NOWHERE
