"""Blocks and units: how a plate is cut into jobs, and jobs into what is finished as one.

    plate    B02_1  B02_2  B03_1  B03_2  B04_1 …      fields, each of one or many frames
    units    [----] [----] [----] [----] [--][--]     a field; a long movie gives several
    blocks   [  0000     ] [  0001     ] [ 0002 …     one job each

A receipt covers a unit: the frames ``t_start <= t < t_stop`` of one field. A block
is a stretch of consecutive units, of about the same number of frames in every block.

A plate is cut once, when it is laid out. The list of its blocks is a small file, an input of every
job on a block, and all that the Snakefile reads of a plate:

    results/P/blocks.json    {"blocks": {"0000": ["B02_f1_t0-1", …], …},
                              "field_blocks": {…}}     of whole fields, where movies are linked
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

_NAME = re.compile(r"([A-Z]+\d+)_f(\d+)_t(\d+)-(\d+)")


@dataclass(frozen=True, order=True)
class Unit:
    """Frames ``t_start <= t < t_stop`` of one field of one well."""

    well: str
    field: int
    t_start: int
    t_stop: int

    @property
    def name(self) -> str:
        return f"{self.well}_f{self.field}_t{self.t_start}-{self.t_stop}"

    @property
    def n_frames(self) -> int:
        return self.t_stop - self.t_start

    @staticmethod
    def from_name(name: str) -> Unit | None:
        """The unit of that name; None for a text that names none."""
        found = _NAME.fullmatch(name)
        return Unit(found[1], *map(int, found.groups()[1:])) if found else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def cut_units(fields: Sequence[Mapping[str, Any]], frames_per_unit: int) -> list[Unit]:
    """Cut fields (each with ``well``, ``field``, ``n_t``) into units, in plate order."""
    units = []
    # row AA of a 1,536-well plate comes after row Z
    for field in sorted(fields, key=lambda f: (len(f["well"]), f["well"], f["field"])):
        n_t = field["n_t"]
        # equal pieces: 101 frames at 100 a unit are 51 + 50, not 100 + 1
        pieces = -(-n_t // frames_per_unit)
        edges = [round(i * n_t / pieces) for i in range(pieces + 1)]
        for start, stop in pairwise(edges):
            units.append(Unit(field["well"], field["field"], start, stop))
    return units


def cut_blocks(
    fields: Sequence[Mapping[str, Any]], *, frames_per_block: int, frames_per_unit: int
) -> dict[str, list[Unit]]:
    """Cut a plate into named blocks of units, about `frames_per_block` frames in each."""
    units = cut_units(fields, frames_per_unit)
    n_frames = sum(unit.n_frames for unit in units)
    n_blocks = max(1, min(len(units), -(-n_frames // frames_per_block)))
    blocks: dict[int, list[Unit]] = {}
    done = 0
    for unit in units:
        # the block in which the middle of the unit falls keeps blocks even and in order
        index = int((done + unit.n_frames / 2) * n_blocks / n_frames)
        blocks.setdefault(index, []).append(unit)
        done += unit.n_frames
    return {f"{i:04d}": block for i, block in enumerate(blocks.values())}


def cut_field_blocks(
    fields: Sequence[Mapping[str, Any]], *, frames_per_block: int
) -> dict[str, list[Unit]]:
    """Blocks of whole fields, for stages that need a whole movie (tracking)."""
    longest = max((field["n_t"] for field in fields), default=1)
    return cut_blocks(fields, frames_per_block=frames_per_block, frames_per_unit=longest)


@dataclass(frozen=True)
class Cut:
    """A plate cut both ways, name → units: for stages that go by frames, and by whole fields."""

    blocks: dict[str, list[Unit]]
    field_blocks: dict[str, list[Unit]]

    @staticmethod
    def of(
        fields: Sequence[Mapping[str, Any]], *, frames_per_block: int, frames_per_unit: int
    ) -> Cut:
        """Cut the fields of a layout (each with ``well``, ``field``, ``n_t``)."""
        return Cut(
            cut_blocks(fields, frames_per_block=frames_per_block, frames_per_unit=frames_per_unit),
            cut_field_blocks(fields, frames_per_block=frames_per_block),
        )

    @staticmethod
    def read(path: str | Path) -> Cut:
        """From the file that `as_text` was written to."""
        written = json.loads(Path(path).read_text(encoding="utf-8"))
        return Cut(_named(written["blocks"]), _named(written["field_blocks"]))

    def as_text(self) -> str:
        """Names of units, by block, as JSON."""
        kinds = {"blocks": self.blocks, "field_blocks": self.field_blocks}
        names = {
            kind: {name: [unit.name for unit in units] for name, units in blocks.items()}
            for kind, blocks in kinds.items()
        }
        return json.dumps(names, indent=1) + "\n"

    def field_blocks_of(self, block: str) -> list[str]:
        """Names of the blocks of whole fields that hold a field of a block."""
        return _holders(self.blocks[block], self._field_blocks_by_field)

    def blocks_of(self, field_block: str) -> list[str]:
        """Names of the blocks that hold a frame of a block of whole fields."""
        return _holders(self.field_blocks[field_block], self._blocks_by_field)

    # computed once for each block: without them, a plate would be searched for each
    @cached_property
    def _blocks_by_field(self) -> _ByField:
        return _by_field(self.blocks)

    @cached_property
    def _field_blocks_by_field(self) -> _ByField:
        return _by_field(self.field_blocks)


_ByField = dict[tuple[str, int], dict[str, None]]  # well and field → names of blocks


def _by_field(blocks: Mapping[str, Sequence[Unit]]) -> _ByField:
    found: _ByField = {}
    for name, units in blocks.items():
        for unit in units:
            found.setdefault((unit.well, unit.field), {})[name] = None
    return found


def _holders(units: Sequence[Unit], by_field: _ByField) -> list[str]:
    return sorted({name for unit in units for name in by_field[unit.well, unit.field]})


def _named(blocks: Mapping[str, Sequence[str]]) -> dict[str, list[Unit]]:
    named: dict[str, list[Unit]] = {}
    for block, names in blocks.items():
        units = [Unit.from_name(name) for name in names]
        if None in units:
            raise ValueError(f"no name of a unit: {names[units.index(None)]}")
        named[block] = [unit for unit in units if unit is not None]
    return named
