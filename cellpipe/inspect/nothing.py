"""Why there is no plate in a folder, in one sentence, and what to do."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NoReturn

from cellpipe.errors import BadConfig
from cellpipe.readers import formats
from cellpipe.readers.accounting import foreign
from cellpipe.readers.accounting.files import (
    IMAGE_SUFFIXES,
    LINK_FOLDER,
    LINK_NOWHERE,
    LINK_OUT,
    Files,
    is_thumbnail,
    suffix,
)

WANTED = "the folder that the microscope wrote for a plate"
SHOWN = 4
FOLDERS = 100  # in which files of a microscope are looked for


def refuse_nothing(files: Files) -> NoReturn:
    """Raise BadConfig for a folder in which no format is recognised."""
    folder = files.folder
    behind = [p for p, why in files.passed_over.items() if why in (LINK_OUT, LINK_FOLDER)]
    nowhere = [path for path, why in files.passed_over.items() if why == LINK_NOWHERE]
    images = [path for path in files.images if not is_thumbnail(path)]
    others = [path for path in files.candidates if foreign.reason(path)]
    if not files.names:
        closed = f" ({len(files.closed)} folder(s) in it cannot be listed)" if files.closed else ""
        raise BadConfig(seen=f"no file in {folder}{closed}", wanted=WANTED, do="name another one")
    if not images and behind:
        raise BadConfig(
            seen=f"{len(behind)} link(s) in {folder} that lead out of it, such as '{behind[0]}', "
            "and no image else",
            wanted="images in the folder itself, or leave to follow links",
            do=f"cellpipe inspect {shlex.quote(str(folder))} --follow-links",
        )
    if not images and nowhere:
        raise BadConfig(
            seen=f"{len(nowhere)} link(s) in {folder} that lead nowhere, such as '{nowhere[0]}', "
            "and no image else",
            wanted="links whose files are there",
            do="mount the disk or share that they lead to, or name the folder of the images",
        )
    if not images:
        _refuse_metadata_alone(files)
    if not images and others:
        raise BadConfig(
            seen=f"{_kinds(others)} in {folder}, which are not read",
            wanted="a format that is read: " + ", ".join(formats.BY_NAME),
            do=foreign.advice(others),
        )
    if not images:
        raise BadConfig(
            seen=f"no image among the files of {folder}: {_kinds(files.names)}",
            wanted=WANTED,
            do="name another one",
        )
    raise BadConfig(
        seen=f"{len(images)} image(s) in {folder} whose names are of no known microscope, such as "
        f"'{images[0]}'",
        wanted="names with wells, as of one of: " + ", ".join(formats.BY_NAME),
        do="list the files in a manifest.csv next to them (path, well, field, channel …), or "
        "describe the names by a pattern, 'layouts.<name>.pattern' in the config",
    )


def metadata_alone(files: Files, parts: Sequence[str] = ()) -> list[str]:
    """Sentences on files of a microscope that name images, of which none is there.

    parts : first folders that are left out
    """
    inside: dict[str, set[str]] = defaultdict(set)
    for path in files.names:
        folder, _, name = path.rpartition("/")
        inside[folder].add(name)
        inside[folder.rpartition("/")[0]].add(name)  # an index may lie above its images
    found = []
    for folder in [f for f in sorted(inside) if f.partition("/")[0] not in parts][:FOLDERS]:
        about = formats.recorded(files.folder / folder / "image")
        if about is None or about.file not in inside[folder]:
            continue
        if about.files and len(about.absent(inside[folder])) == len(about.files):
            list_file = files.folder / folder / (about.listed_in or about.file)
            found.append(
                f"{list_file} names {len(about.files)} image(s), such as "
                f"'{about.files[0]}', and none of them is there"
            )
    return found


def left_out(files: Files, parts: Sequence[str]) -> list[str]:
    """A sentence on images of a listing that are in none of the first folders `parts`."""
    others = [p for p in files.names if suffix(p) in IMAGE_SUFFIXES or foreign.reason(p)]
    others = [path for path in others if path.partition("/")[0] not in parts]
    if not others:
        return []
    return [
        f"{len(others)} image(s) of {files.folder} are of no plate that is recognised, such as "
        f"'{others[0]}'"
    ]


def _refuse_metadata_alone(files: Files) -> None:
    """Raise BadConfig where the microscope's own files name images that are not there."""
    for sentence in metadata_alone(files):
        raise BadConfig(
            seen=sentence, wanted="the images next to it", do="copy them from the microscope"
        )


def _kinds(paths: Sequence[str]) -> str:
    counts = Counter(suffix(path) or "without a suffix" for path in paths)
    kinds = [f"{n} {kind}" for kind, n in counts.most_common(SHOWN)]
    return ", ".join(kinds) + (" …" if len(counts) > SHOWN else "")
