"""Where cells went, and who descends from whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe import units
from cellpipe.figures.style import COLUMN_INCHES, PALETTE, house_style, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def track_paths(cells: pd.DataFrame, *, title: str = "") -> Figure:
    """The path of every tracked cell of one field; a ring where it was last seen.

    `cells` holds one field: t, y_um, x_um, track_id (0: not tracked). y points down, as in the
    image.
    """
    tracked = cells[cells["track_id"] > 0].sort_values(["track_id", "t"])
    with house_style():
        figure = new_figure(COLUMN_INCHES, COLUMN_INCHES)
        axes = figure.subplots()
        for i, (_, path) in enumerate(tracked.groupby("track_id")):
            colour = PALETTE[i % len(PALETTE)]
            axes.plot(path["x_um"], path["y_um"], color=colour, lw=0.8)
            axes.plot(
                path["x_um"].iloc[-1], path["y_um"].iloc[-1], "o", ms=2.5, mfc="none", mec=colour
            )
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set_xlabel(units.label("x (µm)"))
        axes.set_ylabel(units.label("y (µm)"))
        axes.set_title(title)
    return figure


def lineage_tree(tracks: pd.DataFrame, *, title: str = "") -> Figure:
    """One line per track from its first to its last frame; forks are divisions.

    `tracks` holds one field: track_id, parent_track_id (0: none), t_start, t_end. Families
    that divided come first.
    """
    places = lineage_places(tracks)
    by_id = tracks.set_index("track_id")
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.2, min(0.06 * len(tracks) + 0.8, 8))
        axes = figure.subplots()
        for track_id, track in by_id.iterrows():
            y = places[int(track_id)]
            axes.plot([track["t_start"], track["t_end"]], [y, y], color=PALETTE[0], lw=0.9)
            parent = int(track["parent_track_id"])
            if parent in places:
                ends = [by_id.loc[parent, "t_end"], track["t_start"]]
                axes.plot(ends, [places[parent], y], color=PALETTE[1], lw=0.9)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("frame")
        axes.set_title(title)
    return figure


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
