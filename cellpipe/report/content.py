"""What a report is made of. Everything but the plate's name may be missing; the page copes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from cellpipe.correct.light import Light
    from cellpipe.run.frames.choice import Choice
    from cellpipe.run.made import StageMade
    from cellpipe.run.plan.compared import Compared


@dataclass(frozen=True)
class WorstImage:
    """One of the worst images against truth, from `figures.picture_of_errors`."""

    name: str
    said: str
    picture: NDArray


@dataclass(frozen=True)
class ReportContent:
    """The tables of a plate, as the results folder holds them.

    facts : name → value, shown under the title (images, channels, pixel size …)
    wells : the wells table; readouts : its columns to show, the most important one first
    hits : hits.tsv, sample wells by rank
    statistics : statistics.tsv
    confusion, classifier_scores, importance : of the cross-validated classifier; classes, models,
        learning_curve : by class, of the kinds that were compared, with fewer training cells
    features : profiles/features.tsv, what each feature of the profiles was normalised to
    thumbnails : well → uint8 RGB (y, x, 3), from `figures.thumbnail_with_outlines`
    fields : one row per field (and frame) with counts and image quality; `flag` "" where fine
    tracks : the tracks table of a movie plate; msd : mean squared displacements by well;
    evaluation : score name → value
    evaluation_notes : score name → why it has no value, or not of all images
    quarantine : well field t stage status reason remedy of whatever was left out
    files : sentences on what became of the files of the plate
    light : of the plate, where it was looked for; field_shape : (Y, X) of its fields
    engine : of the plate, where it was chosen; compared : uint16 (1 + engines, Y, X), a part of a
        frame and the labels of each engine that was compared
    warnings : kind where seen likely_cause do, of the plate as a whole
    not_made : rule what reason do of exports and kymographs that could not be made
    stages : what ran, and with what; options : stage → its options
    networks : name, digest, sha256, licence, trained_on of networks that the config names
    costs, costs_of_rules : forecast and fact, from `run.plan.compared`; empty without a plan
    """

    plate: str
    facts: Mapping[str, str] = field(default_factory=dict)
    wells: pd.DataFrame | None = None
    readouts: Sequence[str] = ()
    hits: pd.DataFrame | None = None
    statistics: pd.DataFrame | None = None
    dose_column: str = "dose"
    group_column: str | None = None
    dose_unit: str = ""
    confusion: pd.DataFrame | None = None
    classifier_scores: Mapping[str, Any] = field(default_factory=dict)
    importance: pd.DataFrame | None = None
    classes: pd.DataFrame | None = None
    models: pd.DataFrame | None = None
    learning_curve: pd.DataFrame | None = None
    features: pd.DataFrame | None = None
    thumbnails: Mapping[str, NDArray] = field(default_factory=dict)
    fields: pd.DataFrame | None = None
    tracks: pd.DataFrame | None = None
    msd: pd.DataFrame | None = None
    evaluation: Mapping[str, float] = field(default_factory=dict)
    evaluation_notes: Mapping[str, str] = field(default_factory=dict)
    judged: pd.DataFrame | None = None
    worst: Sequence[WorstImage] = ()
    quarantine: pd.DataFrame | None = None
    files: Sequence[str] = ()
    warnings: pd.DataFrame | None = None
    light: Light | None = None
    engine: Choice | None = None
    compared: NDArray | None = None
    field_shape: tuple[int, int] = (1, 1)
    not_made: pd.DataFrame | None = None
    stages: Sequence[StageMade] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    networks: Sequence[Mapping[str, str]] = ()
    costs: Sequence[Compared] = ()
    costs_of_rules: Sequence[Mapping[str, Any]] = ()
