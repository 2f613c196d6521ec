"""Whether images whose names differ in a number alone show one place: frames of a movie, or planes.

    0001.tif ─┬─ without what is wider than a few objects ──► correlation, of pairs that follow
    0002.tif ─┘                                                each other: of one place, or none

Different places share no objects, so that they correlate by uneven light and dust alone: light is
taken out, dust is faint. Objects that move far from frame to frame look like other places: then
nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers import ONLY
from cellpipe.readers.pixels.colours import COMPONENTS
from cellpipe.readers.pixels.reading import read_plane

PAIRS = 5
SAME = 0.5  # correlation of two frames of one place; of different places below 0.2
SIDE_PX = 256  # of the reduced image
WIDE = 16  # part of the side: what is wider is light


def follow_each_other(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """(PAIRS, 2) places in `numbers` of some pairs n, n + 1, spread over all."""
    at = {number: place for place, number in enumerate(numbers)}
    pairs = [(at[n], at[n + 1]) for n in sorted(at) if n + 1 in at]
    if len(pairs) <= PAIRS:
        return pairs
    return [pairs[k] for k in np.linspace(0, len(pairs) - 1, PAIRS).round().astype(int)]


def correlation(folder: Path, paths: Sequence[tuple[str, str]]) -> float:
    """The median correlation of pairs of images; NaN where none can be compared."""
    found = []
    for one, other in paths:
        first, second = (_structure(folder / path) for path in (one, other))
        if first is None or second is None or first.shape != second.shape:
            continue
        norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
        if norm > 1e-6 * first.size:  # a constant image has no structure but rounding
            found.append(float((first * second).sum()) / norm)
    return float(np.median(found)) if found else float("nan")


def _structure(path: Path) -> np.ndarray | None:
    """A reduced image without its wide structures; None where it cannot be read."""
    from scipy import ndimage

    pixels = None
    for page in (ONLY, COMPONENTS["grey"]):
        try:
            pixels = read_plane(path, page).astype(float)
            break
        except BadImage:
            continue
    if pixels is None:
        return None
    by = max(1, min(pixels.shape) // SIDE_PX)
    whole = pixels[: pixels.shape[0] // by * by, : pixels.shape[1] // by * by]
    small = whole.reshape(whole.shape[0] // by, by, -1, by).mean(axis=(1, 3))
    fine = ndimage.gaussian_filter(small, 1.0)  # pixel noise is no structure
    return fine - ndimage.gaussian_filter(small, max(2.0, min(small.shape) / WIDE))
