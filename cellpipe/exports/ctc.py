"""Cell Tracking Challenge folders, written: masks and tracks (`cellpipe.readers.truth.ctc`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import CellpipeError
from cellpipe.files.publish import published
from cellpipe.readers.truth.ctc import COLUMNS, MAX_LABEL, NAMES


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
    mask, table = NAMES[kind]
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


def _pieces(links: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tracks cut at gaps: (t, label, piece) of each object, and the CTC table.

    Labels count from 1 in order of tracks (so ids of `link_cells` stay unchanged); what
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
