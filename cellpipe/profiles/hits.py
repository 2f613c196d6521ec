"""Wells compared with their controls: percent of control, robust z, and hits in three states.

    hit   True   a sample well whose robust z passes the threshold, or that lost its objects
    compared with
                 controls whose counts vary too much for a robust z (`lost_objects`)
          False  a sample well that was judged and does not
          empty  a well that was not judged (a control) or cannot be: `hit_reason` gives the reason

A hit must have an effect and be no chance: its robust z passes the threshold, and of all wells that
differ as much, no more than `max_fdr` are expected to do so without an effect (`discoveries`).

Percent of control and robust z: Malo et al., Nat. Biotechnol. 24, 167 (2006); Birmingham et
al., Nat. Methods 6, 569 (2009).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.profiles.certainty import far_beyond, why_uncertain
from cellpipe.profiles.counts import comparable, is_count, raw_count_of, why_incomplete
from cellpipe.profiles.lost_objects import lost_objects
from cellpipe.statistics.discoveries import (
    Direction,
    false_discovery_rate,
    prediction_p,
    robust_p,
)
from cellpipe.statistics.reference import (
    Against,
    compared_with,
    controls_of,
    reference_of,
)

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = get_args(Direction)


def normalise_wells(
    wells: pd.DataFrame, readouts: Sequence[str], against: Against = "negative_controls"
) -> pd.DataFrame:
    """`wells` with <readout>_normalised (negative controls 0, positive 100) and <readout>_robust_z.

    Both are taken from medians of the control wells; robust z divides by the scaled MAD of the
    negatives, or by their standard deviation where the MAD is 0. NaN where controls are missing, do
    not differ beyond their noise, or have no spread: `reference_of` gives the reason. Wells are
    compared as `comparable` makes them, so incomplete ones have neither.

    against : what robust z compares with; "samples": all samples of the plate, most of which are
        taken to have no effect

    Raises BadConfig for a readout that is no column of `wells` (tracks of a plate without any).
    """
    wells = wells.copy()
    for readout in readouts:
        if readout not in wells:
            refuse_readout(readout, list(wells.select_dtypes("number")))
    compared = comparable(wells, readouts)
    for readout in readouts:
        reference, values = reference_of(compared, readout, against), compared[readout]
        low = reference.negative.centre
        wells[f"{readout}_normalised"] = 100 * (values - low) / (reference.positive - low) + 0.0
        scale = float("nan") if reference.no_z else reference.baseline.scale
        wells[f"{readout}_robust_z"] = (values - reference.baseline.centre) / scale
    return wells


def call_hits(
    wells: pd.DataFrame,
    readout: str,
    *,
    threshold: float = 3.0,
    direction: Direction = "both",
    max_fdr: float | None = None,
    against: Against = "negative_controls",
    min_cells: int = 1,
    unmade: str = "",
) -> pd.DataFrame:
    """`wells` with a nullable bool column `hit`, `hit_reason` where it is empty, `hit_p`, `hit_q`.

    `hit_p` is how often a well without effect differs as much; `hit_q` the share of such wells that
    is expected among those with a p as small (Benjamini-Hochberg), of all wells that are judged.

    Parameters
    ----------
    readout : str
        Normalised before (`<readout>_robust_z` exists).
    threshold : float
        In robust standard deviations of what is compared with.
    direction : {"up", "down", "both"}
    max_fdr : of hits; None: not asked for
    against : as of `normalise_wells`
    min_cells : int
        A well with fewer cells cannot be judged, as its median is uncertain; this does not hold for
        counts, of which a well without cells has a value.
    unmade : str
        Why no well has a value of the readout at all (no classifier), if that is known.

    Raises
    ------
    BadConfig
        Unknown direction or a readout that was not normalised.
    """
    import pandas as pd

    column = f"{readout}_robust_z"
    if column not in wells:
        refuse_readout(readout, [c.removesuffix("_robust_z") for c in wells if "_robust_z" in c])
    if direction not in DIRECTIONS:
        raise BadConfig(
            seen=f"hit direction {direction!r}",
            wanted="'up', 'down' or 'both'",
            do="name one of them",
        )
    z = wells[column].astype("float64")
    z = {"up": z, "down": -z, "both": z.abs()}[direction]
    reasons = _reasons(wells, readout, min_cells, unmade, against)
    p = _chance(wells, readout, direction, against).mask(reasons.ne(""))
    q = pd.Series(false_discovery_rate(p), wells.index)
    passes = (z >= threshold) & reasons.eq("")
    doubts = _doubts(wells, readout, threshold, against)
    if max_fdr is not None:
        doubts = doubts.where(doubts.ne(""), _discovered_by_chance(wells, readout, q, max_fdr))
    reasons = reasons.mask(passes, doubts).astype("str")
    hit = pd.Series(z >= threshold, dtype="boolean").mask(reasons != "")
    if is_count(readout) and direction != "up" and against == "negative_controls":
        lost, unknown = _lost_objects(wells, readout, threshold)
        here = reasons.eq("") & ~passes
        hit = hit.mask(here & lost, True)
        reasons = reasons.mask(here & unknown.ne(""), unknown).astype("str")
        hit = hit.mask(reasons != "")
    return wells.assign(hit=hit, hit_reason=reasons, hit_p=p, hit_q=q)


def _chance(wells: pd.DataFrame, readout: str, direction: Direction, against: Against) -> pd.Series:
    """p of each well as one more of those without effect.

    Of counts by their square roots, whose spread depends less on how many there are. Samples hold
    hits, so that their robust centre and spread are compared with.
    """
    import pandas as pd

    compared = comparable(wells, [readout])
    if against == "samples":
        n = reference_of(compared, readout, against).baseline.n
        z = wells[f"{readout}_robust_z"].astype("float64")
        return pd.Series(robust_p(z, n, direction), wells.index)
    values = compared[readout].astype("float64")
    values = np.sqrt(values.clip(lower=0)) if is_count(readout) else values
    reference = values[compared_with(wells, against)]
    return pd.Series(prediction_p(values, reference, direction), wells.index)


def _discovered_by_chance(
    wells: pd.DataFrame, readout: str, q: pd.Series, max_fdr: float
) -> pd.Series:
    """Why wells whose false discovery rate is above `max_fdr` are no hits; "" for the others.

    A well that has lost nearly all of the controls' objects is no chance, however few they are.
    """
    import pandas as pd

    said = [
        f"robust z passes, but {one:.2g} of the wells that differ as much would do so by chance"
        f" (false discovery rate; profile.hit_max_fdr {max_fdr:g})"
        if one > max_fdr
        else ""
        for one in q
    ]
    doubts = pd.Series(said, index=wells.index, dtype="object")
    raw = raw_count_of(readout)
    if raw in wells:
        counts = comparable(wells, [raw])[raw]
        negative = counts[controls_of(wells).eq("negative")]
        doubts = doubts.mask(far_beyond(counts, negative), "")
    return doubts


def not_judged(wells: pd.DataFrame) -> dict[str, list[str]]:
    """Sample wells that cannot be judged: reason → names of wells, the most frequent first.

    Reasons of the same kind that differ by numbers (2 of 4 fields) are kept apart.
    """
    lacking = wells[wells["hit"].isna() & controls_of(wells).eq("")]
    groups = {
        str(reason): [str(w) for w in own["well"]]
        for reason, own in lacking.groupby("hit_reason", sort=True)
    }
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def hit_counts(wells: pd.DataFrame) -> tuple[int, int, int]:
    """(hits, no hits, sample wells that cannot be judged)."""
    hit = wells["hit"].astype("boolean")
    n_without = sum(map(len, not_judged(wells).values()))
    return int(hit.sum()), int((~hit).sum()), n_without


def _reasons(
    wells: pd.DataFrame, readout: str, min_cells: int, unmade: str, against: Against
) -> pd.Series:
    """Why each well is not judged; "" where it is. The first reason that holds."""
    import pandas as pd

    compared = comparable(wells, [readout])
    control, reference = controls_of(wells), reference_of(compared, readout, against)
    said = pd.Series("", index=wells.index, dtype="object")

    def say(where: pd.Series, words: Iterable[str] | str) -> None:
        here = where.fillna(False).astype(bool) & said.eq("")
        said[here] = words if isinstance(words, str) else pd.Series(words, wells.index)[here]

    say(control.ne(""), [f"{kind} control" for kind in control])
    if unmade or reference.no_z:
        say(control.eq(""), unmade or reference.no_z)
    if "n_fields" in wells:
        none = wells.get("incomplete_reason", pd.Series("", wells.index)).fillna("")
        none = none.replace("", "no image of the well could be used")
        say(wells["n_fields"].eq(0), none)
    lacking = why_incomplete(wells, readout)
    say(lacking.ne(""), [f"incomplete: {reason}" for reason in lacking])
    no_value = ~np.isfinite(compared[readout])
    if "n_cells" in wells:
        n_cells = wells["n_cells"].fillna(0)
        if not is_count(readout):
            say(n_cells.eq(0), "no cells in the well")
            say(n_cells < min_cells, [f"{n} cells, fewer than {min_cells}" for n in n_cells])
    say(no_value, f"no value of {readout} in the well")
    return said.astype("str")


def _lost_objects(
    wells: pd.DataFrame, readout: str, threshold: float
) -> tuple[pd.Series, pd.Series]:
    """Hits and reasons of `cellpipe.profiles.lost_objects`."""
    compared = comparable(wells, [readout])
    raw = raw_count_of(readout)
    counts = comparable(wells, [raw])[raw] if raw in wells else compared[readout]
    return lost_objects(
        compared[readout].astype("float64"),
        counts.astype("float64"),
        controls_of(wells).eq("negative"),
        reference_of(compared, readout).negative,
        threshold,
    )


def _doubts(wells: pd.DataFrame, readout: str, threshold: float, against: Against) -> pd.Series:
    """Why wells that pass the threshold may do so by chance; "" where they do not."""
    compared = comparable(wells, [readout])
    errors = wells[f"{readout}_se"].astype("float64") if f"{readout}_se" in wells else None
    raw = raw_count_of(readout)
    counts = comparable(wells, [raw])[raw] if raw in wells else None
    spread = reference_of(compared, readout, against).baseline
    return why_uncertain(
        compared[readout].astype("float64"),
        compared_with(wells, against),
        spread,
        threshold,
        errors=errors,
        counts=counts,
    )


def refuse_readout(readout: str, known: Sequence[str]) -> None:
    """Raise BadConfig for a readout that is none of the `known` columns, with the nearest."""
    near = difflib.get_close_matches(readout, known, n=1)
    raise BadConfig(
        seen=f"readout {readout!r}",
        wanted=f"one of {', '.join(known)}",
        do=f"write {near[0]!r} in profile.readouts" if near else "name a measured column",
    )
