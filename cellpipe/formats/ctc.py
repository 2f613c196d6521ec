"""Cell Tracking Challenge folders: one mask image per frame and a table of tracks.

    02_RES/ mask000.tif mask001.tif … res_track.txt            a result
    02_GT/TRA/ man_track000.tif … man_track.txt                the truth
    02_GT/SEG/ man_seg000.tif …                                the truth, outlines

A line of the table reads "L B E P": label, first frame, last frame, label of the parent (0:
none); between B and E the label must be in every mask. So a track that was missed for some
frames goes on under a new label, with the old one as its parent; one daughter is no division.
Definition: https://public.celltrackingchallenge.net/documents/Naming and file content
conventions.pdf
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.formats.ctc_rules import check_tracks
from cellpipe.layouts.whole_labels import as_labels
from cellpipe.workflow.publish import published

MAX_LABEL = 65_535  # masks are 16 bit
COLUMNS = ("track_id", "t_start", "t_end", "parent_track_id")
_NAMES = {  # kind: (mask file, track file)
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


def write_ctc(
    folder: str | Path,
    labels_by_frame: Iterable[tuple[int, np.ndarray]],
    links: pd.DataFrame,
    *,
    kind: str = "result",
) -> None:
    """Write one field's tracks as a CTC folder, whole or not at all.

    Parameters
    ----------
    folder : path
        Replaced if it exists.
    labels_by_frame : iterable of (t, labels (Y, X))
        Every frame, in order of time from 0; read once, one frame in memory at a time.
    links : DataFrame
        t, label, track_id, parent_track_id, as `track.link_cells` returns them. Objects without
        a row, or with track_id 0, are left out of the masks.
    kind : "result" or "truth"
        Which of the challenge's two naming rules holds; "truth" is the TRA folder.

    Raises
    ------
    CellpipeError
        If there are more tracks than 16 bits can name, or a row has no object in its frame.
    """
    mask, table = _NAMES[kind]
    pieces, tracks = _pieces(links)
    if len(tracks) > MAX_LABEL:
        raise CellpipeError(
            seen=f"{len(tracks)} tracks",
            wanted=f"at most {MAX_LABEL}, as the format's masks are 16 bit",
            do="export fewer frames or smaller fields, or read the GEFF export, which has no limit",
        )
    by_frame = dict(iter(pieces.groupby("t")))
    with published(folder) as aside:
        aside.mkdir()
        written = _write_masks(aside, mask, labels_by_frame, by_frame)
        _widen_names(aside, mask, len(written))
        _check_frames(written, by_frame)
        text = "".join(" ".join(map(str, row)) + "\n" for row in tracks.itertuples(index=False))
        (aside / table).write_text(text, encoding="ascii")


def write_seg(folder: str | Path, labels_by_frame: Iterable[tuple[int, np.ndarray]]) -> None:
    """Write outlines as a CTC "SEG" folder (man_segTTT.tif), whole or not at all."""
    with published(folder) as aside:
        aside.mkdir()
        for t, labels in labels_by_frame:
            if labels.max(initial=0) > MAX_LABEL:
                labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
            _write_mask(aside / f"man_seg{t:03d}.tif", labels.astype(np.uint16))


def read_ctc(folder: str | Path) -> Movie:
    """Read a result or truth folder; the truth's folder may be given with or without TRA.

    Raises
    ------
    BadImage
        If there is no track table, no mask, a frame is missing between others, a line of the
        table is not four numbers, or what the table says cannot be.
    """
    folder = Path(folder)
    for place in (folder, folder / "TRA"):
        for mask, table in _NAMES.values():
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


def _pieces(links: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tracks cut at gaps: (t, label, piece) of each object, and the CTC table.

    Labels count from 1 in order of tracks (so ids of `link_cells` stay as they are); what
    follows a gap is numbered after the last track.
    """
    rows = links[links["track_id"] > 0].sort_values(["track_id", "t"], kind="stable")
    track, t = rows["track_id"].to_numpy(np.int64), rows["t"].to_numpy(np.int64)
    new_track = np.diff(track, prepend=0) != 0
    after_gap = (np.diff(t, prepend=0) > 1) & ~new_track
    first = np.flatnonzero(new_track | after_gap)
    which = np.cumsum(new_track | after_gap) - 1  # piece of each row
    order = np.argsort(after_gap[first], kind="stable")
    name = np.empty(len(first), np.int64)
    name[order] = np.arange(1, len(first) + 1)
    last = np.r_[first, len(rows)][1:] - 1
    last_piece = dict(zip(track[last].tolist(), name.tolist(), strict=True))
    mothers = rows["parent_track_id"].to_numpy(np.int64)[first]
    parent = np.array([last_piece.get(m, 0) for m in mothers.tolist()], np.int64)
    goes_on = np.flatnonzero(after_gap[first])
    parent[goes_on] = name[goes_on - 1]
    table = np.stack([name, t[first], t[last], parent], axis=1)[np.argsort(name)]
    labels = rows[["t", "label"]].assign(piece=name[which])
    return labels, pd.DataFrame(table, columns=list(COLUMNS))


def _write_masks(
    folder: Path,
    mask: str,
    labels_by_frame: Iterable[tuple[int, np.ndarray]],
    by_frame: dict[int, pd.DataFrame],
) -> list[int]:
    written: list[int] = []
    for t, labels in labels_by_frame:
        if t != len(written):
            raise CellpipeError(
                seen=f"frame {t} after {len(written)} frames",
                wanted="every frame once, from 0, in order",
                do="give the frames in order of time",
            )
        table = np.zeros(int(labels.max(initial=0)) + 1, np.uint16)
        rows = by_frame.get(t)
        if rows is not None:
            label = rows["label"].to_numpy(np.int64)
            _check_objects(t, label, labels)
            table[label] = rows["piece"].to_numpy()
        _write_mask(folder / f"{mask}{t:03d}.tif", table[labels])
        written.append(t)
    return written


def _widen_names(folder: Path, mask: str, n_frames: int) -> None:
    """Four digits from the first frame on where three do not do: names must sort by time."""
    if n_frames > 1000:
        for t in range(1000):
            (folder / f"{mask}{t:03d}.tif").rename(folder / f"{mask}{t:04d}.tif")


def _check_objects(t: int, label: np.ndarray, labels: np.ndarray) -> None:
    present = np.bincount(labels.ravel(), minlength=int(label.max()) + 1) > 0
    absent = label[~present[label]]
    if len(absent):
        raise CellpipeError(
            seen=f"label {absent[0]} in the table of frame {t}, but not in its mask",
            wanted="a table measured on these labels",
            do="measure and track again",
        )


def _check_frames(written: list[int], by_frame: dict[int, pd.DataFrame]) -> None:
    missing = sorted(set(by_frame) - set(written))
    if missing:
        raise CellpipeError(
            seen=f"cells in frame {missing[0]}, but {len(written)} frames of labels",
            wanted="labels of every frame",
            do="give all frames of the movie",
        )


def _write_mask(path: Path, mask: np.ndarray) -> None:
    # no date and no software tag: the same labels give the same bytes
    tifffile.imwrite(
        path,
        mask,
        compression="zlib",
        predictor=True,
        photometric="minisblack",
        metadata=None,
        software=False,
        datetime=None,
    )


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
