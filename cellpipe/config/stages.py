"""Stages that work block by block, as the schema of the config declares them: the one list.

A section of config.schema.yaml with the key `stage` is a stage, in the order in which they run:

    detect:
      stage: {when: [channel]}

    when    options of the section that must all be set: one that is null, false or "off" turns the
            stage off; without any the stage always runs
    blocks  `fields` if a block holds whole fields, all of their frames; default: `frames`
    cells   module, without "cellpipe.", whose `columns(options)` returns the columns of numbers
            that the stage adds to the table of cells, joined by well, field, t and label

All else follows from it: the rules in rules/<stage>.smk, which tables a plate is gathered from,
options and code in report and RO-Crate, which channels and readouts a config may name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cellpipe.config.files import load_schema

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage, as its section of the schema declares it."""

    name: str
    when: tuple[str, ...] = ()
    blocks: Literal["frames", "fields"] = "frames"
    cells: str | None = None

    def runs(self, config: Config) -> bool:
        """Whether a config with its defaults turns the stage on."""
        return all(_is_set(config[self.name][option]) for option in self.when)

    def columns(self, config: Config) -> list[str]:
        """Columns of numbers that the stage adds to the table of cells, whether it runs or not."""
        if self.cells is None:
            return []
        module = importlib.import_module(f"cellpipe.{self.cells}")
        return list(module.columns(config[self.name]))


def _is_set(value: Any) -> bool:
    return not (value is None or value is False or value == "off")


@cache
def declared() -> tuple[Stage, ...]:
    """Every stage that the schema declares, in the order in which they run."""
    sections = load_schema("config")["properties"].items()
    return tuple(_stage(name, part["stage"]) for name, part in sections if "stage" in part)


def _stage(name: str, facts: Mapping[str, Any]) -> Stage:
    return Stage(name, **{**facts, "when": tuple(facts.get("when", ()))})


def running(config: Config) -> list[str]:
    """Names of the stages that a config turns on, in the order in which they run."""
    return [stage.name for stage in declared() if stage.runs(config)]


def of_cells(config: Config) -> list[str]:
    """Those of `running` whose columns are joined to the table of cells."""
    return [stage.name for stage in declared() if stage.cells and stage.runs(config)]


def by_field() -> list[str]:
    """Stages whose blocks hold whole fields."""
    return [stage.name for stage in declared() if stage.blocks == "fields"]
