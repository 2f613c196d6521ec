"""Links between objects, as any program makes them, read as lineages.

a ─ b ─ c            A link of other programs may be written backwards in time, and two
     ╲               objects may merge into one (b and e into f). A lineage has
d ─ e ─ f ─ g        divisions only: f continues the one that is nearer, e, and b
                     keeps its other link, to c.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.track.cells import name_tracks


def as_lineages(
    nodes: pd.DataFrame, source: np.ndarray, target: np.ndarray, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Track and parent ids, each int64 (N,), of objects and the links between them.

    Parameters
    ----------
    nodes : DataFrame
        t, y_um, x_um, sorted by t.
    source, target : int arrays, shape (L,)
        Rows of `nodes`, in either direction of time.
    what : names the file in an error

    Raises
    ------
    BadImage
        If a link joins two objects of one frame.
    """
    t = nodes["t"].to_numpy()
    late = t[source] > t[target]
    source, target = np.where(late, target, source), np.where(late, source, target)
    if (t[source] == t[target]).any():
        row = int(np.flatnonzero(t[source] == t[target])[0])
        raise BadImage(
            seen=f"{what}: a link between two objects of frame {t[source][row]}",
            wanted="links that go from one frame to a later one",
            do="remove the link in the program that wrote it",
        )
    kept = without_merges(nodes, source, target)
    return name_tracks(source[kept], target[kept], len(nodes))


def without_merges(nodes: pd.DataFrame, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Links to keep, bool (L,): of several into one object the latest, then the nearest."""
    if len(source) == 0:
        return np.zeros(0, bool)
    place = nodes[["y_um", "x_um"]].to_numpy(float)
    distance = np.hypot(*(place[source] - place[target]).T)
    order = np.lexsort((source, distance, -nodes["t"].to_numpy()[source], target))
    kept = np.zeros(len(source), bool)
    kept[order] = np.diff(target[order], prepend=-1) != 0
    return kept
