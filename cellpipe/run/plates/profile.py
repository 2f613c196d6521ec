"""Wells, hits, curves and profiles of a plate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from cellpipe.profiles import wells as profiles
from cellpipe.profiles.counts import comparable, why_incomplete
from cellpipe.profiles.cytominer import account_of_features, feature_references
from cellpipe.profiles.features import Features
from cellpipe.profiles.left_out import left_out_of_wells, tables_that_count
from cellpipe.profiles.positions import correct_positions
from cellpipe.profiles.ranking import HIT_COLUMNS, ranked_hits
from cellpipe.profiles.summary import imaging_plan, summarise_wells, with_absent_fractions

Options = Mapping[str, Any]


class Profile(NamedTuple):
    """Tables of a plate: one row per well, wells by rank, per readout and curve; well profiles."""

    wells: pd.DataFrame
    hits: pd.DataFrame
    statistics: pd.DataFrame
    augmented: pd.DataFrame
    normalised: pd.DataFrame
    selected: pd.DataFrame
    features: pd.DataFrame


def profile_plate(
    plate: str,
    tables: Mapping[str, pd.DataFrame],
    plate_map: pd.DataFrame,
    options: Options,
    readouts: Sequence[str],
    inspection: Mapping[str, Any] | None = None,
    unmade: Mapping[str, str] | None = None,
    features: Features | None = None,
) -> Profile:
    """Summarise a plate by well, normalise, call hits, fit curves; and its morphological profiles.

    Parameters
    ----------
    tables : ``cells``, ``fields``, ``tracks``, ``spots``, ``spot_tracks``, ``msd`` and
        ``quarantine`` of the plate; ``places`` of fields in wells, where objects of overlaps
        count once
    plate_map : of the wells that were imaged
    options : the section `profile` of the config
    readouts : columns of wells that are evaluated
    inspection : of the plate: what it lists, and the size of a pixel
    features : of the cells, where ``cells`` does not hold all of them
    unmade : readouts that no well has, with the reason (fractions of classes without a classifier)
    """
    from cellpipe.statistics.plate import plate_statistics  # here: training a classifier needs none

    plan = imaging_plan(
        inspection, tables.get("quarantine"), options["min_imaged_share"], tables.get("places")
    )
    plan = plan._replace(left_out=left_out_of_wells(tables["fields"]))
    tables = tables_that_count(tables)
    wells = with_absent_fractions(
        summarise_wells(plate, tables, plate_map, options["readouts"], plan), readouts
    )
    positions = correct_positions(wells, readouts, options["position_effects"])
    against = options["compare_with"]
    wells = profiles.normalise_wells(positions.wells, list(readouts), against)
    hits = pd.DataFrame(columns=HIT_COLUMNS)
    if name := options["hit_readout"]:
        wells = profiles.call_hits(
            wells,
            name,
            threshold=options["hit_threshold"],
            direction=options["hit_direction"],
            max_fdr=options["hit_max_fdr"],
            against=against,
            unmade=(unmade or {}).get(name, ""),
        )
        hits = ranked_hits(wells, name, options["hit_direction"])
    corrected = options["position_effects"] != "off"
    statistics = plate_statistics(
        comparable(wells, readouts),
        list(readouts),
        group_column=options["dose_group"],
        left_out={name: _incomplete_wells(wells, name) for name in readouts},
        against=against,
        uncorrected=comparable(positions.before, readouts) if corrected else None,
        remarks=positions.notes,
        position_share=positions.share,
    )
    for readout, reason in (unmade or {}).items():
        statistics.loc[statistics["readout"] == readout, "note"] = reason
    described = plate_map.merge(wells[["well", "incomplete"]], how="left", on="well")
    named_for = (
        (inspection or {}).get("channels", []) if options.get("names") == "cellprofiler" else None
    )
    augmented = profiles.well_profiles(tables["cells"], described, named_for, features)
    references = feature_references(augmented)
    normalised = profiles.normalise_profiles(augmented, references)
    selected = profiles.select_profile_features(normalised)
    features = account_of_features(references, normalised)
    return Profile(wells, hits, statistics, augmented, normalised, selected, features)


def _incomplete_wells(wells: pd.DataFrame, readout: str) -> list[str]:
    return [str(well) for well in wells.loc[why_incomplete(wells, readout).ne(""), "well"]]
