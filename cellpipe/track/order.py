"""Frames of a movie that are not in the order in which they were taken, by how far cells are apart.

    true    a b c d      in the right order the cells of two frames are the closer, the closer the
    given   a c b d      frames are: a to c and b to d are longer ways than a to b and c to d

A copy or a sort by name (t1, t10, t2) leaves no other trace: cells that move slowly are linked in
any order, only their speeds are wrong. Cells that do not move at all give no evidence, and lose
nothing. Frames that were exchanged, or stand in reverse, are found for certain from some 30 cells
on, or from 12 that keep their way; with fewer, some stay unseen. A movie in any order is found from
5 cells on that move farther than they are seen to shake: a way through its frames that is much
shorter is searched by reversing stretches of it (2-opt: Croes, Oper. Res. 6:791, 1958).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST = 5  # cells that are followed through the frames in question
FRAMES = 6  # fewest frames of a movie
MOST_FRAMES = 120  # that are compared with each other
SURE = 2.0  # standard errors by which the exchanged order must be the shorter one …
APART = 5.0  # … and by which these frames differ from the others of the movie
CLEAR = 2.5  # standard errors from which `APART` of them are enough, however the others scatter
ALONE = 8.0  # standard errors where the others give no evidence
STRETCH = 8  # frames of a movie's part that is looked for in reverse
LONGER = 4.0  # by this over the root of the number of cells, the given way is longer than another
ROUNDS = 20  # reversals per frame, at most


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
        rows += [(well, field, t, word) for t, word in _doubts(movie).items()]
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


def _doubts(movie: pd.DataFrame) -> dict[int, str]:
    """Time → word, of one movie."""
    times, paths = _paths(movie)
    if len(times) < FRAMES:
        return {}
    if is_shuffled(paths):
        return {int(t): "order of frames in doubt" for t in times}
    doubts = {}
    for first, last in reversed_stretches(paths):
        for k in range(first, last + 1):
            other = f"with frame {times[first + last - k]}"
            of_more = f"frames {times[first]} to {times[last]}"
            words = other if last == first + 1 else of_more
            doubts[int(times[k])] = f"order of frames in doubt ({words})"
    return doubts


def _paths(movie: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and places of tracks (T, N, 2) in µm, NaN where a track is not seen."""
    once = movie.drop_duplicates(["t", "track_id"])
    wide = once.pivot(index="t", columns="track_id", values=["y_um", "x_um"]).sort_index()
    return wide.index.to_numpy(), np.stack([wide["y_um"], wide["x_um"]], axis=-1).astype(float)


def reversed_stretches(paths: np.ndarray) -> list[tuple[int, int]]:
    """First and last of frames that the other way round are nearer to their neighbours.

    `paths` : (T, N, 2). Two frames that were exchanged are the shortest stretch. Stretches do not
    overlap: the clearest is taken.
    """
    found = []
    for n_frames in range(2, min(STRETCH, len(paths) - 2) + 1):
        z = _in_reverse(paths, n_frames)
        if not np.isfinite(z).any():
            continue
        usual = min(float(np.nanmedian(z)), 0.0)
        spread = max(1.0, 1.4826 * float(np.nanmedian(np.abs(z - np.nanmedian(z)))))
        told = usual < -1  # cells move, so that the order shows
        apart = (z > SURE) & (z - usual > APART * spread) | (z > CLEAR) & (z - usual > APART)
        odd = (z > ALONE) | (told & apart)
        found += [(-z[k], k + 1, k + n_frames) for k in np.flatnonzero(odd)]
    stretches: list[tuple[int, int]] = []
    for _, first, last in sorted(found):
        if all(last < other[0] or first > other[1] for other in stretches):
            stretches.append((int(first), int(last)))
    return sorted(stretches)


def _in_reverse(paths: np.ndarray, n_frames: int) -> np.ndarray:
    """By how many standard errors each stretch of so many frames is longer as it is given.

    NaN where too few cells are followed from the frame before it to the one after it.
    """
    n = len(paths) - n_frames - 1
    before, first, last, after = (paths[k : k + n] for k in (0, 1, n_frames, n_frames + 1))
    given = _squared(first - before) + _squared(after - last)
    longer = given - _squared(last - before) - _squared(after - first)  # (n, N)
    z = np.full(n, np.nan)
    cells = np.isfinite(longer).sum(axis=1)
    judged = cells >= LEAST
    if judged.any():
        own = longer[judged]
        error = np.nanstd(own, axis=1, ddof=1) / np.sqrt(cells[judged])
        z[judged] = np.nanmean(own, axis=1) / np.where(error > 0, error, np.inf)
    return z


def is_shuffled(paths: np.ndarray) -> bool:
    """Whether there is a much shorter way through the frames than the order that is given.

    `paths` : (T, N, 2). Of cells that only shake, the shortest way is shorter by chance; the fewer
    the cells, the more.
    """
    paths = paths[:: max(1, len(paths) // MOST_FRAMES)]
    apart, n_cells = _apart(paths)
    known = np.isfinite(apart).sum(axis=1) >= FRAMES
    if known.sum() < FRAMES:
        return False
    apart = apart[np.ix_(known, known)]
    unknown = ~np.isfinite(apart)
    if unknown.any():  # as over a third frame: steps of cells that wander add up so
        known_ways = np.where(unknown, np.inf, apart)
        over = np.min(known_ways[:, :, None] + known_ways[None], axis=1)
        apart = np.where(unknown, np.minimum(over, np.nanmax(apart)), apart)
    given = np.arange(len(apart))
    shortest = _length(apart, _shortened(apart))
    return _length(apart, given) > (1 + LONGER / np.sqrt(n_cells)) * shortest


def _apart(paths: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean squared distance of cells between frames (T, T), and the typical number of cells.

    0 in the diagonal; NaN for frames that share too few cells.
    """
    apart = np.full((len(paths), len(paths)), np.nan)
    n_cells = []
    for k in range(len(paths)):
        squared = _squared(paths - paths[k])
        n = np.isfinite(squared).sum(axis=1)
        enough = n >= LEAST
        apart[k, enough] = np.nanmean(squared[enough], axis=1)
        n_cells += np.delete(n, k)[np.delete(enough, k)].tolist()
    np.fill_diagonal(apart, 0.0)
    return apart, float(np.median(n_cells)) if n_cells else 0.0


def _length(apart: np.ndarray, order: np.ndarray) -> float:
    return float(apart[order[:-1], order[1:]].sum())


def _shortened(apart: np.ndarray) -> np.ndarray:
    """An order (T,) that no reversal of a stretch makes shorter, from the given one on."""
    n = len(apart)
    order = np.arange(n)
    stretch = np.arange(n)[:, None] < np.arange(n)  # first before last
    for _ in range(ROUNDS * n):
        own = apart[np.ix_(order, order)]
        steps = np.diagonal(own, 1)
        before, after = np.r_[0.0, steps][:, None], np.r_[steps, 0.0]
        # frame before the stretch to its last one, its first one to the frame after it
        reversed_before = np.vstack([np.zeros((1, n)), own[:-1]])
        reversed_after = np.hstack([own[:, 1:], np.zeros((n, 1))])
        gain = np.where(stretch, before + after - reversed_before - reversed_after, 0.0)
        first, last = divmod(int(np.argmax(gain)), n)
        if gain[first, last] <= 1e-9 * steps.sum():
            break
        order[first : last + 1] = order[first : last + 1][::-1].copy()
    return order


def _squared(steps: np.ndarray) -> np.ndarray:
    return (steps**2).sum(axis=-1)
