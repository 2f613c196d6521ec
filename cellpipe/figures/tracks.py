"""Paths of cells, and their lineages.

Of more tracks than a page can show, an evenly chosen sample is plotted, and the title gives its
size: files stay small (below 5 MB) and memory does not grow with the number of tracks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.figures.style import COLUMN_INCHES, PALETTE, house_style, new_figure, plain_text
from cellpipe.image import units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MAX_PATHS = 2000
MAX_POINTS = 50_000  # of all paths together: about 1 MB of SVG
MAX_LINES = 400  # of a lineage tree on one page


def track_paths(cells: pd.DataFrame, *, title: str = "") -> Figure:
    """The paths of the tracked cells of one field; a ring where each was last seen.

    `cells` holds one field: t, y_um, x_um, track_id (0: not tracked). y points down, as in the
    image. Of many tracks, `MAX_PATHS` or fewer are plotted, evenly chosen.
    """
    from matplotlib.collections import LineCollection

    paths, n_tracks = sampled_paths(cells)
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(paths))]
    with house_style():
        figure = new_figure(COLUMN_INCHES, COLUMN_INCHES)
        axes = figure.subplots()
        if paths:
            axes.add_collection(LineCollection(paths, colors=colours, linewidths=0.8))
            ends = np.array([path[-1] for path in paths])
            axes.scatter(
                ends[:, 0], ends[:, 1], s=6, facecolors="none", edgecolors=colours, linewidths=0.6
            )
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.invert_yaxis()
        axes.set_xlabel(units.label("x (µm)"))
        axes.set_ylabel(units.label("y (µm)"))
        axes.set_title(with_sample(title, len(paths), n_tracks))
    return figure


def sampled_paths(cells: pd.DataFrame) -> tuple[list[NDArray[np.float64]], int]:
    """Paths (T, 2) x, y of evenly chosen tracks, few enough for a figure; and how many there are.

    Tracks are taken in order of track_id; every n-th is chosen, so that neither their number
    exceeds `MAX_PATHS` nor that of their points `MAX_POINTS`.
    """
    tracked = cells[cells["track_id"] > 0].sort_values(["track_id", "t"], kind="stable")
    at = tracked[["x_um", "y_um"]].to_numpy(float)
    first = np.flatnonzero(np.diff(tracked["track_id"].to_numpy(np.int64), prepend=0))
    size = np.diff(np.r_[first, len(at)])
    every = max(1, -(-len(first) // MAX_PATHS), -(-len(at) // MAX_POINTS))
    some = range(0, len(first), every)
    return [at[first[i] : first[i] + size[i]] for i in some], len(first)


def with_sample(title: str, n_shown: int, n_tracks: int) -> str:
    """The title; where only some tracks are shown, with their number."""
    if n_shown >= n_tracks:
        return plain_text(title)
    sample = f"{n_shown:,} of {n_tracks:,} tracks"
    return f"{plain_text(title)}, {sample}" if title else sample


def lineage_tree(tracks: pd.DataFrame, *, title: str = "") -> Figure:
    """One line per track from its first to its last frame; forks are divisions.

    `tracks` holds one field: track_id, parent_track_id (0: none), t_start, t_end. Families
    that divided come first; of many tracks, the first `MAX_LINES` or so of that order are plotted.
    """
    from matplotlib.collections import LineCollection

    shown = first_families(tracks, MAX_LINES)
    places = lineage_places(shown)
    ids = shown["track_id"].to_numpy(np.int64).tolist()
    start = dict(zip(ids, shown["t_start"].to_numpy(int).tolist(), strict=True))
    end = dict(zip(ids, shown["t_end"].to_numpy(int).tolist(), strict=True))
    parent = dict(zip(ids, shown["parent_track_id"].to_numpy(np.int64).tolist(), strict=True))
    lives = [[(start[i], places[i]), (end[i], places[i])] for i in ids]
    births = [
        [(end[parent[i]], places[parent[i]]), (start[i], places[i])]
        for i in ids
        if parent[i] in places
    ]
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.2, min(0.06 * len(shown) + 0.8, 8))
        axes = figure.subplots()
        for lines, colour in ((lives, PALETTE[0]), (births, PALETTE[1])):
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9))
        axes.autoscale_view()
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("frame")
        axes.set_title(with_sample(title, len(shown), len(tracks)))
    return figure


def first_families(tracks: pd.DataFrame, n_tracks: int) -> pd.DataFrame:
    """Whole families until `n_tracks` are reached: those that divided first, then by track_id.

    A family larger than that alone is cut after its `n_tracks` earliest tracks.
    """
    if len(tracks) <= n_tracks:
        return tracks
    ids = tracks["track_id"].to_numpy(np.int64)
    parent = tracks["parent_track_id"].to_numpy(np.int64)
    place = np.searchsorted(ids, parent, sorter=(order := np.argsort(ids)))
    place = order[np.minimum(place, len(ids) - 1)]
    ancestor = np.where(ids[place] == parent, place, np.arange(len(ids)))
    while (ancestor != ancestor[ancestor]).any():
        ancestor = ancestor[ancestor]
    size = np.bincount(ancestor, minlength=len(ids))[ancestor]
    # by family, the divided ones first; within one by track_id, so that parents come first
    rank = np.lexsort((ids, ids[ancestor], size == 1))
    family_ends = np.flatnonzero(np.diff(ancestor[rank], append=-1)) + 1
    whole = family_ends[family_ends <= n_tracks]
    kept = rank[: int(whole[-1]) if len(whole) else n_tracks]
    return tracks.iloc[np.sort(kept)]


def lineage_places(tracks: pd.DataFrame) -> dict[int, float]:
    """Height of each track in a tree: leaves at whole numbers, a parent amid its daughters."""
    ids = [int(i) for i in tracks["track_id"]]
    parent = dict(zip(ids, (int(p) for p in tracks["parent_track_id"]), strict=True))
    daughters: dict[int, list[int]] = {}
    for track in sorted(ids):
        daughters.setdefault(parent[track] if parent[track] in parent else 0, []).append(track)
    places: dict[int, float] = {}
    leaf = 0
    roots = sorted(daughters.get(0, []), key=lambda t: (t not in daughters, t))
    stack = [(track, False) for track in reversed(roots)]
    while stack:  # not recursive: a lineage may be deeper than Python's stack
        track, below_done = stack.pop()
        own = daughters.get(track, [])
        if own and not below_done:
            stack += [(track, True), *((d, False) for d in reversed(own))]
        elif own:
            places[track] = float(np.mean([places[d] for d in own]))
        else:
            places[track], leaf = float(leaf), leaf + 1
    return places
