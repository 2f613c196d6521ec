"""Which way the axes of a stage point in its images, by what neighbouring fields share.

    as recorded   ■ □     y mirrored   ▪ ▫     x and y exchanged   ■ ▪
                  ▪ ▫                  ■ □                         □ ▫

.nd2, .czi, .lif, OME-XML and IN Cell's plate file do not record it. Fields are placed by their
overlaps in each of the eight ways; only in the right one does what lies next to each other fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations

import numpy as np

from cellpipe.correct.placing import YES, place_fields
from cellpipe.image.tiles import Plane

LEAST = 2  # overlaps that have to fit, more than in any other way
AS_RECORDED = "as recorded"
SAME_PX = 3.0  # ways that place all fields alike are one
Well = tuple[Sequence[Plane], Callable[[np.ndarray], np.ndarray]]


def _ways() -> dict[str, np.ndarray]:
    """Name → matrix that turns recorded (y, x) into those of the image."""
    found = {}
    for turned, exchanged in (("", False), ("x and y exchanged", True)):
        for words, y, x in (
            ("", 1, 1),
            ("y mirrored", -1, 1),
            ("x mirrored", 1, -1),
            ("y and x mirrored", -1, -1),
        ):
            matrix = np.array([[y, 0], [0, x]], float)
            name = ", ".join(filter(None, (turned, words))) or AS_RECORDED
            found[name] = matrix @ np.eye(2)[::-1] if exchanged else matrix
    return found


WAYS = _ways()


def find_directions(wells: Iterable[Well]) -> tuple[str, int] | None:
    """The way of `WAYS` in which the fields of wells fit, and the number of overlaps that do.

    Wells are added until one way has `LEAST` overlaps more than any other that places the fields
    elsewhere; None where none has. (With y mirrored, rows still fit in themselves, and not to each
    other.)

    Parameters
    ----------
    wells : fields, N planes (Y, X) of one channel and size; and what gives the first pixels (N, 2)
        of a matrix of a way. They are read one by one
    """
    counts: Counter[str] = Counter()
    elsewhere: dict[tuple[str, str], bool] = {}
    for fields, corners_of in wells:
        corners = {}
        for name, matrix in WAYS.items():
            placed = place_fields(list(fields), corners_of(matrix))
            counts[name] += int((placed.pairs["used"] == YES).sum())
            corners[name] = placed.corners - placed.corners[0]
        for one, other in permutations(WAYS, 2):
            apart = np.abs(corners[one] - corners[other]).max() > SAME_PX
            elsewhere[one, other] = elsewhere.get((one, other), False) or bool(apart)
        best = max(counts, key=lambda name: counts[name])
        others = [counts[name] for name in WAYS if elsewhere.get((best, name))]
        if counts[best] >= LEAST + max(others, default=0):
            return best, counts[best]
    return None
