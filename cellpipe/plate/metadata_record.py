"""The record of a plate's metadata among its digests: noted when laid out, compared by verify."""

from __future__ import annotations

from cellpipe.files import digests
from cellpipe.plate.plate import Plate
from cellpipe.plate.record import differences, metadata_of, same_but_provenance


def rule_of(plate: Plate) -> str:
    """Name of the record: the denoised plate has one of its own."""
    return plate.layout.stem.replace("layout", "metadata")


def note_metadata(plate: Plate) -> None:
    """Record the current metadata."""
    root = plate.layout.parent
    digests.write_record(root, rule_of(plate), None, [], metadata=metadata_of(plate))


def metadata_faults_but_provenance(plate: Plate) -> dict[str, str]:
    """`metadata_faults` without those in what made the pixels, which the caller records again.

    A job that was killed while it noted that leaves some files with it, and an older record.
    """
    record = digests.read_record(plate.layout.parent, rule_of(plate))
    noted = record.metadata if record else {}
    root = plate.layout.parent
    return {
        path: fault
        for path, fault in metadata_faults(plate).items()
        if path not in noted or not same_but_provenance(root / path, noted[path])
    }


def metadata_faults(plate: Plate) -> dict[str, str]:
    """Path of a file of metadata → what is wrong with it; empty where nothing was recorded."""
    record = digests.read_record(plate.layout.parent, rule_of(plate))
    return differences(plate, record.metadata) if record else {}
