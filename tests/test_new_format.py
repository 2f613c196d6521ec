"""A format is less than 80 lines: the example in docs/developing/formats.md, run in a copy.

formats.md ──► copy/cellpipe/readers/layouts/micro_manager.py, its line and its test
                        └─► a plate that this file writes, inspected
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from running import ROOT, quiet_environment
from worked_examples import pieces_of, section_of, write_pieces

SECTION = section_of("formats.md", "An example")
PIECES = pieces_of(SECTION)
REGISTRY = "cellpipe/readers/formats.py"
MOST_LINES = 80


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the tests that every format passes, with the pieces of the text."""
    copy = tmp_path_factory.mktemp("new_format")
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "cellpipe", copy / "cellpipe", ignore=ignored)
    (copy / "tests").mkdir()
    for name in ("pyproject.toml", "tests/test_formats.py"):
        shutil.copy(ROOT / name, copy / name)
    write_pieces(copy, PIECES)
    return copy


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**quiet_environment(), "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


def test_the_reader_is_no_longer_than_the_text_states() -> None:
    lines = sum(text.count("\n") for name, _, text in PIECES if name.startswith("cellpipe/"))
    assert f"A reader of them is the {lines} lines of the first three pieces" in " ".join(
        SECTION.split()
    )
    assert lines <= MOST_LINES
    assert [name for name, _, _ in PIECES][1:3] == [REGISTRY, REGISTRY]
    assert SECTION.count("```") == 2 * len(PIECES) == 8


def test_the_example_is_written_as_the_rest_is(copy: Path) -> None:
    written = sorted({name for name, _, _ in PIECES})
    joined = run(copy, "ruff", "check", "--no-cache", "--fix", *written)
    assert joined.returncode == 0, joined.stdout
    formatted = run(copy, "ruff", "format", "--no-cache", "--check", *written)
    assert formatted.returncode == 0, formatted.stdout


def test_its_test_and_those_of_every_format_pass(copy: Path) -> None:
    tests = ("tests/test_micro_manager.py", "tests/test_formats.py")
    done = run(copy, "pytest", "-p", "no:cacheprovider", "-k", "micro", *tests)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b5 passed", done.stdout)  # two of its own, three of every format


CHANNELS = ("Hoechst", "mCherry")


def entry(site: int, t: int, channel: str) -> dict[str, object]:
    """As version 1.4 writes it."""
    return {
        "FileName": f"img_{t:09d}_{channel}_000.tif", "Channel": channel, "FrameIndex": t,
        "SliceIndex": 0, "PixelSizeUm": 0.325, "PositionName": f"C11-Site_{site}",
    }  # fmt: skip


def micro_manager(folder: Path) -> Path:
    """Well C11, two sites, two time points, two channels; of site 1, one image is lost."""
    for site in (0, 1):
        path = folder / f"C11-Site_{site}"
        path.mkdir(parents=True)
        listed: dict[str, object] = {"Summary": {"MicroManagerVersion": "1.4.22"}}
        for t, c in np.ndindex(2, 2):
            image = entry(site, t, CHANNELS[c])
            listed[f"FrameKey-{t}-{c}-0"] = image
            pixels = np.random.default_rng([site, t, c]).poisson(50, (48, 64)).astype(np.uint16)
            tifffile.imwrite(path / str(image["FileName"]), pixels)
        (path / "metadata.txt").write_text(json.dumps(listed))
    (folder / "C11-Site_1" / "img_000000001_mCherry_000.tif").unlink()
    tifffile.imwrite(folder / "C11-Site_1" / "snapshot.tif", np.zeros((8, 8), np.uint8))
    return folder


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return micro_manager(tmp_path_factory.mktemp("plate") / "P")


def test_a_plate_is_inspected_without_a_word_of_its_format(copy: Path, plate: Path) -> None:
    done = run(copy, "cellpipe", "inspect", str(plate))
    assert done.returncode == 0, done.stderr
    said = {line[2:16].strip(): line[16:] for line in done.stdout.splitlines()}
    assert said["format"] == "micro-manager (Micro-Manager)"
    assert said["wells"].startswith("1 ")
    assert said["fields"].startswith("2 ")
    assert said["time points"] == "2"
    assert said["pixel size"] == "0.325 µm (metadata.txt PixelSizeUm)"
    assert said["missing"].startswith("1 frame(s) without a channel")
    assert "C11 field 2 t 1 mCherry" in said["missing"]
    assert "7 used" in said["files"]
    assert "1 × an image that the metadata do not list, such as C11-Site_1/snapshot.tif" in (
        done.stdout
    )


def test_its_planes_are_listed_by_its_name(copy: Path, plate: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cellpipe.readers import manifest; "
        "planes = manifest.list_planes('micro-manager', Path(sys.argv[1]), {}); "
        "print(planes[['path', 'well', 'field', 't', 'channel', 'z']].to_json(orient='records'))"
    )
    command = [sys.executable, "-c", program, str(plate)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    found = {tuple(row.values()) for row in json.loads(done.stdout)}
    wanted = {
        (f"C11-Site_{site}/{entry(site, t, c)['FileName']}", "C11", site + 1, t, c, 0)
        for site in (0, 1)
        for t in (0, 1)
        for c in CHANNELS
    }
    lost = ("C11-Site_1/img_000000001_mCherry_000.tif", "C11", 2, 1, "mCherry", 0)
    assert found == wanted - {lost} | {("", *lost[1:])}
