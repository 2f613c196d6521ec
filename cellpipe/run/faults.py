"""Every fault of a finished plate: files, metadata, pixels, labels, compared with what was noted.

digests/<rule>…    ── sha256 of each file      ──►  tables, exports, figures, receipts
digests/metadata   ── word for word            ──►  zarr.json of groups and arrays
receipts/<stage>   ── digest of each frame     ──►  chunks of pixels and labels
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.files import digests
from cellpipe.plate.chunks import MEND
from cellpipe.plate.metadata_record import metadata_faults, rule_of
from cellpipe.plate.plate import Plate
from cellpipe.run.block_files import receipts_in
from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import Frame, Receipt
from cellpipe.run.verify import DENOISED, PIXELS, TRACKS, verify_frames

METADATA, RECORD, FILE, LEFT_OUT = "metadata", "record", "file", "left out"  # kinds of fault
STAGE_OF = {PIXELS: "ingest", DENOISED: "denoise", TRACKS: "track"}  # else segment

# rules, by the output that shows that they have run
MAIN = {
    "inspect_plate": "inspection.json",
    "lay_out_plate": "layout.json",
    "lay_out_denoised": "layout_denoised.json",
    "train_classifier": "classifier/classifier.safetensors",
    "gather_plate": "cells.parquet",
    "profile_plate": "wells.parquet",
    "plot_figures": "figures",
    "plot_kymographs": "kymographs",
    "export_ctc": "ctc",
    "export_geff": "geff.tsv",
    "export_trackmate": "trackmate",
    "export_napari": "napari",
    "evaluate_plate": "evaluation/scores.tsv",
    "write_report": "report.html",
    "write_crate": "ro-crate-metadata.json",
    "verify_plate": "verified.tsv",
    "summarise_plate": "summary.json",
    "check_plate": "complete.txt",
}


@dataclass(frozen=True)
class Fault:
    """One fault, where it is, and the rule that makes the file.

    kind : "file", "metadata", "record", "left out", or a layer of the images
    path : file below the plate's folder; empty for frames
    """

    kind: str
    fault: str
    rule: str
    path: str = ""
    block: str | None = None
    unit: Unit | None = None
    t: int | None = None

    @property
    def where(self) -> str:
        """The place, for a person."""
        if self.unit is None or self.t is None:
            return self.path
        return f"{self.unit.well} field {self.unit.field} frame {self.t}, {self.kind}"


@dataclass
class Found:
    """What was compared, and what was found.

    notes : what could not be compared, and why
    """

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_files: int = 0
    n_frames: int = 0


def find_faults(root: Path) -> Found:
    """Compare a plate's folder with its records; reads every file and chunk of it once."""
    found = Found()
    if not (root / digests.FOLDER).is_dir():
        found.notes.append(
            "no digests were recorded: results of an earlier version, of which only chunks and "
            "labels can be checked; `snakemake --forceall` makes them with digests"
        )
    else:
        _compare_files(root, found)
        found.faults += _not_recorded(root)
    for name in ("layout.json", "layout_denoised.json"):
        if not (root / name).is_file():
            continue
        try:
            plate = Plate(root / name)
            len(plate.fields)
        except Exception as fault:  # a file that was altered can fail in any way
            if not any(other.path == name for other in found.faults):
                found.faults.append(
                    Fault(FILE, f"cannot be read ({fault})", _layer_rule(name), name)
                )
            continue
        _compare_metadata(plate, found)
    _compare_frames(root, found)
    return found


def _layer_rule(layout: str) -> str:
    return "lay_out_plate" if layout == "layout.json" else "lay_out_denoised"


def _compare_files(root: Path, found: Found) -> None:
    for path, record in digests.read_records(root):
        if record is None:
            rule, block = _named(root, path)
            what = "cut or altered, so that nothing can be compared with it"
            where = path.relative_to(root).as_posix()
            found.faults.append(Fault(RECORD, what, rule, where, block))
            continue
        for name, stated in record.files.items():
            found.n_files += 1
            target = root / name
            fault = "missing" if not target.is_file() else ""
            if not fault and digests.file_digest(target) != stated:
                fault = "not as it was written (cut, altered or replaced)"
            if fault:
                unit = Unit.from_name(target.stem) if name.startswith("receipts/") else None
                found.faults.append(Fault(FILE, fault, record.rule, name, record.block, unit))
        found.notes += _foreign(root, record)


def _foreign(root: Path, record: digests.Record) -> Iterator[str]:
    """Files in a folder of exports that its rule did not write: other programs would read them.

    They may be a person's, so they are no fault, and stay until the folder is made again.
    """
    for output in record.outputs:
        if not (root / output).is_dir():
            continue
        paths = (root / output).rglob("[!.]*")
        there = {path.relative_to(root).as_posix() for path in paths if path.is_file()}
        foreign = sorted(there - set(record.files))
        if foreign:
            yield f"{len(foreign)} file(s) that {record.rule} did not write, such as {foreign[0]}"


def _named(root: Path, path: Path) -> tuple[str, str | None]:
    """Rule and block of a record by its place."""
    inner = path.relative_to(root / digests.FOLDER)
    return (inner.parts[0], inner.stem) if len(inner.parts) > 1 else (inner.stem, None)


def _not_recorded(root: Path) -> Iterator[Fault]:
    """Results without a record: it was lost, or an earlier version made them."""
    what = "its digests were not recorded, or the record was lost: it cannot be compared"
    for rule, output in MAIN.items():
        if (root / output).exists() and not (root / digests.FOLDER / f"{rule}.json").exists():
            yield Fault(RECORD, what, rule, f"{digests.FOLDER}/{rule}.json")
    for table in sorted((root / "blocks").glob("*/[0-9]*")):
        rule = f"{table.parent.name}_block"
        record = f"{digests.FOLDER}/{rule}/{table.stem}.json"
        if not (root / record).exists():
            yield Fault(RECORD, what, rule, record, table.stem)
    for layout in sorted(root.glob("layout*.json")):
        record = f"{digests.FOLDER}/{layout.name.replace('layout', 'metadata')}"
        if not (root / record).exists():
            yield Fault(RECORD, what, _layer_rule(layout.name), record)


def _compare_metadata(plate: Plate, found: Found) -> None:
    rule = _layer_rule(plate.layout.name)
    record = digests.read_record(plate.layout.parent, rule_of(plate))
    found.n_files += len(record.metadata) if record else 0
    for path, fault in metadata_faults(plate).items():
        found.faults.append(Fault(METADATA, fault, rule, path))


def _compare_frames(root: Path, found: Found) -> None:
    """Chunks against the digests of receipts, and frames that were left out for their chunks."""
    try:
        plate = Plate(root / "layout.json")
        kept = root / "layout_denoised.json"
        denoised = Plate(kept) if kept.is_file() else None
        fields = plate.fields
    except Exception:  # a fault of the layout, which is listed already
        found.notes.append("pixels and labels could not be checked: the layout is damaged")
        return
    damaged = {fault.path for fault in found.faults if fault.kind == FILE}
    stages = ("ingest", "denoise", "segment")
    by_stage = {stage: _receipts(root, stage, damaged) for stage in stages}
    with_labels = by_stage["segment"] if TRACKS in plate.label_names else []
    by_stage["track"] = _track_receipts(root, damaged, with_labels)
    if with_labels and any(path.startswith("blocks/track/") for path in damaged):
        found.notes.append(
            "labels of tracks can be compared only after the damaged tables below blocks/track, "
            "which hold their digests, were made again (--mend makes both)"
        )
    here = {
        stage: [r for r in receipts if (r.unit.well, r.unit.field) in fields]
        for stage, receipts in by_stage.items()
    }
    # every unit that was ingested counts, segmented or not; rows were compared when they were made
    cells = pd.DataFrame(columns=["well", "field", "t", "label"])
    segmented = here["segment"]
    done = {receipt.unit for receipt in segmented}
    bare = [Receipt(r.unit, "", "", ()) for r in here["ingest"] if r.unit not in done]
    others = [r for stage in ("ingest", "denoise", "track") for r in here[stage]]
    faults, found.n_frames = verify_frames(plate, [*segmented, *bare], cells, others, denoised)
    edited = [fault.path for fault in found.faults if fault.kind == METADATA]
    n_unjudged = 0
    for row in faults.itertuples():
        if _lies_under(edited, plate, denoised, row):
            n_unjudged += 1
            continue
        stage = STAGE_OF.get(str(row.layer), "segment")
        unit = _unit_of(here[stage], row.well, row.field, row.t)
        found.faults.append(
            Fault(str(row.layer), str(row.fault), f"{stage}_block", unit=unit, t=int(row.t))
        )
    if n_unjudged:
        found.notes.append(
            f"{n_unjudged} frame(s) cannot be checked before the metadata of their arrays are "
            "repaired"
        )
    found.faults += _left_out(root)


def _lies_under(edited: list[str], plate: Plate, denoised: Plate | None, row: Any) -> bool:
    """Whether the metadata of an array that holds a frame's layer are damaged."""
    of_layer = denoised if row.layer == DENOISED and denoised else plate
    where = of_layer.fields[row.well, row.field]
    image = f"{of_layer.path.name}/{where.path}"
    if row.layer in (PIXELS, DENOISED):
        arrays = [f"{image}/{level}" for level in where.levels]
    else:
        arrays = [f"{image}/labels/{row.layer}/{k}" for k in range(len(where.levels))]
    return any(path == array or path.startswith(f"{array}/") for path in edited for array in arrays)


def _receipts(root: Path, stage: str, damaged: Collection[str] = ()) -> list[Receipt]:
    """Receipts of a stage; instead of a damaged one, the entry in the table of its block."""
    found, lacking = [], set()
    for path in sorted((root / "receipts" / stage).glob("[!.]*.parquet")):
        receipts = receipts_in(path) if f"receipts/{stage}/{path.name}" not in damaged else []
        found += receipts
        lacking |= set() if receipts else {path.stem}
    if lacking:
        for path in sorted((root / "blocks" / stage).glob("[0-9]*.parquet")):
            found += [r for r in receipts_in(path) if r.unit.name in lacking]
    return found


def _track_receipts(root: Path, damaged: Collection[str], cells: list[Receipt]) -> list[Receipt]:
    """Receipts of tracks, which are in tables of blocks only.

    Of a damaged table the digests are not known: its labels are checked without them.
    """
    found: list[Receipt] = []
    paths = sorted((root / "blocks/track").glob("[0-9]*.parquet"))
    whole = [path for path in paths if f"blocks/track/{path.name}" not in damaged]
    for path in whole:
        found += receipts_in(path)
    if len(whole) == len(paths):
        return found
    known = {(receipt.unit.well, receipt.unit.field) for receipt in found}
    for receipt in cells:
        if (receipt.unit.well, receipt.unit.field) not in known:
            frames = tuple(Frame(t, stored={TRACKS: ""}) for t in receipt.good_frames)
            found.append(Receipt(receipt.unit, "", "", frames))
    return found


def _unit_of(receipts: list[Receipt], well: str, number: int, t: int) -> Unit:
    for receipt in receipts:
        unit = receipt.unit
        if (unit.well, unit.field) == (well, number) and unit.t_start <= t < unit.t_stop:
            return unit
    return Unit(well, number, t, t + 1)


def _left_out(root: Path) -> Iterator[Fault]:
    """Frames that a stage left out because a chunk that it read was damaged."""
    for folder in sorted((root / "receipts").glob("*")):
        for receipt in _receipts(root, folder.name):
            for frame in receipt.bad_frames:
                if frame.remedy == MEND:
                    what = f"left out by {folder.name}: {frame.reason}"
                    rule = f"{folder.name}_block"
                    yield Fault(LEFT_OUT, what, rule, unit=receipt.unit, t=frame.t)
