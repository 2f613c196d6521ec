"""Every rule is complete, and its environment holds what its script imports: no less, no more.

What a script imports is read from its source and from the source of every cellpipe module it
reaches, functions included. Running under conda would not show a package that is missing:
Snakemake lends scripts the packages that it is installed with.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from cellpipe.readers.containers.containers import MODULES
from cellpipe.segment.engines import FOREIGN

ROOT = Path(__file__).parents[1]
RULES = sorted((ROOT / "rules").glob("*.smk"))
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
# import name → distribution, where the two differ
DISTRIBUTIONS = {
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "geff_spec": "geff",  # a part of it, installed with it
    "ctc_metrics": "py-ctcmetrics",
    "threadpoolctl": "scikit-learn",  # which depends on it
    "markupsafe": "jinja2",  # which depends on it
    "tensorflow": "tensorflow-cpu",
    "umap": "umap-learn",
    **dict.fromkeys(("google_crc32c", "numcodecs"), "zarr"),  # which depends on them
    "bioimageio": "bioimageio.core",  # and bioimageio.spec, on which it depends
}
# Imported by functions of a module that the script shares with other stages, never by its own.
OF_OTHER_STAGES = {
    "detect_block": {"torch", "numba"},
    "track_block": {"torch", "safetensors"},
    "inspect_plate": {"scipy"},
    "lay_out_plate": {"scipy"},
    "lay_out_denoised": {"scipy"},
    "verify_block": {"scipy"},
    "verify_plate": {"scipy"},
}
# Never imported by name, and needed all the same.
SILENT = {
    "pydantic": "bioimageio.core 0.11.0 reads no package with 2.14",
    "torchvision": "cellpose 4 imports it, and one of PyPI does not fit the torch of conda",
    "pyarrow": "pandas reads and writes Parquet with it",
    "imagecodecs": "tifffile reads compressed files with it",
    **dict.fromkeys(("nd2", "liffile"), "readers of containers are imported by name"),
}


def blocks_of(path: Path) -> dict[str, str]:
    """Rules of a file, by name, each with its text."""
    parts = re.split(r"^\s*(?:rule|checkpoint) (\w+):\n", path.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


WITH_SCRIPT = {
    name: text for path in RULES for name, text in blocks_of(path).items() if "script:" in text
}


def named(text: str, keyword: str) -> str:
    """What stands in quotes after a keyword of a rule; "" if nothing does."""
    found = re.search(rf'^ +{keyword}:\n +"([^"]+)"', text, flags=re.MULTILINE)
    return found[1] if found else ""


# Engines of other projects run segment_block in an environment of their own; the rule names it in
# a variable, and its default is that of our own engines.
ENGINES = {f"segment_{name}.yaml": name for name in FOREIGN}
IN_A_VARIABLE = {
    "choose_engine": "../envs/segment.yaml",
    "segment_block": "../envs/segment.yaml",
    "detect_block": "../envs/measure.yaml",  # with a network that of our own engines
    "track_block": "../envs/track.yaml",  # likewise
}
# Pins that the lock of .venv does not hold, or holds at another version, and why.
OWN_PINS = {
    "segment_cellpose.yaml": {"numpy": "2.0.2"},  # cellpose 3 wants numpy below 2.1
    "segment_bioimageio.yaml": {"onnxruntime": "1.32.0"},
    "segment_cellpose_sam.yaml": {"torchvision": "0.28.0"},  # that of torch 2.13
    "segment_stardist.yaml": {"tensorflow-cpu": "2.21.0"},
}


def environment_of(rule: str) -> str:
    return named(WITH_SCRIPT[rule], "conda") or IN_A_VARIABLE[rule]


@cache
def environment(name: str) -> dict[str, str]:
    """Packages of an environment with their versions, as PyPI calls them."""
    pins = {}
    for entry in yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]:
        for pin in entry["pip"] if isinstance(entry, dict) else [entry]:
            package, _, version = pin.replace("==", "=").partition("=")
            pins["torch" if package == "pytorch" else package] = version
    return pins


FACE = ROOT / "cellpipe/__init__.py"


@cache
def imports_of(path: Path, lazily: bool) -> tuple[frozenset[str], frozenset[Path]]:
    """Third-party packages that a file imports, and cellpipe's own files; lazily: in functions."""
    packages, files = set(), set()
    tree = ast.parse(path.read_text())
    passed_over = [branch for branch in ast.walk(tree) if only_for_types(branch)]
    if not lazily:
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        passed_over += [branch for branch in ast.walk(tree) if isinstance(branch, functions)]
    unused = {id(node) for branch in passed_over for node in ast.walk(branch)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top == "cellpipe":
                # what `open_plate` imports is for notebooks
                files |= {file for file in sources(name) if file.is_file() and file != FACE}
            elif top not in sys.stdlib_module_names:
                packages.add(DISTRIBUTIONS.get(top, top))
    return frozenset(packages), frozenset(files)


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def sources(module: str) -> list[Path]:
    """Files that importing a cellpipe module runs: its own, and those of the packages above."""
    parts = module.split(".")
    files = [ROOT.joinpath(*parts).with_suffix(".py")]
    return files + [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]


@cache
def needed(script: Path, lazily: bool = True) -> frozenset[str]:
    """Every package that a script or any cellpipe module it reaches imports."""
    packages: set[str] = set()
    waiting, seen = [script], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        found, files = imports_of(path, lazily)
        packages |= found
        waiting += files
    return frozenset(packages)


def scripts_of(environment_name: str) -> list[Path]:
    """Scripts that run in an environment, and the module of its engine, which they do not name."""
    if environment_name in ENGINES:
        return [ROOT / "scripts/segment_block.py", engine_module(environment_name)]
    scripts = [
        (ROOT / "rules" / named(text, "script")).resolve()
        for rule, text in WITH_SCRIPT.items()
        if Path(environment_of(rule)).name == environment_name
    ]
    return [*scripts, engine_module(environment_name)] if "segment" in environment_name else scripts


def engine_module(environment_name: str) -> Path:
    engine = ENGINES.get(environment_name, "cellpipe")
    return ROOT / f"cellpipe/segment/engines/{engine}.py"


# They look at a finished plate whenever they are asked for: nothing is made, nothing is waited for.
WITHOUT_OUTPUT = {"verify"}


@pytest.mark.parametrize("rule", sorted(WITH_SCRIPT))
def test_a_rule_has_all_its_parts(rule: str) -> None:
    text = WITH_SCRIPT[rule]
    keywords = set(re.findall(r"^ +(\w+):(?:\n| )", text, flags=re.MULTILINE))
    wanted = {"log", "conda", "script"}
    if rule not in WITHOUT_OUTPUT:
        wanted |= {"input", "output", "benchmark"}
        assert rule in named(text, "benchmark")
    assert wanted <= keywords
    assert rule in named(text, "log")
    tries = re.findall(r"^ +retries: (\d+)", text, flags=re.MULTILINE)
    # 0 is none at all, of a job that would fail alike
    assert set(tries) <= {"0"}, "a rule's retries repeat inside one allocation: see profiles"


@pytest.mark.parametrize("rule", sorted(set(WITH_SCRIPT) - WITHOUT_OUTPUT))
def test_inputs_and_outputs_are_named(rule: str) -> None:
    for keyword in ("input", "output"):
        part = re.search(rf"^( +){keyword}:\n((?:\1 +.*\n)+)", WITH_SCRIPT[rule], re.MULTILINE)
        assert part, keyword
        depth = len(part[1]) + 4
        first_words = re.findall(rf"^ {{{depth}}}(\S.*)$", part[2], flags=re.MULTILINE)
        entries = [words for words in first_words if not words.startswith((")", "]", "#"))]
        assert all(re.match(r"\w+=", entry) for entry in entries), entries


@pytest.mark.parametrize("rule", sorted(WITH_SCRIPT))
def test_its_environment_and_script_are_there(rule: str) -> None:
    text = WITH_SCRIPT[rule]
    assert (ROOT / "rules" / environment_of(rule)).is_file()
    script = ROOT / "rules" / named(text, "script")
    assert script.is_file()
    laid_out = {"lay_out_denoised": "lay_out_plate"}  # the same work on another store
    assert script.stem == laid_out.get(rule, rule)


@pytest.mark.parametrize("rule", sorted(WITH_SCRIPT))
def test_its_environment_holds_what_its_script_imports(rule: str) -> None:
    text = WITH_SCRIPT[rule]
    script = (ROOT / "rules" / named(text, "script")).resolve()
    held = set(environment(Path(environment_of(rule)).name))
    assert needed(script) - OF_OTHER_STAGES.get(rule, set()) <= held


@pytest.mark.parametrize("module", MODULES.values())
def test_the_environment_of_ingest_holds_what_readers_of_containers_import(module: str) -> None:
    wanted = needed(ROOT / f"cellpipe/readers/containers/{module}.py")
    assert wanted & {"nd2", "liffile", "imagecodecs"}, "no package of its own"
    assert wanted <= set(environment("ingest.yaml"))


@pytest.mark.parametrize("name", ["segment.yaml", *ENGINES])
def test_an_environment_holds_what_its_engine_imports(name: str) -> None:
    wanted = needed(ROOT / "scripts/segment_block.py") | needed(engine_module(name))
    assert wanted <= set(environment(name))


def test_spots_by_a_network_have_what_they_import() -> None:
    wanted = needed(ROOT / "scripts/detect_block.py") - {"trackpy"}
    assert {"torch", "safetensors"} <= wanted <= set(environment("segment.yaml"))


def test_links_judged_by_a_network_have_what_they_import() -> None:
    wanted = needed(ROOT / "scripts/track_block.py") - {"trackpy"}
    assert {"torch", "safetensors"} <= wanted <= set(environment("segment.yaml"))


@pytest.mark.parametrize("rule", sorted(OF_OTHER_STAGES))
def test_what_is_left_to_other_stages_is_not_imported(rule: str) -> None:
    script = (ROOT / "rules" / named(WITH_SCRIPT[rule], "script")).resolve()
    assert not needed(script, lazily=False) & OF_OTHER_STAGES[rule]
    assert needed(script) >= OF_OTHER_STAGES[rule], "no longer reached: take it from the list"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_holds_nothing_idle(path: Path) -> None:
    scripts = scripts_of(path.name)
    assert scripts, "no rule uses it"
    wanted = set().union(*(needed(script) for script in scripts)) | {"python", "pip"} | set(SILENT)
    assert set(environment(path.name)) <= wanted


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_are_those_of_the_lock(path: Path) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    locked = {name.lower().replace("_", "-"): version for name, version in locked.items()}
    makefile = (ROOT / "Makefile").read_text()
    locked["torch"] = re.search(r"torch==([\d.]+)", makefile)[1]  # installed first, by itself
    engine = ENGINES.get(path.name)
    locked |= dict([FOREIGN[engine]] if engine else []) | OWN_PINS.get(path.name, {})
    pins = {k: v for k, v in environment(path.name).items() if k not in ("python", "pip")}
    assert pins == {name: locked[name] for name in pins}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_channels_leave_no_choice(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "nodefaults"]
