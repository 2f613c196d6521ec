"""Fingerprints follow what decides a result, and nothing else."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cellpipe.workflow.provenance import PACKAGE, code_digest, fingerprint, imported_names, versions

BASE = {"code": "c", "params": {"a": 1, "b": [2, 3]}, "inputs": ["x", "y"], "weights": "w"}


def test_equal_recipes_have_equal_fingerprints():
    swapped = {**BASE, "params": {"b": [2, 3], "a": 1}}
    assert fingerprint("segment", **BASE) == fingerprint("segment", **swapped)
    assert len(fingerprint("segment", **BASE)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"code": "d"},
        {"params": {"a": 2, "b": [2, 3]}},
        {"params": {"a": 1, "b": [3, 2]}},
        {"params": {"a": "1", "b": [2, 3]}},
        {"inputs": ["y", "x"]},
        {"inputs": ["x"]},
        {"weights": ""},
    ],
)
def test_whatever_decides_a_result_changes_its_fingerprint(change):
    assert fingerprint("segment", **{**BASE, **change}) != fingerprint("segment", **BASE)
    assert fingerprint("measure", **BASE) != fingerprint("segment", **BASE)


def digest_in(package: Path, module: str) -> str:
    """Digest as a fresh process sees it, of a copy of the package."""
    words = f"from cellpipe.workflow.provenance import code_digest; print(code_digest({module!r}))"
    done = subprocess.run(
        [sys.executable, "-c", words],
        cwd=package.parent,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_digest_follows_imports_also_inside_functions_and_nothing_else(tmp_path):
    """`headers` imports `layouts.reading`, which imports `layouts.tags`; none imports `verify`."""
    package = tmp_path / "cellpipe"
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(PACKAGE, package, ignore=ignore)
    before = digest_in(package, "inputs.headers")
    with (package / "workflow/verify.py").open("a") as file:
        file.write("\n# other\n")
    assert digest_in(package, "inputs.headers") == before
    with (package / "layouts/tags.py").open("a") as file:
        file.write("\n# other\n")
    assert digest_in(package, "inputs.headers") != before


def test_no_import_is_overlooked():
    """Imports are read from lines; Python's own parser finds the same ones."""
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        names = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert not node.level, f"{path}: a relative import would not be seen"
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        wanted = {name for name in names if name.startswith("cellpipe")}
        assert set(imported_names(source)) >= wanted, path


def test_a_misspelt_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="segmnt"):
        code_digest("segmnt")
    with pytest.raises(ModuleNotFoundError, match="chian"):
        code_digest("workflow.blocks", alone=("chian",))


def test_versions_name_what_is_installed():
    assert set(versions(["numpy", "no-such-distribution"])) == {"numpy"}


def test_no_rule_names_a_package_of_which_nothing_would_be_digested() -> None:
    """A package whose `__init__` imports nothing: its modules have to be named."""
    rules = Path(__file__).parents[1] / "rules"
    calls = [
        call
        for path in sorted(rules.glob("*.smk"))
        for call in re.findall(r"code_digest\(([^()]*(?:\([^()]*\)[^()]*)*)\)", path.read_text())
    ]
    names = {name for call in calls for name in re.findall(r'"([a-z_.]+)"', call)}
    assert len(names) > 20
    packages = {name: PACKAGE / name.replace(".", "/") / "__init__.py" for name in names}
    there = {name: path.read_text() for name, path in packages.items() if path.is_file()}
    assert there
    assert [name for name, text in there.items() if "import cellpipe" not in text
            and "from cellpipe" not in text] == []  # fmt: skip
