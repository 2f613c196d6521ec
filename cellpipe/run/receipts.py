"""Receipts: what is finished, with the rows that it gave.

A receipt is a Parquet file, renamed into place when a unit is complete. It holds the unit's rows
and, in its metadata, the key (what it would be made from), the fingerprint (what it is) and the
state of every frame. A block table is the receipts of a block, joined: same columns, and the list
of units in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cellpipe.files.publish import published
from cellpipe.files.removal import remove
from cellpipe.files.tables import BadTable, read_table
from cellpipe.run.blocks import Unit
from cellpipe.run.made import Made

if TYPE_CHECKING:
    import pandas as pd  # and where tables are joined: to read receipts takes none

_META = b"cellpipe"
_PLACE_TYPES = {"plate": "str", "well": "str", "field": "int32", "t": "int32", "label": "uint32"}


@dataclass(frozen=True)
class Frame:
    """State of one frame in one stage: "ok", or "quarantined" with the reason and the remedy.

    "failed" where the stage met an error that nobody expected (`workflow.unexpected`).

    `stored` : layer ("pixels", "nuclei" …) → digest of the chunks that the stage wrote of it
    """

    t: int
    status: str = "ok"
    reason: str = ""
    remedy: str = ""
    seconds: float = 0.0
    stored: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """A finished unit. `key` decides whether it can be kept, `fingerprint` identifies it.

    `made` : what it was made with; nothing in receipts of earlier versions
    """

    unit: Unit
    key: str
    fingerprint: str
    frames: tuple[Frame, ...]
    made: Made = field(default_factory=Made)

    @property
    def good_frames(self) -> list[int]:
        return [frame.t for frame in self.frames if frame.status == "ok"]

    @property
    def bad_frames(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.status != "ok"]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(described: dict[str, Any]) -> Receipt:
        return Receipt(
            unit=Unit(**described["unit"]),
            key=described["key"],
            fingerprint=described["fingerprint"],
            frames=tuple(Frame(**frame) for frame in described["frames"]),
            made=Made(**described.get("made", {})),
        )


def with_place_types(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the columns of their place as every table has them.

    Columns of no rows have no type by themselves, and could not be joined with others.
    """
    return rows.astype({name: kind for name, kind in _PLACE_TYPES.items() if name in rows})


def receipt_path(folder: Path, unit: Unit) -> Path:
    """Path of the receipt of a unit."""
    return folder / f"{unit.name}.parquet"


def remove_overlapping(folder: Path, units: Sequence[Unit]) -> None:
    """Remove receipts of the same fields that were cut otherwise (other `frames_per_unit`)."""
    own = {unit.name for unit in units}
    spans: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for unit in units:
        spans.setdefault((unit.well, unit.field), []).append((unit.t_start, unit.t_stop))
    for path in folder.glob("*.parquet"):
        other = Unit.from_name(path.stem)
        if other is None or other.name in own:
            continue
        near = spans.get((other.well, other.field), [])
        if any(other.t_start < stop and start < other.t_stop for start, stop in near):
            remove(path, folder)


def write_receipts(
    path: Path, rows: pd.DataFrame, receipts: Sequence[Receipt], *, synced: bool = True
) -> None:
    """Publish rows and receipts as one Parquet file; `synced` as in `publish.published`."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    meta = json.dumps([receipt.as_dict() for receipt in receipts]).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _META: meta})
    with published(path, synced=synced) as aside:
        pq.write_table(table, aside, write_page_checksum=True)


def read_receipts(path: Path | str) -> list[Receipt]:
    """Receipts in the metadata of one file, without reading its rows."""
    meta = (pq.read_schema(path).metadata or {})[_META]
    return [Receipt.from_dict(described) for described in json.loads(meta)]


def good_frames(paths: Iterable[Path | str]) -> set[tuple[str, int, int]]:
    """(well, field, t) of the frames that a stage finished, from its block tables.

    Whether a frame was left out is known from here alone. A chunk that is not there means that it
    was lost, or is not written yet, and never that its frame was left out.
    """
    receipts = (receipt for path in paths for receipt in read_receipts(path))
    return {(r.unit.well, r.unit.field, t) for r in receipts for t in r.good_frames}


def read_rows(paths: Iterable[Path | str]) -> pd.DataFrame:
    """Rows of several files, in order. Files without rows still give their columns."""
    return joined([read_table(path) for path in paths])


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of several tables, in order. Tables without rows still give their columns."""
    import pandas as pd

    full = [frame for frame in frames if len(frame)]
    if full:
        return pd.concat(full, ignore_index=True)
    return frames[0] if frames else pd.DataFrame()


def kept_receipt(path: Path, key: str) -> Receipt | None:
    """The receipt at `path` if it bears `key`; None if it is absent, torn, or of another make.

    Its rows are read too, so that one whose rows were altered is none.
    """
    found = kept_unit(path, key)
    return found[0] if found else None


def kept_unit(path: Path, key: str) -> tuple[Receipt, pd.DataFrame] | None:
    """`kept_receipt` with its rows."""
    try:
        (receipt,) = read_receipts(path)
        return (receipt, read_table(path)) if receipt.key == key else None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, BadTable):
        return None


def receipts_of(root: Path, outputs: Iterable[Path]) -> list[Path]:
    """Receipts that the block tables among `outputs` were joined from."""
    found: list[Path] = []
    for table in outputs:
        folder = root / "receipts" / table.parent.name
        if table.suffix == ".parquet" and table.parent.parent.name == "blocks" and folder.is_dir():
            found += [receipt_path(folder, receipt.unit) for receipt in read_receipts(table)]
    return found
