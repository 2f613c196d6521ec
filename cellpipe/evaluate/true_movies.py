"""True tracks of movies, in whichever format they come, as Cell Tracking Challenge truths.

truth/B03_1_GT/      Cell Tracking Challenge: TRA and, where outlines are known, SEG
truth/B03_1.geff     GEFF; with the labels that it names, outlines are known too
truth/B03_1.xml      TrackMate: spots and links

Where a truth has positions but no outlines, a cell is a marker of one pixel; what covers the
marker has found the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.exports.ctc import write_ctc, write_seg
from cellpipe.exports.geff import own_pixel_size_um, read_geff, related_labels
from cellpipe.exports.trackmate import read_trackmate
from cellpipe.readers.truth.ctc import true_folder

SUFFIXES = (".geff", ".xml")


def find_true_movie(truth: str | Path, name: str) -> Path | None:
    """The truth of the movie `name` ("B03_1") in a folder; None where there is none.

    Raises
    ------
    BadImage
        If it is there in two formats: it is unknown which of them is the truth.
    """
    named = [Path(truth, f"{name}{suffix}") for suffix in SUFFIXES]
    there = [path for path in (true_folder(Path(truth), name), *named) if path.exists()]
    if len(there) > 1:
        raise BadImage(
            seen=f"{' and '.join(p.name for p in there)} in {truth}",
            wanted="one truth of each movie",
            do="remove the others",
        )
    return there[0] if there else None


def as_ctc(
    source: Path, folder: Path, *, n_frames: int, shape: tuple[int, int], pixel_size_um: float
) -> Path:
    """A true movie as a Cell Tracking Challenge truth: unchanged, or written to `folder`.

    Parameters
    ----------
    source : from `find_true_movie`
    folder : where to write, for formats other than CTC's own
    n_frames, shape, pixel_size_um : of the movie; positions in µm are placed by the latter

    Raises
    ------
    BadImage
        If the source cannot be read, or speaks of frames or places that the movie has not.
    """
    if source.is_dir() and source.suffix != ".geff":
        return source
    labels = related_labels(source) if source.suffix == ".geff" else {}
    if source.suffix == ".geff":
        cells, own_um = read_geff(source), own_pixel_size_um(source)
    else:
        cells, own_um = read_trackmate(source)
    _refuse_outside(cells, n_frames, source)
    if labels:
        _refuse_other_labels(cells, labels, n_frames, source)
        write_ctc(folder / "TRA", ((t, labels[t]()) for t in range(n_frames)), cells, kind="truth")
        write_seg(folder / "SEG", ((t, labels[t]()) for t in range(n_frames)))
    else:
        cells = cells.assign(label=cells.groupby("t").cumcount() + 1)
        markers = _markers(cells, own_um or pixel_size_um, n_frames, shape, source)
        write_ctc(folder / "TRA", markers, cells, kind="truth")
    return folder


def _refuse_outside(cells: pd.DataFrame, n_frames: int, source: Path) -> None:
    first, last = (int(cells["t"].min()), int(cells["t"].max())) if len(cells) else (0, 0)
    if first < 0 or last >= n_frames:
        raise BadImage(
            seen=f"{source}: cells from frame {first} to {last}",
            wanted=f"frames 0 to {n_frames - 1}, as the movie has",
            do="give the truth of this movie, with frames counted from 0",
        )


def _refuse_other_labels(
    cells: pd.DataFrame, labels: Mapping[int, Callable[[], np.ndarray]], n_frames: int, source: Path
) -> None:
    """Refuse labels of another number of frames, or nodes that they do not hold."""
    if len(labels) != n_frames:
        raise BadImage(
            seen=f"{source}: labels of {len(labels)} frames",
            wanted=f"{n_frames}, as the movie has",
            do="give the labels of the whole movie",
        )
    for t in range(n_frames):
        absent = np.setdiff1d(cells.loc[cells["t"] == t, "label"].to_numpy(), labels[t]())
        if len(absent):
            raise BadImage(
                seen=f"{source}: no label {absent[0]} in frame {t} of its labels",
                wanted="for each node the label of its cell",
                do="correct the property that the file's 'label_prop' names",
            )


def _markers(
    cells: pd.DataFrame, pixel_um: float, n_frames: int, shape: tuple[int, int], source: Path
) -> Iterator[tuple[int, np.ndarray]]:
    """Frames with one pixel per cell, at its place; two cells never share a pixel."""
    place = np.rint(cells[["y_um", "x_um"]].to_numpy(float) / pixel_um)
    inside = ((place >= 0) & (place < shape)).all(axis=1)
    if not inside.all():
        row = cells[~inside].iloc[0]
        raise BadImage(
            seen=f"{source}: a cell at y {row['y_um']:g}, x {row['x_um']:g} in frame {row['t']:g}",
            wanted=f"places within {shape[0]} × {shape[1]} pixels of {pixel_um:g} µm",
            do="write positions with the scale of this movie, from the centre of the first pixel",
        )
    y, x = place.astype(int).T
    t, label = cells["t"].to_numpy(), cells["label"].to_numpy(np.uint32)
    for frame in range(n_frames):
        marks = np.zeros(shape, np.uint32)
        here = t == frame
        marks[y[here], x[here]] = label[here]
        if np.count_nonzero(marks) < here.sum():
            raise BadImage(
                seen=f"{source}: two cells at one pixel of frame {frame}",
                wanted="cells apart from each other",
                do="remove the doubled spot",
            )
        yield frame, marks
