"""The package from outside: what pip installs runs the workflow, and the notebook runs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import pandas as pd
import pytest
import yaml
from packaging.requirements import Requirement
from running import PLATE, ROOT, Run, quiet_environment, whole_plate

from cellpipe.run.code import code_of
from cellpipe.run.receipts import read_receipts

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTEBOOK = ROOT / "docs/results.ipynb"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(built, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    target = [*pip, "install", "--no-deps", "--target", folder / "site", wheel]
    subprocess.run(target, check=True, capture_output=True, text=True)
    return folder / "site"


def test_the_wheel_holds_the_workflow_and_nothing_private(installed: Path) -> None:
    (wheel,) = installed.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tracked = subprocess.run(
        ["git", "ls-files", "rules", "scripts", "envs", "config", "profiles", "Snakefile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    for name in tracked or ["Snakefile", "rules/common.smk", "scripts/segment_block.py"]:
        assert f"cellpipe/workflow/{name}" in names
    assert not [name for name in names if name.startswith(("tests/", "studies/", "docs/"))]
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.slow
def test_an_installed_package_runs_the_workflow_from_any_folder(
    installed: Path, tmp_path: Path
) -> None:
    """With the same code as a checkout, so that either takes up the results of the other."""
    run = Run.drawn(tmp_path / "run", "plate", PLATE)
    target = "results/P/wells.parquet"
    (run.folder / "my.yaml").write_text(yaml.safe_dump(PLATE))
    command = [sys.executable, "-m", "cellpipe", "run", "--configfile", "my.yaml", "--cores", "2"]
    done = subprocess.run(
        [*command, "--", target],
        cwd=run.folder,
        env={**quiet_environment(), "PYTHONPATH": str(installed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(pd.read_parquet(run.folder / target)) > 0
    made_by = json.loads((run.plate / "run.json").read_text())["snakefile"]
    assert Path(made_by) == installed / "cellpipe/workflow/Snakefile"
    (receipt, *_) = read_receipts(run.plate / "blocks/measure/0000.parquet")
    assert receipt.made.code == code_of("measure_block")["digest"]


def test_what_environments_of_conda_need_is_said_before_snakemake(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cellpipe", "run", "--sdm", "conda"],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "wanted: a checkout of cellpipe" in done.stderr


def test_every_library_that_the_package_imports_is_a_dependency_and_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)$", lock, re.M))
    locked = {_plain(name): version for name, version in locked.items()}
    wanted = {Requirement(text).name: Requirement(text) for text in _dependencies()}
    for name, requirement in wanted.items():
        if name != "torch":  # installed first, by itself
            assert requirement.specifier.contains(locked[_plain(name)]), name
    assert metadata.version("torch").partition("+")[0] in wanted["torch"].specifier
    extras = PYPROJECT["project"]["optional-dependencies"]
    optional = {Requirement(text).name for some in extras.values() for text in some}
    known = {_plain(name) for name in (*wanted, *optional)} | {"tensorflow"}  # tensorflow-cpu
    named = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
    named |= {
        "umap": "umap-learn",
        "yaml": "PyYAML",
        "ctc_metrics": "py-ctcmetrics",
        "bioimageio": "bioimageio.core",
    }
    for path in (*ROOT.glob("cellpipe/**/*.py"), *ROOT.glob("scripts/*.py")):
        for name in _imported(path):
            assert _plain(named.get(name, name)) in known, f"{path.relative_to(ROOT)}: {name}"


def test_no_tool_of_developers_is_among_what_users_install() -> None:
    lock = {_plain(line.split("==")[0]) for line in (ROOT / "requirements.lock").open()}
    tools = {_plain(Requirement(text).name) for text in PYPROJECT["dependency-groups"]["dev"]}
    assert not lock & (tools - {"psutil"})  # which snakemake needs too


def _dependencies() -> list[str]:
    found: list[str] = PYPROJECT["project"]["dependencies"]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(path: Path) -> set[str]:
    """Packages of others that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"cellpipe", "snakemake"}


@pytest.mark.slow
def test_the_notebook_runs(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cell by cell, on a small plate in the place of the demo's."""
    run = whole_plate(tmp_path_factory)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/demo-plate").symlink_to(run.plate)
    (tmp_path / f"results/{run.plate.name}.ome.zarr").symlink_to(run.plate)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    last: object = None
    with mpl.rc_context({"backend": "agg"}):
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert not cell["outputs"], "commit it without outputs"
                last = _shown("".join(cell["source"]), names)
    means = tuple(float(value) for value in last)  # type: ignore[attr-defined]
    assert means[0] == pytest.approx(means[1], rel=1e-4)


def _shown(source: str, names: dict[str, object]) -> object:
    """Run a cell; what its last line gives is what a notebook shows below it."""
    tree = ast.parse(source)
    *body, end = tree.body
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if isinstance(end, ast.Expr):
        return eval(compile(ast.Expression(end.value), "cell", "eval"), names)
    exec(compile(ast.Module([end], []), "cell", "exec"), names)
    return None


@pytest.mark.parametrize("checkout", [True, False])
def test_only_a_checkout_that_is_not_installed_sets_a_path_of_imports(
    checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules of a wheel lie within the package: their folder has none to import."""
    if checkout:
        (tmp_path / "cellpipe").mkdir()
        (tmp_path / "cellpipe/__init__.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")
    here = SimpleNamespace(get_path_or_uri=lambda secret_free: tmp_path / "rules")
    settings = SimpleNamespace(deployment_method=set())
    workflow = SimpleNamespace(current_basedir=here, deployment_settings=settings)
    exec((ROOT / "rules/package.smk").read_text(), {"workflow": workflow})
    assert (str(tmp_path) in sys.path) == checkout
    assert os.environ["PYTHONPATH"] == (str(tmp_path) if checkout else "")
