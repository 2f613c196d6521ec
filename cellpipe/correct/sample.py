"""Which frames of a plate the light is found from, and how small an image of each is enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.correct.shades import WORKING_PX
from cellpipe.image.axes import Image

Frame = tuple[str, int, int]  # well, field, t
READ_PX = 2048  # edge of the blocks that an image without coarse levels is read by


def sampled(frames: Sequence[Frame], most: int, seed: int) -> list[Frame]:
    """About `most` of the frames, in their order: of as many fields as possible, chosen at random.

    Frames of one field show nearly the same, so more than one is taken only where fields are fewer
    than `most`; they are evenly spread over time.
    """
    by_field: dict[tuple[str, int], list[int]] = {}
    for well, field, t in frames:
        by_field.setdefault((well, field), []).append(t)
    places = sorted(by_field, key=lambda place: (len(place[0]), place))
    if len(places) > most:
        rng = np.random.default_rng(seed)
        places = [places[i] for i in sorted(rng.choice(len(places), most, replace=False))]
    each = max(1, most // max(1, len(places)))
    return [(*place, t) for place in places for t in spread(by_field[place], each)]


def spread(times: Sequence[int], most: int) -> list[int]:
    """Up to `most` of the times, from the first to the last; of one, that in the middle."""
    times = sorted(times)
    if most == 1:
        return [times[len(times) // 2]]
    at = np.unique(np.linspace(0, len(times) - 1, min(most, len(times))).round().astype(int))
    return [times[i] for i in at]


def groups_of(frames: Sequence[Frame], fewest: int) -> list[str]:
    """The group of each frame: its well where there are `fewest` wells or more, else its field."""
    wells = {well for well, _, _ in frames}
    by_well = len(wells) >= fewest
    return [well if by_well else f"{well} {field}" for well, field, _ in frames]


def level_for(shapes: Sequence[Sequence[int]]) -> int:
    """The coarsest of the levels of an image, by their shapes (…, Y, X), that is fine enough."""
    fine = [k for k, shape in enumerate(shapes) if min(shape[-2:]) >= WORKING_PX]
    return fine[-1] if fine else 0


def small(image: Image) -> np.ndarray:
    """An image (C, Y, X) by means of squares of pixels, shorter edge 128 to 255, float32.

    An image that is smaller than that is returned as float32. A last row or column of squares that
    is not full is left out.
    """
    n = max(1, min(image.shape[1:]) // WORKING_PX)
    height, width = (size // n for size in image.shape[1:])
    out = np.empty((image.shape[0], height, width), np.float32)
    step = max(1, READ_PX // n)
    for top in range(0, height, step):
        for left in range(0, width, step):
            bottom, right = min(top + step, height), min(left + step, width)
            block = image[:, top * n : bottom * n, left * n : right * n]
            # rows first: sums along memory are several times as fast
            rows = block.reshape(len(block), bottom - top, n, -1).sum(2, dtype=np.float32)
            squares = rows.reshape(len(block), bottom - top, right - left, n)
            out[:, top:bottom, left:right] = squares.sum(3) / np.float32(n * n)
    return out
