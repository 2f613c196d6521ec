"""The computation of each stage on a whole plate, as the config asks for it.

Scripts read tables, pass them through these functions and write what comes back, and the benchmark
times them on tables in memory; stages that go frame by frame are in `chain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from cellpipe.classify.cells import (
    Classifier,
    CrossValidation,
    cross_validate,
    fit_classifier,
    training_set_from_annotations,
    training_set_from_controls,
)
from cellpipe.profiles import dynamics
from cellpipe.profiles import wells as profiles

Options = Mapping[str, Any]


class Trained(NamedTuple):
    """A classifier, how it does on wells that it has not seen, and how many cells it learned of."""

    classifier: Classifier
    judged: CrossValidation
    n_cells: int


def train_classifier(
    cells: pd.DataFrame, known: pd.DataFrame, options: Options, seed: int
) -> Trained:
    """Train a plate's classifier of cells, and cross-validate it by well.

    Parameters
    ----------
    cells : one row per cell, as measured
    known : the plate map, if the config trains on controls; else the annotations
    options : the section `classify` of the config
    """
    if options["training"] == "controls":
        classes = {kind: options[kind] for kind in ("positive", "negative")}
        training = training_set_from_controls(cells, known, **classes)
    else:
        training = training_set_from_annotations(cells, known, options["max_distance_um"])
    classifier = fit_classifier(training.features, training.classes, seed=seed)
    judged = cross_validate(
        training.features, training.classes, training.groups, seed=seed, n_folds=options["folds"]
    )
    return Trained(classifier, judged, len(training.classes))


class Profile(NamedTuple):
    """Tables of a plate: one row per well, per readout and curve, and the profiles of wells."""

    wells: pd.DataFrame
    statistics: pd.DataFrame
    augmented: pd.DataFrame
    normalised: pd.DataFrame
    selected: pd.DataFrame


def profile_plate(
    plate: str,
    tables: Mapping[str, pd.DataFrame],
    plate_map: pd.DataFrame,
    options: Options,
    readouts: Sequence[str],
) -> Profile:
    """Summarise a plate by well, normalise, call hits, fit curves; and its morphological profiles.

    Parameters
    ----------
    tables : ``cells``, ``fields``, ``tracks``, ``spot_tracks`` and ``msd`` of the plate
    plate_map : of the wells that were imaged
    options : the section `profile` of the config
    readouts : columns of wells that are judged
    """
    from cellpipe.statistics.plate import plate_statistics  # here: training a classifier needs none

    wells = _summarised(plate, tables, plate_map, options["readouts"])
    wells = profiles.normalise_wells(wells, list(readouts))
    if options["hit_readout"]:
        limit = options["hit_threshold"]
        wells = profiles.call_hits(wells, options["hit_readout"], threshold=limit)
    statistics = plate_statistics(wells, list(readouts), group_column=options["dose_group"])
    augmented = profiles.well_profiles(tables["cells"], plate_map)
    normalised = profiles.normalise_profiles(augmented)
    selected = profiles.select_profile_features(normalised)
    return Profile(wells, statistics, augmented, normalised, selected)


def _summarised(
    plate: str,
    tables: Mapping[str, pd.DataFrame],
    plate_map: pd.DataFrame,
    readouts: Sequence[str],
) -> pd.DataFrame:
    """One row per well; readouts of tracks come from the summaries of tracks."""
    of_tracks = {*dynamics.TRACK_READOUTS, *dynamics.PARTICLE_READOUTS}
    of_cells = [name for name in readouts if name not in of_tracks]
    wells = profiles.aggregate_wells(
        tables["cells"], tables["fields"], of_cells, plate_map, plate=plate
    )
    for table in _tracks_by_well(tables):
        wells = wells.merge(table, how="left", on=["plate", "well"])
    return wells


def _tracks_by_well(tables: Mapping[str, pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Tables with a row per well: dynamics of cells, and of spots, where those are linked."""
    msd = tables["msd"]
    if "track_id" in tables["tracks"]:
        yield dynamics.aggregate_tracks(tables["tracks"])
        yield dynamics.ensemble_motion(msd[msd["kind"] == "cells"])
    if "track_id" in tables["spot_tracks"]:
        yield dynamics.aggregate_particles(tables["spot_tracks"])
        motion = dynamics.ensemble_motion(msd[msd["kind"] == "spots"])
        yield motion.rename(columns={name: f"spot_{name}" for name in dynamics.ENSEMBLE_FIGURES})
