"""Mend the faults of a plate: what must go so that the workflow makes exactly that again.

chunk of pixels   its unit's receipt and its block's table go, if the images are still there
chunk of labels   the same of segmentation, if the pixels are whole or can be made again
table, export     the output of the rule goes
metadata          is restored from its record
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cellpipe.errors import CellpipeError
from cellpipe.files import digests
from cellpipe.files.removal import remove
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.plate.record import put_back
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.run.block_files import blocks_by_unit
from cellpipe.run.blocks import Unit
from cellpipe.run.faults import MAIN, METADATA, PIXELS, RECORD, Fault
from cellpipe.run.kept import keep_as_they_are


@dataclass
class Plan:
    """What mending would do.

    remove : paths below the plate's folder that the workflow makes again
    restore : file of metadata → its text; None: it has to go
    hopeless : faults that cannot be mended from what is here, each with the reason
    """

    remove: set[str] = field(default_factory=set)
    restore: dict[str, str | None] = field(default_factory=dict)
    hopeless: list[tuple[Fault, str]] = field(default_factory=list)


def plan_mending(root: Path, faults: Iterable[Fault], images: Path | None) -> Plan:
    """Decide what is removed and put back for these faults.

    `images` : the folder of the plate's images, to see whether they are still there; None if it
    is not known.
    """
    plan, faults = Plan(), list(faults)
    records = {record.name: record for _, record in digests.read_records(root) if record}
    blocks = blocks_by_unit(root)
    lost = _without_source(root, faults, images)
    for fault in faults:
        why = _reason(fault, lost)
        if why:
            plan.hopeless.append((fault, why))
        elif fault.kind == METADATA:
            name = "metadata" if fault.rule == "lay_out_plate" else "metadata_denoised"
            plan.restore[fault.path] = records[name].metadata.get(fault.path)
        elif fault.unit is not None:
            stage = fault.rule.removesuffix("_block")
            plan.remove |= _of_unit(root, stage, fault.unit, blocks)
        else:
            plan.remove |= _of_file(root, fault, records)
    return plan


def put_metadata_back(root: Path, plan: Plan) -> None:
    """Restore metadata from their record."""
    for path, text in plan.restore.items():
        put_back(root, path, text)


def carry_out(root: Path, plan: Plan) -> None:
    """Put metadata back, and remove what is to be made again; nothing else is touched.

    Units that cannot be made again are noted, so that the workflow leaves them unchanged.
    """
    put_metadata_back(root, plan)
    keep_as_they_are(root, {fault.unit for fault, _ in plan.hopeless if fault.unit})
    for path in sorted(plan.remove):
        remove(root / path, root)


def targets(root: Path, plan: Plan) -> list[str]:
    """Outputs to request from the workflow: the removed ones, and all others of the same rules."""
    wanted = {path for path in plan.remove if not path.startswith(("receipts/", digests.FOLDER))}
    for _, record in digests.read_records(root):
        if record and record.block is None:
            wanted |= set(record.outputs)
    return sorted(path for path in wanted if not path.endswith(".geff"))


def _of_unit(
    root: Path, stage: str, unit: Unit, blocks: dict[tuple[str, Unit], list[str]]
) -> set[str]:
    """The receipt of a unit, and the tables of the blocks that hold it."""
    names = blocks.get((stage, unit))
    if names is None:  # the table is damaged itself: all of that stage without an entry
        names = [path.stem for path in (root / "blocks" / stage).glob("[0-9]*.parquet")]
    return {f"receipts/{stage}/{unit.name}.parquet"} | {
        f"blocks/{stage}/{name}.parquet" for name in names
    }


def _of_file(root: Path, fault: Fault, records: dict[str, digests.Record]) -> set[str]:
    """The output that holds a file, or, of a file that is not an output, it and an output."""
    record = records.get(f"{fault.rule} {fault.block}" if fault.block else fault.rule)
    if record is None or fault.kind == RECORD:
        return {fault.path, _main_output(fault)}
    holders = {o for o in record.outputs if fault.path == o or fault.path.startswith(f"{o}/")}
    if holders:
        return holders
    return {fault.path.split("/")[0], *record.outputs[:1]}  # a graph next to its listing


def _main_output(fault: Fault) -> str:
    if fault.block is None:
        return MAIN.get(fault.rule, MAIN["lay_out_plate"])
    stage = fault.rule.removesuffix("_block")
    return f"blocks/{stage}/{fault.block}.{'tsv' if stage == 'verify' else 'parquet'}"


def _reason(fault: Fault, lost: dict[Unit, str]) -> str:
    """Why a fault cannot be mended: its pixels, or those that it is made from, are lost."""
    own = fault.unit
    for unit, why in lost.items() if own else ():
        same = own and (own.well, own.field) == (unit.well, unit.field)
        if own and same and own.t_start < unit.t_stop and unit.t_start < own.t_stop:
            return why
    return ""


def _without_source(root: Path, faults: Iterable[Fault], images: Path | None) -> dict[Unit, str]:
    """Units whose pixels are damaged and cannot be made again → why."""
    units = {f.unit for f in faults if f.unit and f.rule == "ingest_block"}
    if not units:
        return {}
    try:
        plate = Plate(root / "layout.json")
        in_place = plate.in_place
    except Exception:  # a fault of its own
        in_place = False
    if in_place:
        why = "the plate is read in place: fetch its images again from where they are kept"
        return {u: why for u in units if any(f.kind == PIXELS and f.unit == u for f in faults)}
    lost: dict[Unit, str] = {}
    try:
        planes = read_table(root / "manifest.parquet")
    except (OSError, CellpipeError):
        return {}  # the list of images is made again first
    for unit in units:
        of_unit = planes[
            (planes["well"] == unit.well)
            & (planes["field"] == unit.field)
            & planes["t"].between(unit.t_start, unit.t_stop - 1)
        ]
        for plane in of_unit.itertuples():
            if images is None:
                break
            try:
                read_plane(images / str(plane.path), int(plane.page))
            except (OSError, CellpipeError) as fault:
                said = fault.seen if isinstance(fault, CellpipeError) else str(fault)
                lost[unit] = f"the image that it was made from cannot be read ({said})"
                break
    return lost
