"""Digests of code: of everything in the package that a script can come to run.

    scripts/segment_block.py ──► run/frames/segment ──► segment/nuclei ──► image/… ──┐
              │                                                                       ├─► 16 digits
              └──► run/stream, plate/…  (reading and writing pixels included) ───────┘

Nothing is listed by hand: a script's imports are followed through the package, those inside of
functions too. What cannot change a result does not count: comments, docstrings, formatting,
imports for type checkers. Only a module that is imported by a name which the config gives (an
engine) is named by the rule.

Snakemake notices a changed script, but not a changed package: rules pass this digest as a
parameter, and results that another code made are made again. With it go the names of the libraries
that the same modules import: provenance records their versions where the job runs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cellpipe.files.workflow import FOLDER, PACKAGE

SCRIPTS = FOLDER / "scripts"
CACHE = PACKAGE / "__pycache__" / "code-digests-2.json"  # next to Python's own cache of the sources


class Source(NamedTuple):
    """What counts of a source file.

    digest : of its code
    imported : dotted names in cellpipe that it may import
    libraries : packages of others that it may import, those of Python itself among them
    """

    digest: str
    imported: tuple[str, ...]
    libraries: tuple[str, ...]


@cache
def code_of(script: str, *chosen: str) -> dict[str, Any]:
    """What a script runs, for a rule's parameter `code`.

    script : name of a file in scripts/, without its ending
    chosen : modules that it imports by a name which the config gives, without "cellpipe."

    Returns "digest" (16 hexadecimal digits) of its code and of the modules that it can come to
    run, and "libraries", the sorted names of packages of others that those import.
    Raises ModuleNotFoundError for a script or a module that is not there.
    """
    modules, libraries = _followed(script, chosen)
    digest = hashlib.sha256()
    for name, content in sorted(modules.items()):
        digest.update(f"{name}\0{content}\0".encode())
    others = libraries - set(sys.stdlib_module_names)
    return {"digest": digest.hexdigest()[:16], "libraries": sorted(others)}


def modules_of(script: str, *chosen: str) -> dict[str, str]:
    """Digests of the script, of each module it can come to run, and of files next to them."""
    return _followed(script, chosen)[0]


def _followed(script: str, chosen: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    path = SCRIPTS / f"{script}.py"
    if not path.is_file():
        raise ModuleNotFoundError(f"no script {path}")
    own = _source(path.read_bytes())
    found = {f"scripts/{script}": own.digest}
    libraries = set(own.libraries)
    waiting = [*own.imported, *(_required(name) for name in chosen)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        module = _module(name)
        if module is not None:
            found |= {name: module.source.digest, **module.beside}
            libraries.update(module.source.libraries)
            waiting += [*_packages_of(name), *module.source.imported]
    return found, libraries


def _required(name: str) -> str:
    if _module(f"cellpipe.{name}") is None:  # else a misspelt name would digest nothing
        raise ModuleNotFoundError(f"no module cellpipe.{name}")
    return f"cellpipe.{name}"


class _Module(NamedTuple):
    """A module of the package, and the digests of templates and styles next to it."""

    source: Source
    beside: dict[str, str]


@cache  # nearly every rule needs the same modules
def _module(name: str) -> _Module | None:
    """A module by its dotted name; None for names that are no module of ours."""
    parts = name.split(".")
    if parts[0] != "cellpipe" or len(parts) < 2:
        return None
    stem = PACKAGE.joinpath(*parts[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            others = path.parent.glob("*.[!p]*") if path.name == "__init__.py" else ()
            beside = {
                f"{name}/{other.name}": hashlib.sha256(other.read_bytes()).hexdigest()
                for other in others
                if other.is_file()
            }
            return _Module(_source(path.read_bytes()), beside)
    return None


def _packages_of(name: str) -> Iterator[str]:
    """Packages around a module: their `__init__` runs before it."""
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(2, len(parts)))


# --- what counts of a source file


def _source(content: bytes) -> Source:
    """Parsed once for each content: reading a tree takes a hundred times as long as hashing."""
    key = hashlib.sha256(content).hexdigest()
    known = _cached()
    if key not in known:
        known[key] = parsed(content.decode())
        _parsed_now[key] = known[key]
    return known[key]


def parsed(source: str) -> Source:
    """What counts of a source text."""
    tree = ast.parse(source)
    plain = "\n".join(_plain(tree))
    names = list(_imported(tree))
    own = [name for name in names if name.startswith("cellpipe.")]
    libraries = {name.partition(".")[0] for name in names} - {"cellpipe", "__future__"}
    digest = hashlib.sha256(plain.encode()).hexdigest()
    return Source(digest, tuple(own), tuple(sorted(libraries)))


def _plain(node: Any) -> Iterator[str]:
    """A tree as lines, without places in the file and docstrings, and without what is empty (of
    which versions of Python have more and more)."""
    if isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name == "type_comment":
                continue
            yield f".{name}"
            yield from _plain(_running(value) if name == "body" else value)
        yield ";"
    elif isinstance(node, list):
        for each in node:
            yield from _plain(each)
    else:
        yield repr(node)


def _running(body: Any) -> Any:
    """Statements without docstrings and other bare constants, and without `if TYPE_CHECKING:`."""
    if not isinstance(body, list):  # of a lambda, or of `a if b else c`
        return body
    return [each for each in body if not (_is_constant(each) or _is_for_types(each))]


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imported(node: ast.AST) -> Iterator[str]:
    """Dotted names that a tree imports, as modules and as members of modules."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (each.name for each in child.names)
        elif isinstance(child, ast.ImportFrom):
            if child.module:
                yield child.module
                yield from (f"{child.module}.{each.name}" for each in child.names)
        elif isinstance(child, ast.stmt) and not _is_for_types(child):
            yield from _imported(child)


# --- kept from run to run

_parsed_now: dict[str, Source] = {}


@cache
def _cached() -> dict[str, Source]:
    try:
        kept = json.loads(CACHE.read_text(encoding="utf-8"))
        return {key: Source(digest, *map(tuple, names)) for key, (digest, *names) in kept.items()}
    except (OSError, ValueError, TypeError):  # none yet, or one that another version wrote
        return {}


def keep_parsed() -> None:
    """Keep what was parsed, for the next process; where that cannot be written, it is not."""
    from cellpipe.files.publish import publish_text

    if not _parsed_now:
        return
    modules = [path.read_bytes() for path in _all_sources()]
    there = {hashlib.sha256(content).hexdigest() for content in modules}
    kept = {key: value for key, value in _cached().items() if key in there}
    try:
        CACHE.parent.mkdir(exist_ok=True)
        publish_text(CACHE, json.dumps(kept), synced=False)
    except OSError:
        return
    _parsed_now.clear()


def _all_sources() -> Iterable[Path]:
    return (*PACKAGE.rglob("*.py"), *SCRIPTS.glob("*.py"))
