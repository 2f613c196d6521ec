"""The plates of a screen: wells together, treatments over replicates, plates beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cellpipe.config.dose_units import dose_unit, one_spelling
from cellpipe.errors import CellpipeError
from cellpipe.image.units import Scale
from cellpipe.profiles.counts import corrected_column
from cellpipe.profiles.screens.activity import activity, join_profiles
from cellpipe.profiles.screens.join import join_wells
from cellpipe.profiles.screens.plates import plates_beside, replicate_correlations
from cellpipe.profiles.screens.positions import share_positions
from cellpipe.profiles.screens.similarity import consensus_profiles, similar_treatments
from cellpipe.profiles.screens.treatments import COLUMNS, judge_treatments
from cellpipe.quality.positions import SHARE
from cellpipe.statistics.reference import named

Options = Mapping[str, Any]
Tables = Mapping[str, pd.DataFrame]


class Screen(NamedTuple):
    """Tables of a screen; `notes`, sentences on what was assumed or is lacking."""

    wells: pd.DataFrame
    hits: pd.DataFrame
    plates: pd.DataFrame
    replicates: pd.DataFrame
    profiles: pd.DataFrame
    features: pd.DataFrame
    activity: pd.DataFrame
    consensus: pd.DataFrame
    similarity: pd.DataFrame
    notes: list[str]


def join_plates(
    wells: Tables,
    statistics: Tables,
    profiles: Tables,
    sheet: Mapping[str, Options],
    options: Options,
) -> Screen:
    """Join plates; judge treatments by `profile.hit_readout`, and by their whole profiles.

    Parameters
    ----------
    wells, statistics, profiles : wells.parquet, statistics.tsv and profiles/normalised.parquet of
        each plate
    sheet : of each plate its row of the sheet of plates
    options : profile, screen: the sections of these names of the config; seed

    Raises
    ------
    CellpipeError
        The readout is in µm on some plates and in pixels on others.
    """
    profile, screen = options["profile"], options["screen"]
    joined = join_wells(wells, sheet, _units(wells))
    notes = [
        f"{column}: empty on {', '.join(plates)}, which do not have it"
        for column, plates in joined.lacking.items()
    ]
    readout, together = "", joined.wells
    hits = pd.DataFrame(columns=list(COLUMNS))
    if profile["hit_readout"]:
        readout = _published(profile["hit_readout"], wells)
        together, said = share_positions(joined.wells, readout, profile["compare_with"])
        hits, more = _judged(together, readout, profile, screen)
        notes += [*filter(None, [said]), *_not_corrected(joined.wells, readout), *more]
    else:
        notes.append("no hits: 'profile.hit_readout' names no readout")
    notes += _several_units(joined.wells)
    notes += _uncorrected(statistics, readout, profile["position_effects"])
    whole = join_profiles(profiles, sheet, joined.wells, screen["batch_correction"])
    active, why_not = activity(whole.profiles, profile["hit_max_fdr"] or 1.0, options["seed"])
    consensus = consensus_profiles(whole.profiles)
    similar, why_no_map = similar_treatments(consensus, options["seed"])
    whys = [*whole.notes, *filter(None, [why_not, why_no_map])]
    notes += [f"profiles: {note}" for note in whys]
    return Screen(
        wells=together,
        hits=hits,
        plates=plates_beside(together, statistics, readout),
        replicates=replicate_correlations(together, f"{readout}_robust_z"),
        profiles=whole.profiles,
        features=whole.features,
        activity=active,
        consensus=consensus,
        similarity=_with_calls(similar, hits, active),
        notes=notes,
    )


def _with_calls(similar: pd.DataFrame, hits: pd.DataFrame, active: pd.DataFrame) -> pd.DataFrame:
    """Treatments of the map with `hit` and `active`, empty where that is not known."""
    calls = [("hit", hits, hits["hit"]), ("active", active, active["active"])]
    for column, table, called in calls:
        known = dict(zip(table["treatment"], called.astype("boolean"), strict=True))
        values = [known.get(treatment, pd.NA) for treatment in similar["treatment"]]
        similar = similar.assign(**{column: pd.array(values, dtype="boolean")})
    return similar


def _units(wells: Tables) -> dict[str, str]:
    """Unit of the doses of each plate, one spelling of each."""
    units = {plate: dose_unit(own) if "dose" in own else "" for plate, own in wells.items()}
    spelled = one_spelling(units.values())
    return {plate: spelled[unit] for plate, unit in units.items()}


def _several_units(wells: pd.DataFrame) -> list[str]:
    """A note where doses of plates are in different units, or some have none."""
    if "dose" not in wells or "condition" not in wells:
        return []
    dosed = wells[wells["dose"].notna()]
    units = [unit for unit in dosed["dose_unit"].unique() if unit]
    without = dosed[dosed["dose_unit"].eq("")]["plate"].unique()
    if len(units) < 2 and (not units or not len(without)):
        return []
    seen = [*units, *([f"none on {named([str(p) for p in without])}"] if len(without) else [])]
    return [
        f"doses in different units ({', '.join(seen)}): a condition at the same dose is one"
        " treatment only where plates have the same unit"
    ]


def _not_corrected(wells: pd.DataFrame, readout: str) -> list[str]:
    """A note where some plates have no corrected values of the readout, and others have."""
    column = corrected_column(readout)
    if column not in wells:
        return []
    known = wells.groupby("plate", sort=False)[column].count()
    lacking = [str(plate) for plate in known.index[known.eq(0)]]
    if not lacking or len(lacking) == len(known):
        return []
    return [
        f"effects of position are not corrected on {named(lacking)} (the reason is in the plate's"
        " own notes): values of these plates are as measured"
    ]


def _uncorrected(statistics: Tables, readout: str, method: str) -> list[str]:
    """A note where the place makes much of the readout, and positions are not corrected."""
    if method != "off":
        return []
    found = {}
    for plate, table in statistics.items():
        own = table[(table["readout"] == readout) & (table["kind"] == "controls")]
        if "position_share" in own and own["position_share"].ge(SHARE).any():
            found[plate] = float(own["position_share"].max())
    if not found:
        return []
    return [
        f"effects of position on {len(found)} of {len(statistics)} plates (up to"
        f" {max(found.values()):.0%} of the variance between wells treated alike): what all plates"
        " have in common is as repeatable as a hit, so that some hits are false; set"
        " 'profile.position_effects' to rows_columns"
    ]


def _judged(
    wells: pd.DataFrame, readout: str, profile: Options, screen: Options
) -> tuple[pd.DataFrame, list[str]]:
    """Treatments by rank, and what they were compared with."""
    judged = judge_treatments(
        wells,
        readout,
        against=profile["compare_with"],
        direction=profile["hit_direction"],
        max_fdr=profile["hit_max_fdr"],
        min_effect=screen["min_effect"],
    )
    null, notes = judged.null, []
    if null.why:
        notes.append(f"no p values: {null.why}")
    else:
        whose = "samples" if profile["compare_with"] == "samples" else "negative control wells"
        notes.append(
            f"the mean of n wells without effect varies by √({null.between:.2f}² +"
            f" {null.within:.2f}² / n) robust standard deviations: by the {whose}, and by what"
            " replicates differ by"
        )
        if np.isfinite(null.tails):
            notes.append(
                "differences of replicates have heavier tails than a normal distribution"
                f" (Student's t of {null.tails:.1f} degrees of freedom): p values allow for them"
            )
    if len(judged.table) and judged.table["n_wells"].max() < 2:
        notes.append(
            "no treatment has a second well: plates are replicates of each other where conditions"
            " (and doses) are the same, or where they share a plate map"
        )
    return judged.table, notes


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
