"""Grey values of a plane as a camera leaves them: their level, their noise, the steps between them.

    pixels │ ▂▆█▅▂▁ ▁▁▁     background: where most of a field is
           └────────────    step: 1 where a camera wrote them; 2, 4, 16 where they were multiplied,
             110   400      1.4 where they were stretched (of ten grey values three are absent)

By these, `cellpipe.quality.levels` finds fields that were exported in another way than the rest of
their plate, and by the digest of a channel those that occur in two places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from cellpipe.image.tiles import Plane, every_nth

SAMPLE_PX = 1 << 16
CROP_PX = 256  # edge of the square in the middle in which noise is measured
LOW = 5.0  # percentile of the background
DENSE = 8  # pixels at each grey value, for an absent one to mean something
FEWEST = 5  # grey values


def level_figures(plane: Plane) -> dict[str, float | str]:
    """background, noise, step and digest of a plane (Y, X), or of a stack (Z, Y, X) in memory.

    background : 5th percentile
    noise : sigma of the noise, in the middle of the plane
    step : between neighbouring grey values; NaN where there are too few pixels for as many values,
        or no whole numbers
    digest : 16 hexadecimal digits that two planes share if their pixels are the same
    """
    if len(plane.shape) == 3:
        plane = np.asarray(plane).reshape(-1, plane.shape[-1])
    height, width = plane.shape
    step = max(1, int(np.sqrt(height * width / SAMPLE_PX)))
    sample = np.sort(every_nth(plane, step).ravel(), kind="stable")  # of integers: by radix
    top, left = max(0, (height - CROP_PX) // 2), max(0, (width - CROP_PX) // 2)
    middle = np.asarray(plane[top : top + CROP_PX, left : left + CROP_PX])
    digest = hashlib.blake2b(f"{plane.shape} {plane.dtype} ".encode(), digest_size=8)
    for row in range(0, height, 1024):
        digest.update(np.ascontiguousarray(plane[row : row + 1024]).data)
    return {
        "background": float(sample[int(len(sample) * LOW / 100)]),
        "noise": noise_sigma(middle.astype(np.float32)),
        "step": grey_step(sample),
        "digest": digest.hexdigest(),
    }


def noise_sigma(image: np.ndarray) -> float:
    """Sigma of the noise of an image (Y, X), float: by a mask that is blind to planes and edges.

    The median response of [1 -2 1; -2 4 -2; 1 -2 1]: Immerkær 1996, doi:10.1006/cviu.1996.0060.
    """
    if min(image.shape) < 3:
        return 0.0
    along_y = image[:-2] + image[2:] - 2 * image[1:-1]  # by slices: 8 times as fast as `convolve`
    response = along_y[:, :-2] + along_y[:, 2:] - 2 * along_y[:, 1:-1]
    return float(np.median(np.abs(response)) / 0.6745 / 6)  # the mask's norm is 6


def grey_step(ordered: np.ndarray) -> float:
    """Mean distance between grey values where they are densest; of sorted pixels (N,)."""
    if ordered.dtype.kind not in "ui" or len(ordered) < DENSE * FEWEST:
        return float("nan")
    for share in (0.5, 0.2, 0.05):
        n = max(2, int(share * len(ordered)))
        widths = ordered[n - 1 :].astype(np.int64) - ordered[: len(ordered) - n + 1]
        first = int(np.argmin(widths))
        values, counts = np.unique(ordered[first : first + n], return_counts=True)
        if len(values) >= FEWEST and n >= DENSE * len(values):
            # the ends are cut; where few pixels have a value, its neighbours may lack by chance
            weights = np.minimum(counts[1:-2], counts[2:-1])
            weights = np.where(weights >= DENSE, weights, 0)
            gaps = np.diff(values[1:-1].astype(np.int64))
            total = int(weights.sum())
            return float((gaps * weights).sum() / total) if total else float("nan")
    return float("nan")


def contrast_window(samples: Sequence[np.ndarray]) -> tuple[float, float]:
    """Display range of a channel: darkest to all but the brightest 0.1 % of sampled planes."""
    pixels = np.concatenate([plane.ravel()[::7] for plane in samples])
    low, high = np.percentile(pixels, [0.5, 99.9])
    return float(low), float(max(high, low + 1))
