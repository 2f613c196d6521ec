"""What lies in the folders among the results of a plate, so that a lost file comes back.

Snakemake sees that a folder is gone, and not that a file in it is. When a plate is finished the
files of its folders are counted; when the next run finds fewer, the folder is made again.

results/P/summary.json   "contents": {"figures": 14, "ctc/B03_1_RES": 13, "P_B03_1.geff/nodes": 2}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

LAYOUTS = ("layout.json", "layout_denoised.json")


def counted(plate: Path, folders: Iterable[str]) -> dict[str, int]:
    """Files in each folder below `folders` of a plate's results, by its path below `plate`.

    `folders` are names, or patterns such as ``P_*.geff``.
    """
    found: dict[str, int] = {}
    for pattern in folders:
        for top in sorted(plate.glob(pattern)):
            for folder, inner, files in os.walk(top):
                inner.sort()
                found[Path(folder).relative_to(plate).as_posix()] = len(files)
    return found


def incomplete(plate: Path, folders: Mapping[str, str]) -> list[str]:
    """Outputs of a finished plate that must be made again, because files in them are gone.

    Parameters
    ----------
    plate : folder of the plate's results
    folders : pattern of folders, as for `counted` → the output that stands for them

    A plate that has no summary has not been finished, and nothing is known of it.
    """
    try:
        summary = json.loads((plate / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    known = summary.get("contents", {})
    now = counted(plate, folders)
    return [
        output
        for pattern, output in folders.items()
        if any(now.get(folder, 0) < n for folder, n in known.items() if _under(folder, pattern))
    ]


def _under(folder: str, pattern: str) -> bool:
    """Whether a path below the results of a plate lies in folders of a pattern."""
    depth = pattern.count("/") + 1
    return fnmatchcase("/".join(folder.split("/")[:depth]), pattern)


def lost_stores(plate: Path) -> list[str]:
    """Outputs of a plate that must be made again because one of its stores of pixels is gone.

    The layout, and all tables of blocks: their jobs skip what is still there. The layout alone
    would not do: it is the same again, so that snakemake finds nothing to do after it.
    """
    layouts = [path for path in LAYOUTS if _lost(plate / path)]
    if not layouts:
        return []
    tables = [path.relative_to(plate).as_posix() for path in sorted(plate.glob("blocks/*/*"))]
    return [*layouts, *tables, "verified.tsv"]


def _lost(layout: Path) -> bool:
    """Whether a plate was laid out, and its store is gone since."""
    try:
        written = json.loads(layout.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return not (layout.parent / written["store"]).is_dir()
