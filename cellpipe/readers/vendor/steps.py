"""The usual step of a stack or a movie, of which each image has its height or its time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Series = dict[str, dict[int, float]]  # of a place: number of plane or frame → height or time


def step_of_longest(series: Mapping[str, Mapping[int, float]]) -> float | None:
    """Typical distance between neighbours of the longest series; None where there is none."""
    longest = max(series.values(), key=len, default={})
    numbers = sorted(longest)
    if len(numbers) < 2:
        return None
    steps = np.diff([longest[n] for n in numbers]) / np.diff(numbers)
    step = abs(float(np.median(steps)))
    return step if step > 0 else None
