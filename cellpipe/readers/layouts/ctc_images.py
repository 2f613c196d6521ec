"""Images of the Cell Tracking Challenge: a folder per movie, a file per time point.

    Fluo-N2DL-HeLa/01/t000.tif t001.tif …      movie 01: field 1 of well A01
                   02/t000.tif …               movie 02: field 2
                   01_GT/ 01_ST/ 02_RES/ …     labels: truth and results, no images

There are no wells: a data set is one, the first A01, the second A02, and its movies are the fields
with their own numbers. Files of several pages are stacks in z. Definition: "Naming and file content
conventions" of the challenge, https://public.celltrackingchallenge.net/documents/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cellpipe.errors import Unreachable
from cellpipe.files.reach import reached
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import (
    LABELS,
    NOT_NAMED,
    OTHER_LAYOUT,
    UNUSABLE,
    Files,
    NoPlanes,
    find_files,
)
from cellpipe.readers.layouts.numbers import frames_of
from cellpipe.readers.layouts.wells_by_order import in_words, wells_in_order

_IMAGE = re.compile(r"(?i)(?P<set>(?:.*/)?)(?P<movie>\d{2})/t(?P<t>\d{3,5})\.tiff?")
_LABELS = re.compile(r"(?i)(?:^|/)\d{2}_(?:GT|ST|RES|ERR_SEG)/")


def recognise(files: Files) -> int:
    """How many files of a listing are images of a movie, as the challenge names them."""
    return sum(1 for path in files.candidates if _IMAGE.fullmatch(path))


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes of all movies below a folder (columns: see `cellpipe.readers`).

    Raises BadConfig where there is none.
    """
    files = files or find_files(folder)
    found = {path: match for path in files.images if (match := _IMAGE.fullmatch(path))}
    if not found:
        raise NoPlanes(
            seen=f"no image such as 01/t000.tif in {folder}",
            wanted="the folder of a data set of the Cell Tracking Challenge",
            do=OTHER_LAYOUT,
        )
    wells = wells_in_order(match["set"] for match in found.values())
    rows = []
    for path, match in found.items():
        place = {"path": path, "well": wells[match["set"]], "field": int(match["movie"]),
                 "t": int(match["t"]), "channel": "1"}  # fmt: skip
        rows += [{**place, "z": z, "page": page} for z, page in _pages(folder / path, files, path)]
    planes = pd.DataFrame(rows)
    frames, notes = frames_of(planes["t"], count=True)
    files.notes += [*notes, *_note(wells)]
    for path in [path for path in files.images if path not in found]:
        files.pass_over(path, LABELS if _LABELS.search(path) else NOT_NAMED)
    return planes.assign(t=frames)


def _note(wells: Mapping[str, str]) -> list[str]:
    named = {name.rstrip("/") or "the folder": well for name, well in wells.items()}
    return [f"a data set is a well, and its movies are its fields: {in_words(named)}"]


def _pages(file: Path, files: Files, path: str) -> list[tuple[int, int]]:
    """z and page of each plane of a file; a file that cannot be read is refused when it is."""
    import tifffile

    def count() -> int:
        with tifffile.TiffFile(file) as tiff:
            return len(tiff.pages)

    try:
        n = reached(count, file)
    except Unreachable:
        raise
    except Exception as fault:  # tifffile raises errors of many kinds on broken files
        files.notes.append(f"{path}: {UNUSABLE} ({fault})")
        n = 1
    return [(0, ONLY)] if n <= 1 else [(z, z) for z in range(n)]
