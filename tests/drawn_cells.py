"""Cells over time whose lineages are known: drawn as pictures, or a crowd on a jittered grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMN_UM = 3.0  # one character of a picture

SPACING_UM = 30.0  # between the pictures of independent cells

Links = set[tuple[int, int]]

STEADY = """
a
 a
 a
a
a
 a
"""


def cells_in(pictures: list[str], area_um2: float = 100.0) -> pd.DataFrame:
    """Cells of pictures in which a line is a frame and a letter is a cell.

    The column is the position; capital letters are mitotic. Every picture has its own row of
    the field. The letter is kept as `cell`.
    """
    rows = []
    for row, picture in enumerate(pictures):
        for t, line in enumerate(picture.strip("\n").split("\n")):
            for column, letter in enumerate(line):
                if letter.isalpha():
                    where = {"y_um": row * SPACING_UM, "x_um": column * COLUMN_UM}
                    kind = "mitotic" if letter.isupper() else "interphase"
                    name = f"{row}{letter.lower()}"
                    rows.append({"t": t, **where, "class": kind, "cell": name})
    cells = pd.DataFrame(rows).sort_values(["t", "y_um", "x_um"], ignore_index=True)
    cells["label"] = cells.groupby("t").cumcount() + 1
    cells["area_um2"] = area_um2
    return cells.astype({"t": np.int32, "label": np.uint32})


def families(cells: pd.DataFrame, linked: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Of each track, named by its cells: the cells of its parent."""
    names = (
        cells["cell"].groupby(linked["track_id"].to_numpy()).agg(lambda x: "".join(sorted(set(x))))
    )
    parents = linked.drop_duplicates("track_id").set_index("track_id")["parent_track_id"]
    return {names[t]: names.get(p, "") for t, p in parents.items()}


def crowd(rng: np.random.Generator, n: int = 150, n_frames: int = 12) -> pd.DataFrame:
    """Cells on a jittered grid that take small steps; `cell` is the truth."""
    side = int(np.ceil(np.sqrt(n)))
    at = np.stack(np.divmod(np.arange(n), side), axis=1) * 20.0 + rng.normal(0, 3, (n, 2))
    frames = []
    for t in range(n_frames):
        at = at + rng.normal(0, 1.0, at.shape)
        frames.append(
            pd.DataFrame({"t": t, "y_um": at[:, 0], "x_um": at[:, 1], "cell": np.arange(n)})
        )
    cells = pd.concat(frames, ignore_index=True)
    cells["label"] = cells["cell"] + 1
    return cells


def links_of(cells: pd.DataFrame) -> Links:
    """Pairs of rows that tracks and parents link."""
    rows = cells.sort_values(["track_id", "t"])
    index, track = rows.index.to_numpy(), rows["track_id"].to_numpy()
    same = track[1:] == track[:-1]
    links = set(zip(index[:-1][same].tolist(), index[1:][same].tolist(), strict=True))
    last = (
        rows.reset_index().drop_duplicates("track_id", keep="last").set_index("track_id")["index"]
    )
    first = rows.drop_duplicates("track_id")
    first = first[first["parent_track_id"] > 0]
    return links | set(
        zip(last[first["parent_track_id"]].tolist(), first.index.tolist(), strict=True)
    )


def divisions_of(links: Links) -> set[tuple[int, frozenset[int]]]:
    daughters: dict[int, set[int]] = {}
    for source, target in links:
        daughters.setdefault(source, set()).add(target)
    return {(m, frozenset(d)) for m, d in daughters.items() if len(d) > 1}
