"""Movies in which lost frames end all tracks: one cell before and after them counts as two.

    frame    0 1 2 3 . . . 7 8 9     three frames lost, more than a track may be without its cell:
    cell     ━━━━━━━       ━━━━━     two tracks of half the lifetime

So counts, lifetimes and displacements of such a movie cannot be compared with those of whole ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.profiles.ground import usual

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3  # tracks before the hole, for their end to mean something
FOLLOWED = 0.5  # part of the tracks that usually continues from frame to frame
MOVIE = ["well", "field"]


def cut_movies(fields: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Holes that no track goes across: a row for each, with well, field, t (after it) and n_lost.

    Parameters
    ----------
    fields : well, field, t and lost_before, one row per imaged frame
    tracks : well, field, t_start, t_end
    """
    import pandas as pd

    found = []
    if "lost_before" in fields and "t_start" in tracks:
        holes = fields[fields["lost_before"].fillna(0) > 0]
        of_movie = dict(iter(tracks.groupby(MOVIE)))
        frames = {place: np.sort(own["t"].to_numpy()) for place, own in fields.groupby(MOVIE)}
        for place, own in holes.groupby(MOVIE):
            if place in of_movie:
                start, end = (of_movie[place][name].to_numpy() for name in ("t_start", "t_end"))
                cut = [t for t in own["t"] if _ends_all(start, end, frames[place], int(t))]
                found.append(own.loc[own["t"].isin(cut), [*MOVIE, "t", "lost_before"]])
    if not found:
        return pd.DataFrame(columns=[*MOVIE, "t", "n_lost"])
    return pd.concat(found, ignore_index=True).rename(columns={"lost_before": "n_lost"})


def wells_of_cut_movies(
    cut: pd.DataFrame,
    tracks: pd.DataFrame,
    wells: Iterable[str],
    *,
    min_imaged_share: float,
    option: str,
) -> dict[str, str]:
    """Wells whose tracks are not cut as those of most movies of the plate are: well → why.

    Parameters
    ----------
    cut : from `cut_movies`
    min_imaged_share : part of a well's movies that has to be like the rest
    option : by which holes are crossed, for the reason
    """
    movies = tracks[MOVIE].drop_duplicates()
    n_cuts = cut.groupby(MOVIE).size()
    of_movie = np.array([n_cuts.get((w, f), 0) for w, f in movies.itertuples(index=False)])
    movies = movies.assign(n_cuts=of_movie, odd=of_movie != usual(of_movie))
    found = {}
    for well in wells:
        own = movies[movies["well"] == well]
        if own.empty or own["odd"].mean() <= 1 - min_imaged_share + 1e-9:
            continue
        n = int(own["n_cuts"].gt(0).sum())
        found[str(well)] = (
            f"all tracks of {n} of {len(own)} fields end at lost frames ({option}), "
            "unlike those of most fields of the plate"
            if n
            else "tracks of most fields of the plate end at lost frames, those of this well do not"
        )
    return found


def _ends_all(start: np.ndarray, end: np.ndarray, frames: np.ndarray, t: int) -> bool:
    """Whether no track continues from the frame before t to t, although they do between others."""
    at = int(np.searchsorted(frames, t))
    before = frames[at - 1] if at else t
    alive = (start <= before) & (end >= before)
    if int(alive.sum()) < FEWEST or (end[alive] >= t).any() or not (start >= t).any():
        return False
    kept, all_ = 0, 0
    for one, after in pairwise(frames):
        if after != t and after - one == 1:
            here = (start <= one) & (end >= one)
            kept, all_ = kept + int((here & (end >= after)).sum()), all_ + int(here.sum())
    return kept >= FOLLOWED * max(all_, 1)
