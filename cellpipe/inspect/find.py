"""The plates in a folder: their format, and where each begins.

A folder that is too high is narrowed to where the images are; one that is too low, or has nothing
to read, is answered with the folder to name.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.inspect.derived import derive_pattern
from cellpipe.inspect.derived_positions import Derived, derive_positions
from cellpipe.inspect.nothing import left_out, metadata_alone, refuse_nothing
from cellpipe.inspect.same_place import SAME, correlation, follow_each_other
from cellpipe.inspect.split import STEPS, parts_of, parts_of_formats, thinned
from cellpipe.readers import formats, manifest
from cellpipe.readers.accounting.files import Files, find_files
from cellpipe.readers.formats import BY_NAME, Format
from cellpipe.readers.layouts.pattern import list_planes as list_by_pattern
from cellpipe.readers.layouts.pattern import matching
from cellpipe.readers.layouts.zarr_images import (
    find_images,
    folders_in,
    is_zarr,
    plate_above,
    zarr_in,
)
from cellpipe.readers.layouts.zarr_wells import attributes

RIVAL = 0.2  # of the files, beyond which a second format is named
OWN = "own"  # name of a layout whose pattern is derived
IN_PLACE = "ome-zarr"  # the layout that is not listed


@dataclass
class Found:
    """A plate: its folder, format and planes (None for a plate that is read in place).

    pattern : of its file names, where it was derived from them
    """

    folder: Path
    format: Format
    files: Files
    planes: pd.DataFrame | None = None
    hints: list[str] = field(default_factory=list)
    pattern: str = ""


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
    plates, images = _in_place(folder) if layout in (None, IN_PLACE) else ([], [])
    found = [Found(plate, BY_NAME[IN_PLACE], Files(plate)) for plate in plates]
    if found:
        others = _without_zarr(folder, plates) if layout is None else []
        for other in others:
            listed = find_files(other, follow_links)
            if formats.recognised(thinned(listed)):
                more, faults = _tried(other, None, follow_links, columns)
                found += more
                found[0].hints += faults
            elif n := sum(1 for _ in listed.images):
                found[0].hints.append(
                    f"{n} image(s) in {other} are of no format that is recognised"
                )
        found[0].hints += _left_out(images, "a plate")
        return found
    if images and (layout == IN_PLACE or not _other_formats(folder, follow_links)):
        return [Found(folder, BY_NAME[IN_PLACE], Files(folder))]
    if layout != IN_PLACE:
        return _below(folder, layout, follow_links, columns, _hints(folder, images))
    raise BadConfig(
        seen=f"no OME-Zarr plate in {folder}, and no image",
        wanted="a folder with the metadata of a plate or of images (NGFF 0.4 or 0.5)",
        do="name the .zarr folder of a plate, or leave --layout out",
    )


def _hints(folder: Path, images: Sequence[str]) -> list[str]:
    return [*_too_low(folder), *_left_out(images, "images of another format")]


def _left_out(images: Sequence[str], others: str) -> list[str]:
    """A sentence on OME-Zarr images that are not taken, because there is something else."""
    if not images:
        return []
    return [
        f"{len(images)} OME-Zarr file(s) next to {others} are left out, such as {images[0]}: name "
        "their folder to take them"
    ]


def _refuse_no_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.is_file():
        raise BadConfig(
            seen=f"{folder}, which is a file",
            wanted="the folder that the microscope wrote for a plate",
            do=f"cellpipe inspect {shlex.quote(str(folder.parent))}",
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


def _in_place(folder: Path) -> tuple[list[Path], list[str]]:
    """OME-Zarr plates: the folder itself, or those in it; and files that no plate holds.

    Raises BadConfig for a part of a plate.
    """
    if "plate" in attributes(folder):
        return [folder], []
    if above := plate_above(folder):
        part = folder.resolve().relative_to(above)
        raise BadConfig(
            seen=f"{folder}, which is {part} of the OME-Zarr plate {above}",
            wanted="the folder of the whole plate",
            do=f"cellpipe inspect {shlex.quote(str(above))}",
        )
    plates = [each for each in zarr_in(folder) if "plate" in attributes(each)]
    return plates, [*find_images(folder)]


def _without_zarr(folder: Path, plates: Sequence[Path]) -> list[Path]:
    """Folders in `folder` that neither are OME-Zarr nor hold one of the plates."""
    others = [each for each in folders_in(folder) if folder not in plates and not is_zarr(each)]
    return [each for each in others if not any(plate.is_relative_to(each) for plate in plates)]


def _other_formats(folder: Path, follow: bool) -> bool:
    """Whether a folder with OME-Zarr images holds files of another format, next to them."""
    if is_zarr(folder):
        return False
    with os.scandir(folder) as entries:
        here = Files(folder, sorted(entry.name for entry in entries if entry.is_file()))
    beside = [thinned(find_files(each, follow)) for each in _without_zarr(folder, [])]
    return any(map(formats.recognised, [here, *beside]))


# ---- formats whose planes are listed


def _below(
    folder: Path, layout: str | None, follow: bool, columns: int | None, hints: list[str]
) -> list[Found]:
    """Plates of one folder, or of each of those in it."""
    files = find_files(folder, follow)
    hints = [*hints, *_closed(files)]
    own, more = _format_of(files, layout)
    if own is None:
        return [_by_derived(files, columns, hints)]
    if more and (several := parts_of_formats(files)):
        hints = [*hints, *metadata_alone(files, several), *left_out(files, several)]
        return _of_parts(folder, several, None, follow, columns, hints)
    planes = _listed(own, files, columns)
    parts = parts_of(planes, own, folder)
    hints = [*hints, *metadata_alone(files, parts)]
    if not parts:
        return [Found(folder, own, files, planes, [*hints, *more])]
    hints += left_out(files, parts)
    return _of_parts(folder, parts, layout, follow, columns, hints)


def _closed(files: Files) -> list[str]:
    """A sentence on folders that cannot be listed: a plate in one of them is not seen."""
    if not files.closed:
        return []
    path, why = next(iter(files.closed.items()))
    return [f"{len(files.closed)} folder(s) cannot be listed, such as '{path}': {why}"]


def _by_derived(files: Files, columns: int | None, hints: list[str]) -> Found:
    """A plate whose names are of no known microscope, by a pattern derived from them.

    Raises BadConfig where there is none.
    """
    pattern = derive_pattern(files)
    read = f"the names are of no known microscope, and were read by the pattern {pattern}"
    right = "make sure that wells, fields and channels are right"
    if pattern is None:
        derived = derive_positions(files)
        if derived is None:
            refuse_nothing(files)
        derived, seen = _movie_or_positions(files, derived)
        pattern, how = derived.pattern, f"{derived.how}{seen}"
        read = (
            "the names are of no known microscope and hold no wells, and were read by the pattern "
            f"{pattern}: {how}"
        )
        right = "make sure that positions, fields and channels are right"
    own = {OWN: {"pattern": pattern}}
    planes = manifest.list_planes(OWN, files.folder, own, files, columns)
    hints = [*hints, f"{read}: {right}"]
    return Found(files.folder, _derived_format(pattern), files, planes, hints, pattern)


def _movie_or_positions(files: Files, derived: Derived) -> tuple[Derived, str]:
    """The pattern by which a number that no word explains is time, where pixels show one place.

    The second is what was seen, as the end of a sentence.
    """
    if not derived.loose:
        return derived, ""
    found = [re.fullmatch(derived.pattern, path) for path in files.images]
    named = [(m["position"], m.groupdict(), m.string) for m in found if m]
    rest = {tuple((k, v) for k, v in own.items() if k != "position") for _, own, _ in named}
    first = min(rest, default=())
    own = [(p, path) for p, g, path in named if first == tuple(
        (k, v) for k, v in g.items() if k != "position")]  # fmt: skip
    numbers = [int(re.sub(r"\D", "", position) or 0) for position, _ in own]
    pairs = [(own[a][1], own[b][1]) for a, b in follow_each_other(numbers)]
    alike = correlation(files.folder, pairs)
    if not alike >= SAME:
        return derived, ""
    of_time = derive_positions(files, counts_time=True)
    if of_time is None:
        return derived, (
            f", although images that follow each other show the same (correlation {alike:.2f}): "
            "if they are a movie, list them in a manifest.csv"
        )
    return of_time, (
        f", because images that follow each other show the same (correlation {alike:.2f}; if they "
        "are the planes of a stack, the group must be z)"
    )


def _derived_format(pattern: str) -> Format:
    return Format(
        OWN,
        "names of no known microscope",
        "",
        functools.partial(matching, pattern),
        lambda folder, files, columns: list_by_pattern(folder, pattern, files, columns),
    )


def _listed(own: Format, files: Files, columns: int | None) -> pd.DataFrame:
    try:
        return manifest.list_planes(own.name, files.folder, {}, files, columns)
    except BadConfig as fault:
        if "plate_columns" not in fault.do:
            raise
        raise BadConfig(
            seen=fault.seen,
            wanted=fault.wanted,
            do=f"cellpipe inspect {shlex.quote(str(files.folder))} --columns 12",
        ) from fault


def _of_parts(
    folder: Path,
    parts: Sequence[str],
    layout: str | None,
    follow: bool,
    columns: int | None,
    hints: list[str],
) -> list[Found]:
    """Plates of several folders; one that has none, though another has, is named in a hint."""
    found: list[Found] = []
    faults: list[str] = []
    for part in parts:
        own, why = _tried(folder / part, layout, follow, columns)
        found, faults = [*found, *own], [*faults, *why]
    if not found:  # of none the whole fault is better than a sentence
        return _below(folder / parts[0], layout, follow, columns, hints)
    found[0].hints = [*hints, *faults, *found[0].hints]
    return found


def _tried(
    folder: Path, layout: str | None, follow: bool, columns: int | None
) -> tuple[list[Found], list[str]]:
    """Plates below a folder; none, with a sentence, where it holds none that can be read."""
    try:
        return _below(folder, layout, follow, columns, []), []
    except BadConfig as fault:
        return [], [f"no plate: {fault.seen}"]


def _format_of(files: Files, layout: str | None) -> tuple[Format | None, list[str]]:
    """The format of most files, None without any; a sentence on another one that many have."""
    if layout is not None:
        return BY_NAME[layout], []
    ranked = formats.recognised(thinned(files))
    if not ranked:
        return None, []
    (best, most), *others = ranked
    rivals = [f"'{other.name}'" for other, n in others if n > RIVAL * most]
    if not rivals or best.name == "csv":  # what a person wrote
        return best, []
    words = f"files also match {', '.join(rivals)}; '{best.name}' matches most (--layout chooses)"
    return best, [words]


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
        f"{here.name} is one of {len(alike)} such folders of {parent}: cellpipe inspect "
        f"{shlex.quote(str(parent))} takes them all"
    ]
