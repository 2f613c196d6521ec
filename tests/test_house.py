"""The house: rooms on floors, imports from a floor or below, and no circle of rooms."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from running import ROOT

PACKAGE = ROOT / "cellpipe"
FLOORS = (  # from the ground; see CONTRIBUTING
    {"errors", "wells"},
    {"files"},
    {"image", "simulate"},
    {"readers", "plate"},
    {"networks"},
    {
        *("quality", "correct", "restore", "segment", "detect", "measure", "classify", "track"),
        *("dynamics", "profiles", "statistics"),
    },
    {"metrics"},
    {"config"},
    {"run"},
    {"evaluate", "training", "exports", "figures"},
    {"report", "inspect"},
    {"cli", "__main__", "__init__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


class Import(NamedTuple):
    """A line of a file of one room that imports from another."""

    source: str
    target: str
    line: str  # path:number: statement


def imports() -> Iterator[Import]:
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _named(node):
                target = name.split(".")[1]
                if target in FLOOR and target != room:
                    assert isinstance(node, ast.stmt)
                    where = f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
                    yield Import(room, target, where)


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        names = (
            [f"{module}.{each.name}" for each in node.names] if module == "cellpipe" else [module]
        )
    elif isinstance(node, ast.Import):
        names = [each.name for each in node.names]
    else:
        return []
    return [name for name in names if name.startswith("cellpipe.")]


def test_every_room_stands_on_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}
    assert {room.removesuffix(".py") for room in rooms} == set(FLOOR)


def test_no_import_goes_up() -> None:
    assert [one.line for one in imports() if FLOOR[one.target] > FLOOR[one.source]] == []


def test_no_rooms_import_each_other() -> None:
    """Neither two of them nor more in a circle."""
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in imports():
        lines[one.source, one.target].append(one.line)
    graph: dict[str, set[str]] = defaultdict(set)
    for source, target in lines:
        graph[source].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # each imports the next
        raise AssertionError(
            "\n".join(" -> ".join(circle[i : i + 2]) + ": " + lines[pair][0]
                      for i, pair in enumerate(pairwise(circle)))
        ) from None  # fmt: skip


def test_studies_import_what_is_there() -> None:
    """No test runs them, and no type checker reads them."""
    wrong = []
    for path in sorted((ROOT / "studies").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellpipe"):
                there = _defined(str(node.module))
                wrong += [f"{path.name}:{node.lineno} {a.name}" for a in node.names
                          if a.name not in there]  # fmt: skip
    assert wrong == []


def _defined(module: str) -> set[str]:
    """Names at the top of a module, and modules in its folder."""
    place = ROOT.joinpath(*module.split("."))
    path = place.with_suffix(".py")
    names = {other.stem for other in place.glob("*")}
    for node in ast.walk(
        ast.parse((path if path.is_file() else place / "__init__.py").read_text())
    ):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
