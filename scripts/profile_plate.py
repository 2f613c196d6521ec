"""Summarise a plate: one row per well, statistics per readout, well profiles."""

import json
from pathlib import Path

import pandas as pd

from cellpipe.classify.classifier import is_feature
from cellpipe.config.plate_map import read_plate_map
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import column_names, numeric_columns, read_table
from cellpipe.image.units import Scale
from cellpipe.measure.columns import measured_columns
from cellpipe.profiles.counts import incomplete_wells
from cellpipe.profiles.features import Features, kept_in_memory
from cellpipe.profiles.hits import hit_counts, not_judged
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.job import log, speaking
from cellpipe.run.plates.profile import profile_plate
from cellpipe.statistics.reference import named


def report_wells(wells):
    """Log which wells are incomplete, how many are hits, and which cannot be judged."""
    for reason, names in incomplete_wells(wells).items():
        log.warning(
            "incomplete, and kept out of hits, controls and statistics"
            " (profile.min_imaged_share): %s: %s", named(names), reason,
        )  # fmt: skip
    if "hit" in wells:
        log.info("%d hits, %d no hits, %d wells cannot be judged", *hit_counts(wells))
        for reason, names in not_judged(wells).items():
            log.warning("cannot be judged: %s: %s", named(names), reason)


def report_readouts(statistics):
    """Log why scores of readouts and curves are empty."""
    for row in statistics[statistics["note"].fillna("") != ""].itertuples():
        group = f", {row.group}" if row.group else ""
        log.warning("%s, %s%s: %s", row.readout, row.kind.replace("_", " "), group, row.note)


def report_features(features):
    """Log which features are not normalised, or not selected, and why."""
    left = features[~features["normalised"]]
    for reason, own in left.groupby("reason", sort=False):
        log.warning("profiles, not normalised: %s: %s", named(list(own["feature"])), reason)
    left = features[features["normalised"] & ~features["selected"]]
    for reason, own in left.groupby("reason", sort=False):
        log.info("profiles, not selected: %s: %s", named(list(own["feature"])), reason)
    other = features[features["method"] == "standard deviation"]
    if len(other):
        log.warning("profiles, normalised by the standard deviation, as the MAD is 0: %s",
                    named(list(other["feature"])))  # fmt: skip
    if len(features) and (features["reference"] == "all wells").all():
        log.warning("profiles are normalised to all wells: fewer than 3 negative controls")


def unmade_readouts(readouts):
    """Fractions of classes, where no classifier could be trained: readout → why."""
    if not snakemake.input.scores:
        return {}
    scores = json.loads(Path(snakemake.input.scores).read_text())
    if scores["n_cells"]:
        return {}
    return {name: scores["note"] for name in readouts if name.startswith("fraction_")}


def imaged_wells(inspection):
    """Wells of which there are images, also those that could not be read."""
    return {place["well"] for place in inspection["fields"] + inspection["faults"]}


def with_computed_names(options, scale):
    """Options whose readouts have the names with which stages compute (see `image.units`)."""
    hit = options["hit_readout"]
    return {
        **options,
        "readouts": [scale.computed_column(name) for name in options["readouts"]],
        "hit_readout": scale.computed_column(hit) if hit else hit,
    }


def with_true_names(table, scale):
    """The table with the true units in columns that hold names of columns, and reasons."""

    def named_truly(text):
        return " ".join(scale.column(word) for word in str(text).split(" "))

    texts = [c for c in ("readout", "feature", "note", "reason", "hit_reason") if c in table]
    return table.assign(**{c: table[c].fillna("").map(named_truly) for c in texts})


def read_cells(path, scale, channels, asked):
    """(cells with the columns that are kept in memory, features of which others are read later)."""
    numbers = [scale.computed_column(name) for name in numeric_columns(path)]
    features = [name for name in numbers if is_feature(name)]
    columns = [scale.computed_column(name) for name in column_names(path)]
    standard = measured_columns(channels, with_cells=True)
    kept = kept_in_memory(columns, features, standard, asked)

    def read(names):
        return scale.computed(read_table(path, [scale.column(name) for name in names]))

    cells = read(kept) if len(kept) < len(columns) else scale.computed(read_table(path))
    return cells, Features(features, read)


with speaking(snakemake):
    output = snakemake.output
    names = ("fields", "tracks", "spots", "spot_tracks", "msd")
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    scale = Scale.from_dict(inspection)
    tables = {name: scale.computed(read_table(snakemake.input[name])) for name in names}
    readouts = [scale.computed_column(name) for name in snakemake.params.readouts]
    options = with_computed_names(snakemake.params.options, scale)
    tables["cells"], cell_features = read_cells(
        snakemake.input.cells, scale, inspection["channels"], [*readouts, *options["readouts"]]
    )
    tables["quarantine"] = pd.read_csv(snakemake.input.quarantine, sep="\t", dtype={"well": str})
    if snakemake.input.light:
        from cellpipe.correct.light import Light  # here: most plates are not corrected

        tables["light"] = Light.read(Path(snakemake.input.light).read_text()).table()
    if snakemake.input.places:
        tables["places"] = read_table(snakemake.input.places)
    imaged = imaged_wells(inspection)
    mapped = read_plate_map(snakemake.input.plate_map, imaged)
    plate_map = mapped[mapped["well"].isin(imaged)].reset_index(drop=True)
    made = profile_plate(
        snakemake.wildcards.plate, tables, plate_map, options, readouts,
        inspection, unmade_readouts(readouts), cell_features,
    )  # fmt: skip
    wells, hits, statistics, features = (
        with_true_names(table, scale)
        for table in (made.wells, made.hits, made.statistics, made.features)
    )
    publish_table(output.wells, scale.published(wells))
    publish_table(output.hits, hits)
    publish_table(output.statistics, statistics)
    publish_table(output.profiles, scale.published(made.augmented))
    publish_table(output.normalised, scale.published(made.normalised))
    publish_table(output.selected, scale.published(made.selected))
    publish_table(output.features, features)
    report_wells(wells)
    report_readouts(statistics)
    report_features(features)
    log.info("%d wells, %d readouts", len(made.wells), len(readouts))
    found = {**tables, "wells": made.wells, "statistics": made.statistics}
    if snakemake.input.plate_map:
        found["plate_map"] = mapped
    known = {**inspection, "left_out": list(snakemake.params.left_out)}
    known["empty_columns"] = cell_features.empty
    known["restricted_weights"] = list(snakemake.params.restricted)
    warnings = plate_warnings(known, found)
    publish_table(output.warnings, warnings)
    for row in warnings.itertuples():
        log.warning("%s: %s; likely: %s; %s", row.kind, row.seen, row.likely_cause, row.do)
