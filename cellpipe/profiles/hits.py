"""Wells compared with their controls: percent of control, robust z, and hits in three states.

    hit   True   a sample well whose robust z passes the threshold, or that lost its objects
    compared with
                 controls whose counts vary too much for a robust z (`lost_objects`)
          False  a sample well that was judged and does not
          empty  a well that was not judged (a control) or cannot be: `hit_reason` gives the reason

Percent of control and robust z: Malo et al., Nat. Biotechnol. 24, 167 (2006); Birmingham et
al., Nat. Methods 6, 569 (2009).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.profiles.certainty import why_uncertain
from cellpipe.profiles.counts import comparable, is_count, raw_count_of, why_incomplete
from cellpipe.profiles.lost_objects import lost_objects
from cellpipe.statistics.reference import controls_of, reference_of

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = ("up", "down", "both")


def normalise_wells(wells: pd.DataFrame, readouts: Sequence[str]) -> pd.DataFrame:
    """`wells` with <readout>_normalised (negative controls 0, positive 100) and <readout>_robust_z.

    Both are taken from medians of the control wells; robust z divides by the scaled MAD of the
    negatives, or by their standard deviation where the MAD is 0. NaN where controls are missing, do
    not differ beyond their noise, or have no spread: `reference_of` gives the reason. Wells are
    compared as `comparable` makes them, so incomplete ones have neither.

    Raises BadConfig for a readout that is no column of `wells` (tracks of a plate without any).
    """
    wells = wells.copy()
    for readout in readouts:
        if readout not in wells:
            refuse_readout(readout, list(wells.select_dtypes("number")))
    compared = comparable(wells, readouts)
    for readout in readouts:
        reference, values = reference_of(compared, readout), compared[readout]
        from_centre = values - reference.negative.centre
        span = reference.positive - reference.negative.centre
        wells[f"{readout}_normalised"] = 100 * from_centre / span + 0.0  # no -0
        scale = float("nan") if reference.no_z else reference.negative.scale
        wells[f"{readout}_robust_z"] = from_centre / scale
    return wells


def call_hits(
    wells: pd.DataFrame,
    readout: str,
    *,
    threshold: float = 3.0,
    direction: str = "both",
    min_cells: int = 1,
    unmade: str = "",
) -> pd.DataFrame:
    """`wells` with a nullable bool column `hit`, and `hit_reason` where it is empty.

    Parameters
    ----------
    readout : str
        Normalised before (`<readout>_robust_z` exists).
    threshold : float
        In robust standard deviations of the negative controls.
    direction : {"up", "down", "both"}
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
    reasons = _reasons(wells, readout, min_cells, unmade)
    passes = (z >= threshold) & reasons.eq("")
    reasons = reasons.mask(passes, _doubts(wells, readout, threshold)).astype("str")
    hit = pd.Series(z >= threshold, dtype="boolean").mask(reasons != "")
    if is_count(readout) and direction != "up":
        lost, unknown = _lost_objects(wells, readout, threshold)
        here = reasons.eq("") & ~passes
        hit = hit.mask(here & lost, True)
        reasons = reasons.mask(here & unknown.ne(""), unknown).astype("str")
        hit = hit.mask(reasons != "")
    return wells.assign(hit=hit, hit_reason=reasons)


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


def _reasons(wells: pd.DataFrame, readout: str, min_cells: int, unmade: str) -> pd.Series:
    """Why each well is not judged; "" where it is. The first reason that holds."""
    import pandas as pd

    compared = comparable(wells, [readout])
    control, reference = controls_of(wells), reference_of(compared, readout)
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


def _doubts(wells: pd.DataFrame, readout: str, threshold: float) -> pd.Series:
    """Why wells that pass the threshold may do so by chance; "" where they do not."""
    compared = comparable(wells, [readout])
    errors = wells[f"{readout}_se"].astype("float64") if f"{readout}_se" in wells else None
    raw = raw_count_of(readout)
    counts = comparable(wells, [raw])[raw] if raw in wells else None
    spread = reference_of(compared, readout).negative
    return why_uncertain(
        compared[readout].astype("float64"),
        controls_of(wells).eq("negative"),
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
