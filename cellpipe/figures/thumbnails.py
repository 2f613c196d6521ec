"""A field small enough to show 96 of them, with the outlines of its objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellpipe.metrics.outlines import outlines

Colour = tuple[float, float, float]  # red, green, blue, 0 to 1
DEFAULT_COLOURS: tuple[Colour, ...] = (
    (0.25, 0.55, 1.0),  # blue that is bright enough to see, as for DNA
    (0.2, 1.0, 0.4),
    (1.0, 0.35, 0.55),
    (1.0, 0.85, 0.25),
)


def thumbnail_with_outlines(
    pixels: NDArray,
    labels: NDArray | None = None,
    *,
    colours: Sequence[Colour] | None = None,
    limits: Sequence[tuple[float, float]] | None = None,
    size_px: int = 160,
    outline: Colour = (1.0, 0.86, 0.35),
) -> NDArray[np.uint8]:
    """One RGB picture of a field.

    Parameters
    ----------
    pixels : array, shape (Y, X) or (C, Y, X)
    labels : array of int, shape (Y, X), optional
        Objects to outline, 0 background.
    colours : one per channel
        A single channel is grey without it.
    limits : (dark, bright) per channel
        Give all fields of a plate the same so that they can be compared; without it the 0.5 to
        99.8 percentile of this field.
    size_px : int
        The longer side is at most this.

    Returns
    -------
    array, shape (y, x, 3), uint8
    """
    stack = np.asarray(pixels)
    stack = stack[None] if stack.ndim == 2 else stack
    small = np.stack([shrink(plane, size_px) for plane in stack])  # (C, y, x)
    if colours is None:
        colours = DEFAULT_COLOURS if len(stack) > 1 else ((1.0, 1.0, 1.0),)
    rgb = np.zeros((*small.shape[1:], 3))
    for c, plane in enumerate(small):
        dark, bright = limits[c] if limits else np.percentile(plane, (0.5, 99.8))
        shade = np.clip((plane - dark) / max(float(bright - dark), 1e-12), 0, 1)
        rgb += shade[..., None] * np.asarray(colours[c % len(colours)])
    rgb = np.clip(rgb, 0, 1)
    if labels is not None:
        alpha = _outline_alpha(np.asarray(labels), size_px)[..., None]
        rgb = (1 - alpha) * rgb + alpha * np.asarray(outline)
    return (rgb * 255 + 0.5).astype(np.uint8)


def shrink(plane: NDArray, size_px: int) -> NDArray[np.float64]:
    """Mean over blocks of whole pixels, so that the longer side is at most `size_px`."""
    step = -(-max(plane.shape) // size_px)
    y, x = (max(n // step, 1) for n in plane.shape)
    cut = plane[: y * step, : x * step]
    rows, columns = (min(step, n) for n in cut.shape)
    # first over rows, which are contiguous in memory: three times as fast
    lines = cut.reshape(y, rows, -1).sum(axis=1, dtype=float)
    return lines.reshape(y, x, columns).sum(axis=2) / (rows * columns)


def _outline_alpha(labels: NDArray, size_px: int) -> NDArray[np.float64]:
    """How strongly each pixel of the small picture is outline: a smooth line, not a staircase."""
    step = -(-max(labels.shape) // size_px)
    return np.clip(shrink(outlines(labels), size_px) * step**0.6, 0, 1)
