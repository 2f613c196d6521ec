"""Objects that measure brighter in one part of the field than in another: uneven light.

    log intensity of each object, less the median of its frame ──► medians of 4 × 4 parts

Where a cell lies in the field has nothing to do with what it is, so what parts of the field differ
by is light: illumination, or what the optics let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

PARTS = 4  # along y and x
FEWEST = 12  # objects in each part
RATIO = 1.15  # of the brightest to the darkest quarter of the field
# standard errors of a part: chance alone makes the quarters of 16 parts differ by about 2.4
ERRORS = 6.0


def uneven_light(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Channels in which objects of one quarter of the field are brighter than those of another."""
    cells = tables.get("cells")
    if cells is None or len(cells) < FEWEST * PARTS**2 or "y_um" not in cells:
        return
    for channel in inspection.get("channels", []):
        if f"{channel}_mean" not in cells:
            continue
        quarters = brightest_to_darkest(cells, channel)
        if quarters is None:
            continue
        ratio, error, n = quarters
        if ratio < RATIO or np.log(ratio) < ERRORS * error:
            continue
        yield {
            "kind": "uneven light",
            "where": f"channel {channel}",
            "seen": f"objects measure {ratio:.2f} times as bright in the brightest quarter of the "
            f"field as in the darkest ({n:,} objects)",
            "likely_cause": "uneven illumination, or optics that dim the edges of the field",
            "do": "set 'correct.method' to auto; if it is, the section Light of the report states "
            "why the channel is not corrected",
        }


def brightest_to_darkest(cells: pd.DataFrame, channel: str) -> tuple[float, float, int] | None:
    """Intensity of objects in the brightest quarter of the field over that in the darkest.

    Returns the ratio, the standard error of the logarithm of one of the 16 parts, and the number of
    objects; None where a part has too few.

    cells : rows with well, field, t, y_um, x_um and <channel>_mean. The offset of the camera is in
        it, so that the light differs by more than the ratio
    """
    frame = ["well", "field", "t"]
    rows = cells[[*frame, "y_um", "x_um", f"{channel}_mean"]].dropna()
    rows = rows[rows[f"{channel}_mean"] > 0]
    level = rows[f"{channel}_mean"]
    usual = level.groupby([rows[name] for name in frame]).transform("median")
    own = np.log(level / usual)
    y, x = (_part(rows[name].to_numpy(float)) for name in ("y_um", "x_um"))
    groups = own.groupby(PARTS * y + x)
    counts, medians = groups.size(), groups.median()
    if len(counts) < PARTS**2 or counts.min() < FEWEST:
        return None
    # of a median; robust, for a few objects are many times as bright as the others
    spread = 1.4826 * float((own - own.median()).abs().median())
    error = 1.2533 * spread / float(np.sqrt(counts.median()))
    ordered = np.sort(medians.to_numpy())
    quarter = PARTS**2 // 4
    ratio = float(np.exp(ordered[-quarter:].mean() - ordered[:quarter].mean()))
    return ratio, error, len(rows)


def _part(places: np.ndarray) -> np.ndarray:
    """The part of the field along an axis, by the place of the farthest object."""
    edge = max(float(places.max(initial=0.0)), 1e-9)
    return np.minimum((places / edge * PARTS).astype(int), PARTS - 1)
