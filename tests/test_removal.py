"""Nothing is deleted but what is owned, and a plate is never laid out over its own images.

results/P/P.ome.zarr/B/02/1/0 ──link──► other/      remove(…/0)    the link goes, other/ stays
                                                    remove(…/0/x)  refused
"""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drawn_plate import inspected, laid_out
from running import PLATE, Run

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.files.places import refuse_overlaps
from cellpipe.files.removal import Refused, remove, remove_quietly
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.run.frames.project import project_frame

ROOT = Path(__file__).parents[1]
DELETERS = {"rmtree", "unlink", "rmdir", "removedirs", "remove_tree"}


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    (tmp_path / "owned/a/b").mkdir(parents=True)
    (tmp_path / "other/a").mkdir(parents=True)
    for path in ("owned/a/b/x", "other/x", "other/a/x"):
        (tmp_path / path).write_text(path)
    return tmp_path / "owned"


def state(folder: Path) -> dict[str, str]:
    """Every file below a folder (links are not followed), with its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_files_and_folders_below_what_is_owned_go(owned):
    remove(owned / "a/b/x", owned)
    assert not (owned / "a/b/x").exists()
    remove(owned / "a", owned)
    remove(owned / "not there", owned)
    assert list(owned.iterdir()) == []


@pytest.mark.parametrize("deleter", [remove, remove_quietly])
@pytest.mark.parametrize(
    "path",
    ["owned", ".", "other/x", "owned/../other/x", "owned/a/../../other/x", "owned/link/x",
     "owned/link/a", "owned/link", "owned/link/a/x", "owned2/x"],
)  # fmt: skip
def test_nothing_else_goes(owned, path, deleter):
    """`owned/link` itself may go; what it leads to stays all the same."""
    home = owned.parent
    (owned / "link").symlink_to(home / "other")
    (home / "owned2").mkdir()
    (home / "owned2/x").write_text("a folder whose name begins alike")
    before = state(home)
    if path == "owned/link":
        deleter(home / path, owned)
    else:
        with pytest.raises(Refused, match="wanted: a path below"):
            deleter(home / path, owned)
    assert state(home) == before


def test_a_folder_that_holds_links_goes_and_what_they_lead_to_stays(owned):
    other = owned.parent / "other"
    (owned / "a/folder").symlink_to(other)
    (owned / "a/b/file").symlink_to(other / "x")
    (owned / "a/b/round").symlink_to(owned / "a")
    before = state(other)
    remove(owned / "a", owned)
    assert list(owned.iterdir()) == []
    assert state(other) == before


def test_the_owned_folder_may_itself_be_reached_through_a_link(owned):
    results = owned.parent / "results"
    results.symlink_to(owned)
    remove(results / "a/b", results)
    assert not (owned / "a/b").exists()


def test_a_relative_path_is_seen_from_where_we_are(owned, monkeypatch):
    monkeypatch.chdir(owned.parent)
    remove(Path("owned/a/b/x"), owned)
    remove(Path("owned/a/b"), Path("owned"))
    monkeypatch.chdir(owned)
    remove(Path("../owned/a"), Path("../owned"))
    assert list(owned.iterdir()) == []
    with pytest.raises(Refused):
        remove(Path("../other/x"), Path("../owned"))


def test_no_other_module_deletes_anything():
    found = []
    for path in sorted([*ROOT.glob("cellpipe/**/*.py"), *ROOT.glob("scripts/*.py")]):
        if path.name == "removal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                of_os = isinstance(node, ast.Attribute) and ast.unparse(node) == "os.remove"
                if name in DELETERS or of_os:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    assert found == []


# --- a plate that is to be read where it lies, and the results of reading it


def finished(folder: Path) -> Plate:
    """Results of a plate P with pixels and labels, as cellpipe wrote them."""
    inspection = inspected({"B02": [(1, 2, 1, 64, 64)], "B03": [(1, 2, 1, 64, 64)]}, plate="P")
    folder.mkdir(parents=True)
    plate = laid_out(folder, inspection, labels=["nuclei"])
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    for well in ("B02", "B03"):
        for c in (0, 1):
            plate.write_plane(well, 1, 0, c, 0, pixels)
        plate.write_labels(well, 1, 0, "nuclei", pixels.astype(np.uint32))
    return plate


def places(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Kind of overlap → the images and the results folder, as a person might write them."""
    store = tmp_path / "results/P/P.ome.zarr"
    (tmp_path / "link.zarr").symlink_to(store)
    (tmp_path / "results_link").symlink_to(tmp_path / "results")
    return {
        "the store itself": (str(store), "results"),
        "relative": ("results/P/P.ome.zarr", "results"),
        "a slash at the end": ("results/P/P.ome.zarr/", "results//"),
        "dots": ("results/../results/./P/P.ome.zarr", "results"),
        "a link to the store": ("link.zarr", "results"),
        "results by a link": (str(store), "results_link"),
        "a link on the way": ("results_link/P/P.ome.zarr", str(tmp_path / "results")),
        "the denoised store": ("results/P/P_denoised.ome.zarr", "results"),
        "the plate's folder": ("results/P", "results"),
        "a folder in it": ("results/P/images", "results"),
        "results in the images": (".", "results"),
        "results in the store": (str(store), str(store / "results")),
        "the folder of all results": ("results", "results"),
    }


KINDS = [
    "the store itself", "relative", "a slash at the end", "dots", "a link to the store",
    "results by a link", "a link on the way", "the denoised store", "the plate's folder",
    "a folder in it", "results in the images", "results in the store", "the folder of all results",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_results_in_each_other_are_refused(tmp_path, monkeypatch, kind):
    finished(tmp_path / "results/P")
    for name in ("P_denoised.ome.zarr", "images"):
        (tmp_path / "results/P" / name).mkdir()
    monkeypatch.chdir(tmp_path)
    images, results = places(tmp_path)[kind]
    before = state(tmp_path)
    with pytest.raises(BadConfig, match="images and results apart") as fault:
        refuse_overlaps({"P": {"images": images}}, results)
    assert "'P'" in fault.value.seen
    assert state(tmp_path) == before


def test_a_store_that_is_mounted_elsewhere_is_the_store(tmp_path):
    """Its second path has other parents."""
    plate = finished(tmp_path / "results/P")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    if subprocess.run(["mount", "--bind", plate.path, mounted], capture_output=True).returncode:
        pytest.skip("mounting needs the rights of an administrator")
    try:
        for images in (mounted, mounted / "B", tmp_path / "mounted/../mounted"):
            with pytest.raises(BadConfig, match="images and results apart"):
                refuse_overlaps({"P": {"images": images}}, tmp_path / "results")
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_images_beside_results_are_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "results/P", "results/Pictures", "P.ome.zarr"):
        Path(folder).mkdir(parents=True)
    for images in ("images", "results/Pictures", "P.ome.zarr", "results/../images"):
        refuse_overlaps({"P": {"images": images}}, "results")
    refuse_overlaps({"P": {"images": "images"}, "Q": {"images": "images"}}, "not there yet")


def test_plates_of_one_sheet_do_not_share_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    finished(tmp_path / "results/P")
    Path("results/Q").symlink_to("P")
    with pytest.raises(BadConfig, match="one folder for the results of the plates 'P' and 'Q'"):
        refuse_overlaps({"P": {"images": "images"}, "Q": {"images": "images"}}, "results")
    rows = {"P": {"images": "images"}, "R": {"images": "results/P/P.ome.zarr"}}
    with pytest.raises(BadConfig, match=r"'R' .* in the results of 'P'"):
        refuse_overlaps(rows, "results")
    refuse_overlaps({"R": rows["R"]}, "results")  # alone, it reads what P has left
    with pytest.raises(BadConfig, match="a plate called 'logs'"):
        refuse_overlaps({"logs": {"images": "images"}}, "results")


@pytest.mark.parametrize("results", ["taken", "taken/results", "link"])
def test_results_where_a_file_lies_are_refused(tmp_path, monkeypatch, results):
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("no folder")
    Path("link").symlink_to("nowhere")
    with pytest.raises(BadConfig, match="no folder") as refused:
        refuse_overlaps({"P": {"images": "images"}}, results)
    assert "'results' in the config" in refused.value.do


def read_in_place(source: Path, layout: Path) -> None:
    inspection = inspect_source(
        describe_source(source),
        {"dna": {"source": "dna"}, "gfp": {"source": "gfp"}},
        plate="P",
        pixel_size_um=None,
        time_step_s=None,
    )
    lay_out(layout, inspection, colors=["FFFFFF"] * 2, labels=["nuclei"])


def test_the_workflow_refuses_before_any_job(tmp_path):
    """The config of a person who analyses again what cellpipe wrote, under the same name."""
    finished(tmp_path / "results/P")
    rows = ("plate\timages\tlayout", "P\tresults/P/P.ome.zarr\tome-zarr")
    (tmp_path / "plates.tsv").write_text("\n".join(rows) + "\n")
    before = state(tmp_path / "results")
    code, said = Run(tmp_path, PLATE).attempt(classify={"training": "off"})
    assert code != 0
    assert "the images of the plate 'P'" in said
    assert "do: give the plate another name" in said
    assert "Traceback" not in said
    assert state(tmp_path / "results") == before


@pytest.mark.parametrize("way", ["directly", "by a link"])
def test_the_job_itself_refuses_to_lay_a_plate_out_over_its_images(tmp_path, way):
    plate = finished(tmp_path / "results/P")
    source = plate.path
    if way == "by a link":
        source = tmp_path / "innocent.zarr"
        source.symlink_to(plate.path)
    before = state(tmp_path)
    with pytest.raises(BadConfig, match="images and results apart"):
        read_in_place(source, plate.layout)
    assert state(tmp_path) == before
    assert not [path for path in plate.path.rglob("*") if path.is_symlink()]


def test_what_cellpipe_wrote_can_be_analysed_again_under_another_name(tmp_path):
    plate = finished(tmp_path / "results/P")
    before = state(tmp_path / "results/P")
    (tmp_path / "results/Q").mkdir()
    read_in_place(plate.path, tmp_path / "results/Q/layout.json")
    read_in_place(plate.path, tmp_path / "results/Q/layout.json")
    again = Plate(tmp_path / "results/Q/layout.json")
    np.testing.assert_array_equal(
        project_frame(again, "B03", 1, 0).whole(), project_frame(plate, "B03", 1, 0).whole()
    )
    assert state(tmp_path / "results/P") == before


@pytest.mark.parametrize("link", ["", "/B", "/B/02", "/B/02/1", "/B/02/1/labels"])
def test_a_plate_is_not_laid_out_through_links(tmp_path, link):
    link = f"P.ome.zarr{link}"
    other = finished(tmp_path / "elsewhere")
    plate = finished(tmp_path / "results/P")
    (tmp_path / "results/P" / link).rename(tmp_path / "moved")
    (tmp_path / "results/P" / link).symlink_to(tmp_path / "elsewhere" / link)
    before = state(tmp_path / "elsewhere")
    changed = inspected({"B03": [(1, 1, 1, 32, 32)], "B02": [(2, 1, 1, 32, 32)]}, plate="P")
    with pytest.raises(CellpipeError, match="link"):
        laid_out(plate.layout.parent, changed, labels=["cells"])
    assert state(tmp_path / "elsewhere") == before
    np.testing.assert_array_equal(
        other.read_labels("B02", 1, 0, "nuclei"), np.arange(4096).reshape(64, 64)
    )


def test_labels_and_pixels_are_not_written_or_erased_through_links(tmp_path):
    other = finished(tmp_path / "elsewhere")
    plate = finished(tmp_path / "results/P")
    for inner in ("0", "labels/nuclei"):
        own = plate.path / "B/02/1" / inner
        remove(own, plate.path)
        own.symlink_to(other.path / "B/02/1" / inner)
    before = state(tmp_path / "elsewhere")
    plate = Plate(plate.layout)
    with pytest.raises(CellpipeError, match="link"):
        plate.write_labels("B02", 1, 0, "nuclei", np.zeros((64, 64), np.uint32))
    with pytest.raises(CellpipeError, match="link"):
        plate.erase_frame("B02", 1, 0, "nuclei")
    with pytest.raises(CellpipeError, match="link"):
        plate.write_plane("B02", 1, 0, 0, 0, np.zeros((64, 64), np.uint16))
    with pytest.raises(CellpipeError, match="link"):
        plate.erase_frame("B02", 1, 0)
    assert state(tmp_path / "elsewhere") == before


def test_what_others_put_into_a_plate_stays_when_it_is_laid_out_anew(tmp_path):
    """Layers that a person annotated, tables of other programs, notes."""
    plate = finished(tmp_path / "results/P")
    image = plate.path / "B/02/1"
    (image / "labels/nuclei").rename(image / "labels/annotated")
    for path in (image / "tables/t", image / "notes/n", plate.path / "Notes/n", plate.path / "x/y"):
        path.parent.mkdir()
        path.write_text("mine")
    before = {k: v for k, v in state(plate.path).items() if "annotated" in k or "mine" in v}
    fewer = inspected({"B02": [(1, 2, 1, 64, 64)]}, plate="P")
    for labels in (["nuclei", "cells"], ["nuclei"], ["cells"]):
        laid_out(plate.layout.parent, fewer, labels=labels)
        after = state(plate.path)
        assert {k: after.get(k) for k in before} == before
        assert (image / "tables/t").read_text() == (plate.path / "Notes/n").read_text() == "mine"
        names = (image / "labels/zarr.json").read_text()
        assert "annotated" in names
        assert not (plate.path / "B/03").exists()
    assert not (image / "labels/nuclei").exists()
    assert os.path.isdir(image / "labels/cells")
