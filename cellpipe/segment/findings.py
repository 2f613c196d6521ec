"""What raises a doubt about the objects of a field: little found, much dropped, nothing certain.

    pixels, labels, what was sorted out  ──►  figures of the field  ──►  objects_flag

A field in which nothing is found resembles a well without cells. So the signal in its pixels is
compared with the objects found in them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cellpipe.image.object_levels import BIN_PX, Shown, even_squares
from cellpipe.image.tiles import Plane
from cellpipe.networks.expected import Expected
from cellpipe.segment.faint import faint_objects
from cellpipe.segment.sorted_out import SortedOut

SIGNAL_PX = 150  # less is debris
OUTSIDE = 0.5  # share of the signal that no object covers
DROPPED = 0.3  # share of the objects found that a filter dropped
CUT = 0.6  # the same of those that the frame cuts: of large objects many are
UNSURE = 0.4  # share of the objects that are neither real nor not
LEAST = 8  # objects, for a share to be computed
NEAR_BINS = 2  # light spreads beyond outlines
FEW = 10  # objects: where there are fewer, fainter ones are searched
FAINT = 3  # of these, and twice as many as were found, are a doubt

UNKNOWN = Expected()
DOUBTFUL_F1 = 0.6  # expected of a field

NOTHING = "signal but no objects"
MISSED = "signal outside of objects"
SIZE = "size outside of what is known"
MANY_DROPPED = "many dropped"
UNDECIDED = "objects unsure"
DOUBTFUL = "segmentation doubtful"


def signal_outside(shown: Shown, labels: Plane) -> tuple[float, float]:
    """Pixels of an image that show objects, and the share of them outside of its labels (Y, X).

    Labels may be read by slices; of large ones, the same even squares are as of the image.
    """
    where = shown.signal()
    n = int(where.sum())
    if n == 0:
        return 0.0, 0.0
    from scipy import ndimage  # here, because reports import this module for its names alone

    cut = even_squares(labels)[::BIN_PX, ::BIN_PX][: where.shape[0], : where.shape[1]] > 0
    near = ndimage.binary_dilation(cut, iterations=NEAR_BINS) if cut.any() else cut
    return float(n * BIN_PX**2), float((where & ~near).sum() / n)


def faint_outside(n: int, shown: Shown, labels: Plane) -> int:
    """Objects too dim for `signal_outside` that none of the labels (Y, X) covers.

    They are searched where no more than a few objects, `n`, were found.
    """
    if n >= FEW:
        return 0
    cut = even_squares(labels)[::BIN_PX, ::BIN_PX]
    rows, columns = shown.above.shape
    return faint_objects(shown.above, cut[:rows, :columns] > 0)


def object_findings(
    n: int,
    out: SortedOut,
    signal_px: float,
    outside: float,
    faint: int = 0,
    expected: Expected = UNKNOWN,
) -> dict[str, Any]:
    """Columns of a field: n_dropped_<filter>, the figures of doubt, and objects_flag.

    n : objects that were kept
    faint : from `faint_outside`
    expected : F1 that is expected of the field
    """
    counts = {f"n_dropped_{name}": count for name, count in out.counts.items()}
    figures = {
        "signal_outside": outside,
        "undecided_share": out.undecided,
        "object_diameter_px": out.diameter_px,
        **{f"expected_{name}": value for name, value in _named(expected).items()},
    }
    return {
        **counts,
        **figures,
        "objects_flag": "; ".join(_flags(n, out, signal_px, outside, faint, expected)),
    }


def _named(expected: Expected) -> dict[str, float]:
    return {"f1": expected.f1, "f1_low": expected.low, "f1_high": expected.high}


def _flags(
    n: int, out: SortedOut, signal_px: float, outside: float, faint: int, expected: Expected
) -> list[str]:
    found = n + sum(out.counts.values())
    flags = []
    many_faint = faint >= FAINT and faint > 2 * n
    if n == 0 and (signal_px >= SIGNAL_PX or many_faint):
        flags.append(NOTHING)
    elif (outside > OUTSIDE and outside * signal_px >= SIGNAL_PX) or many_faint:
        flags.append(MISSED)
    if out.known_px is not None and np.isfinite(out.diameter_px):
        low, high = out.known_px
        if not low <= out.diameter_px <= high:
            flags.append(SIZE)
    for name, count in out.counts.items():
        if found >= LEAST and count > (CUT if name == "border" else DROPPED) * found:
            flags.append(f"{MANY_DROPPED} ({name})")
    if found >= LEAST and out.undecided > UNSURE:
        flags.append(UNDECIDED)
    if expected.f1 < DOUBTFUL_F1:
        flags.append(DOUBTFUL)
    return flags
