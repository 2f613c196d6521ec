"""Containers: files that hold many planes each, as .nd2, .czi and .lif; one module per format.

    file ── view: a field of view (Nikon's position, Zeiss' scene, Leica's series or tile)
              └── planes by time, z and channel, numbered through the file as pages:

    page = first page of the view + (t · n_z + z) · n_channels + channel

A format's module has a function `contents(path)`, which reads what is in a file and none of its
pixels. Modules are imported by name where a file of theirs is met: no other job needs the
libraries, and no other digest of code contains them (see `cellpipe.run.code`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.files.reach import file_state
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import IMAGE_SUFFIXES, suffix
from cellpipe.readers.attempts import attempted, unreadable
from cellpipe.readers.units.times import usual_step_s

MODULES = {".nd2": "nd2", ".czi": "czi", ".lif": "lif"}
"""Suffix of a file → module in this room, which is the name of the layout too."""

MAX_PLANES = 1_000_000  # of one file
MAX_ABSENT = 100  # planes counted per plane that is there


@dataclass(frozen=True)
class View:
    """One field of view of a file.

    name : as the microscope gave it
    shape : rows and columns of a plane
    channels, dtypes : one per channel, in the order of pages
    well : where the metadata give one, else ""
    absent : (t, z, channel) of planes that the metadata count and the file does not hold
    pixel_size_um : edges in y and x; z_step_um, None where unknown, like the others
    times_s : frame → when it was taken
    stage_um : position of the stage in x, y, z
    stage_source : what holds that of x and y in the directions of the image, y downwards; "" where
        their directions are not recorded
    """

    name: str
    shape: tuple[int, int]
    channels: tuple[str, ...]
    dtypes: tuple[str, ...]
    n_t: int = 1
    n_z: int = 1
    well: str = ""
    absent: frozenset[tuple[int, int, int]] = frozenset()
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    scale_source: str = "metadata"
    scale_doubt: str = ""
    times_s: Mapping[int, float] = field(default_factory=dict)
    time_source: str = "metadata"
    stage_um: tuple[float | None, float | None, float | None] | None = None
    stage_source: str = ""
    objective: str = ""

    @property
    def n_planes(self) -> int:
        return self.n_t * self.n_z * len(self.channels)


class Contents(Protocol):
    """What is in a file, and a way to each of its planes."""

    @property
    def views(self) -> Sequence[View]: ...

    @property
    def notes(self) -> Sequence[str]:
        """What was assumed or left out, in sentences without the file's name."""
        ...

    def read(self, view: int, t: int, z: int, channel: int) -> np.ndarray:
        """(Y, X) one plane. Raises ValueError and others where the file is damaged."""
        ...


def modules_of(layout: str, own_layouts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Modules that plates of a layout are read with, as `cellpipe.run.code.code_of` takes them.

    A manifest may name files of any format, and so may a pattern of the config that names no
    suffix of images; one that does is taken at its word.
    """
    pattern = str(own_layouts.get(layout, {}).get("pattern", "")).casefold()
    named = {suffix for suffix in IMAGE_SUFFIXES if suffix.removeprefix(".") in pattern}
    if layout in MODULES.values():
        names = [layout]
    elif layout == "csv" or (layout in own_layouts and not named):
        names = [*MODULES.values()]
    else:
        names = [module for suffix, module in MODULES.items() if suffix in named]
    return [f"readers.containers.{name}" for name in names]


def is_container(path: str | Path) -> bool:
    return suffix(str(path)) in MODULES


def contents_of(path: Path) -> Contents:
    """What is in a file; read again only if the file has changed.

    Raises
    ------
    BadImage : the file is damaged, or of a kind that is not read
    BadConfig : the package that reads it is missing
    Unreachable
    """
    return _contents(path, *file_state(path))


@lru_cache(maxsize=8)  # the XML of a large .lif takes 100 MB
def _contents(path: Path, size: int, modified_ns: int) -> Contents:
    name = MODULES[path.suffix.lower()]

    def read() -> Contents:
        found: Contents = import_module(f"cellpipe.readers.containers.{name}").contents(path)
        counted = sum(view.n_planes for view in found.views)
        refuse_absurd(counted, counted - sum(len(view.absent) for view in found.views))
        return found

    return attempted(read, path, memory="the metadata of the file", wanted=_wanted(path))


def damaged(path: Path, fault: Exception | str) -> BadImage:
    """The fault of a file that cannot be read, in a sentence."""
    return unreadable(path, fault, _wanted(path))


def _wanted(path: Path) -> str:
    return f"a whole {path.suffix.lower()} file"


def refuse_absurd(counted: int, there: int) -> None:
    """Raise ValueError for a count of planes that no file holds, of which some are there."""
    if not 0 < counted <= MAX_PLANES or counted > MAX_ABSENT * max(there, 1):
        raise ValueError(f"its metadata count {counted:,} planes, of which {there:,} are there")


def plane_place(contents: Contents, page: int, path: Path) -> tuple[int, int, int, int]:
    """View, t, z and channel of a page. Raises BadImage for a page that is not there."""
    left, total = page, sum(view.n_planes for view in contents.views)
    if page == ONLY and total == 1:
        left = 0
    for number, view in enumerate(contents.views):
        if 0 <= left < view.n_planes:
            rest, channel = divmod(left, len(view.channels))
            t, z = divmod(rest, view.n_z)
            if (t, z, channel) not in view.absent:
                return number, t, z, channel
            break
        left -= view.n_planes
    if page == ONLY:
        seen = f"{path} holds {total} planes"
    elif 0 <= page < total:
        seen = f"{path} does not hold its plane {page}, though its metadata count it"
    else:
        seen = f"{path} holds {total} planes, but not plane {page}"
    raise BadImage(
        seen=seen,
        wanted="a plane of the file, by its page from 0",
        do=f"use the layout {MODULES[path.suffix.lower()]}, or correct the page in the manifest",
    )


def read_plane(path: Path, page: int) -> np.ndarray:
    """(Y, X) one plane of a container. Raises BadImage and others; see `contents_of`."""
    contents = contents_of(path)
    return contents.read(*plane_place(contents, page, path))


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Channel tokens: names as given, numbers from 1 where there are none; doubles are numbered.

    "DAPI", "", "DAPI" → "DAPI", "2", "DAPI (2)"
    """
    tokens: list[str] = []
    for number, name in enumerate(names, start=1):
        plain = " ".join(name.split()) or str(number)
        token, k = plain, 1
        while token in tokens:
            k += 1
            token = f"{plain} ({k})"
        tokens.append(token)
    return tuple(tokens)


def size_in_um(value: float | None) -> float | None:
    """A length as metadata hold it, without the last digits of a conversion; None for no length."""
    return float(f"{value:.12g}") if value and math.isfinite(value) and value > 0 else None


def time_step_s(view: View) -> float | None:
    """Usual time between frames of a view."""
    return usual_step_s(view.times_s)
