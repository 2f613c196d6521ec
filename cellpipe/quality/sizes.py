"""Fields whose objects are of another size than in the other fields of their well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

TIMES = 1.4  # medians of fields of one well differ by less, if they hold many objects;
DEVIATIONS = 6.0  # of few, by as much as they do in other wells
LEAST = 8  # fields, to know how much that is
FEWEST = 4  # objects of a field;
PAIR, PAIR_TIMES = 2, 1.7  # two or three show no more than that: another objective
COLUMNS = {"object_diameter_px", "n_nuclei"}


def odd_sizes(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Fields of wells of two and more that do not fit the rest of the well, and the plate less.

    What was done to a well was done to all of its fields: what changes in one is the imaging.
    """
    fields = tables.get("fields")
    if fields is None or not COLUMNS.issubset(fields):
        return
    known = fields[(fields["n_nuclei"] >= PAIR) & (fields["object_diameter_px"] > 0)]
    of_fields = known.groupby(["well", "field"])
    size = np.log(of_fields["object_diameter_px"].median())
    many = of_fields["n_nuclei"].median() >= FEWEST
    apart = size - _of_the_others(size, many)
    apart = apart[apart.notna()]
    if many[apart.index].sum() < LEAST:
        return
    usual = 1.4826 * float(apart[many[apart.index]].abs().median())
    least = np.where(many[apart.index], np.log(TIMES), np.log(PAIR_TIMES))
    limit = np.maximum(least, DEVIATIONS * usual)
    far = (size - size.median()).abs()
    odd = [
        f"{well} field {field} ({np.exp(times):.2g} times)"
        for (well, field), times in apart[apart.abs() > limit].items()
        if far[well, field] == far[well].max()
    ]
    if odd:
        yield {
            "kind": "another size",
            "where": ", ".join(odd[:8]) + (f" and {len(odd) - 8} more" if len(odd) > 8 else ""),
            "seen": f"median diameter of objects unlike that of the other fields of the well, in "
            f"{len(odd)} of {len(size)} fields",
            "likely_cause": "another magnification or binning; another focus; clumps or debris",
            "do": "look at the images of these fields; leave them out, or image them again",
        }


def _of_the_others(size: pd.Series, many: pd.Series) -> pd.Series:
    """Median of the other fields of the same well that hold `many` objects, by well and field; NaN
    where there is none."""
    telling = dict(tuple(size[many].groupby(level=0)))
    none = size.iloc[:0]
    others = {
        place: telling.get(place[0], none).drop([place], errors="ignore").median()
        for place in size.index
    }
    return pd.Series(others, index=size.index, dtype=float)
