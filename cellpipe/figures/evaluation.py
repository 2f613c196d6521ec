"""Where a segmentation is right and where it is wrong: AP against IoU, and pictures of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.figures.style import COLUMN_INCHES, PALETTE, house_style, new_figure
from cellpipe.figures.thumbnails import Colour
from cellpipe.metrics.outlines import outlines

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TRUTH: Colour = (1.0, 0.60, 0.0)  # orange and sky blue of Okabe & Ito, a little brighter
FOUND: Colour = (0.30, 0.75, 1.0)
BOTH: Colour = (1.0, 1.0, 1.0)
WINDOW_PX = 384  # of an image that is shown: with more, outlines can no longer be distinguished
PICTURE_PX = 768


def precision_curve(curves: pd.DataFrame) -> Figure:
    """AP against the IoU required for a match: mean, quartiles of the images, and pooled.

    Parameters
    ----------
    curves : from `metrics.segmentation.precision_curves`, with a column ``object``
    """
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.05, COLUMN_INCHES * 0.8)
        axes = figure.subplots()
        for i, (name, own) in enumerate(curves.groupby("object", sort=False)):
            colour = PALETTE[i % len(PALETTE)]
            x = own["iou"]
            axes.fill_between(x, own["low"], own["high"], color=colour, alpha=0.15, lw=0)
            label = f"{name}, mean of {int(own['n_images'].iloc[0])} images"
            axes.plot(x, own["mean"], "o-", ms=3, color=colour, label=label)
            axes.plot(x, own["pooled"], "--", color=colour, label="all objects pooled")
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0.49, 0.96)
        axes.set_xlabel("IoU required for a match")
        axes.set_ylabel("AP = TP / (TP + FP + FN)")
        figure.legend(loc="outside upper left", ncols=2, fontsize=6)
    return figure


def picture_of_errors(pixels: NDArray | None, truth: NDArray, found: NDArray) -> NDArray[np.uint8]:
    """The worst part of an image, with true and found outlines.

    Parameters
    ----------
    pixels : array, shape (Y, X); without them the objects are shown on black
    truth, found : integer arrays, shape (Y, X), 0 background

    Returns
    -------
    array, shape (y, x, 3), uint8: up to `WINDOW_PX` of the image, enlarged to `PICTURE_PX`, with
    outlines of the truth in `TRUTH`, of what was found in `FOUND`, where both agree in `BOTH`
    """
    window = worst_window(truth, found)
    shade = np.zeros(truth.shape) if pixels is None else _shade(pixels)
    times = max(PICTURE_PX // max(truth[window].shape), 1)
    large, true, ours = (
        np.repeat(np.repeat(a[window], times, axis=0), times, axis=1) for a in (shade, truth, found)
    )
    rgb = np.repeat(0.85 * large[..., None], 3, axis=2)
    edges = outlines(true), outlines(ours)
    for edge, colour in zip((*edges, edges[0] & edges[1]), (TRUTH, FOUND, BOTH), strict=True):
        rgb[_thick(edge, times)] = colour
    return (rgb * 255 + 0.5).astype(np.uint8)


def worst_window(truth: NDArray, found: NDArray, size_px: int = WINDOW_PX) -> tuple[slice, slice]:
    """The square (or less, at a small image) that holds the most pixels of unmatched objects."""
    wrong = _unmatched(truth, found).astype(np.int64)
    sums = np.pad(wrong.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    y, x = (min(size_px, n) for n in truth.shape)
    held = _sums_of(sums, y, x)
    # errors are seen best with their surroundings: those in the middle count twice
    inner = _sums_of(sums, y - 2 * (y // 4), x - 2 * (x // 4))[y // 4 :, x // 4 :]
    held += inner[: held.shape[0], : held.shape[1]]
    best = np.argwhere(held == held.max())
    top, left = best[len(best) // 2]
    return slice(int(top), int(top) + y), slice(int(left), int(left) + x)


def _sums_of(sums: NDArray, y: int, x: int) -> NDArray:
    """Sum of every window of y × x pixels, from the summed-area table."""
    return sums[y:, x:] - sums[:-y, x:] - sums[y:, :-x] + sums[:-y, :-x]


def _unmatched(truth: NDArray, found: NDArray) -> NDArray[np.bool_]:
    """(Y, X) True on objects without a partner of IoU 0.5 or more."""
    from cellpipe.metrics.labels import matches, overlap  # here: few plates have a truth

    pairs = overlap(truth, found)
    matched = matches(pairs)
    good_truth, good_found = pairs.truth[matched.truth], pairs.predicted[matched.predicted]
    missed = (truth > 0) & ~np.isin(truth, good_truth)
    return missed | ((found > 0) & ~np.isin(found, good_found))


def _shade(pixels: NDArray) -> NDArray[np.float64]:
    """Grey from 0 to 1; the square root makes dim objects visible next to bright ones."""
    dark, bright = np.percentile(pixels, (0.5, 99.8))
    return np.sqrt(np.clip((pixels - float(dark)) / max(float(bright - dark), 1e-12), 0, 1))


def _thick(edge: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """An outline of two pixels where pictures are enlarged: one is too thin to be seen."""
    if times < 2:
        return edge
    wide = edge.copy()
    wide[1:] |= edge[:-1]
    wide[:, 1:] |= edge[:, :-1]
    return wide
