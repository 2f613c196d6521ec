"""What made a result: digests of code, and fingerprints of results.

A fingerprint is the sha256 of everything that decides a result: the stage, the digest of the
code that made it, the parameters, the sha256 of the weights, and the fingerprints of the inputs.
Two results with one fingerprint are the same result; the chain of fingerprints replaces guesses
from time stamps.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = Path(__file__).parents[1]
DISTRIBUTIONS = ("numpy", "scipy", "scikit-image", "torch", "zarr", "tifffile", "pandas")


def fingerprint(
    stage: str,
    *,
    code: str,
    params: Mapping[str, Any],
    inputs: Iterable[str] = (),
    weights: str = "",
) -> str:
    """Return the fingerprint (32 hexadecimal digits) of a result.

    `params` may hold anything JSON can; the order of its keys does not matter, the order of
    `inputs` does.
    """
    recipe = {
        "stage": stage,
        "code": code,
        "params": params,
        "inputs": list(inputs),
        "weights": weights,
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]


@cache
def code_digest(*modules: str, alone: tuple[str, ...] = ()) -> str:
    """Digest of the source of `modules` and of every cellpipe module that they import.

    Modules in `alone` count without what they import.

    Snakemake notices a changed script, but not a changed package: rules pass this digest as a
    parameter. Names are dotted, without the package: ``"segment"``, ``"models.unet"``. Imports
    inside functions count too, so lazy imports are seen.
    """
    sources: dict[str, bytes] = {}
    waiting = [f"cellpipe.{name}" for name in modules]
    for name in (*waiting, *(f"cellpipe.{name}" for name in alone)):
        if _module(name) is None:  # else a misspelt name would digest nothing, unseen for ever
            raise ModuleNotFoundError(f"no module {name}")
    while waiting:
        name = waiting.pop()
        module = _module(name)
        if module is None or name in sources:
            continue
        sources |= {name: module.source, **module.beside}
        waiting.extend(module.imported)
    for name in alone:
        module = _module(f"cellpipe.{name}")
        assert module is not None
        sources[f"cellpipe.{name}"] = module.source
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()[:16]


class _Module(NamedTuple):
    """A module of cellpipe: its source, what it imports, and templates and styles beside it."""

    source: bytes
    imported: tuple[str, ...]
    beside: Mapping[str, bytes]


@cache  # nearly every rule asks for the same modules
def _module(name: str) -> _Module | None:
    """A module by its dotted name; None for names that are no module of ours."""
    parts = name.split(".")
    if parts[0] != "cellpipe" or len(parts) < 2:
        return None
    stem = PACKAGE.joinpath(*parts[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            source = path.read_bytes()
            others = path.parent.glob("*.[!p]*") if path.name == "__init__.py" else ()
            beside = {f"{name}/{other.name}": other.read_bytes() for other in sorted(others)}
            return _Module(source, imported_names(source.decode()), beside)
    return None


# "from cellpipe.a import b" or "from cellpipe.a import (b, …)"; "import cellpipe.a"
_FROM = re.compile(r"^[ \t]*from[ ]+(cellpipe[\w.]*)[ ]+import[ ]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ ]+(cellpipe[\w., ]*)", re.MULTILINE)


def imported_names(source: str) -> tuple[str, ...]:
    """Dotted names in cellpipe that a source file imports, as modules and as members of modules.

    Read from the lines: a tree of each file would take a third of the time in which Snakemake
    reads its rules.
    """
    names: list[str] = []
    for module, members in _FROM.findall(source):
        listed = re.sub(r"#[^\n]*", "", members).strip("() \n").split(",")
        members = [member.split()[0] for member in listed if member.strip()]
        names += [module, *(f"{module}.{member}" for member in members)]
    for listed in _IMPORT.findall(source):
        names += [name.split()[0] for name in listed.split(",") if name.strip()]
    return tuple(names)


def versions(distributions: Iterable[str] = DISTRIBUTIONS) -> dict[str, str]:
    """Installed versions of the libraries that decide results; those missing are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
