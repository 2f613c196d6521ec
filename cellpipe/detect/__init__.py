"""Spots smaller than cells: where they are, how bright, and which cell holds them.

`detect_spots` makes the same table with any of three engines: ``log`` (`blobs`), ``trackpy``
(`centroids`) and ``learned`` (`learned`, a network that the project trains). `assign_spots` and
`count_spots` say which cell holds each.
"""

from __future__ import annotations

from cellpipe.detect.filters import DIAMETER_TO_SIGMA
from cellpipe.detect.holders import assign_spots, count_spots
from cellpipe.detect.spots import COLUMNS, detect_spots

__all__ = ["COLUMNS", "DIAMETER_TO_SIGMA", "assign_spots", "count_spots", "detect_spots"]
