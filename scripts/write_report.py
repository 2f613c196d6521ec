"""Write the page of a plate: what was found, how good it is, and what it was made with."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe import figures
from cellpipe.config.dose_units import dose_unit
from cellpipe.errors import BadImage
from cellpipe.files.publish import publish_text
from cellpipe.files.tables import (
    read_confusion,
    read_hits,
    read_named,
    read_statistics,
    read_table,
)
from cellpipe.image.units import words_of
from cellpipe.plate.plate import Plate
from cellpipe.quality.places import facts_of_overlap
from cellpipe.quality.scale import facts_of_scale
from cellpipe.readers.accounting import account
from cellpipe.readers.accounting.sparse import in_words, lacking_in_words
from cellpipe.report import ReportContent, render_report
from cellpipe.report.content import WorstImage
from cellpipe.run import made
from cellpipe.run.frames.choice import Choice
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import speaking
from cellpipe.run.not_made import read_not_made
from cellpipe.run.plan.compared import compared_plate
from cellpipe.run.plates import gather
from cellpipe.run.receipts import read_receipts

THUMBNAIL_PX = 320


def facts(plate, inspection, wells):
    imaged = {well for well, _ in plate.fields}
    return {
        "images": snakemake.params.images,
        "wells": str(len(imaged)),
        "fields": str(len(plate.fields)),
        "frames": str(max(field.size("t") for field in plate.fields.values())),
        "channels": ", ".join(plate.channels),
        **channels_of_some_frames(plate),
        **facts_of_scale(inspection),
        **facts_of_overlap(wells),
        "missing planes": str(len(inspection["holes"])),
    }


def channels_of_some_frames(plate):
    n_t = max(field.size("t") for field in plate.fields.values())
    n_wells = len({well for well, _ in plate.fields})
    found = {c: [in_words(absent, n_t)] for c, absent in plate.not_taken.items()}
    for channel, wells in plate.lacking.items():
        words = lacking_in_words(sorted(wells), n_wells)
        found.setdefault(channel, []).append(words)
    return {f"channel {c}": "; ".join(words) for c, words in found.items()}


def colour(rgb):
    return tuple(int(rgb[i : i + 2], 16) / 255 for i in (0, 2, 4))


def thumbnails(plate, inspection):
    """One picture per well: its first field, the middle frame, with the outlines of its objects."""
    first = {}
    for well, field in plate.fields:
        first.setdefault(well, field)
    pictures = {}
    windows = inspection.get("windows", {})
    for well, field in first.items():
        t = plate.fields[well, field].size("t") // 2
        try:
            pixels = project_frame(plate, well, field, t).whole()
            labels = plate.read_labels(well, field, t, plate.objects)
        except BadImage:
            continue  # quarantined: it is in the table below the pictures
        taken = plate.channels_at(well, t)
        pictures[well] = figures.thumbnail_with_outlines(
            pixels,
            labels,
            colours=[colour(plate.colors[plate.channel_index(c)]) for c in taken],
            limits=[
                tuple(windows.get(c) or np.percentile(p, (1, 99.9)))
                for c, p in zip(taken, pixels, strict=True)
            ],
            size_px=THUMBNAIL_PX,
        )
    return pictures


def read_scores(path):
    table = pd.read_csv(path, sep="\t")
    return dict(zip(table["score"], table["value"], strict=True))


def read_score_notes(path):
    table = pd.read_csv(path, sep="\t")
    known = table[table["note"].notna()] if "note" in table else table.iloc[:0]
    return dict(zip(known["score"], known["note"] if len(known) else [], strict=True))


def worst_images():
    """The gallery of the evaluation, each picture with what went wrong in it."""
    if not snakemake.input.worst:
        return
    from cellpipe.evaluate.judging import gallery  # here, because few plates have a truth

    judged = pd.read_csv(snakemake.input.judged, sep="\t")
    for picture in gallery(judged, snakemake.input.worst):
        yield WorstImage(*picture)


def files(inspection):
    """What became of the files of the plate, in sentences."""
    receipts = [
        receipt
        for path in snakemake.input.tables
        if Path(path).parent.name == "ingest"
        for receipt in read_receipts(path)
    ]
    planes = read_table(snakemake.input.manifest)
    return account.sentences(
        account.settled(inspection["files"], planes, gather.left_out_frames(receipts))
    )


def optional(path, read):
    return read(path) if path else None


with speaking(snakemake):
    root, steps = Path(snakemake.output.report).parent, snakemake.params.steps
    plate = Plate(snakemake.input.layout)
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    scale = plate.scale
    tracks = scale.computed(read_table(snakemake.input.tracks))
    importance = optional(snakemake.input.importance, lambda p: pd.read_csv(p, sep="\t"))
    if importance is not None:
        importance["feature"] = importance["feature"].map(scale.column)
    wells = read_table(snakemake.input.wells)
    costs, costs_of_rules = compared_plate(root) if snakemake.input.plan else ([], [])
    content = ReportContent(
        plate=plate.name,
        facts=facts(plate, inspection, wells),
        wells=wells,
        dose_unit=dose_unit(wells),
        readouts=[scale.column(name) for name in snakemake.params.readouts],
        hits=read_hits(snakemake.input.hits),
        statistics=read_statistics(snakemake.input.statistics),
        group_column=snakemake.params.dose_group,
        confusion=optional(snakemake.input.confusion, read_confusion),
        classifier_scores=optional(
            snakemake.input.scores, lambda p: json.loads(Path(p).read_text())
        )
        or {},
        importance=importance,
        classes=optional(snakemake.input.classes, read_named),
        models=optional(snakemake.input.models, read_named),
        learning_curve=optional(snakemake.input.learning_curve, read_named),
        features=pd.read_csv(snakemake.input.features, sep="\t", keep_default_na=False),
        thumbnails=thumbnails(plate, inspection),
        fields=scale.computed(read_table(snakemake.input.fields)),
        tracks=tracks if len(tracks) else None,
        msd=scale.computed(read_table(snakemake.input.msd)),
        evaluation=optional(snakemake.input.evaluation, read_scores) or {},
        evaluation_notes=optional(snakemake.input.evaluation, read_score_notes) or {},
        judged=optional(snakemake.input.judged, lambda p: pd.read_csv(p, sep="\t")),
        worst=list(worst_images()),
        files=files(inspection),
        quarantine=pd.read_csv(snakemake.input.quarantine, sep="\t", keep_default_na=False),
        warnings=pd.read_csv(snakemake.input.warnings, sep="\t", dtype=str, keep_default_na=False),
        light=optional(snakemake.input.light, read_light),
        engine=optional(snakemake.input.engine, Choice.read),
        compared=optional(snakemake.input.compared, np.load),
        field_shape=next(iter(plate.fields.values())).shape[-2:],
        not_made=read_not_made(snakemake.input.not_made),
        stages=[*made.of_tables(snakemake.input.tables), *made.of_rules(root, steps)],
        options=snakemake.params.options,
        networks=snakemake.params.networks,
        costs=costs,
        costs_of_rules=costs_of_rules,
    )
    with words_of(scale):
        publish_text(snakemake.output.report, render_report(content))
