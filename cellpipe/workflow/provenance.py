"""What made a result: digests of code, and fingerprints of results.

A fingerprint is the sha256 of everything that decides a result: the stage, the digest of the
code that made it, the parameters, the sha256 of the weights, and the fingerprints of the inputs.
Two results with one fingerprint are the same result; the chain of fingerprints replaces guesses
from time stamps.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

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
    absent = [name for name in waiting if _source_path(name) is None]
    if absent:  # a misspelt name would digest nothing, and no change would ever be seen
        raise ModuleNotFoundError(f"no module {absent[0]}")
    while waiting:
        name = waiting.pop()
        path = _source_path(name)
        if path is None or name in sources:
            continue
        sources[name] = path.read_bytes()
        waiting.extend(_imported(sources[name]))
        if path.name == "__init__.py":  # templates and styles are code too
            for other in sorted(path.parent.glob("*.[!p]*")):
                sources[f"{name}/{other.name}"] = other.read_bytes()
    for name in alone:
        path = _source_path(f"cellpipe.{name}")
        if path is None:
            raise ModuleNotFoundError(f"no module cellpipe.{name}")
        sources[f"cellpipe.{name}"] = path.read_bytes()
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()[:16]


def _source_path(name: str) -> Path | None:
    """File of a dotted cellpipe module; None for names that are no module of ours."""
    parts = name.split(".")
    if parts[0] != "cellpipe":
        return None
    stem = PACKAGE.joinpath(*parts[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if len(parts) > 1 and path.is_file():
            return path
    return None


@cache  # nearly every rule asks for the same modules
def _imported(source: bytes) -> tuple[str, ...]:
    """Dotted names that a source file imports, as modules and as members of modules."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(name for name in names if name.startswith("cellpipe"))


def versions(distributions: Iterable[str] = DISTRIBUTIONS) -> dict[str, str]:
    """Installed versions of the libraries that decide results; those missing are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
