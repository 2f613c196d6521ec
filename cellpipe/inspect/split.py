"""Where a folder holds several plates: by formats, names, metadata, and places that occur twice.

PlateA/TimePoint_1/A_B02_w1.tif    ─┐
PlateB/TimePoint_1/B_B02_w1.tif    ─┴─ names, or wells, of their own: two plates
B02/x_B02_w1.tif  B03/x_B03_w1.tif     folders of wells: one plate
PlateA/… .tif  other.txt               one folder has all images: the plate is there
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from cellpipe.readers import formats
from cellpipe.readers.accounting.doubles import PLACE
from cellpipe.readers.accounting.files import Files
from cellpipe.readers.formats import Format
from cellpipe.readers.layouts.built_in import BUILT_IN

ENOUGH = 2000  # files of a listing by which its format is recognised
FEW = 50  # files of a folder that show how it names them
STEPS = re.compile(r"(?i)(?:TimePoint|ZStep)_\d+")  # ImageXpress: parts of one plate
OF_FORMAT = {
    "cq1": re.compile("Image|Projection"),
    "hcsai": re.compile(r"experiment\w*|timepoint\d+"),
}
OF_WELLS = re.compile(r"(?i:(?:row|col(?:umn)?|well)s?[ _-]*\w*)|[A-P]{1,2}|[A-P]\d{1,2}")


def parts_of(planes: pd.DataFrame, own: Format, folder: Path) -> list[str]:
    """Folders of several plates, or the only one that all images are in; [] for one plate here."""
    if own.name not in BUILT_IN:  # what metadata list belongs together
        return []
    firsts = _first_folders(planes["path"], OF_FORMAT.get(own.name, STEPS))
    parts = sorted(set(firsts))
    if "" in parts:
        return []
    if len(parts) == 1:
        return [] if OF_WELLS.fullmatch(parts[0]) else parts
    twice = planes.assign(part=firsts).drop_duplicates([*PLACE, "part"]).duplicated(PLACE).any()
    if all(OF_WELLS.fullmatch(part) for part in parts) and not twice:
        return []  # a plate may be named as a row is, but holds other wells than that row then
    if _named_apart(planes["path"], firsts, own):
        return parts
    return parts if twice or _of_their_own(planes["path"], firsts, folder) else []


def _first_folders(paths: pd.Series, of_format: re.Pattern[str]) -> pd.Series:
    """The first folder of each path; "" where it is of the format, as TimePoint_1 is."""

    def first(folder: str) -> str:
        parts = PurePosixPath(folder).parts if folder else ()
        return "" if not parts or of_format.fullmatch(parts[0]) else parts[0]

    folders = paths.str.rpartition("/")[0]
    return folders.map({folder: first(folder) for folder in folders.unique()})


def _named_apart(paths: pd.Series, firsts: pd.Series, own: Format) -> bool:
    """Whether the files of every first folder begin with a name of their own, before the well."""
    expression = re.compile(BUILT_IN[own.name])
    seen: dict[str, set[str]] = {}
    for part, path in zip(*_few_of_each(firsts, paths), strict=True):
        found = expression.fullmatch(path)
        start = path.rfind("/") + 1
        if found is None:
            continue
        at = found.start("well" if "well" in found.groupdict() else "row")
        seen.setdefault(part, set()).add(path[start : max(start, at)])
    names = [name for of_part in seen.values() for name in of_part]
    return "" not in names and len(names) == len(set(names)) == len(seen)


def beginnings(paths: Sequence[str], own: Format) -> list[str]:
    """What names begin with before their well, sorted; of formats whose names hold wells."""
    if own.name not in BUILT_IN:
        return []
    expression = re.compile(BUILT_IN[own.name])
    found = set()
    for path in paths:
        if match := expression.fullmatch(path):
            at = match.start("well" if "well" in match.groupdict() else "row")
            start = path.rfind("/") + 1
            found.add(path[start : max(start, at)].strip("_- "))
    return sorted(found - {""})


def _few_of_each(firsts: pd.Series, paths: pd.Series) -> tuple[list[str], list[str]]:
    """First folders and paths of a few files of each first folder."""
    kept = firsts.groupby(firsts).cumcount() < FEW
    return firsts[kept].tolist(), paths[kept].tolist()


def _of_their_own(paths: pd.Series, firsts: pd.Series, folder: Path) -> bool:
    """Whether every first folder has metadata of a microscope of its own."""
    examples = paths.groupby(firsts).first()
    return all(formats.recorded(folder / path) is not None for path in examples)


def parts_of_formats(files: Files) -> list[str]:
    """First folders, where they hold files of different formats; [] where they do not."""
    inside: dict[str, list[str]] = defaultdict(list)
    for path in files.candidates:
        first, below, rest = path.partition("/")
        if below:
            inside[first].append(rest)
    if any("/" not in path for path in files.images):
        return []
    best = {}
    for first, names in inside.items():
        ranked = formats.recognised(thinned(Files(files.folder / first, names)))
        if ranked:
            best[first] = ranked[0][0].name
    return sorted(best) if len(set(best.values())) > 1 else []


def thinned(files: Files) -> Files:
    """A listing of some thousand files, spread evenly, that stands for a larger one."""
    step = max(1, -(-len(files.names) // ENOUGH))
    images = list(files.images)
    others = set(files.names) - set(images)
    kept = sorted([*images[::step], *sorted(others)[:ENOUGH]])
    return Files(files.folder, kept, files.passed_over)
