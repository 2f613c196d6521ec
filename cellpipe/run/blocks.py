"""Blocks and units: how a plate is cut into jobs, and jobs into what is finished as one.

    plate    B02_1  B02_2  B03_1  B03_2  B04_1 …      fields, each of one or many frames
    units    [----] [----] [----] [----] [--][--]     a field; a long movie gives several
    blocks   [  0000     ] [  0001     ] [ 0002 …     one job each

A unit is what a receipt stands for: the frames ``t_start <= t < t_stop`` of one field. A block
is a stretch of consecutive units, of about the same number of frames in every block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
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
