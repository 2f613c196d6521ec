"""A digest of code follows all that can change a result, and nothing else."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from running import PLATE, ROOT, Run

from cellpipe.readers.containers.containers import modules_of as needed_by
from cellpipe.run.code import CACHE, PACKAGE, code_of, modules_of, parsed
from cellpipe.segment.engines import NAMES

READS = "        return np.stack(stacks)\n\n    def __setitem__("
HALVES = READS.replace("(stacks)", "(stacks) // 2")
BY_NAME = {  # modules that import by name → from where
    "segment/engines/__init__.py": "cellpipe.segment.engines",
    "readers/containers/containers.py": "cellpipe.readers.containers",
}
EVERY_SCRIPT = """
import json
from cellpipe.run.code import SCRIPTS, code_of
print(json.dumps({path.stem: code_of(path.stem)["digest"] for path in SCRIPTS.glob("*.py")}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Package and scripts in another folder."""
    for part in ("cellpipe", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    return tmp_path


def digests_in(folder: Path) -> dict[str, str]:
    """Digest of each script, as a fresh process finds it there."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_SCRIPT], cwd=folder, capture_output=True, check=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


class OtherWords(ast.NodeTransformer):
    """Other docstrings, everywhere."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value += " In other words."
        return node


def test_comments_docstrings_and_formatting_change_no_digest(copy: Path) -> None:
    before = digests_in(copy)
    for path in (*copy.rglob("cellpipe/**/*.py"), *copy.glob("scripts/*.py")):
        tree = OtherWords().visit(ast.parse(path.read_text()))
        path.write_text(f"# a comment\n{ast.unparse(tree)}\n")  # without line breaks and brackets
    assert digests_in(copy) == before


@pytest.mark.parametrize(
    ("module", "old", "new", "changed", "kept"),
    [
        pytest.param(
            "plate/regions.py",
            READS,
            HALVES,
            {"segment_block", "measure_block", "detect_block", "denoise_block"},
            {"check_plate", "write_crate"},
            id="the reader of pixels",
        ),
        pytest.param(
            "detect/noise.py",
            "BLOCK_PX = 8",
            "BLOCK_PX = 9",
            {"detect_block", "benchmark_plate"},
            {"ingest_block", "segment_block", "measure_block", "track_block", "classify_block"},
            id="the detector",
        ),
        pytest.param(
            "report/page.py",
            "def render_report(",
            "def render_report(unused=None, *, ",
            {"write_report"},
            {"ingest_block", "segment_block", "measure_block", "gather_plate", "profile_plate"},
            id="the report",
        ),
    ],
)
def test_a_change_reaches_what_can_come_to_run_it(
    copy: Path, module: str, old: str, new: str, changed: set[str], kept: set[str]
) -> None:
    before = digests_in(copy)
    path = copy / "cellpipe" / module
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))
    after = digests_in(copy)
    other = {script for script in before if after[script] != before[script]}
    assert other >= changed
    assert not other & kept


def test_readers_of_containers_count_for_the_plates_that_need_them() -> None:
    """A decoder is no part of what makes a plate of TIFF files."""
    of_nd2, of_tiff = (
        set(modules_of("ingest_block", *needed_by(layout, {}))) for layout in ("nd2", "imagexpress")
    )
    assert of_nd2 - of_tiff == {
        "cellpipe.readers.containers.nd2",
        "cellpipe.readers.containers.bounded",
    }
    assert set(code_of("ingest_block", *needed_by("nd2", {}))["libraries"]) - set(
        code_of("ingest_block")["libraries"]
    ) == {"nd2"}
    any_format = ["readers.containers.nd2", "readers.containers.czi", "readers.containers.lif"]
    assert needed_by("csv", {}) == any_format
    patterns = {".*": any_format, r".*\.(?i:nd2)": ["readers.containers.nd2"], r".*\.tiff?": []}
    for pattern, wanted in patterns.items():
        assert needed_by("mine", {"mine": {"pattern": pattern}}) == wanted
        assert needed_by("ome-tiff", {"mine": {"pattern": pattern}}) == []
    ingest = (ROOT / "rules/ingest.smk").read_text()
    assert {"inspect_plate", "ingest_block"} <= set(
        re.findall(r'code=code_with_reader\("(\w+)"\)', ingest)
    )


def test_a_template_beside_a_module_counts(copy: Path) -> None:
    before = digests_in(copy)
    templates = [path for path in copy.glob("cellpipe/report/*") if path.suffix in (".html", ".j2")]
    assert templates
    templates[0].write_text(templates[0].read_text() + "\n<p>more</p>\n")
    after = digests_in(copy)
    changed = {script for script in before if after[script] != before[script]}
    assert changed == {"write_report", "join_plates"}  # the pages of plates and of screens


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("def f(x):\n    return (x +\n            1)  # one more\n", True),
        ('def f(x):\n    """One more."""\n    return x + 1\n', True),
        ("if TYPE_CHECKING:\n    import cellpipe.plate.plate\ndef f(x):\n    return x + 1\n", True),
        ("def f(x):\n    return x + 2\n", False),
        ("def f(x):\n    return x + 1.0\n", False),
        ("def f(x, y=None):\n    return x + 1\n", False),
        ("def f(x):\n    'text'\n    return x + 1\n    0\n", True),
    ],
)
def test_what_counts_of_a_source(other: str, same: bool) -> None:
    assert (parsed(other).digest == parsed("def f(x):\n    return x + 1\n").digest) is same


def test_imports_are_followed_inside_functions_and_through_packages() -> None:
    """Of `headers`: `pixels.reading`, and what that imports; `verify` is imported by none."""
    source = "def f():\n    from cellpipe.readers.pixels import headers\n"
    assert parsed(source).imported == (
        "cellpipe.readers.pixels",
        "cellpipe.readers.pixels.headers",
    )
    of_ingest = modules_of("ingest_block")
    assert {"scripts/ingest_block", "cellpipe.readers.units.tags", "cellpipe.plate.chunks"} <= set(
        of_ingest
    )
    assert "cellpipe.run.verify" not in of_ingest


def test_libraries_are_those_that_a_script_can_come_to_import() -> None:
    """Its own and those of the modules that it imports; none of Python's."""
    assert parsed("import torch.nn\ndef f():\n    from skimage import io\n").libraries == (
        "skimage",
        "torch",
    )
    of_measure, of_segment = (
        set(code_of(script)["libraries"]) for script in ("measure_block", "segment_block")
    )
    assert {"numpy", "pandas", "scipy", "zarr"} <= of_measure
    assert "torch" in of_segment - of_measure
    assert not {"json", "pathlib", "cellpipe"} & of_segment
    of_cellpose = set(code_of("segment_block", "segment.engines.cellpose")["libraries"])
    assert "cellpose" in of_cellpose - of_segment


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="segmnt"):
        code_of("segmnt_block")
    with pytest.raises(ModuleNotFoundError, match=r"segment\.engines\.cellpse"):
        code_of("segment_block", "segment.engines.cellpse")


def test_only_engines_and_readers_are_imported_by_a_name_that_the_config_gives() -> None:
    """A rule has to name such modules: no import statement does. Which columns the schema's stages
    add is asked of their modules before any job: no script may come to run that."""
    before_jobs = "config/stages.py"
    places = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                if isinstance(node.args[0], ast.Name):
                    continue  # packages of other projects
                if path == PACKAGE / before_jobs:
                    continue
                place = path.relative_to(PACKAGE).as_posix()
                assert ast.unparse(node.args[0]).startswith(f"f'{BY_NAME[place]}."), path
                places.add(place)
    assert places == set(BY_NAME)
    scripts = [path.stem for path in (ROOT / "scripts").glob("*.py")]
    assert len(scripts) > 20
    assert not [name for name in scripts if "cellpipe.config.stages" in modules_of(name)]
    digests = {code_of("segment_block", f"segment.engines.{name}")["digest"] for name in NAMES}
    assert len(digests) == len(NAMES)


def checkout(here: Path, change: Callable[[str], str]) -> Path:
    """The workflow in another folder, its reader of frames changed."""
    for part in ("cellpipe", "rules", "scripts", "config", "envs", "profiles"):
        shutil.copytree(ROOT / part, here / part)
    shutil.copy(ROOT / "Snakefile", here)
    (here / "cellpipe/__pycache__" / CACHE.name).unlink(missing_ok=True)
    path = here / "cellpipe/plate/regions.py"
    path.write_text(change(path.read_text()))
    return here


def test_results_that_another_reader_made_are_made_again(tmp_path: Path) -> None:
    """In the same folder, without being asked: the pixels that stages read are half of what they
    were."""
    run = Run.drawn(tmp_path / "run", "plate", PLATE)
    target = "results/P/blocks/measure/0000.parquet"
    run.workflow = checkout(tmp_path / "one", lambda source: source)
    run.run(target)
    sources = [
        run.workflow / "scripts/ingest_block.py",
        *run.workflow.glob("cellpipe/readers/*.py"),
    ]
    kept = json.loads((run.workflow / "cellpipe/__pycache__" / CACHE.name).read_text())
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in sources} <= set(kept)
    before = pd.read_parquet(run.folder / target)
    receipts = {stage: run.receipts(stage) for stage in ("ingest", "segment", "measure")}
    run.workflow = checkout(tmp_path / "other", lambda source: source.replace(READS, HALVES))
    run.run(target)
    after = pd.read_parquet(run.folder / target)
    assert after["reporter_mean"].mean() < 0.6 * before["reporter_mean"].mean()
    for stage, old in receipts.items():
        assert all(run.receipts(stage)[unit] != state for unit, state in old.items()), stage
    assert set(before["fingerprint"]).isdisjoint(after["fingerprint"])
