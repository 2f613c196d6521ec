"""Cell Tracking Challenge folders, read: one mask image per frame and a table of tracks.

    02_RES/ mask000.tif mask001.tif … res_track.txt            a result
    02_GT/TRA/ man_track000.tif … man_track.txt                the truth
    02_GT/SEG/ man_seg000.tif …                                the truth, outlines

A line of the table reads "L B E P": label, first frame, last frame, label of the parent (0:
none); between B and E the label must be in every mask. So a track that was missed for some
frames continues under a new label, with the old one as its parent; one daughter is no division.
Definition: https://public.celltrackingchallenge.net/documents/Naming and file content
conventions.pdf
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import BadImage
from cellpipe.readers.truth.ctc_rules import check_tracks
from cellpipe.readers.truth.whole_labels import as_labels

MAX_LABEL = 65_535  # masks are 16 bit


COLUMNS = ("track_id", "t_start", "t_end", "parent_track_id")


NAMES = {  # kind: (mask file, track file)
    "result": ("mask", "res_track.txt"),
    "truth": ("man_track", "man_track.txt"),
}


class Movie(NamedTuple):
    """A CTC folder that was read: frames are opened one at a time.

    frames : list of paths, in order of time
    tracks : DataFrame, track_id t_start t_end parent_track_id
    """

    frames: list[Path]
    tracks: pd.DataFrame

    def labels(self) -> Iterator[tuple[int, np.ndarray]]:
        """Frames as (t, labels uint32 (Y, X)), one in memory at a time."""
        for t, path in enumerate(self.frames):
            yield t, read_mask(path)


def true_folder(truth: Path, name: str) -> Path:
    """Folder of the truth of a movie "B03_1": B03_1_GT, which may be absent.

    Of a data set as the challenge lays it out, whose images are field 1, 2 … of well A01 (layout
    ctc), it is 01_GT, 02_GT …
    """
    well, _, field = name.rpartition("_")
    own = truth / f"{name}_GT"
    if well == "A01" and field.isdigit() and not own.exists():
        of_set = truth / f"{int(field):02}_GT"
        return of_set if of_set.is_dir() else own
    return own


def read_ctc(folder: str | Path) -> Movie:
    """Read a result or truth folder; the truth's folder may be given with or without TRA.

    Raises
    ------
    BadImage
        If there is no track table, no mask, a frame is missing between others, a line of the
        table is not four numbers, or the table is contradictory.
    """
    folder = Path(folder)
    for place in (folder, folder / "TRA"):
        for mask, table in NAMES.values():
            if (place / table).is_file():
                frames = _list_masks(place, mask, table)
                tracks = _read_tracks(place / table)
                check_tracks(tracks, place / table, len(frames))
                return Movie(frames, tracks)
    raise BadImage(
        seen=f"neither res_track.txt nor man_track.txt in {folder}",
        wanted="a folder as the Cell Tracking Challenge names them",
        do="give the folder that holds the track table",
    )


def read_mask(path: str | Path) -> np.ndarray:
    """One frame's labels, uint32, shape (Y, X)."""
    try:
        labels = tifffile.imread(path)
    except (OSError, ValueError, tifffile.TiffFileError) as fault:
        raise BadImage(
            seen=f"{path}: {fault}", wanted="a TIFF that opens", do="copy the file again"
        ) from fault
    if labels.ndim != 2:
        raise BadImage(
            seen=f"{path} of shape {labels.shape} and type {labels.dtype}",
            wanted="a 2D image of whole numbers",
            do="export labels, not intensities",
        )
    return as_labels(labels, str(path))


def _list_masks(place: Path, mask: str, table: str) -> list[Path]:
    """Masks in order of time; one that is missing between others would shift all that follow."""
    frames = sorted(place.glob(f"{mask}[0-9]*.tif"), key=lambda p: (len(p.name), p))
    if not frames:
        raise BadImage(
            seen=f"no {mask}000.tif in {place}",
            wanted=f"one mask per frame beside {table}",
            do="copy the masks there",
        )
    for t, path in enumerate(frames):
        number = path.stem.removeprefix(mask)
        if not number.isdigit() or int(number) != t:
            raise BadImage(
                seen=f"{path.name} where frame {t} should be, in {place}",
                wanted=f"{mask}000.tif and on, without gaps, one 2D image per frame",
                do="copy the missing masks, or number them from 000",
            )
    return frames


def _read_tracks(path: Path) -> pd.DataFrame:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        table = np.array([[int(x) for x in line] for line in lines], np.int64).reshape(-1, 4)
    except ValueError as fault:
        raise BadImage(
            seen=f"{path}: {fault}",
            wanted="four whole numbers a line: label, first frame, last frame, parent",
            do="export the track table again",
        ) from fault
    return pd.DataFrame(table, columns=list(COLUMNS))
