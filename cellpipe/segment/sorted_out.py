"""What was found and then dropped, and what else raises a doubt: counted, never passed over.

objects found ──► improbable? ──► too small? ──► too large? ──► cut by the frame? ──► kept
                      │              │               │                │
                      └──────────────┴── counted ────┴────────────────┘
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellpipe.networks.found import Found

FILTERS = ("improbable", "small", "large", "border")
UNDECIDED = (0.2, 0.8)  # object probabilities between: neither real nor not


class SortedOut(NamedTuple):
    """Numbers of objects, each under the first filter that dropped it.

    undecided : share of the objects found that are neither probably real nor probably not
    diameter_px : typical of the objects that are kept, NaN for none
    known_px : diameters that the engine was trained on, at the image's scale; None: not known
    """

    improbable: int = 0
    small: int = 0
    large: int = 0
    border: int = 0
    undecided: float = 0.0
    diameter_px: float = float("nan")
    known_px: tuple[float, float] | None = None

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in FILTERS}


def sort_out(
    area: np.ndarray,
    border: np.ndarray,
    found: Found,
    probable: np.ndarray,
    *,
    min_area_px: float,
    max_area_px: float | None,
    keep_border: bool,
) -> tuple[np.ndarray, SortedOut]:
    """Which values to keep, bool (n + 1,), and what was dropped.

    Parameters
    ----------
    area, border : pixels of each value, and whether it touches the frame, (n + 1,); 0 background
    probable : objects that are probable enough, bool (n,)
    """
    there = area > 0
    there[0] = False
    left, counts = there.copy(), dict.fromkeys(FILTERS, 0)
    improbable = np.zeros(len(area), bool)
    improbable[1 : len(probable) + 1] = ~probable[: len(area) - 1]
    small, large = area < min_area_px, area > (max_area_px or np.inf)
    cut = border & (not keep_border)
    for name, dropped in zip(FILTERS, (improbable, small, large, cut), strict=True):
        counts[name] = int((left & dropped).sum())
        left &= ~dropped
    probability = found.object_probability
    undecided = (probability > UNDECIDED[0]) & (probability < UNDECIDED[1])
    return left, SortedOut(
        **counts,
        undecided=float(undecided.mean()) if len(undecided) else 0.0,
        diameter_px=_median_diameter(area[left]),
        known_px=found.known_px,
    )


def _median_diameter(areas_px: np.ndarray) -> float:
    return float(2 * np.sqrt(np.median(areas_px) / np.pi)) if len(areas_px) else float("nan")
