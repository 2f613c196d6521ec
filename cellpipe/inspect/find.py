"""The plates in a folder: their format, and where each begins.

    PlateA/TimePoint_1/A_B02_w1.tif    ─┐
    PlateB/TimePoint_1/B_B02_w1.tif    ─┴─ the same wells twice: two plates
    B02/s1_B02_w1.tif  B03/s1_B03_w1.tif   wells of their own: one plate

A folder that is too high is narrowed to where the images are; one that is too low, or has nothing
to read, is answered with the folder to name.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.inspect.nothing import metadata_alone, refuse_nothing, refuse_several_images
from cellpipe.readers import formats, manifest
from cellpipe.readers.doubles import PLACE
from cellpipe.readers.files import Files, find_files, is_system
from cellpipe.readers.formats import BY_NAME, Format
from cellpipe.readers.pattern import BUILT_IN
from cellpipe.readers.zarr_wells import attributes

ENOUGH = 2000  # files of a listing by which its format is recognised
FEW = 50  # files of a folder that show how it names them
RIVAL = 0.2  # of the files, beyond which a second format is named
STEPS = re.compile(r"(?i)(?:TimePoint|ZStep)_\d+")  # ImageXpress: parts of one plate
OF_FORMAT = re.compile(rf"{STEPS.pattern}|(?i:images)")  # folders within a plate
OF_WELLS = re.compile(r"(?i)(?:row|col(?:umn)?|well)s?[ _-]*\w*|[A-P]{1,2}|[A-P]\d{1,2}")
DEEPEST_ZARR = 3  # folders between a plate and one of its images


@dataclass
class Found:
    """A plate: its folder, format and planes (None for a plate that is read in place)."""

    folder: Path
    format: Format
    files: Files
    planes: pd.DataFrame | None = None
    hints: list[str] = field(default_factory=list)


def find_plates(
    folder: Path,
    layout: str | None = None,
    *,
    follow_links: bool = False,
    columns: int | None = None,
) -> list[Found]:
    """The plates below a folder, in the order of their names.

    layout : name of a format; None: recognised by the files
    columns : of the plate, for wells that are running numbers

    Raises
    ------
    BadConfig
        If there is no folder, no plate in it, or the folder is a part of a plate.
    """
    _refuse_no_folder(folder)
    if layout is not None:
        formats.refuse_unknown_layout(layout, [])
    if layout in (None, "ome-zarr") and (plates := _in_place(folder)):
        return [Found(plate, BY_NAME["ome-zarr"], Files(plate)) for plate in plates]
    if layout == "ome-zarr":
        refuse_nothing(find_files(folder, follow_links))
    return _below(folder, layout, follow_links, columns, _too_low(folder))


def _refuse_no_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.is_file():
        raise BadConfig(
            seen=f"{folder}, which is a file",
            wanted="the folder that the microscope wrote for a plate",
            do=f"cellpipe inspect {folder.parent}",
        )
    there = folder.parent
    while not there.is_dir():
        there = there.parent
    missing = folder.relative_to(there).parts[0]
    names = [entry.name for entry in there.iterdir() if entry.is_dir()]
    near = difflib.get_close_matches(missing, names, n=1)
    raise BadConfig(
        seen=f"no folder {folder}: there is no '{missing}' in {there}",
        wanted="the folder that the microscope wrote for a plate",
        do=f"did you mean {there / near[0]}?" if near else "correct the path, or mount the disk",
    )


# ---- OME-Zarr, whose chunks are not listed


def _in_place(folder: Path) -> list[Path]:
    """OME-Zarr plates: the folder itself, or those in it. Raises BadConfig for a part of one."""
    if "plate" in attributes(folder):
        return [folder]
    for above in list(folder.resolve().parents)[:DEEPEST_ZARR]:
        if "plate" in attributes(above):
            part = folder.resolve().relative_to(above)
            raise BadConfig(
                seen=f"{folder}, which is {part} of the OME-Zarr plate {above}",
                wanted="the folder of the whole plate",
                do=f"cellpipe inspect {above}",
            )
    inner = [each for each in sorted(folder.iterdir()) if _is_folder(each)]
    plates = [each for each in inner if "plate" in attributes(each)]
    images = [each for each in inner if "multiscales" in attributes(each)]
    if "multiscales" in attributes(folder):
        images = [folder]
    if images and not plates:
        refuse_several_images(folder, images)
    return plates


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not is_system(path.name)


# ---- formats whose planes are listed


def _below(
    folder: Path, layout: str | None, follow: bool, columns: int | None, hints: list[str]
) -> list[Found]:
    """Plates of one folder, or of each of those in it."""
    files = find_files(folder, follow)
    own, more = _format_of(files, layout)
    planes = manifest.list_planes(own.name, folder, {}, files, columns)
    parts = _parts(planes, own, folder)
    hints = [*hints, *metadata_alone(files, set(planes["path"].str.rpartition("/")[2]), parts)]
    if not parts:
        return [Found(folder, own, files, planes, [*hints, *more])]
    found: list[Found] = []
    for part in parts:
        found += _below(folder / part, layout, follow, columns, [])
    found[0].hints = [*hints, *found[0].hints]
    return found


def _format_of(files: Files, layout: str | None) -> tuple[Format, list[str]]:
    """The format of most files, and a sentence on another one that many have."""
    if layout is not None:
        return BY_NAME[layout], []
    ranked = formats.recognised(_thinned(files))
    if not ranked:
        refuse_nothing(files)
    (best, most), *others = ranked
    rivals = [f"'{other.name}'" for other, n in others if n > RIVAL * most]
    if not rivals or best.name == "csv":  # what a person wrote
        return best, []
    words = f"files also match {', '.join(rivals)}; '{best.name}' matches most (--layout chooses)"
    return best, [words]


def _thinned(files: Files) -> Files:
    """A listing of some thousand files, spread evenly, that stands for a larger one."""
    step = -(-len(files.names) // ENOUGH)
    images = list(files.images)
    others = [name for name in files.names if name not in set(images)]
    kept = sorted([*images[::step], *others[:ENOUGH]])
    return Files(files.folder, kept, files.passed_over)


def _parts(planes: pd.DataFrame, own: Format, folder: Path) -> list[str]:
    """Folders of several plates, or the only one that all images are in; [] for one plate here."""
    if own.name not in BUILT_IN:  # what metadata list belongs together
        return []
    firsts = _first_folders(planes["path"])
    parts = sorted(set(firsts))
    if "" in parts:
        return []
    if len(parts) == 1:
        return [] if OF_WELLS.fullmatch(parts[0]) else parts
    if all(OF_WELLS.fullmatch(part) for part in parts):
        return []
    if _named_apart(planes["path"], firsts, own):
        return parts
    twice = planes.assign(part=firsts).drop_duplicates([*PLACE, "part"]).duplicated(PLACE).any()
    return parts if twice or _of_their_own(planes["path"], firsts, folder) else []


def _first_folders(paths: pd.Series) -> pd.Series:
    """The first folder of each path; "" where it is of the format, as TimePoint_1 is."""

    def first(folder: str) -> str:
        parts = PurePosixPath(folder).parts if folder else ()
        return "" if not parts or OF_FORMAT.fullmatch(parts[0]) else parts[0]

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


def _few_of_each(firsts: pd.Series, paths: pd.Series) -> tuple[list[str], list[str]]:
    """First folders and paths of a few files of each first folder."""
    kept = firsts.groupby(firsts).cumcount() < FEW
    return firsts[kept].tolist(), paths[kept].tolist()


def _of_their_own(paths: pd.Series, firsts: pd.Series, folder: Path) -> bool:
    """Whether every first folder has metadata of a microscope of its own."""
    examples = paths.groupby(firsts).first()
    return all(formats.recorded(folder / path) is not None for path in examples)


def _too_low(folder: Path) -> list[str]:
    """A sentence for a folder that is one time point or plane of a plate, or one of its wells."""
    here, parent = folder.resolve(), folder.resolve().parent
    if STEPS.fullmatch(here.name):
        alike = [e.name for e in parent.iterdir() if e.is_dir() and STEPS.fullmatch(e.name)]
    elif re.fullmatch(r"[A-P]\d{1,2}", here.name):
        alike = [e.name for e in parent.iterdir() if re.fullmatch(r"[A-P]\d{1,2}", e.name)]
    else:
        return []
    while STEPS.fullmatch(parent.name):
        parent = parent.parent
    if len(alike) < 2:
        return []
    return [
        f"{here.name} is one of {len(alike)} such folders of {parent}: cellpipe inspect {parent} "
        "takes them all"
    ]
