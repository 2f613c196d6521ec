"""Ground of a well that several of its fields show: imaged once, however often it was exposed.

    ┌────────┐
    │    ┌───┼────┐     area of both fields: 2 × 1; of what they show: 2 - the part in the middle
    │    │▒▒▒│    │
    └────┼───┘    │
         └────────┘

Objects of such ground count in one field (`counted` of the tables), so densities are of the area of
the union.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

RECTANGLE = ["low_y", "low_x", "high_y", "high_x"]


def placed_rectangles(
    places: pd.DataFrame, inspection: Mapping[str, Any], pixel_um: tuple[float, float]
) -> pd.DataFrame:
    """What each field covers of its well: well, field and `RECTANGLE` (µm); NaN where unknown.

    Parameters
    ----------
    places : well, field, well_y_um, well_x_um (centre of the first pixel); from `places.parquet`
    inspection : of the plate: sizes of its fields
    pixel_um : height and width of a pixel
    """
    sides = sides_px(inspection)
    keys = zip(places["well"], places["field"], strict=True)
    side = np.array([sides[str(well), int(field)] for well, field in keys], float).reshape(-1, 2)
    edge = np.array(pixel_um)
    low = places[["well_y_um", "well_x_um"]].to_numpy(float) - edge / 2
    corners = dict(zip(RECTANGLE, np.hstack([low, low + side * edge]).T, strict=True))
    return places[["well", "field"]].assign(**corners)


def sides_px(inspection: Mapping[str, Any]) -> dict[tuple[str, int], tuple[int, int]]:
    """Height and width of each field (well, number) of a plate."""
    sides = {}
    for place in inspection["fields"]:
        sizes = dict(zip(place["axes"], place["shape"], strict=True))
        sides[str(place["well"]), int(place["field"])] = (int(sizes["y"]), int(sizes["x"]))
    return sides


def union_area(rectangles: np.ndarray) -> float:
    """Area of what rectangles (N, 4: low y, low x, high y, high x) cover together."""
    if len(rectangles) == 0:
        return 0.0
    y, x = np.unique(rectangles[:, [0, 2]]), np.unique(rectangles[:, [1, 3]])
    covered = np.zeros((max(len(y) - 1, 0), max(len(x) - 1, 0)), bool)
    for low_y, low_x, high_y, high_x in rectangles:
        rows = slice(*np.searchsorted(y, (low_y, high_y)))
        covered[rows, slice(*np.searchsorted(x, (low_x, high_x)))] = True
    return float(np.diff(y) @ covered @ np.diff(x))


def overlap_shares(frames: pd.DataFrame, rectangles: pd.DataFrame) -> pd.DataFrame:
    """Which share of the fields' summed area is ground that another field counts already.

    Parameters
    ----------
    frames : well, field, t, from `cellpipe.profiles.ground.usable_frames`
    rectangles : from `placed_rectangles`

    Returns
    -------
    DataFrame
        By well: of_frames (over all times), of_fields (of the fields that have any frame), 0 … 1;
        NaN where the place of a field is not known, so that each field counts by itself
    """
    import pandas as pd

    known = frames.merge(rectangles, how="left", on=["well", "field"])
    rows = {}
    for well, own in known.groupby("well", sort=False):
        if own[RECTANGLE].isna().any(axis=None):
            rows[str(well)] = (float("nan"), float("nan"))
            continue
        areas: dict[tuple[int, ...], tuple[float, float]] = {}
        sums = np.zeros(2)
        for _, shown in own.groupby("t", sort=False):
            fields = tuple(sorted(shown["field"]))
            if fields not in areas:
                areas[fields] = _areas(shown)
            sums += areas[fields]
        rows[str(well)] = (_share(*sums), _share(*_areas(own.drop_duplicates("field"))))
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["of_frames", "of_fields"], dtype="float64"
    )


def _areas(fields: pd.DataFrame) -> tuple[float, float]:
    """Area of the union, and the sum of areas."""
    own = fields[RECTANGLE].to_numpy(float)
    return union_area(own), float(((own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])).sum())


def _share(union: float, total: float) -> float:
    share = 1 - union / total if total else 0.0
    return share if share > 1e-9 else 0.0  # rounding of places is no overlap
