"""The layouts nd2, czi and lif: planes of all the containers below a folder, in wells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig, CellpipeError, Unreachable
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import (
    NO_WELL,
    OTHER_FORMAT,
    OTHER_LAYOUT,
    UNUSABLE,
    Files,
    NoPlanes,
    find_files,
    suffix,
)
from cellpipe.readers.containers.containers import MODULES, Contents, View, contents_of
from cellpipe.readers.containers.wells import Named, places
from cellpipe.readers.units.times import uneven

MAX_NOTES = 3  # files that are named for the same kind of note


@dataclass(frozen=True)
class Layout:
    """A line of the registry: files of one suffix, whose module is imported where one is met."""

    name: str

    def recognise(self, files: Files) -> int:
        """How many files of the listing are of this format."""
        return sum(MODULES.get(suffix(name)) == self.name for name in files.candidates)

    def list_planes(self, folder: Path, files: Files | None = None) -> pd.DataFrame:
        """See `list_planes`."""
        return list_planes(self.name, folder, files)


def list_planes(layout: str, folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes of all files of a format below `folder` (columns: see `cellpipe.readers`).

    Files that cannot be read are passed over with their reason; a plane that a file counts and
    does not hold has the path "".

    Raises
    ------
    BadConfig : no file of the format, or none that can be read
    Unreachable
    """
    files = files or find_files(folder)
    found, broken = _read_all(layout, files)
    if not found:
        raise next(iter(broken.values()), None) or _no_file(layout, folder)
    named = [Named(path, view.name, view.well) for path, c in found.items() for view in c.views]
    placed, notes, nameless, lost = places(named, [*broken])
    for path in nameless:
        files.pass_over(path, NO_WELL)
    files.wells.update(lost)  # a well without another file is a fault of the plate
    tables = list(_tables(found, placed))
    files.notes += [*notes, *_of_several_depths(found, placed), *_gathered(found)]
    files.pass_over_others(set(found), OTHER_FORMAT)
    return pd.concat(tables, ignore_index=True)


def _read_all(layout: str, files: Files) -> tuple[dict[str, Contents], dict[str, CellpipeError]]:
    """What is in each file, and the faults of those that cannot be read."""
    found: dict[str, Contents] = {}
    broken: dict[str, CellpipeError] = {}
    for path in [name for name in files.candidates if MODULES.get(suffix(name)) == layout]:
        try:
            found[path] = contents_of(files.folder / path)
        except (BadConfig, Unreachable):
            raise
        except CellpipeError as fault:
            broken[path] = fault
            files.pass_over(path, f"{UNUSABLE}: {fault.seen}")
    return found, broken


def _no_file(layout: str, folder: Path) -> BadConfig:
    return NoPlanes(
        seen=f"no .{layout} file in {folder}",
        wanted=f"the folder that holds the .{layout} files of the plate",
        do=OTHER_LAYOUT,
    )


def _of_several_depths(
    found: Mapping[str, Contents], placed: Mapping[tuple[str, int], tuple[str, int]]
) -> list[str]:
    """A sentence on stacks among single planes: an overview next to stacks, or a focus series."""
    views = {place: found[place[0]].views[place[1]] for place in placed}
    stacks = {place for place, view in views.items() if view.n_z > 1}
    if len(stacks) in (0, len(views)):
        return []
    fewer = stacks if 2 * len(stacks) <= len(views) else views.keys() - stacks
    path, number = min(fewer)
    example = f"'{views[path, number].name}' of {path}" if views[path, number].name else path
    kind = "is a stack" if len(stacks) == 1 else "are stacks"
    return [
        f"{len(stacks)} of {len(views)} positions, scenes or series {kind}, the others single "
        f"planes: the fewer of both are quarantined. List those that belong "
        f"together in a manifest.csv, without such as {example}"
    ]


def _tables(
    found: Mapping[str, Contents], placed: Mapping[tuple[str, int], tuple[str, int]]
) -> Iterator[pd.DataFrame]:
    for path, contents in found.items():
        first = 0
        for number, view in enumerate(contents.views):
            if (path, number) in placed:
                yield _table(path, view, first, *placed[path, number])
            first += view.n_planes


def _table(path: str, view: View, first: int, well: str, number: int) -> pd.DataFrame:
    t, z, c = (axis.ravel() for axis in np.indices((view.n_t, view.n_z, len(view.channels))))
    there = np.ones(view.n_planes, bool)
    for place in view.absent:
        there[np.ravel_multi_index(place, (view.n_t, view.n_z, len(view.channels)))] = False
    return pd.DataFrame(
        {
            "path": np.where(there, path, ""),
            "well": well,
            "field": number,
            "t": t.astype("int64"),
            "channel": np.array(view.channels, object)[c],
            "z": z.astype("int64"),
            "page": np.where(there, first + np.arange(view.n_planes), ONLY),
        }
    )


def _gathered(found: Mapping[str, Contents]) -> list[str]:
    """Notes of files, a few of each kind, and the movies that are uneven in time."""
    by_note: dict[str, list[str]] = {}
    for path, contents in found.items():
        for note in contents.notes:
            by_note.setdefault(note, []).append(path)
    notes = [f"{', '.join(paths[:MAX_NOTES])}{_more(paths)}: {n}" for n, paths in by_note.items()]
    late = [
        note
        for path, contents in found.items()
        for view in contents.views
        if (note := uneven(view.times_s, f"{path}, {view.name or 'its only position'}"))
    ]
    if len(late) > MAX_NOTES:
        late[MAX_NOTES:] = [f"{len(late) - MAX_NOTES} more movies are not evenly spaced in time"]
    return [*notes, *late]


def _more(paths: Sequence[str]) -> str:
    return f" and {len(paths) - MAX_NOTES} more" if len(paths) > MAX_NOTES else ""
