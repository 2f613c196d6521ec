"""The plates of a screen beside each other: controls, hits, and how well replicates agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.profiles.counts import comparable
from cellpipe.profiles.screens.treatments import name_treatments
from cellpipe.statistics.reference import controls_of
from cellpipe.statistics.robust import mad, median

if TYPE_CHECKING:
    import pandas as pd

LEAST_SHARED = 8  # treatments of both plates, for a correlation
SCORES = ("z_prime", "z_prime_robust", "ssmd", "edge_p", "edge_p_corrected")


def plates_beside(
    wells: pd.DataFrame, statistics: Mapping[str, pd.DataFrame], readout: str
) -> pd.DataFrame:
    """One row per plate: batch, replicate, plate_map, wells, hits, controls, Z′, edge test, note.

    Parameters
    ----------
    wells : joined wells (`join_wells`)
    statistics : statistics.tsv of each plate
    """
    import pandas as pd

    rows = []
    for plate, own in wells.groupby("plate", sort=False):
        known = statistics[str(plate)]
        found = known[(known["readout"] == readout) & (known["kind"] == "controls")]
        scores = found.iloc[0] if len(found) else pd.Series(dtype=object)
        control = controls_of(own)
        values = np.full(len(own), np.nan)
        if readout in own:
            values = comparable(own, [readout])[readout].to_numpy("float64")
        negative, lost = values[control.eq("negative")], ~np.isfinite(values)
        first = own.iloc[0]
        rows.append(
            {
                "plate": plate,
                **{name: first[name] for name in ("batch", "replicate", "plate_map")},
                "n_wells": len(own),
                "n_samples": int(control.eq("").sum()),
                "n_without_value": int((control.eq("") & lost).sum()),
                "n_hits": int(own["hit"].fillna(False).astype(bool).sum()) if "hit" in own else 0,
                "n_negative": int(np.isfinite(negative).sum()),
                "negative_median": median(negative),
                "negative_mad": mad(negative),
                **{name: scores.get(name, np.nan) for name in SCORES},
                "note": scores.get("note", f"no readout {readout} on this plate"),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def replicate_correlations(wells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pearson's and Spearman's correlation of `column` between plates that share treatments.

    Returns
    -------
    DataFrame
        plate, other, n (treatments of both with a value; wells of one plate are averaged),
        pearson, spearman: NaN with fewer than 8, or without spread. Controls do not count: they
        would correlate by being apart.
    """
    import pandas as pd
    from scipy import stats

    samples = wells[controls_of(wells).eq("")]
    values = samples[column].astype("float64") if column in samples else np.nan
    table = samples.assign(treatment=name_treatments(samples), value=values)
    by_plate = table.pivot_table(
        index="treatment", columns="plate", values="value", aggfunc="mean", sort=False
    )
    rows = []
    for one, other in combinations(list(by_plate), 2):
        both = by_plate[[one, other]].dropna().to_numpy(float)
        if not len(both):
            continue
        known = len(both) >= LEAST_SHARED and (np.ptp(both, axis=0) > 0).all()
        pair = (
            (stats.pearsonr(*both.T).statistic, stats.spearmanr(*both.T).statistic)
            if known
            else (np.nan, np.nan)
        )
        rows.append((one, other, len(both), *map(float, pair)))
    return pd.DataFrame(rows, columns=["plate", "other", "n", "pearson", "spearman"])
