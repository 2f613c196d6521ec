"""The planes in the folder of a plate, by the name of a layout, and how their headers are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.files.reach import file_state
from cellpipe.readers.accounting import foreign
from cellpipe.readers.accounting.files import Files, NoPlanes, find_files
from cellpipe.readers.containers import containers
from cellpipe.readers.formats import BY_NAME, recognised, recorded, refuse_unknown_layout
from cellpipe.readers.layouts import pattern
from cellpipe.readers.pixels import colours
from cellpipe.readers.pixels.reading import Header, read_header
from cellpipe.readers.vendor.metadata import with_vendor


def list_planes(
    layout: str,
    folder: Path,
    own_layouts: Mapping[str, Mapping[str, Any]],
    files: Files | None = None,
    columns: int | None = None,
) -> pd.DataFrame:
    """List the planes of a folder by a layout's name (see `cellpipe.readers`).

    `columns` of the plate place wells whose names are running numbers. What the layout passes
    over is noted in `files`, from `listing`.

    Raises BadConfig for a layout that is not known or a folder that is not there.
    """
    files = files or listing(folder)
    refuse_unknown_layout(layout, own_layouts)
    if layout in own_layouts:
        planes = pattern.list_planes(folder, own_layouts[layout]["pattern"], files, columns)
    else:
        lists = BY_NAME[layout].list_planes
        assert lists is not None, "plates that are read in place have no planes to list"
        before = dict(files.passed_over)
        try:
            planes = lists(folder, files, columns)
        except NoPlanes as fault:
            files.passed_over = before  # what this format passed over may be another's
            raise _with_another_layout(fault, files) from None
    return _with_file_state(planes, folder)


def with_colours(planes: pd.DataFrame, choice: str) -> pd.DataFrame:
    """Listed planes with colour images as 'ingest.colour_images' chooses (`pixels.colours`)."""
    held = frozenset(path for path in planes["path"].unique() if containers.is_container(path))
    return colours.split(planes, choice, held)


def _with_another_layout(fault: NoPlanes, files: Files) -> BadConfig:
    """The fault of a folder without planes of a layout, with the layout that its files have."""
    others = recognised(files)
    if not others:
        do = foreign.advice(files.candidates) or fault.do
        return BadConfig(seen=fault.seen, wanted=fault.wanted, do=do)
    best, n = others[0]
    do = f"write '{best.name}' as the layout ({best.title}), which {n} of its files have"
    return BadConfig(seen=fault.seen, wanted=fault.wanted, do=do)


def listing(folder: Path, follow_links: bool = False) -> Files:
    """Every file below the folder of a plate. Raises BadConfig, or Unreachable."""
    if not folder.is_dir():
        raise BadConfig(
            seen=f"no folder {folder}",
            wanted="the folder that holds the images of the plate",
            do="correct 'images' in the sheet of plates (environment variables are expanded)",
        )
    return find_files(folder, follow_links)


def _with_file_state(planes: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Add size and time of change of each file, by which a changed file is noticed.

    Raises Unreachable where a file cannot be reached.
    """
    states = {}
    for path in planes["path"].unique():
        states[path] = file_state(folder / path) if path else (-1, -1)
    return planes.assign(
        bytes=[states[p][0] for p in planes["path"]],
        modified_ns=[states[p][1] for p in planes["path"]],
    )


def read_header_below(folder: Path) -> Callable[[str, int], Header]:
    """`read_header` for paths below `folder`, with what the microscope recorded next to them."""
    return with_vendor(lambda path, page: read_header(folder / path, page), folder, recorded)
