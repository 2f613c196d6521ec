"""Every file is accounted for: its planes are used, its field is quarantined, or it is passed over.

    files in the folder = files used + files quarantined + files passed over

`account` adds up what the inspection found, `settled` the same after the planes were read. Both
fail if a file is in two places or in none, because then a number of the plate is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.errors import Unreachable
from cellpipe.files.reach import file_state
from cellpipe.readers.accounting import foreign
from cellpipe.readers.accounting.files import (
    HIDDEN,
    IMAGE_SUFFIXES,
    LINK_FOLDER,
    LINK_NOWHERE,
    NO_FILE,
    NOT_IMAGE,
    UNFINISHED,
    UNREADABLE,
    UNUSABLE,
    Files,
    suffix,
)
from cellpipe.readers.accounting.remedies import EXPECTED, OTHER_CHANNEL, OTHER_CHANNELS, remedy

COLUMNS = ["path", "reason", "image", "well"]


def passed_over(
    files: Files,
    listed: pd.DataFrame,
    planes: pd.DataFrame,
    copies: Mapping[str, str],
    other: str = OTHER_CHANNEL,
) -> pd.DataFrame:
    """Every file that is passed over, and why.

    Parameters
    ----------
    files : the listing of the folder, with what the layout noted
    listed : all planes that the layout found; planes : those of the channels that are wanted
    copies : files that hold the same plane as another, byte for byte → that other
    other : the reason for channels that are not wanted, of `remedies.OTHER_CHANNELS`

    Returns
    -------
    table of ``path, reason, image, well``, in the order of the folder
    """
    taken = set(planes["path"])
    wells = {**dict(zip(listed["path"], listed["well"], strict=True)), **files.wells}
    reasons = {
        **dict.fromkeys(set(listed["path"]) - taken, other),
        **{path: f"a copy of {other}, byte for byte" for path, other in copies.items()},
        **files.passed_over,
    }
    rows = []
    for path in files.names:
        if path in taken:
            continue
        why = reasons.get(path) or foreign.reason(path) or NOT_IMAGE
        rows.append((path, why, _may_be_wanted(path, why), wells.get(path, "")))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"image": "bool"})


def _may_be_wanted(path: str, why: str) -> bool:
    """Whether a file that is passed over is an image, or a place that may contain images."""
    if why in (HIDDEN, NOT_IMAGE, NO_FILE):
        return False
    if why in (*OTHER_CHANNELS, UNFINISHED, LINK_FOLDER) or foreign.may_hold_images(why):
        return True
    if why == LINK_NOWHERE and not suffix(path):  # as of a folder on a share that is away
        return True
    return suffix(path) in IMAGE_SUFFIXES


def accounted(
    inspection: Mapping[str, Any],
    files: Files,
    listed: pd.DataFrame,
    planes: pd.DataFrame,
    other: str = OTHER_CHANNEL,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The inspection with its account, notes and faults of wells, and what is passed over.

    `listed` are all planes that the layout found, `planes` those that `inspect_planes` gave.
    """
    over = passed_over(files, listed, planes, inspection["copies"], other)
    fields = {(field["well"], field["field"]) for field in inspection["fields"]}
    places = zip(planes["path"], planes["well"], planes["field"], strict=True)
    used = {path for path, well, field in places if (well, field) in fields}
    there = set(files.names)
    absent = sorted(set(planes["path"]) - there)
    lost = f"{len(absent)} file(s) that the metadata name are not there, such as {absent[:1]}"
    closed = [f"{why}: what is in it is not used" for why in files.closed.values()]
    known = {well for well, _ in fields} | {fault["well"] for fault in inspection["faults"]}
    faults = wells_passed_over(over, known)
    return {
        **inspection,
        "faults": [*inspection["faults"], *faults],
        "notes": [*files.notes, *inspection["notes"], *closed, *([lost] if absent else [])],
        "closed": files.closed,
        "folders": files.folders,
        "watched": _mendable(over, files.folder),
        "files": account(len(files.names), set(planes["path"]) & there, used & there, over),
    }, over


def _mendable(over: pd.DataFrame, folder: Path) -> dict[str, tuple[int, int]]:
    """State of files that are passed over and can be mended with no other trace in their folder."""
    mendable = over["reason"].str.startswith((LINK_NOWHERE, UNREADABLE, UNUSABLE))
    found = {}
    for path in over["path"][mendable]:
        try:
            found[path] = file_state(folder / path, retries=0)
        except Unreachable:
            found[path] = (-1, -1)
    return found


def accounted_source(
    inspection: Mapping[str, Any], source: Mapping[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The same of an OME-Zarr plate: its images are counted, not its files."""
    over = pd.DataFrame(source["passed_over"], columns=COLUMNS).astype({"image": "bool"})
    used = {field["source_path"] for field in inspection["fields"]}
    images = set(source["images"])
    found = account(len(images) + len(over), images, used, over)
    known = {place["well"] for place in [*inspection["fields"], *inspection["faults"]]}
    return {
        **inspection,
        "faults": [*inspection["faults"], *wells_passed_over(over, known)],
        "notes": [*source["notes"], *inspection.get("notes", [])],
        "closed": source["closed"],
        "folders": source["folders"],
        "watched": _metadata(Path(source["source"]), inspection["faults"]),
        "files": {**found, "unit": "images"},
    }, over


def _metadata(root: Path, faults: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """State of the metadata of images and wells that have a fault: whether they are mended."""
    names = ("zarr.json", ".zattrs", ".zgroup", "0/zarr.json", "0/.zarray")
    paths = {f"{fault['file']}/{name}" for fault in faults for name in names}
    found = {}
    for path in sorted(paths):
        try:
            found[path] = file_state(root / path, retries=0)
        except Unreachable:
            found[path] = (-1, -1)
    return found


def read_passed_over(path: Path | str) -> pd.DataFrame:
    """The table that `passed_over` made, from its file."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return table.assign(image=table["image"] == "True")


def file_of(reason: str, paths: Collection[str]) -> str:
    """The file, of those of a frame, that a reason names; "" if it names none."""
    return next((path for path in sorted(paths, key=len, reverse=True) if path in reason), "")


def wells_passed_over(over: pd.DataFrame, known: Collection[str]) -> list[dict[str, Any]]:
    """Faults for wells of which there is no image but those that were passed over."""
    images = over[over["image"] & ~over["well"].isin([*known, ""])]
    return [
        {
            "well": str(well),
            "field": 0,
            "file": str(group["path"].iloc[0]),
            "status": "passed over",
            "reason": f"{group['reason'].iloc[0]}, and well {well} has no other",
            "remedy": remedy(str(group["reason"].iloc[0])) + ", then run again",
        }
        for well, group in images.groupby("well", sort=True)
        if not group["reason"].isin(OTHER_CHANNELS).all()
    ]


def account(
    n_files: int, paths: Collection[str], used: Collection[str], over: pd.DataFrame
) -> dict[str, Any]:
    """What became of the files of a plate.

    Parameters
    ----------
    n_files : files in the folder
    paths : of files of the folder that hold wanted planes
    used : those of them whose planes are used; the others are quarantined
    over : from `passed_over`

    Raises
    ------
    RuntimeError
        If the numbers do not add up: a fault of this program, never of the images.
    """
    both = set(over["path"]) & set(paths)
    found: dict[str, Any] = {
        "n": n_files,
        "used": len(used),
        "quarantined": len(set(paths) - set(used)),
        "passed_over": _groups(over),
    }
    total = len(used) + len(set(paths) - set(used)) + len(over)
    if both or total != n_files or not set(used) <= set(paths):
        raise RuntimeError(
            f"{n_files} files in the folder, but {found['used']} used, {found['quarantined']} "
            f"quarantined and {len(over)} passed over"
            + (f"; in two places: {sorted(both)[:3]}" if both else "")
        )
    return found


def settled(
    found: Mapping[str, Any], planes: pd.DataFrame, bad: Iterable[tuple[str, int, int]]
) -> dict[str, Any]:
    """The account after reading: a file without a plane in a frame that is used is quarantined.

    Parameters
    ----------
    found : from `account`
    planes : the planes of the fields that were laid out: ``path well field t``
    bad : well, field and frame of what ingest quarantined
    """
    if planes.empty:
        return dict(found)
    lost = set(bad)
    places = zip(planes["well"], planes["field"], planes["t"], strict=True)
    good = [(str(w), int(f), int(t)) not in lost for w, f, t in places]
    used = planes["path"][good].nunique()
    quarantined = found["used"] + found["quarantined"] - used
    return {**found, "used": used, "quarantined": quarantined}


def _groups(over: pd.DataFrame) -> list[dict[str, Any]]:
    """Files passed over by reason, the most worrying first."""
    groups = []
    kinds = over["reason"].where(~over["reason"].str.startswith("a copy of"), "a copy of another")
    for reason, group in over.groupby(kinds, sort=False):
        groups.append(
            {
                "reason": str(reason),
                "files": len(group),
                "example": str(group["path"].iloc[0]),
                "image": bool(group["image"].any()),
                "wells": sorted(set(group["well"]) - {""}),
            }
        )
    return sorted(groups, key=lambda g: (g["reason"] in EXPECTED, not g["image"], -g["files"]))


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The account as text, a line for the total and one for each reason."""
    over = sum(group["files"] for group in found["passed_over"])
    what = str(found.get("unit", "files"))
    what = what.removesuffix("s") if found["n"] == 1 else what
    lines = [
        f"{found['n']:,} {what} in the folder: {found['used']:,} used, "
        f"{found['quarantined']:,} quarantined, {over:,} passed over"
    ]
    for group in found["passed_over"]:
        wells = f", of {_some(group['wells'])}" if group["wells"] and _strange(group) else ""
        lines.append(f"{group['files']:,} × {group['reason']}{wells}, such as {group['example']}")
    return lines


def warnings(found: Mapping[str, Any]) -> list[str]:
    """Images that were passed over and may have been wanted, a line per reason."""
    return [
        f"passed over: {line}"
        for line, group in zip(sentences(found)[1:], found["passed_over"], strict=True)
        if group["image"] and _strange(group)
    ]


def _strange(group: Mapping[str, Any]) -> bool:
    return group["reason"] not in (*EXPECTED, *OTHER_CHANNELS)


def _some(wells: list[str]) -> str:
    return ", ".join(wells[:6]) + (" …" if len(wells) > 6 else "")
