"""Fields that do not count in wells: which they are, and their warning."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from cellpipe.profiles.left_out import OPTION, left_out_of_wells
from cellpipe.quality.fields import places
from cellpipe.quality.focus import FLAG
from cellpipe.statistics.reference import named

Doubt = Literal["focus", "blank"]
# of a plane. Less changes counts by less than that, and registered images have such margins
LEAST_BLANK = 0.05
FEWEST = 2  # wells of a treatment, for it to be the likely cause


def fields_left_out(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """How many fields are left out and why, and treatments of which all wells are concerned."""
    fields = tables.get("fields")
    if fields is None or "left_out" not in fields:
        return
    rows = fields[fields["left_out"].fillna("").ne("")]
    if rows.empty:
        return
    kinds = rows["left_out"].str.replace(r"\S+ \d+ % blank", "blank in part", regex=True)
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.value_counts().items())
    treated = _whole_treatments(tables.get("wells"), set(left_out_of_wells(fields)))
    yield {
        "kind": "fields left out",
        "where": places(rows),
        "seen": f"{len(rows)} of {len(fields)} fields or frames do not count in wells, "
        f"controls, hits and statistics ({counts}); see left_out in fields.parquet",
        "likely_cause": f"all wells of {named(treated)} are affected: perhaps by the treatment"
        if treated
        else "the autofocus, or incomplete files",
        "do": f"look at the images; image them again, or set {OPTION} to [] to include them",
    }


def _whole_treatments(wells: pd.DataFrame | None, concerned: set[str]) -> list[str]:
    """Treatments (condition, dose, control) of several wells that all are concerned."""
    known = [c for c in ("control", "condition", "dose") if wells is not None and c in wells]
    if wells is None or not known:
        return []
    words = wells[known].astype("string").fillna("").agg(" ".join, axis=1).str.strip()
    of_all = wells["well"].astype(str).isin(concerned).groupby(words).agg(["size", "all"])
    those = of_all[of_all["all"] & (of_all["size"] >= FEWEST)].index
    return [str(name) for name in those if name]


def name_left_out(
    fields: pd.DataFrame, channels: Sequence[str], leave_out: Collection[Doubt]
) -> pd.DataFrame:
    """`fields` with `left_out`: why a field (or frame) does not count in wells; "" if it does.

    Parameters
    ----------
    fields : one row per well, field and t, with `focus_flag` and `<channel>_blank`
    leave_out : the option `profile.leave_out`

    Where half of the planes of a channel are blank in part, it is a property of these images
    (mosaics, turned images), and none is left out for it.
    """
    reasons: list[list[str]] = [[] for _ in range(len(fields))]
    if "focus" in leave_out and "focus_flag" in fields:
        blurred = fields["focus_flag"].fillna("").str.contains(FLAG, regex=False)
        for said, here in zip(reasons, blurred, strict=True):
            said += [FLAG] if here else []
    for channel in channels if "blank" in leave_out else ():
        if f"{channel}_blank" not in fields:
            continue
        share = fields[f"{channel}_blank"].astype("float64")
        if share.median() > LEAST_BLANK:
            continue
        for said, part in zip(reasons, share, strict=True):
            said += [f"{channel} {100 * part:.0f} % blank"] if part > LEAST_BLANK else []
    return fields.assign(left_out=["; ".join(said) for said in reasons])
