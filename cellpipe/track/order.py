"""Frames of a movie that are not in the order in which they were taken, by how far cells are apart.

    true    a b c d      in the right order the cells of two frames are the closer, the closer the
    given   a c b d      frames are: a to c and b to d are longer ways than a to b and c to d

A copy or a sort by name (t1, t10, t2) leaves no other trace: cells that move slowly are linked in
any order, only their speeds are wrong. Cells that do not move at all give no evidence, and lose
nothing. Two frames that were exchanged are found for certain from some 30 cells on, or from 12 that
keep their way; with fewer, some stay unseen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

LEAST = 5  # cells that are followed through the frames in question
FRAMES = 6  # fewest frames of a movie
MOST_FRAMES = 120  # that are compared with each other
SURE = 2.0  # standard errors by which the exchanged order must be the shorter one …
APART = 5.0  # … and by which these frames differ from the others of the movie
ALONE = 8.0  # standard errors where the others give no evidence
SHUFFLED = 1.5  # times what chance makes of frames that are all alike
NEAR = 0.6  # of the typical distance between two frames


def order_doubts(points: pd.DataFrame) -> pd.DataFrame:
    """Frames whose place in time is in doubt.

    Parameters
    ----------
    points : well, field, t, track_id, y_um, x_um of every cell; without jumps of the stage

    Returns
    -------
    DataFrame : well, field, t, word
    """
    rows = []
    linked = points[points["track_id"] > 0]
    for (well, field), movie in linked.groupby(["well", "field"]):
        for t, word in _doubts(movie):
            rows.append((well, field, t, word))
    return pd.DataFrame(rows, columns=["well", "field", "t", "word"])


def name_order(fields: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The table of fields with an entry in `movie_flag` for each of those frames."""
    if not len(points) or "movie_flag" not in fields:
        return fields
    doubts = order_doubts(points)
    words = fields[["well", "field", "t"]].merge(doubts, how="left", on=["well", "field", "t"])
    said = words["word"].fillna("").to_numpy()
    before = fields["movie_flag"].fillna("").to_numpy()
    flags = [", ".join(w for w in pair if w) for pair in zip(before, said, strict=True)]
    return fields.assign(movie_flag=flags)


def _doubts(movie: pd.DataFrame) -> Iterator[tuple[int, str]]:
    times, paths = _paths(movie)
    if len(times) < FRAMES:
        return
    if is_shuffled(paths):
        for t in times:
            yield int(t), "order of frames in doubt"
        return
    for k in exchanged(paths):
        yield int(times[k]), f"order of frames in doubt (with frame {times[k + 1]})"
        yield int(times[k + 1]), f"order of frames in doubt (with frame {times[k]})"


def _paths(movie: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and places of tracks (T, N, 2) in µm, NaN where a track is not seen."""
    once = movie.drop_duplicates(["t", "track_id"])
    wide = once.pivot(index="t", columns="track_id", values=["y_um", "x_um"]).sort_index()
    return wide.index.to_numpy(), np.stack([wide["y_um"], wide["x_um"]], axis=-1).astype(float)


def exchanged(paths: np.ndarray) -> list[int]:
    """k of frames that are before k + 1 and should follow it; of paths (T, N, 2)."""
    a, b, c, d = (paths[k : len(paths) - 3 + k] for k in range(4))
    given, other = _squared(b - a) + _squared(d - c), _squared(c - a) + _squared(d - b)
    longer = given - other  # (T - 3, N)
    n = np.isfinite(longer).sum(axis=1)
    judged = n >= LEAST
    if not judged.any():
        return []
    own = longer[judged]
    error = np.nanstd(own, axis=1, ddof=1) / np.sqrt(n[judged])
    z = np.full(len(longer), np.nan)
    z[judged] = np.nanmean(own, axis=1) / np.where(error > 0, error, np.inf)
    usual = min(float(np.nanmedian(z)), 0.0)
    spread = max(1.0, 1.4826 * float(np.nanmedian(np.abs(z - np.nanmedian(z)))))
    told = usual < -1  # cells move, so that the order shows
    odd = (z > ALONE) | (told & (z > SURE) & (z - usual > APART * spread))
    return [int(k) + 1 for k in np.flatnonzero(odd)]


def is_shuffled(paths: np.ndarray) -> bool:
    """Whether frames that are near in time are no nearer than others, though some frames are.

    `paths` : (T, N, 2). What chance makes of frames of cells that only shake is allowed for.
    """
    paths = paths[:: max(1, len(paths) // MOST_FRAMES)]
    n_frames = len(paths)
    apart = np.full((n_frames, n_frames), np.nan)
    n_cells = []
    for k in range(n_frames):
        squared = _squared(paths - paths[k])
        n = np.isfinite(squared).sum(axis=1)
        enough = (n >= LEAST) & (np.arange(n_frames) != k)
        if enough.any():
            apart[k, enough] = np.nanmean(squared[enough], axis=1)
            n_cells += n[enough].tolist()
    known = np.isfinite(apart).sum(axis=1) >= FRAMES - 1
    if known.sum() < FRAMES:
        return False
    typical = float(np.nanmedian(apart))
    ordered = np.sort(apart[known], axis=1)  # NaN last
    contrast = float(np.median(np.nanmedian(ordered, axis=1) / np.maximum(ordered[:, 1], 1e-9)))
    dof = float(np.median(n_cells))  # half of the 2 N that independent cells have
    low, middle = stats.chi2.ppf([1.7 / n_frames, 0.5], dof)
    near = float(np.nanmedian(np.diagonal(apart, 1)))
    return contrast > SHUFFLED * middle / low and near > NEAR * typical


def _squared(steps: np.ndarray) -> np.ndarray:
    return (steps**2).sum(axis=-1)
