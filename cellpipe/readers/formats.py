"""The formats that are read, one line each: what a sheet may name, messages and docs follow.

A format is a module of this room that lists the planes of a folder, or a pattern of file names in
`pattern.py`; see docs/developing/formats.md. Modules are imported here, not by names as text, so
that the digest of the inspection's code follows them (`cellpipe.run.code`). A library that only
one format needs is imported inside the function that uses it.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting.files import Files
from cellpipe.readers.containers.planes import Layout
from cellpipe.readers.layouts import (
    csv,
    ctc_images,
    cv1000,
    harmony_index,
    load_data,
    ome_tiff,
    ome_zarr,
    pattern,
)
from cellpipe.readers.layouts.built_in import BUILT_IN, EXAMPLES
from cellpipe.readers.vendor import cellvoyager, harmony, hcsai, incell, incucyte, metaxpress, scanr
from cellpipe.readers.vendor.metadata import VendorMetadata

ListPlanes = Callable[[Path, Files, int | None], pd.DataFrame]


@dataclass(frozen=True)
class Format:
    """How the images of one kind of microscope or program lie in a folder.

    name : as the column `layout` of the sheet of plates has it
    title : who makes it, microscope or program
    example : path of one of its files, below the folder of a plate
    recognise : how many files of a listing are its own; 0 where it is another format. The format
        of most files is that of the folder; of equals, the first of `FORMATS`
    list_planes : folder, listing and columns of the plate → planes, see `cellpipe.readers`. None
        for a plate that is read in place (`ome_zarr.describe_source`)
    recorded : path of an image → what the microscope recorded of it next to it or in it; None
        where there is nothing. Keep what was read: it is called for every image
    """

    name: str
    title: str
    example: str
    recognise: Callable[[Files], int]
    list_planes: ListPlanes | None
    recorded: Callable[[Path], VendorMetadata | None] | None = None

    @property
    def in_place(self) -> bool:
        """Whether the plate is OME-Zarr already."""
        return self.list_planes is None


def _by_names(
    name: str,
    title: str,
    recorded: Callable[[Path], VendorMetadata | None] | None = None,
    *,
    numbered: bool = False,
) -> Format:
    """A format whose file names hold everything: a pattern of that name in `built_in.py`.

    numbered : wells may be running numbers, which the recorded columns of the plate place
    """
    own, example = BUILT_IN[name], EXAMPLES[name]
    recognise = functools.partial(pattern.matching, own)

    def list_planes(folder: Path, files: Files, columns: int | None) -> pd.DataFrame:
        if numbered and recorded and columns is None:
            columns = _columns(folder, files, own, recorded)
        return pattern.list_planes(folder, own, files, columns)

    return Format(name, title, example, recognise, list_planes, recorded)


def _columns(
    folder: Path,
    files: Files,
    own: str,
    recorded: Callable[[Path], VendorMetadata | None],
) -> int | None:
    """Columns of the plate, as the microscope recorded them next to the first image."""
    first = next((path for path in files.candidates if re.fullmatch(own, path)), None)
    about = recorded(folder / first) if first else None
    return about.columns if about else None


class Reader(Protocol):
    """A module that lists planes by metadata."""

    def recognise(self, files: Files) -> int: ...

    def list_planes(self, folder: Path, files: Files) -> pd.DataFrame: ...


def _by_reader(
    name: str,
    title: str,
    example: str,
    reader: Reader,
    recorded: Callable[[Path], VendorMetadata | None] | None = None,
) -> Format:
    """A format whose planes a module lists, in wells that have names."""

    def list_planes(folder: Path, files: Files, columns: int | None) -> pd.DataFrame:
        return reader.list_planes(folder, files)

    return Format(name, title, example, reader.recognise, list_planes, recorded)


FORMATS = (
    _by_names("imagexpress", "Molecular Devices ImageXpress (MetaXpress)", metaxpress.recorded),
    _by_names("hcsai", "Molecular Devices ImageXpress HCS.ai", hcsai.recorded),
    _by_names("phenix", "Revvity Opera Phenix, Operetta (Harmony)", harmony.recorded),
    _by_reader(
        "harmony-index",
        "Operetta, names of earlier versions",
        "002003-1-001001001.tif",
        harmony_index,
        harmony.recorded,
    ),
    _by_names("cellvoyager", "Yokogawa CellVoyager", cellvoyager.recorded),
    _by_names("cq1", "Yokogawa CQ1, CQ3000", cellvoyager.recorded, numbered=True),
    _by_reader(
        "cv1000",
        "Yokogawa CV1000",
        "Image/W1F001T0001Z01C1.tif",
        cv1000,
        cv1000.recorded,
    ),
    _by_names("cellomics", "Thermo Cellomics ArrayScan"),
    _by_names("scanr", "Evident (Olympus) ScanR", scanr.recorded, numbered=True),
    _by_names("incell", "Cytiva (GE) IN Cell Analyzer", incell.recorded),
    _by_names("cytation", "Agilent BioTek Cytation (Gen5)"),
    _by_names("incucyte", "Sartorius Incucyte", incucyte.recorded),
    _by_names("bbbc", "translocation sets BBBC013, BBBC014"),
    _by_reader("ome-tiff", "OME-TIFF; its OME-XML lists planes", "P.companion.ome", ome_tiff),
    Format("ome-zarr", "OME-Zarr, read in place", "zarr.json", ome_zarr.recognise, None),
    _by_reader("nd2", "Nikon NIS-Elements", "WellB03.nd2", Layout("nd2")),
    _by_reader("czi", "Zeiss ZEN", "plate.czi", Layout("czi")),
    _by_reader("lif", "Leica LAS X", "experiment.lif", Layout("lif")),
    _by_reader("ctc", "Cell Tracking Challenge, images", "01/t000.tif", ctc_images),
    _by_reader("load-data", "images in CellProfiler's load_data.csv", "load_data.csv", load_data),
    _by_reader("csv", "any images, listed in manifest.csv or .tsv", "manifest.csv", csv),
)
BY_NAME = {each.name: each for each in FORMATS}


def recognised(files: Files) -> list[tuple[Format, int]]:
    """Formats of which there are files in a listing, with their number; the likeliest first."""
    counts = [(each, each.recognise(files)) for each in FORMATS]
    return sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])


def states_planes(layout: str) -> bool:
    """Whether a layout lists planes by metadata or a person's list, and not by names of files."""
    return layout in BY_NAME and layout not in BUILT_IN


def recorded(path: Path) -> VendorMetadata | None:
    """What any microscope recorded of an image, whatever the layout: a manifest may list them."""
    found = (each.recorded(path) for each in FORMATS if each.recorded)
    return next((one for one in found if one is not None), None)


def refuse_unknown_layout(layout: str, own_layouts: Iterable[str]) -> None:
    """Raise BadConfig, with the nearest right name, for a layout that there is not."""
    known = [*own_layouts, *BY_NAME]
    if layout in known:
        return
    near = difflib.get_close_matches(layout, known, n=1)
    raise BadConfig(
        seen=f"the layout '{layout}' in the sheet of plates",
        wanted=f"one of: {', '.join(known)}",
        do=f"did you mean '{near[0]}'?"
        if near
        else "correct it, or describe the layout in 'layouts' in the config",
    )


def table() -> str:
    """The formats as rows of Markdown, for config/README.md."""
    return "\n".join(
        ["| layout | files | example |", "|---|---|---|"]
        + [f"| `{each.name}` | {each.title} | `{each.example}` |" for each in FORMATS]
    )
