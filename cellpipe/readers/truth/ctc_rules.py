"""The rules of a Cell Tracking Challenge folder, for those that other hands have made.

A truth that breaks them would be scored all the same, and wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.errors import BadImage

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from cellpipe.readers.truth.ctc import Movie


def check_tracks(tracks: pd.DataFrame, path: Path, n_frames: int) -> None:
    """Refuse a table whose labels, times or parents cannot be."""
    label, parent = tracks["track_id"], tracks["parent_track_id"]
    end = tracks.drop_duplicates("track_id").set_index("track_id")["t_end"]
    parent_end = parent.map(end)
    faults = {
        "a label that is not positive": label < 1,
        "a label that occurs twice": label.duplicated(),
        f"frames outside 0 … {n_frames - 1}": (tracks["t_start"] < 0)
        | (tracks["t_end"] >= n_frames),
        "an end before the beginning": tracks["t_end"] < tracks["t_start"],
        "a parent that is not in the table": (parent != 0) & parent_end.isna(),
        "a parent that has not ended": (parent != 0) & (parent_end >= tracks["t_start"]),
    }
    for fault, rows in faults.items():
        if rows.any():
            line = " ".join(map(str, tracks[rows].iloc[0].tolist()))
            raise BadImage(
                seen=f'{path}: {fault}, in the line "{line}"',
                wanted="label, first frame, last frame, parent: a parent ends before its daughters",
                do="export the track table again",
            )


def check_masks(movie: Movie) -> None:
    """Refuse a movie whose masks have other labels than its table, or differ in size.

    Raises
    ------
    BadImage
        Naming the first frame and label that disagree.
    """
    shape = None
    for t, labels in movie.labels():
        path = movie.frames[t]
        shape = shape or labels.shape
        if labels.shape != shape:
            raise BadImage(
                seen=f"{path} is {labels.shape[0]} × {labels.shape[1]}",
                wanted=f"{shape[0]} × {shape[1]}, like the first frame",
                do="export all frames of one field",
            )
        alive = (movie.tracks["t_start"] <= t) & (t <= movie.tracks["t_end"])
        said = set(movie.tracks.loc[alive, "track_id"].tolist())
        held = set(np.unique(labels).tolist()) - {0}
        if said != held:
            label = min(said ^ held)
            where = "the track table, not in the mask" if label in said else "the mask alone"
            raise BadImage(
                seen=f"{path}: label {label} is in {where}",
                wanted="between its first and last frame, each track in every mask",
                do="correct the table, or cut the track at the gap (the rest names it as parent)",
            )
