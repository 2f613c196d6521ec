"""Z′ in the last lines of a run: of which readout and controls, or why it cannot be judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("positive", "negative")


def separation(wells: pd.DataFrame, statistics: pd.DataFrame) -> dict[str, Any] | None:
    """How well the first readout separates the controls of a plate; None for one without controls.

    Parameters
    ----------
    wells : wells.parquet
    statistics : statistics.tsv, its readouts in the order of the config

    Returns
    -------
    readout : name of the column
    z_prime : None where it cannot be judged
    note : on these controls, as in statistics.tsv
    spread : whether controls of either kind differ among themselves
    controls : kind → number of wells with a value, and their conditions
    """
    kind = _texts(wells, "control")
    if not kind.isin(KINDS).any():
        return None
    rows = statistics[statistics["kind"] == "controls"]
    if rows.empty:
        return None
    first, condition = rows.iloc[0], _texts(wells, "condition")
    value = float(first["z_prime"])
    return {
        "readout": str(first["readout"]),
        "z_prime": value if math.isfinite(value) else None,
        "note": str(first["note"]),
        "spread": bool(math.isfinite(float(first["ssmd"]))),  # what it divides by
        "controls": {
            each: {
                "wells": int(first[f"n_{each}"]),
                "conditions": sorted(set(condition[kind == each]) - {""}),
            }
            for each in KINDS
        },
    }


def _texts(wells: pd.DataFrame, column: str) -> pd.Series:
    if column not in wells:
        return wells["well"].map(lambda well: "")
    return wells[column].astype("string").fillna("").astype(str)


def in_a_line(found: Mapping[str, Any] | None) -> list[str]:
    """The line that is printed; none for a plate without controls."""
    if found is None:
        return []
    readout = found["readout"]
    if found["z_prime"] is None:
        return [f"Z′ of {readout} cannot be judged: {found['note']}"]
    controls = " and ".join(_named(kind, **found["controls"][kind]) for kind in KINDS)
    doubt = ", controls overlap" if found["z_prime"] < 0 else ""
    doubt += "" if found.get("spread", True) else ", of controls that have no spread"
    return [f"Z′ {found['z_prime']:.2f} of {readout}{doubt}: {controls} control wells"]


def _named(kind: str, wells: int, conditions: list[str]) -> str:
    return f"{wells} {kind}" + (f" ({', '.join(conditions)})" if conditions else "")
