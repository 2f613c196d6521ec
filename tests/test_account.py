"""Every file of a folder is used, quarantined or passed over, with its name and a reason.

AS_B02f98d0.tif … AS_B03f102d0.tif      used (fields of three digits too)
AS_B04f98d0 (2).tif                     passed over: like the others; B04 has no other
._AS_B02f98d0.tif  .DS_Store            passed over: hidden
notes.txt                               passed over: not an image
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadConfig
from cellpipe.readers import manifest
from cellpipe.readers.accounting import account, foreign, remedies
from cellpipe.readers.accounting import files as listing
from cellpipe.readers.accounting.doubles import same_bytes
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.inspection import inspect_planes
from cellpipe.run.plates import gather

CHANNELS = {"dna": {"source": "1"}}


def written(folder: Path, *names: str, value: int = 7) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.full((16, 20), value, np.uint16), metadata=None)
    return folder


def inspected(folder: Path, layout: str = "imagexpress", channels=None, **options):
    """(inspection, planes, passed over) of a folder; the account is checked on the way."""
    files = manifest.listing(folder, options.pop("follow_links", False))
    listed = manifest.list_planes(layout, folder, options.pop("layouts", {}), files)
    inspection, planes = inspect_planes(
        listed,
        channels or CHANNELS,
        plate="P",
        read=manifest.read_header_below(folder),
        pixel_size_um=0.5,
        time_step_s=None,
        keep_stack=options.pop("keep_stack", False),
        same=same_bytes(folder),
    )
    inspection, over = account.accounted(inspection, files, listed, planes)
    return inspection, planes, over


def reasons(over: pd.DataFrame) -> dict[str, str]:
    return dict(zip(over["path"], over["reason"], strict=True))


def sums(inspection) -> tuple[int, int, int, int]:
    found = inspection["files"]
    over = sum(group["files"] for group in found["passed_over"])
    return found["n"], found["used"], found["quarantined"], over


def test_every_file_is_used_or_passed_over_with_a_reason(tmp_path):
    fields = [f"AS_{well}f{f:02d}d0.tif" for well in ("B02", "B03") for f in range(98, 103)]
    written(tmp_path, *fields, "AS_B04f98d0 (2).tif", "overview.tif")
    for name in ("._AS_B02f98d0.tif", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt"):
        (tmp_path / name).write_bytes(bytes(100))
    (tmp_path / "raw.zip").touch()
    found, planes, over = inspected(tmp_path, "cellomics", {"dna": {"source": "0"}})
    assert sorted(planes["field"].unique()) == [98, 99, 100, 101, 102]
    assert len(found["fields"]) == 10
    assert reasons(over) == {
        "._AS_B02f98d0.tif": listing.HIDDEN,
        ".DS_Store": listing.HIDDEN,
        "Thumbs.db": listing.HIDDEN,
        "desktop.ini": listing.HIDDEN,
        "notes.txt": listing.NOT_IMAGE,
        "raw.zip": foreign.ARCHIVE,
        "AS_B04f98d0 (2).tif": listing.LIKE_THE_OTHERS,
        "overview.tif": listing.NOT_NAMED,
    }
    assert sums(found) == (18, 10, 0, 8)
    (fault,) = [f for f in found["faults"] if f["well"] == "B04"]
    assert "well B04 has no other" in fault["reason"]
    words = " ".join(account.warnings(found["files"]))
    assert "AS_B04f98d0 (2).tif" in words
    assert "overview.tif" in words
    assert "DS_Store" not in words


def test_images_passed_over_are_rows_of_the_quarantine_and_other_files_are_not(tmp_path):
    written(tmp_path, "P_B02_s1_w1.tif", "P_B02_s1_w2.tif", "P_B02_s1_w1_thumb.tif")
    written(tmp_path, *(f"odd/{i}.tif" for i in range(30)))
    (tmp_path / "P.HTD").touch()
    found, _, over = inspected(tmp_path)
    rows = gather.quarantine("P", found, {}, remedies.rows_of_images(over))
    assert set(rows["status"]) == {"passed over"}
    kinds = {row.file: row.reason for row in rows.itertuples()}
    assert set(kinds) == {"P_B02_s1_w2.tif", "P_B02_s1_w1_thumb.tif", "odd/0.tif"}
    assert kinds["odd/0.tif"].startswith("30 images, such as odd/0.tif")
    assert rows["remedy"].ne("").all()


@pytest.mark.parametrize(
    ("reason", "n_folders", "rows"),
    [
        (listing.NOT_NAMED, 5, 5),  # a row for each folder
        (listing.NOT_NAMED, 30, 3),  # of very many for each well
        (listing.HIDDEN, 5, 1),  # and one for what every plate may have
    ],
)
def test_images_passed_over_are_grouped_by_folder_or_by_well(reason, n_folders, rows):
    over = pd.DataFrame({"path": [f"{n}/a.tif" for n in range(n_folders)], "image": True})
    over = over.assign(reason=reason, well=[f"B0{n % 3}" for n in range(n_folders)])
    assert len(remedies.rows_of_images(over)) == rows


def test_an_account_that_does_not_add_up_fails_loudly():
    over = pd.DataFrame([["a.txt", listing.NOT_IMAGE, False, ""]], columns=account.COLUMNS)
    assert account.account(3, {"b", "c"}, {"b"}, over)["quarantined"] == 1
    with pytest.raises(RuntimeError, match="4 files in the folder"):
        account.account(4, {"b", "c"}, {"b"}, over)
    with pytest.raises(RuntimeError, match="in two places"):
        account.account(2, {"a.txt", "b"}, {"b"}, over)


def test_files_of_frames_that_ingest_left_out_are_quarantined():
    planes = pd.DataFrame(
        [("a", "B02", 1, 0), ("a", "B02", 1, 1), ("b", "B03", 1, 0)],
        columns=["path", "well", "field", "t"],
    )
    found = {"n": 3, "used": 2, "quarantined": 0, "passed_over": []}
    settled = account.settled(found, planes, {("B02", 1, 0), ("B03", 1, 0)})
    assert (settled["used"], settled["quarantined"]) == (1, 1)


def test_a_copy_is_passed_over_and_files_that_differ_set_their_field_aside(tmp_path):
    written(tmp_path, *(f"P_{well}_w1.tif" for well in ("B02", "B03", "B04")))
    written(tmp_path, "again/P_B02_w1.tif")
    written(tmp_path, "again/P_B03_w1.tif", value=9)
    found, _, over = inspected(tmp_path)
    assert [f["well"] for f in found["fields"]] == ["B02", "B04"]
    assert reasons(over) == {"again/P_B02_w1.tif": "a copy of P_B02_w1.tif, byte for byte"} or (
        list(reasons(over)) == ["P_B02_w1.tif"]
    )
    assert sums(found) == (5, 2, 2, 1)
    (fault,) = found["faults"]
    assert (fault["well"], fault["field"]) == ("B03", 1)
    assert "differ" in fault["reason"]


# ---- links


def test_links_are_followed_inside_named_outside_and_never_in_circles(tmp_path):
    outside = written(tmp_path / "outside", "P_C03_w1.tif", "P_C04_w1.tif")
    folder = written(tmp_path / "plate", "P_B03_w1.tif")
    (folder / "P_B04_w1.tif").symlink_to(folder / "P_B03_w1.tif")
    (folder / "P_B05_w1.tif").symlink_to(outside / "P_C03_w1.tif")
    (folder / "P_B06_w1.tif").symlink_to(tmp_path / "nowhere.tif")
    (folder / "more").symlink_to(outside, target_is_directory=True)
    (folder / "round").symlink_to(folder, target_is_directory=True)
    found, _, over = inspected(folder)
    assert [f["well"] for f in found["fields"]] == ["B03", "B04"]
    assert reasons(over) == {
        "P_B05_w1.tif": listing.LINK_OUT,
        "P_B06_w1.tif": listing.LINK_NOWHERE,
        "more": listing.LINK_FOLDER,
        "round": listing.LINK_INSIDE,
    }
    rows = remedies.rows_of_images(over)
    assert {"P_B05_w1.tif", "P_B06_w1.tif", "more"} == {row["file"] for row in rows}
    assert len(account.warnings(found["files"])) == 3  # a link into the plate itself is none
    assert "follow_links" in next(r["remedy"] for r in rows if r["file"] == "P_B05_w1.tif")
    found, _, over = inspected(folder, follow_links=True)
    assert {f["well"] for f in found["fields"]} == {"B03", "B04", "B05", "C03", "C04"}
    assert list(reasons(over)) == ["P_B06_w1.tif"]


def test_a_folder_of_links_alone_says_so(tmp_path):
    outside = written(tmp_path / "outside", "P_C03_w1.tif")
    folder = tmp_path / "plate"
    folder.mkdir()
    (folder / "P_C03_w1.tif").symlink_to(outside / "P_C03_w1.tif")
    with pytest.raises(BadConfig, match="follow_links"):
        inspected(folder)


def test_names_that_are_not_utf8_are_named(tmp_path):
    written(tmp_path, "P_B03_w1.tif")
    (Path(os.fsencode(tmp_path).decode()) / os.fsdecode(b"P_B04_w1_\xff.tif")).touch()
    _, _, over = inspected(tmp_path)
    assert reasons(over) == {"P_B04_w1_\\udcff.tif": listing.NO_NAME}


def test_hidden_folders_are_not_looked_into(tmp_path):
    written(tmp_path, "P_B03_w1.tif", ".snapshot/P_B03_w1.tif", "@eaDir/P_B03_w1.tif")
    found, _, over = inspected(tmp_path)
    assert reasons(over) == {".snapshot": listing.HIDDEN, "@eaDir": listing.HIDDEN}
    assert sums(found) == (3, 1, 0, 2)


# ---- projections


@pytest.mark.parametrize("keep_stack", [False, True])
def test_a_projection_of_the_instrument_is_not_of_the_stack(tmp_path, keep_stack):
    """w1 has a stack and its projection in ZStep_0, w2 one plane, w3 a projection alone."""
    stack = [f"ZStep_{z}/P_B03_w1.tif" for z in (0, 1, 2, 3)]
    written(tmp_path, *stack, "ZStep_1/P_B03_w2.tif", "ZStep_0/P_B03_w3.tif")
    channels = {name: {"source": token} for name, token in zip("abc", "123", strict=True)}
    found, planes, over = inspected(tmp_path, channels=channels, keep_stack=keep_stack)
    assert reasons(over) == {"ZStep_0/P_B03_w1.tif": listing.PROJECTION}
    depth = planes.groupby("channel")["z"].agg(sorted).to_dict()
    assert depth == {"a": [0, 1, 2], "b": [0], "c": [0]}
    assert found["fields"][0]["shape"][:3] == [1, 3, 3 if keep_stack else 1]
    assert len(found["notes"]) == (2 if keep_stack else 0)


def test_stacks_of_several_depths_are_refused_where_they_would_be_stored(tmp_path):
    names = [f"ZStep_{z}/P_B03_w1.tif" for z in (1, 2, 3)]
    written(tmp_path, *names, "ZStep_1/P_B03_w2.tif", "ZStep_2/P_B03_w2.tif")
    channels = {"a": {"source": "1"}, "b": {"source": "2"}}
    assert len(inspected(tmp_path, channels=channels)[0]["fields"]) == 1
    with pytest.raises(BadConfig, match=r"3 planes \(a\).*2 planes \(b\)"):
        inspected(tmp_path, channels=channels, keep_stack=True)


@pytest.mark.data
@pytest.mark.parametrize(
    ("layout", "folder", "n", "thumbnails", "projections"),
    [
        ("imagexpress", "hcs-faim/ImageXpress/Projection-Mix", 48, 24, 8),
        ("imagexpress", "hcs-faim/ImageXpress_exported/9987_Plate_3435", 19, 0, 0),
        ("cellvoyager", "hcs-faim/CV8000", 111, 0, 0),
        ("phenix", "hcs-phenix-pediatric-cp", 9, 0, 0),
        ("cellomics", "hcs-transfluor-rowO", 18, 0, 0),
        ("cytation", "hcs-cellpainting-nf1", 19, 0, 0),
    ],
)
def test_real_plates_add_up(real_data, layout, folder, n, thumbnails, projections):
    files = find_files(real_data / folder)
    token = manifest.list_planes(layout, real_data / folder, {}, files)["channel"].min()
    found, _, over = inspected(real_data / folder, layout, {"dna": {"source": token}})
    assert found["files"]["n"] == n == len(files.names)
    assert (over["reason"] == listing.THUMBNAIL).sum() == thumbnails
    assert (over["reason"] == listing.PROJECTION).sum() == projections
