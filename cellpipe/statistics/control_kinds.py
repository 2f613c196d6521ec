"""Control wells of one kind that were treated in several ways: may they stand for one another?

    positive: staurosporine  20 21 19   ┐ their median, 60, is what neither does: no Z′ and no
              nocodazole    101 99 100  ┘ percent of control, but a reason

Treatments are compared by one-way analysis of variance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.statistics.position_effects import median
from cellpipe.statistics.spread import SAME_WITHIN

if TYPE_CHECKING:
    import pandas as pd

DIFFERENT_P = 0.001
FAR_APART_SD = 4.0  # spreads within a treatment: then the spread of all is that between treatments
FAR_APART_SHARE = 0.5  # of the distance between the kinds of control


def mixed_controls(
    own: pd.DataFrame, readout: str, kind: str, others: float = float("nan")
) -> tuple[str, str]:
    """(why the controls cannot be taken together, what a reader should know); "" for neither.

    Parameters
    ----------
    own : control wells of one kind: condition, dose, the readout
    others : median of the other kind; of negative controls, their spread decides instead
    """
    groups = _by_treatment(own, readout)
    if len(groups) < 2:
        return "", ""
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
    """(standard deviation within groups, p that all have one mean); p 1 where none can be told."""
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
