"""Control wells of one kind that were treated in several ways: may they be pooled?

    positive: staurosporine  20 21 19   ┐ their median, 60, is what neither does: no Z′ and no
              nocodazole    101 99 100  ┘ percent of control, but a reason

Treatments are compared by one-way analysis of variance. Controls of one treatment that fall into
two groups far apart (a row that was not pipetted, a dispenser that failed) are no reference either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.statistics.robust import median
from cellpipe.statistics.spread import SAME_WITHIN

if TYPE_CHECKING:
    import pandas as pd

DIFFERENT_P = 0.001
FAR_APART_SD = 4.0  # spreads within a treatment: then the spread of all is that between treatments
FAR_APART_SHARE = 0.5  # of the distance between the kinds of control
# Two groups: 1 % of 6, .3 % of 8 and 0 % of 12 normal controls have such a gap (4,000 draws each)
GROUPS_FROM = 6  # controls
SMALLER_GROUP = 0.25  # of the controls: fewer are outliers, which the MAD bears
GAP_SD = 8.0  # spreads within the groups
GAP_SHARE = 0.25  # of the greatest value: less hides no effect worth finding


def mixed_controls(
    own: pd.DataFrame, readout: str, kind: str, others: float = float("nan")
) -> tuple[str, str]:
    """(why the controls cannot be taken together, a note for the reader); "" for neither.

    Parameters
    ----------
    own : control wells of one kind: condition, dose, the readout
    others : median of the other kind; of negative controls, their spread decides instead
    """
    groups = _by_treatment(own, readout)
    if len(groups) < 2:
        fallen_apart = _two_groups(own, readout, kind)
        return (fallen_apart, "") if kind == "negative" else ("", fallen_apart)
    values = list(groups.values())
    within, p = _anova(values)
    medians = [median(group) for group in values]
    apart = max(medians) - min(medians)
    if p > DIFFERENT_P or apart <= SAME_WITHIN * max(map(abs, medians)):
        return "", ""
    told = ", ".join(f"{name} {middle:.3g}" for name, middle in zip(groups, medians, strict=True))
    what = f"{kind} controls of {len(groups)} treatments differ ({told})"
    together = abs(median(own[readout]) - others)
    limit = FAR_APART_SHARE * together if kind == "positive" else FAR_APART_SD * within
    if apart > limit:
        return f"{what}: mark only the intended ones as {kind!r}", ""
    return "", f"{what}, and are taken together"


def _two_groups(own: pd.DataFrame, readout: str, kind: str) -> str:
    """How controls of one treatment fall into two groups; "" where they do not."""
    known = own[np.isfinite(own[readout].astype("float64"))].sort_values(readout, kind="stable")
    values = known[readout].to_numpy("float64")
    n, gaps = values.size, np.diff(values)
    least = max(2, int(np.ceil(SMALLER_GROUP * n)))
    if n < GROUPS_FROM or not (gaps > 0).any():
        return ""
    cut = least + int(np.argmax(gaps[least - 1 : n - least]))
    low, high = values[:cut], values[cut:]
    within = np.sqrt(
        (np.sum((low - low.mean()) ** 2) + np.sum((high - high.mean()) ** 2)) / (n - 2)
    )
    step = gaps[gaps > 0].min()  # counts of 0 and 1 are two values, and no two groups
    if gaps[cut - 1] < max(GAP_SD * max(within, step), GAP_SHARE * np.abs(values).max()):
        return ""
    parts = (known.iloc[:cut].sort_index(), known.iloc[cut:].sort_index())  # as on the plate
    wells = [", ".join(map(str, part["well"][:4])) + " …" * (len(part) > 4) for part in parts]
    return (
        f"the {n} {kind} controls fall into two groups, {len(low)} near {np.median(low):.3g} "
        f"({wells[0]}) and {len(high)} near {np.median(high):.3g} ({wells[1]}): find out which "
        f"are right, and mark only those as {kind!r}"
    )


def _by_treatment(own: pd.DataFrame, readout: str) -> dict[str, np.ndarray]:
    """Values by condition and dose, those of wells with a value."""
    import pandas as pd

    known = own[np.isfinite(own[readout].astype("float64"))]
    name = pd.Series("", index=known.index, dtype="str")
    if "condition" in known:
        name = known["condition"].astype("string").fillna("").astype(str)
    if "dose" in known:
        doses = known["dose"].map(lambda dose: f"at {dose:g}" if dose == dose else "")
        name = (name + " " + doses).str.strip()
    groups = known[readout].astype("float64").groupby(name.replace("", "without condition"))
    return {str(treatment): values.to_numpy() for treatment, values in groups}


def _anova(groups: list[np.ndarray]) -> tuple[float, float]:
    """(standard deviation within groups, p that all have one mean); p 1 if undetermined."""
    from scipy import stats

    everything = np.concatenate(groups)
    free, between = everything.size - len(groups), len(groups) - 1
    if free < 1:
        return float("nan"), 1.0
    inner = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    outer = float(((everything - everything.mean()) ** 2).sum()) - inner
    if inner <= 0:
        return 0.0, 0.0 if outer > 0 else 1.0
    return float(np.sqrt(inner / free)), float(
        stats.f.sf(outer / between / (inner / free), between, free)
    )
