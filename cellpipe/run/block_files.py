"""Block tables on disk: which receipts they join, and which are of blocks cut otherwise."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cellpipe.files import digests
from cellpipe.files.removal import remove
from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import Receipt, read_receipts


def remove_others(
    root: Path, of_frames: Collection[str], of_fields: Collection[str], by_field: Collection[str]
) -> int:
    """Remove tables and digests of blocks that the plate is no longer cut into.

    `of_frames`, `of_fields` : names of the blocks of today; `by_field` : stages that have the
    latter. Receipts stay. Returns how many.
    """
    gone = []
    for folder, end in ((root / "blocks", ""), (root / digests.FOLDER, "_block")):
        for path in folder.glob("*/[0-9][0-9][0-9][0-9].*"):
            stage = path.parent.name.removesuffix(end)
            if path.stem not in (of_fields if stage in by_field else of_frames):
                gone.append(path)
    for path in gone:
        remove(path, root)
    return len(gone)


def blocks_by_unit(root: Path) -> dict[tuple[str, Unit], list[str]]:
    """(stage, unit) → names of the blocks whose tables hold it; torn tables are passed over."""
    found: dict[tuple[str, Unit], list[str]] = {}
    for path in sorted((root / "blocks").glob("*/[0-9]*.parquet")):
        for receipt in receipts_in(path):
            found.setdefault((path.parent.name, receipt.unit), []).append(path.stem)
    return found


def receipts_in(path: Path) -> list[Receipt]:
    """Receipts in a file; none of a file that is torn."""
    try:
        return read_receipts(path)
    except Exception:  # bytes that were altered can fail in any way
        return []
