"""The registry of formats: folders are recognised, and everything else follows from one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellpipe.errors import BadConfig
from cellpipe.readers import manifest
from cellpipe.readers.accounting.files import Files, find_files
from cellpipe.readers.formats import BY_NAME, FORMATS, recognised, refuse_unknown_layout

PLATE = {"attributes": {"ome": {"version": "0.5", "plate": {"wells": [{"path": "B/03"}]}}}}


def example_of(name: str, folder: Path) -> Files:
    """A folder with the example of a format; listed."""
    path = folder / BY_NAME[name].example
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"ome-zarr": json.dumps(PLATE), "csv": "path,well\n"}
    path.write_text(content.get(name, ""))
    return find_files(folder)


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_the_example_of_a_format_is_recognised(tmp_path: Path, name: str) -> None:
    (best, n), *_ = recognised(example_of(name, tmp_path))
    assert (best.name, n) == (name, 1)


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_another_layout_is_answered_with_the_right_one(tmp_path: Path, name: str) -> None:
    files = example_of(name, tmp_path)
    other = "cytation" if name != "cytation" else "csv"
    with pytest.raises(BadConfig) as refused:
        manifest.list_planes(other, tmp_path, {}, files)
    assert refused.value.do.startswith(f"write '{name}' as the layout ({BY_NAME[name].title})")


def test_most_files_decide_and_a_manifest_before_all(tmp_path: Path) -> None:
    for path in ("r01c01f01p01-ch1sk1fk1fl1.tiff", "r01c01f01p01-ch2sk1fk1fl1.tiff", "x_B03.tif"):
        (tmp_path / path).touch()
    found = [(each.name, n) for each, n in recognised(find_files(tmp_path))]
    assert found == [("phenix", 2), ("imagexpress", 1)]
    (tmp_path / "manifest.csv").write_text("image_id,split\n")  # of another program
    assert recognised(find_files(tmp_path))[0][0].name == "phenix"
    (tmp_path / "manifest.csv").write_bytes("Path;Well\n".encode("utf-16"))
    assert recognised(find_files(tmp_path))[0][0].name == "csv"


def test_nothing_is_recognised_in_a_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert recognised(find_files(tmp_path)) == []


def test_files_behind_a_reason_are_not_counted(tmp_path: Path) -> None:
    files = example_of("phenix", tmp_path)
    files.pass_over(BY_NAME["phenix"].example, "a reason")
    assert recognised(files) == []


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_a_misspelt_layout_is_answered_with_the_nearest(name: str) -> None:
    refuse_unknown_layout(name, [])
    with pytest.raises(BadConfig) as refused:
        refuse_unknown_layout(f"{name}x", ["mine"])
    assert refused.value.do == f"did you mean '{name}'?"
    assert all(each.name in refused.value.wanted for each in FORMATS)
    assert "mine" in refused.value.wanted


def test_every_format_is_explained() -> None:
    page = (Path(__file__).parents[1] / "docs/formats.md").read_text(encoding="utf-8")
    assert [name for name in BY_NAME if f"`{name}`" not in page and f"`.{name}`" not in page] == []
