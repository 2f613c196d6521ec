"""Frames and planes from the numbers in file names: time stays time.

tokens   1 2 3 . . . 7 8      a count that lost three: frames 0 1 2 . . . 6 7
tokens   0 10 20 . 40         minutes: one frame per step of 10, one of them lost
tokens   0 301 599 . 1502     seconds with jitter: frames 0 1 2 . . 5
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

SPARSE = 2.5  # frames per token; beyond it, tokens with jitter are tried
EMPTIEST = 20  # frames per token, beyond which tokens are no count of anything
JITTER = 0.25  # of the step, that a time may be away from its frame
SHOWN = 6
_ELAPSED = re.compile(r"(\d+)d(\d\d)h(\d\d)m")


def elapsed_min(text: str) -> int | None:
    """Minutes of a time in a name, "01d04h30m"; None for another word."""
    found = _ELAPSED.fullmatch(text)
    if found is None or len(found[1]) > 4:
        return None
    days, hours, minutes = (int(part) for part in found.groups())
    return (24 * days + hours) * 60 + minutes


def frames_of(tokens: pd.Series, *, count: bool = False) -> tuple[pd.Series, list[str]]:
    """Frame of each file, from 0, by the number in its name; and what was assumed, in sentences.

    Frames that no file has stay empty, so that the time between those that are there is right.

    Parameters
    ----------
    tokens : whole numbers, NaN where a name has none
    count : the microscope counts time points one by one, so that a step of two is a lost frame
    """
    numbers = tokens.fillna(tokens.min() if tokens.notna().any() else 0).astype("int64")
    there = np.unique(numbers)
    step = _step(there, count)
    if step is None:
        note = (
            f"time points {listed(there)} are not evenly spaced: frames are numbered in their "
            "order, and speeds, lifetimes and MSD are per frame, not per time"
        )
        return numbers.rank(method="dense").astype("int64") - 1, [note]
    # gap by gap: a clock that drifts would add up over a long movie
    at = np.concatenate([[0], np.cumsum(np.rint(np.diff(there) / step))]).astype("int64")
    frames = numbers.map(dict(zip(there.tolist(), at.tolist(), strict=True))).astype("int64")
    notes = []
    if step != 1:
        notes.append(
            f"time points {listed(there)} are taken as one frame per {step:g}: the time step is "
            "that between two frames"
        )
    counted = count or (step == 1 and len(there) > 1)
    if counted and there[0] > 1:
        notes.append(
            f"time points begin at {there[0]}, which is taken as frame 0: if earlier ones were "
            "lost, all times are counted from too late"
        )
    lost = np.setdiff1d(np.arange(at[-1]), at)
    if len(lost):
        points = f" (time points {listed(lost + there[0])})" if step == 1 else ""
        notes.append(
            f"frame(s) {listed(lost)}{points} of {at[-1] + 1} are in no well, because no file has "
            "their time point: they are left empty, and the others keep their time"
        )
    return frames, notes


def _step(there: np.ndarray, count: bool) -> float | None:
    """Difference of the tokens of two frames; None where the tokens are not evenly spaced."""
    gaps = np.diff(there)
    if not len(gaps):
        return 1.0
    common = math.gcd(*(int(gap) for gap in gaps))
    regular = len(gaps) > 2 and (gaps == common).all()  # by chance, losses are not so even
    if count and not regular and _sparse(gaps, 1) <= EMPTIEST:
        return 1.0
    if _sparse(gaps, common) <= SPARSE:
        return float(common)
    median = float(np.median(gaps))
    whole = np.rint(gaps / median)
    close = (np.abs(gaps / median - whole) <= JITTER) & (whole > 0)
    if close.all() and _sparse(gaps, median) <= EMPTIEST:
        return median
    return float(common) if _sparse(gaps, common) <= EMPTIEST else None


def _sparse(gaps: np.ndarray, step: float) -> float:
    """Frames at that step, per token that is there."""
    return float(gaps.sum() / step) / (len(gaps) + 1)


def planes_of(tokens: pd.Series, channels: pd.Series) -> pd.Series:
    """Number of each plane in the stack of its channel, 0, 1, 2 …; 0 where a name has none."""
    ranks = tokens.groupby(channels).rank(method="dense")
    return ranks.fillna(1).astype("int64") - 1


def lost_planes(tokens: pd.Series, channels: pd.Series) -> list[str]:
    """Sentences on planes that lack in the middle of every stack of a channel."""
    notes = []
    for channel, own in tokens.dropna().groupby(channels):
        there = np.unique(own.astype("int64"))
        gaps = np.diff(there)
        if len(gaps) > 1 and (gaps != gaps.min()).any():
            lost = sorted(
                set(range(int(there[0]), int(there[-1]), int(gaps.min()))) - set(there.tolist())
            )
            notes.append(
                f"plane(s) {listed(lost)} of the stacks of channel '{channel}' are in no field: "
                "the stacks are taken without them"
            )
    return notes


def listed(numbers: Sequence[int] | np.ndarray) -> str:
    """Numbers as text: ranges as "7-9", the first of many."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and int(number) == stretches[-1][1] + 1:
            stretches[-1][1] = int(number)
        else:
            stretches.append([int(number)] * 2)
    words = [f"{a}" if a == b else f"{a}-{b}" for a, b in stretches]
    return ", ".join(words[:SHOWN]) + (" …" if len(words) > SHOWN else "")
