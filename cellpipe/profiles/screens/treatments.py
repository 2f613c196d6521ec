"""Treatments of a screen over all their wells: effect, p, false discovery rate, hits by rank.

    wells of all plates (robust z within each) ──► one row per treatment ──► hits.tsv of the screen

A treatment is a condition at a dose (of a group), on whatever plate; a sample without a condition
is its well on the plates that share its plate map. Each negative control well counts as such a
treatment too: over its replicates it shows what a treatment without effect looks like, effects of
its place included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellpipe.statistics.discoveries import Direction, false_discovery_rate
from cellpipe.statistics.reference import Against, controls_of, named
from cellpipe.statistics.replicates import Null, null_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "rank", "treatment", "condition", "dose", "readout", "hit", "effect", "score", "p", "q",
    "percent_of_control", "n_wells", "n_without_value", "wells", "reason",
)  # fmt: skip


class Treatments(NamedTuple):
    """`table` of treatments by rank; `null`, what they were compared with."""

    table: pd.DataFrame
    null: Null


def name_treatments(wells: pd.DataFrame) -> pd.Series:
    """Treatment of each well: "compound", "compound at 3 µM (group)", "map: A01" without a name.

    Control wells are named by their well alone.

    Parameters
    ----------
    wells : plate_map (name of the plate map, or of the plate without one), well, control,
        condition, dose, dose_unit, group
    """
    import pandas as pd

    place = wells["plate_map"].astype(str) + ": " + wells["well"].astype(str)
    if "condition" not in wells:
        return place
    condition = _text(wells, "condition")
    dose = pd.Series("", index=wells.index)
    if "dose" in wells:
        dose = wells["dose"].map(lambda one: f" at {one:g}" if one == one else "")
        unit = _text(wells, "dose_unit")
        dose += (" " + unit).where(unit.ne("") & dose.ne(""), "")
    group = _text(wells, "group")
    alone = condition.eq("") | controls_of(wells).ne("")
    return (condition + dose + (" (" + group + ")").where(group.ne(""), "")).where(~alone, place)


def _text(wells: pd.DataFrame, column: str) -> pd.Series:
    """A column as text, "" where it is empty or not there."""
    import pandas as pd

    if column not in wells:
        return pd.Series("", index=wells.index)
    return wells[column].astype("string").fillna("").astype(str).str.strip()


def judge_treatments(
    wells: pd.DataFrame,
    readout: str,
    *,
    against: Against = "negative_controls",
    direction: Direction = "both",
    max_fdr: float | None = 0.05,
    min_effect: float = 0.0,
) -> Treatments:
    """One row per treatment of the samples, hits first, then by score.

    Parameters
    ----------
    wells : of all plates: plate, plate_map, well, control, <readout>_robust_z,
        <readout>_normalised; hit_reason, where wells have none
    against : what the null is of
    min_effect : mean robust z, in `direction`, that a hit must have; max_fdr : or None

    Returns
    -------
    Treatments
        COLUMNS: `effect` is the mean robust z, `score` that in standard errors of the null, "wells"
        names plate and well of each.
    """
    import pandas as pd

    wells = wells.assign(treatment=name_treatments(wells))
    control = controls_of(wells)
    z = wells[f"{readout}_robust_z"].astype("float64")
    without = control.eq("" if against == "samples" else "negative")
    null = null_of(z, wells["treatment"], without, mostly=against == "samples")
    samples = wells[control.eq("")].assign(z=z)
    grouped = samples.groupby("treatment", sort=True)
    first = grouped.first()
    n = grouped["z"].count()
    percent = samples[f"{readout}_normalised"].astype("float64").groupby(samples["treatment"])
    where = samples["plate"].astype(str) + " " + samples["well"].astype(str)
    table = pd.DataFrame(
        {
            "treatment": first.index,
            "condition": first.get("condition", ""),
            "dose": first.get("dose", np.nan),
            "readout": readout,
            "effect": grouped["z"].mean(),
            "percent_of_control": percent.mean(),
            "n_wells": n,
            "n_without_value": grouped.size() - n,
            "wells": where.groupby(samples["treatment"]).agg(", ".join),
        },
        index=first.index,
    )
    table["score"] = (table["effect"] - null.centre) / null.error(n)
    table["p"] = null.p(table["effect"], n, direction)
    table["q"] = false_discovery_rate(table["p"])
    table["reason"] = _reasons(samples, table, null)
    side = {"up": table["effect"], "down": -table["effect"], "both": table["effect"].abs()}
    hit = side[direction] >= min_effect
    hit &= table["q"] <= (1.0 if max_fdr is None else max_fdr)
    table["hit"] = pd.Series(hit, dtype="boolean").mask(table["reason"].ne(""))
    return Treatments(_ranked(table, direction), null)


def _reasons(samples: pd.DataFrame, table: pd.DataFrame, null: Null) -> pd.Series:
    """Why each treatment cannot be judged; "" where it can."""
    import pandas as pd

    said = pd.Series("", index=table.index, dtype="object").mask(table["effect"].notna(), null.why)
    lacking = samples[samples["z"].isna()]
    reasons = (
        lacking["hit_reason"] if "hit_reason" in lacking else lacking["well"].map(lambda _: "")
    )
    reasons = reasons.fillna("").replace("", "no value")
    for treatment, own in reasons.groupby(lacking["treatment"]):
        if table.at[treatment, "n_wells"] == 0:
            said[treatment] = named([str(words) for words in own.unique()])
    return said


def _ranked(table: pd.DataFrame, direction: Direction) -> pd.DataFrame:
    far = {"up": table["score"], "down": -table["score"], "both": table["score"].abs()}[direction]
    order = table.assign(no_hit=~table["hit"].fillna(False).astype(bool), far=-far)
    table = table.loc[order.sort_values(["no_hit", "far"], kind="stable").index]
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)[list(COLUMNS)]
