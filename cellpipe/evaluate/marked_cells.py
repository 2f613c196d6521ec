"""What is known of a truth's completeness: how many cells are marked, how many have outlines.

The gold truth of the Cell Tracking Challenge marks every cell (TRA) and outlines some of the cells
of some frames (SEG). Scores that count false objects need all cells outlined.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cellpipe.errors import CellpipeError
from cellpipe.evaluate.true_movies import find_true_movie
from cellpipe.exports.geff import read_geff
from cellpipe.exports.trackmate import read_trackmate
from cellpipe.readers.truth.ctc import read_ctc, true_folder

_NAMED = re.compile(r"(?P<well>[A-Za-z]{1,2}\d{1,2})_(?P<field>\d+)(_.+\.tiff?|_GT|\.geff|\.xml)")


@dataclass(frozen=True)
class Completeness:
    """How complete the outlines of a field are.

    n_marked : frame → cells that the true tracks mark there; empty where no tracks are known
    reason : why the outlines are known, or have to be taken, to be of some cells only; "" if not
    maybe_markers : whether the labels are those of TRA, which may be markers instead of outlines
    """

    n_marked: dict[int, int] = field(default_factory=dict)
    reason: str = ""
    maybe_markers: bool = False


def completeness(truth: Path, well: str, number: int, n_frames: int) -> Completeness:
    """Of the outlines of nuclei in field `number` of a well, in a folder of truths."""
    movie = true_folder(truth, f"{well}_{number}")
    outlined = list((movie / "SEG").glob("man_seg*.tif"))
    n_marked = _marked(truth, f"{well}_{number}")
    reason = ""
    if outlined and not n_marked and len(outlined) < n_frames:
        reason = (
            f"outlines of {len(outlined)} of {n_frames} frames, and no markers (TRA) that show "
            "whether each of their cells has one"
        )
    return Completeness(n_marked, reason, maybe_markers=movie.is_dir() and not outlined)


def _marked(truth: Path, name: str) -> dict[int, int]:
    """Frame → number of cells in the true tracks of a movie; {} where there are none to read."""
    try:
        source = find_true_movie(truth, name)
        if source is None:
            return {}
        if source.suffix == ".geff":
            return _counted(read_geff(source)["t"].to_numpy(int))
        if source.suffix == ".xml":
            return _counted(read_trackmate(source)[0]["t"].to_numpy(int))
        return _in_tracks(source) if (source / "TRA").is_dir() else {}
    except CellpipeError:
        return {}  # the scores of the movie's tracks name the fault


def marked_in(folder: Path) -> dict[int, int]:
    """Frame → number of cells that TRA marks, next to a folder SEG of outlines; {} without TRA."""
    if not (folder.parent / "TRA" / "man_track.txt").is_file():
        return {}
    return _in_tracks(folder.parent)


def frame_of(name: str) -> int:
    """The frame of outlines called man_segTTT; -1 of other names."""
    number = re.fullmatch(r"man_seg(\d+)", name)
    return int(number[1]) if number else -1


def _in_tracks(movie: Path) -> dict[int, int]:
    rows = read_ctc(movie).tracks.itertuples(index=False)
    spans = [np.arange(row.t_start, row.t_end + 1) for row in rows]
    return _counted(np.concatenate(spans) if spans else np.zeros(0, int))


def _counted(t: np.ndarray) -> dict[int, int]:
    frames, n = np.unique(t, return_counts=True)
    return dict(zip(frames.tolist(), n.tolist(), strict=True))


def unused_truth(
    truth: Path, fields: Collection[tuple[str, int]], used: Iterable[str] = ()
) -> list[str]:
    """Names in a folder of truths that belong to no field of the plate, or to no known frame.

    fields : (well, field) of the plate
    used : names, as in ``B03_1_nuclei.tif``, that were read
    """
    if not truth.is_dir():
        return []
    read, unused = set(used), []
    for path in sorted(truth.iterdir()):
        named = _NAMED.fullmatch(path.name)
        if not named:
            continue
        place = named["well"], int(named["field"])
        if place not in fields or (path.suffix in (".tif", ".tiff") and path.name not in read):
            unused.append(path.name)
        elif path.name.endswith("_GT"):
            # man_seg_TTT_ZZZ.tif: outlines of one plane of a stack
            odd = [p for p in (path / "SEG").glob("man_seg*") if not _is_frame(p)]
            unused += [f"{path.name}/SEG/{p.name}" for p in sorted(odd)]
    return unused


def _is_frame(path: Path) -> bool:
    return re.fullmatch(r"man_seg\d+\.tif", path.name) is not None
