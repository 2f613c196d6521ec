"""What a truth can bear: labels that are no labels of objects, and outlines of some cells only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from cellpipe.metrics.overlap import Overlap

# these count every object that the truth lacks as false; the others are of true objects alone
NEED_ALL = (
    *("ap_", "f1_", "precision_"),
    *("pq", "rq", "aji", "dice", "jaccard", "n_false"),
)
PIECE_SHARE = 0.1  # of the largest piece, in area: a smaller one may be a stray pixel
MARKER_SHARE = 0.4  # of the area of what was found over it: smaller is a marker, not an outline


def needs_all(score: str) -> bool:
    """Whether a score has a meaning only where every object is outlined in the truth."""
    return score in NEED_ALL or score.startswith(tuple(n for n in NEED_ALL if n.endswith("_")))


def of_some_cells(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores that outlines of some cells can bear; the others are NaN."""
    return {name: np.nan if needs_all(name) else value for name, value in scores.items()}


def why_no_labels(labels: np.ndarray) -> str:
    """Why an image (Y, X) is a mask rather than labels of objects, as text; "" if it is not."""
    values = np.unique(labels[labels > 0])
    if not 0 < len(values) <= 3:
        return ""
    n_pieces = 0
    for value in values:
        pieces, n = ndimage.label(labels == value, structure=np.ones((3, 3)))
        px = np.bincount(pieces.ravel(), minlength=n + 1)[1:]
        n_pieces += int((px >= PIECE_SHARE * px.max()).sum())
    if n_pieces < 2 or n_pieces < 2 * len(values):
        return ""
    named = ", ".join(str(value) for value in values.tolist())
    kind = "a mask" if len(values) == 1 else "classes of pixels"
    return f"{n_pieces} separate pieces under the value {named}: {kind}, not a label per object"


def why_markers(pairs: Overlap) -> str:
    """Why true labels are markers rather than outlines, as text; "" if they may be outlines.

    Markers are much smaller than what was found over them.
    """
    table = pairs.shared.tocoo()
    row, column = table.coords
    covered = 2 * table.data > pairs.truth_px[row]
    if not covered.any():
        return ""
    share = pairs.truth_px[row[covered]] / pairs.predicted_px[column[covered]]
    typical = float(np.median(share))
    if typical >= MARKER_SHARE:
        return ""
    return f"labels in TRA are markers, {typical:.0%} of the area of the objects found over them"
