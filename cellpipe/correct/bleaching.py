"""Brightness of a movie over time: objects that bleach, a background that fades.

    corrected(t) = ground(0) + (grey value(t) - ground(t)) · objects(0) / objects(t)

`ground` is the usual level of the dark part of a frame and `objects` that of the bright part above
it, each pooled over fields. A cubic in time is fitted, to the logarithm of objects: fluorophores
fade by one or two exponentials (Patterson and Piston, Biophys. J. 78:2159, 2000,
doi:10.1016/S0006-3495(00)76762-2). A ratio over time is what Miura, F1000Research 9:1494, 2020,
doi:10.12688/f1000research.27171.1 calls simple ratio correction; here the background is taken off
first. Whether a signal fades in the cells or in the light cannot be seen from images: a reporter
that is switched off looks like one that bleaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cellpipe.correct.shades import parts_of

FEWEST_TIMES = 4
LEAST_CHANGE = 0.05  # from the first frame to the last
CLEAR = 4.0  # times as much change as frames scatter around it
DEGREE = 3  # of the polynomial in time
NOT = " (less than 5 %, or than frames scatter)"


class OverTime(NamedTuple):
    """gain, offset : of each frame, so that gain · grey value + offset is corrected, (n_t,) or
    empty; words : what was found"""

    gain: np.ndarray
    offset: np.ndarray
    words: str


def over_time(images: Sequence[np.ndarray], times: Sequence[int], n_t: int) -> OverTime:
    """How a channel fades over a movie, and what corrects it.

    Parameters
    ----------
    images : of each field, float32 (T, Y, X), small ones, of the frames `times`
    n_t : frames of the movie
    """
    nothing = np.zeros(0)
    if len(times) < FEWEST_TIMES or not images:
        words = f"over time: cannot be judged from {len(times)} frames"
        return OverTime(nothing, nothing, words)
    ground, objects = (np.array(each) for each in zip(*map(_levels, images), strict=True))
    t, every = np.asarray(times, float), np.arange(n_t)
    with np.errstate(invalid="ignore", divide="ignore"):
        fading = np.log(objects / objects[:, :1])  # each field by itself: they hold other cells
    seen = np.isfinite(fading).all(axis=1)
    gain, facts = np.ones(n_t), "no objects that could be followed"
    if seen.any():
        pooled = np.median(fading[seen], axis=0)
        smooth = _smooth(t, pooled, every)
        change = float(np.exp(smooth[-1] - smooth[0]) - 1)
        fades = abs(change) >= LEAST_CHANGE and _is_clear(t, pooled, smooth)
        gain = np.exp(smooth[0] - smooth) if fades else gain
        facts = f"objects {change:+.0%}{'' if fades else NOT}"
    level = np.median(ground, axis=0)  # (T,)
    smooth = _smooth(t, level, every)
    change = float(smooth[-1] - smooth[0])
    usual = float(np.median(objects[seen])) if seen.any() else float(np.median(level))
    drifts = abs(change) >= LEAST_CHANGE * usual and _is_clear(t, level, smooth)
    facts += f", background {change:+.3g} grey values{'' if drifts else NOT}"
    facts += f" from the first frame to the last, by {len(times)} frames of {len(images)} fields"
    if not drifts and (gain == 1).all():
        return OverTime(nothing, nothing, f"over time: not corrected: {facts}")
    # a background that stays is brought back to its level after what lies above it was raised
    offset = (smooth[0] if drifts else smooth) - gain * smooth
    return OverTime(gain, offset, f"over time: corrected: {facts}")


def _is_clear(t: np.ndarray, values: np.ndarray, smooth: np.ndarray) -> bool:
    """Whether a change from the first frame to the last is more than frames scatter around it."""
    scatter = 1.4826 * float(np.median(np.abs(values - _smooth(t, values, t))))
    return abs(float(smooth[-1] - smooth[0])) > CLEAR * scatter + 1e-9


def _levels(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level of the dark part, and of the bright part above it, of each frame (T, Y, X); NaN where
    there is no bright part."""
    ground, objects = np.empty(len(frames)), np.full(len(frames), np.nan)
    for k, frame in enumerate(frames):
        dark, bright = parts_of(frame)
        ground[k] = np.median(frame[dark]) if dark.any() else frame.min()
        if bright.any():
            objects[k] = max(float(np.median(frame[bright])) - ground[k], 1e-6)
    return ground, objects


def _smooth(t: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A cubic through values, by least squares, twice: without outliers in the second turn."""
    keep = np.ones(len(t), bool)
    for _ in range(2):
        fit = np.polynomial.Polynomial.fit(t[keep], values[keep], min(DEGREE, len(t) - 2))
        left = np.abs(values - fit(t))
        keep = left <= max(4 * 1.4826 * float(np.median(left)), 1e-9)
    return np.asarray(fit(at))
