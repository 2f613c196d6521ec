"""When the frames of a movie were taken: the usual step, and where the time between them differs.

t        0     1     2      3      4
taken    0    60   120   3600   3660 s      step 60 s; frame 3 comes 3,480 s after 2
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cellpipe.image.units import seconds
from cellpipe.readers import xml_text
from cellpipe.readers.layouts.numbers import listed

UNEVEN = 0.5  # of the usual step, beyond which a step is another one


def usual_step_s(times_s: Mapping[int, float]) -> float | None:
    """Median time from frame to frame (s), by frame number → time; None where there is none."""
    _, steps_s = _steps(times_s)
    step_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    return step_s if step_s > 0 else None


def uneven(times_s: Mapping[int, float], where: str) -> str:
    """A sentence where frames are unevenly spaced in time; "" where even, or unknown."""
    step_s = usual_step_s(times_s)
    frames, steps_s = _steps(times_s)
    if step_s is None or len(steps_s) < 2:
        return ""
    odd = np.abs(steps_s / step_s - 1) > UNEVEN
    if not odd.any():
        return ""
    worst_s = steps_s[np.abs(steps_s / step_s - 1).argmax()]
    return (
        f"{where}: frames are not evenly spaced in time (before frame(s) {listed(frames[odd])} up "
        f"to {worst_s:,.4g} s a frame, usually {step_s:,.4g} s): speeds, lifetimes and MSD assume "
        "equal steps between all frames"
    )


def ome_times_s(image: xml_text.Element) -> dict[int, float]:
    """Time of each frame, by its first plane (DeltaT), s; empty where there are none."""
    times: dict[int, float] = {}
    for plane in xml_text.named(image, "Plane"):
        unit = seconds(plane.get("DeltaTUnit", "s"))
        at, t = xml_text.signed(plane.get("DeltaT")), xml_text.index(plane.get("TheT"))
        at_s = xml_text.signed(at * unit) if at is not None and unit else None
        if at_s is not None and t is not None:
            times[t] = min(at_s, times.get(t, at_s))
    return times


def _steps(times_s: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Frames but the first, and the time since the one before per frame number (s)."""
    frames = np.array(sorted(times_s), int)
    taken_s = np.array([times_s[t] for t in frames.tolist()], float)
    return frames[1:], np.diff(taken_s) / np.maximum(np.diff(frames), 1)
