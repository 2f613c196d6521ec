"""What several test files share: real images where they lie, and a small drawn plate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with long tests first, so that no process ends with one while the others wait."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real images, from CELLPIPE_DATA."""
    folder = os.environ.get("CELLPIPE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set CELLPIPE_DATA to the folder of real images")
    return Path(folder)


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny drawn plate: `plate/images` (ImageXpress names), plate map and truth."""
    folder = tmp_path_factory.mktemp("demo")
    draw = [sys.executable, str(ROOT / "scripts/simulate_demo.py"), "--out", str(folder)]
    subprocess.run([*draw, "--size", "small", "--seed", "1", "--only", "plate"], check=True)
    return folder


@pytest.fixture(scope="session")
def shipped():
    """The shipped network of nuclei, a `cellpipe.networks.load.Network`."""
    from cellpipe.networks.load import load_network

    return load_network("nuclei")


@pytest.fixture(scope="session")
def package(shipped, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It as a package of bioimage.io."""
    from cellpipe.exports.bioimage_io import write_package

    path = tmp_path_factory.mktemp("package") / "nuclei.zip"
    write_package(path, shipped)
    return path
