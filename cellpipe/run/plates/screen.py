"""The plates of a screen: wells together, treatments over replicates, plates beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.image.units import Scale
from cellpipe.profiles.screens.join import join_wells
from cellpipe.profiles.screens.plates import plates_beside, replicate_correlations
from cellpipe.profiles.screens.positions import share_positions
from cellpipe.profiles.screens.treatments import COLUMNS, judge_treatments

Options = Mapping[str, Any]


class Screen(NamedTuple):
    """Tables of a screen; `notes`, sentences on what was assumed or is lacking."""

    wells: pd.DataFrame
    hits: pd.DataFrame
    plates: pd.DataFrame
    replicates: pd.DataFrame
    notes: list[str]


def join_plates(
    wells: Mapping[str, pd.DataFrame],
    statistics: Mapping[str, pd.DataFrame],
    sheet: Mapping[str, Mapping[str, Any]],
    profile: Options,
    screen: Options,
) -> Screen:
    """Join plates, and judge treatments by `profile.hit_readout` over all their wells.

    Parameters
    ----------
    wells, statistics : wells.parquet and statistics.tsv of each plate
    sheet : of each plate its row of the sheet of plates
    profile, screen : the sections of these names of the config

    Raises
    ------
    CellpipeError
        The readout is in µm on some plates and in pixels on others.
    """
    joined = join_wells(wells, sheet)
    notes = [
        f"{column}: empty on {', '.join(plates)}, which do not have it"
        for column, plates in joined.lacking.items()
    ]
    asked = profile["hit_readout"]
    if not asked:
        notes.append("no hits: 'profile.hit_readout' names no readout")
        empty = pd.DataFrame(columns=list(COLUMNS))
        none = pd.DataFrame(columns=["plate", "other", "n", "pearson", "spearman"])
        return Screen(joined.wells, empty, plates_beside(joined.wells, statistics, ""), none, notes)
    readout = _published(asked, wells)
    together, said = share_positions(joined.wells, readout, profile["compare_with"])
    notes += [said] if said else []
    judged = judge_treatments(
        together,
        readout,
        against=profile["compare_with"],
        direction=profile["hit_direction"],
        max_fdr=profile["hit_max_fdr"],
        min_effect=screen["min_effect"],
    )
    null = judged.null
    whose = "samples" if profile["compare_with"] == "samples" else "negative control wells"
    notes.append(
        f"no p values: {null.why}"
        if null.why
        else f"the mean of n wells without effect varies by √({null.between:.2f}² +"
        f" {null.within:.2f}² / n) robust standard deviations: by the {whose}, and by what"
        " replicates differ by"
    )
    few = judged.table["n_wells"].max() if len(judged.table) else 0
    if few < 2:
        notes.append(
            "no treatment has a second well: plates are replicates of each other where conditions"
            " (and doses) are the same, or where they share a plate map"
        )
    return Screen(
        together,
        judged.table,
        plates_beside(together, statistics, readout),
        replicate_correlations(together, f"{readout}_robust_z"),
        notes,
    )


def _published(readout: str, wells: Mapping[str, pd.DataFrame]) -> str:
    """The name of a readout in the tables: in µm, or in pixels where no plate has a scale."""
    computed = Scale().computed_column(readout)
    names = list(dict.fromkeys([readout, computed, Scale().column(computed)]))
    by_name = {name: [p for p, table in wells.items() if name in table] for name in names}
    have = {name: plates for name, plates in by_name.items() if plates}
    if len(have) > 1:
        told = "; ".join(f"{name} of {', '.join(plates)}" for name, plates in have.items())
        raise CellpipeError(
            seen=f"plates of one screen with different units: {told}",
            wanted="one unit for the readout of hits",
            do="give the size of pixels of the others ('ingest.pixel_size_um'), or make them a"
            " screen of their own (column 'screen' in the sheet of plates)",
        )
    if not have:
        raise CellpipeError(
            seen=f"no plate of the screen has the readout {readout}",
            wanted="a column of wells.parquet",
            do="correct 'profile.hit_readout'",
        )
    return next(iter(have))
