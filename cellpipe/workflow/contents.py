"""What lies in the folders among the results of a plate, so that a lost file comes back.

Snakemake sees that a folder is gone, and not that a file in it is: before a rule that makes a
folder it empties the folder, and afterwards it sets a time stamp in it, so that a run that dies
meanwhile, or two runs at once, can leave a folder that looks finished and holds nothing else. The
rule has noted each file that it wrote (`digests`); where one is gone, the folder is made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from cellpipe.workflow import digests

LAYOUTS = ("layout.json", "layout_denoised.json")


def incomplete(plate: Path, folders: Mapping[str, str]) -> list[str]:
    """Outputs that must be made again, because files that their rules wrote in folders are gone.

    Parameters
    ----------
    plate : folder of the plate's results
    folders : folder, or a pattern such as ``P_*.geff``, → the output that stands for it

    Of a rule that has no record, or a damaged one, nothing is known.
    """
    written: set[str] = set()
    records = (plate / digests.FOLDER).glob("[!.]*.json")  # rules on blocks make no folders
    for path in records:
        record = digests.read_record(plate, path.stem)
        written |= set(record.files) if record else set()
    return [
        output
        for pattern, output in folders.items()
        if any(_under(name, pattern) and not (plate / name).is_file() for name in written)
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
