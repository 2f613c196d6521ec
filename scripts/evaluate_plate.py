"""Score the results of a plate against its ground truth.

The truth is a folder of label images (``B03_1_nuclei.tif``), of true tracks (``B03_1_GT`` of the
Cell Tracking Challenge, ``B03_1.geff``, ``B03_1.xml`` of TrackMate) or both, and, for spots and
classes, of tables (``spots.tsv``, ``classes.tsv``); or an OME-Zarr plate with label layers; or a
file of COCO annotations of the plate's images.
"""

import itertools
from functools import partial
from pathlib import Path

from cellpipe.config.objects import read_true_places
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.evaluate import coco_truth
from cellpipe.evaluate.judging import (
    JudgedImage,
    judge_images,
    plot_curve,
    plot_worst,
    score_notes,
    score_table,
)
from cellpipe.evaluate.judging_movies import Movie, judge_movies, summarise_movies
from cellpipe.evaluate.judging_spots import judge_spots
from cellpipe.evaluate.marked_cells import Completeness, completeness, unused_truth
from cellpipe.evaluate.truth import true_frames
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table
from cellpipe.metrics.points import class_scores
from cellpipe.plate.plate import Plate
from cellpipe.readers.truth.coco import is_coco, read_coco
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import log, speaking
from cellpipe.run.not_made import read_not_made
from cellpipe.run.receipts import good_frames

SPOT_TOLERANCE_UM = 1.0
CELL_TOLERANCE_UM = 5.0


def judged_images(plate, truth):
    """What is to be judged: every frame whose labels are known, also if none were found."""
    layers = [name for name in plate.label_names if name != "tracks"]
    for (well, field), layer in itertools.product(plate.fields, layers):
        truth_layer = snakemake.params.truth_layer if layer == plate.objects else None
        n_frames = plate.fields[well, field].size("t")
        if coco:
            only = layer == plate.objects
            frames = coco_truth.frames_of(coco, planes, well, field, truth_layer or layer, only)
        else:
            frames = true_frames(truth, well, field, layer, truth_layer)
        nuclei = (truth_layer or layer) == "nuclei" and not (truth / "zarr.json").is_file()
        known = completeness(truth, well, field, n_frames) if nuclei and frames else Completeness()
        for t, read in frames.items():
            there = (well, field, t) in segmented
            yield JudgedImage(
                place={"well": well, "field": field, "t": t, "object": layer},
                truth=read,
                found=partial(plate.read_labels, well, field, t, layer),
                pixels=partial(read_pixels, plate, well, field, t, layer),
                n_marked=known.n_marked.get(t),
                partial=known.reason,
                maybe_markers=known.maybe_markers,
                absent="" if there else "this frame was not imaged, or has no labels",
            )


def read_pixels(plate, well, field, t, layer):
    channel = snakemake.params.channels.get(layer) or snakemake.params.channels["nuclei"]
    return project_frame(plate, well, field, t, [channel]).whole()[0]


def judged_movies(plate, truth):
    """Scores of the tracks of every movie whose true tracks are known, where cells are linked."""
    if not snakemake.input.ctc:
        return judge_movies(truth, truth, [], plate.scale.x)
    movies = [
        Movie(well, field, where.size("t"), tuple(where.shape[-2:]))
        for (well, field), where in plate.fields.items()
    ]
    folder, refused = Path(snakemake.input.ctc), read_not_made([snakemake.input.not_exported])
    for movie in movies:
        name = f"{folder.name}/{movie.well}_{movie.field}_RES"
        if not (folder.parent / name).is_dir() and name not in set(refused["what"]):
            raise CellpipeError(
                seen=f"no {folder.parent / name}, which was exported",
                wanted="the tracks of every movie whose export was not refused",
                do="run again: the folder is made again",
            )
    return judge_movies(truth, folder, movies, plate.pixel_size_um)


def tell_unused(plate, truth, judged):
    """Log what the truth has and the plate has not, and how many fields have no truth."""
    fields = {(well, field) for well, field in plate.fields}
    used = {
        f"{image.place['well']}_{image.place['field']}_{name}.tif"
        for image in judged
        for name in (image.place["object"], snakemake.params.truth_layer)
    }
    unused = coco_truth.unused_images(coco, planes) if coco else unused_truth(truth, fields, used)
    if unused:
        log.warning(
            "%d images of the truth were not used, as the plate has no such field, frame or layer: "
            "%s",
            len(unused),
            ", ".join(unused[:6]),
        )
    with_truth = {(image.place["well"], image.place["field"]) for image in judged}
    log.info("labels of %d of %d fields have a truth", len(with_truth), len(fields))


def of_unknown_size(plate, scores, notes):
    """Notes of scores of places: without the size of a pixel, a µm of the truth is a pixel."""
    if plate.scale.length_known:
        return notes
    said = "the pixel size is unknown: y_um and x_um of the truth were taken as pixels"
    return {name: "; ".join(filter(None, [notes.get(name, ""), said])) for name in scores}


with speaking(snakemake):
    plate, truth = Plate(snakemake.input.layout), Path(snakemake.input.truth)
    paths = (snakemake.input.cells, snakemake.input.spots)
    coco = read_coco(truth) if is_coco(truth) else None
    planes = read_table(snakemake.input.manifest)
    segmented, searched = map(good_frames, (snakemake.input.segment, snakemake.input.detect))
    cells, spots = (plate.scale.computed(read_table(path)) for path in paths)
    judged = list(judged_images(plate, truth))
    movies = judged_movies(plate, truth)
    listed = truth / "spots.tsv"
    named = [truth / name for name in ("classes.tsv", "nuclei.tsv") if (truth / name).is_file()]
    of_spots = listed.is_file() and "y_um" in spots
    # else none was given a class
    of_classes = "class" in cells and bool(named) and bool(cells["class"].ne("").any())
    if not judged and movies.empty and not of_spots and not of_classes:
        raise BadConfig(
            seen=f"no truth for any field of {plate.name} in {truth}",
            wanted="label images named B03_1_nuclei.tif, true tracks named B03_1_GT (CTC), "
            "B03_1.geff or B03_1.xml (TrackMate), or an OME-Zarr plate with the label layer "
            "'nuclei', or COCO annotations (.json) of images of the plate; or "
            "spots.tsv where spots are sought, classes.tsv where cells are classified",
            do="correct 'truth' in the sheet of plates, or 'evaluate.truth_layer' in the config",
        )
    known = plate.pixel_size_um if plate.scale.length_known and plate.scale.square else None
    tell_unused(plate, truth, judged)
    images = judge_images(judged, known, snakemake.params.sparse_truth)
    scores, notes = summarise_movies(movies) if len(movies) else ({}, {})
    notes |= score_notes(images)
    if of_spots:
        spot_scores, spot_notes = judge_spots(
            spots, read_true_places(listed, empty=True), searched, SPOT_TOLERANCE_UM
        )
        scores, notes = (
            scores | spot_scores,
            notes | of_unknown_size(plate, spot_scores, spot_notes),
        )
    if of_classes:
        of_cells = class_scores(cells, read_true_places(named[0]), CELL_TOLERANCE_UM)
        scores, notes = scores | of_cells, notes | of_unknown_size(plate, of_cells, {})
    publish_table(snakemake.output.images, images)
    publish_table(snakemake.output.movies, movies)
    summary = score_table(images, scores)
    summary["note"] = summary["score"].map(notes).fillna("")
    plot_curve(images, snakemake.output.curve)
    plot_worst(judged, images, snakemake.output.worst, snakemake.params.n_worst)
    publish_table(snakemake.output.scores, summary)
    log.info("%s", {row.score: round(float(row.value), 4) for row in summary.itertuples()})
    for name, note in notes.items():
        log.info("%s: %s", name, note)
