"""Join the block tables of a plate: one row per cell, spot, track, field and frame."""

import json
from pathlib import Path

import pandas as pd

from cellpipe.dynamics.diffusion import subtract_drift
from cellpipe.dynamics.msd import ensemble_msd, track_msd
from cellpipe.dynamics.stage import without_stage
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table
from cellpipe.image import saturation
from cellpipe.image.units import words_of
from cellpipe.plate.plate import Plate
from cellpipe.profiles.left_out import without_left_out
from cellpipe.quality import movie_quality
from cellpipe.quality.blank import name_blank
from cellpipe.quality.focus import name_blurred
from cellpipe.quality.left_out import name_left_out
from cellpipe.readers.accounting import account, remedies
from cellpipe.run.job import log, speaking
from cellpipe.run.plates import gather
from cellpipe.run.receipts import read_receipts, read_rows

MSD_COLUMNS = [
    *("plate", "well", "kind", "lag_frames", "lag_s", "msd_um2", "se_um2", "n_tracks", "n_pairs")
]


def linked_spots(spots: pd.DataFrame, fields: pd.DataFrame, options) -> pd.DataFrame:
    """Spots with track ids, where the config asks for them to be linked over time.

    They are linked where a stage that never jumps would have shown them, as far as cells, or the
    spots themselves, report its jumps.
    """
    if not options["track"]:
        return spots
    if spots.empty:
        return spots.assign(track_id=pd.Series(0, spots.index, dtype="int64"))
    limits = {key: options[key] for key in ("max_distance_um", "max_gap_frames")}
    for named in track.crowded_fields(spots, options["max_distance_um"]):
        log.warning("crowded: %s", named)
    steady = without_stage(spots, fields, "off" if snakemake.params.stage == "off" else "jumps")
    ids = [
        track.link_particles(group, **limits)["track_id"]
        for _, group in steady.groupby(["well", "field"])
    ]
    ordered = pd.concat(ids)
    return spots.loc[ordered.index].assign(track_id=ordered).reset_index(drop=True)


def with_stage(fields: pd.DataFrame) -> pd.DataFrame:
    """Fields with the movement of the stage, as spots report it where no cells are followed."""
    options = snakemake.params.options
    if not options["track"] or "detect" not in rows or snakemake.params.stage == "off":
        return fields
    limits = {key: options[key] for key in ("max_distance_um", "max_gap_frames")}
    return stage_of_spots(fields, rows["detect"], **limits)


def moving(points, fields):
    """Points as motion is read from them: without the stage's, and with repeated frames marked."""
    steady = without_stage(points, fields, snakemake.params.stage)
    return steady.assign(repeated=movie_quality.in_repeated_frames(points, fields))


def _once(points, paths):
    """Points of paths that count: where fields overlap, two of them may show one path."""
    if not len(points) or "counted" not in paths:
        return points
    key = ["well", "field", "track_id"]
    counts = pd.MultiIndex.from_frame(paths.loc[paths["counted"], key])
    return points[pd.MultiIndex.from_frame(points[key]).isin(counts)]


def ensembles(cells, spots, fields) -> pd.DataFrame:
    """Mean squared displacement of the tracks of each well, of cells and of spots."""
    tables = []
    cells, spots = (without_left_out(points, fields, whole=True) for points in (cells, spots))
    cells, spots = _once(cells, tracks), _once(spots, particles)
    if len(spots) and "track_id" in spots:
        fields = spots.groupby(["well", "field"], sort=False)
        spots = pd.concat([subtract_drift(of_field) for _, of_field in fields])
    for kind, points in (("cells", cells), ("spots", spots)):
        if len(points) and "track_id" in points:
            msd = track_msd(points, plate.time_step_s)
            tables.append(ensemble_msd(msd, ["plate", "well"]).assign(kind=kind))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=MSD_COLUMNS)


with speaking(snakemake):
    paths: dict[str, list[str]] = {}
    for path in snakemake.input.tables:
        paths.setdefault(Path(path).parent.name, []).append(path)
    rows = {stage: read_rows(of_stage) for stage, of_stage in paths.items()}
    if {"track", "detect"} & rows.keys():
        from cellpipe import track  # half a second, which a plate without movies need not pay
        from cellpipe.track.far_steps import name_far_steps
        from cellpipe.track.order import name_order
        from cellpipe.track.spot_stage import stage_of_spots
    receipts = {
        stage: [r for p in of_stage for r in read_receipts(p)] for stage, of_stage in paths.items()
    }
    plate = Plate(snakemake.input.layout)
    inspection = json.loads(Path(snakemake.input.inspection).read_text())

    spot_channel = snakemake.params.options["channel"]
    not_taken = plate.frames_without(spot_channel) if "detect" in rows else set()
    cells = gather.join_cells(
        rows["measure"],
        more=[rows[stage] for stage in snakemake.params.of_cells],
        spots=rows.get("detect"),
        links=rows.get("track"),
        without_spots=gather.left_out_frames(receipts.get("detect", [])) | not_taken,
    )
    fields = movie_quality.movie_quality(
        gather.join_fields({stage: rows[stage] for stage in ("ingest", "segment")})
    )
    fields = saturation.plate_wide(fields, cells, plate.channels)
    fields = name_blurred(name_blank(fields, plate.channels))
    fields = name_left_out(fields, plate.channels, snakemake.params.leave_out)
    fields = gather.mark_not_taken(fields, not_taken)
    with words_of(plate.scale):
        fields = with_stage(gather.join_stage(fields, rows.get("track")))
        fields = movie_quality.name_jumps(fields)
        centres = {place: f.centre for place, f in plate.fields.items() if f.centre}
        fields = gather.join_centres(fields, centres)
        together = movie_quality.common_movement(fields)
    if snakemake.input.places:
        from cellpipe.run.plates import in_wells
        from cellpipe.run.plates.places import fields_in_wells

        places = read_table(snakemake.input.places)
        fields = fields_in_wells(fields, places)
        good = in_wells.frames_that_count(fields, gather.left_out_frames(receipts["measure"]))
        cells = in_wells.cells_in_wells(cells, places, plate, good)
        log.info("%d cells are shown by another field too", int((~cells["counted"]).sum()))
    spots = (
        linked_spots(rows["detect"], fields, snakemake.params.options)
        if "detect" in rows
        else pd.DataFrame()
    )
    if snakemake.input.places and "detect" in rows:
        good = good - gather.left_out_frames(receipts["detect"])
        spots = in_wells.spots_in_wells(spots, places, plate, good)
    cell_paths = moving(cells, fields) if "track" in rows else cells
    if "track" in rows:
        fields = name_order(name_far_steps(fields, cell_paths), cell_paths)
    tracks = track.track_table(cell_paths, plate.time_step_s) if "track" in rows else pd.DataFrame()
    spot_paths = moving(spots, fields) if "track_id" in spots else spots
    particles = (
        track.particle_table(spot_paths, plate.time_step_s)
        if "track_id" in spots
        else pd.DataFrame()
    )
    if snakemake.input.places:
        tracks = in_wells.tracks_in_wells(tracks, cells)
        particles = in_wells.tracks_in_wells(particles, spots)
    over = account.read_passed_over(snakemake.input.passed_over)
    planes = read_table(snakemake.input.manifest)
    passed_over = remedies.rows_of_images(over)
    faults = gather.quarantine(
        plate.name, inspection, receipts, passed_over, planes, snakemake.params.by_field
    )
    left_out = gather.left_out_frames(receipts["ingest"])
    files = account.settled(inspection["files"], planes, left_out)
    for table, path in (
        (cells, snakemake.output.cells),
        (tracks, snakemake.output.tracks),
        (spots, snakemake.output.spots),
        (particles, snakemake.output.spot_tracks),
        (ensembles(cell_paths, spot_paths, fields), snakemake.output.msd),
        (fields, snakemake.output.fields),
        (faults, snakemake.output.quarantine),
    ):
        publish_table(path, plate.scale.published(table))
    log.info("%d cells, %d spots, %d tracks", len(cells), len(spots), len(tracks))
    dropped = {name: int(fields[name].sum()) for name in fields if name.startswith("n_dropped_")}
    log.info("objects found and dropped: %s", dropped)
    log.info("%s", account.sentences(files)[0])
    for status, rows_of in faults.groupby("status", sort=False):
        where = ", ".join(sorted(set(rows_of["well"]) - {""})[:6]) or "plate"
        log.warning("%d %s (%s): see %s", len(rows_of), status, where, snakemake.output.quarantine)
    gap = snakemake.params.max_gap_frames if "track" in rows else None
    for line in together:
        log.info("%s", line)
    for line in [*movie_quality.shared_jumps(fields), *movie_quality.summary(fields, gap)]:
        log.warning("doubtful frames, %s: see %s", line, snakemake.output.fields)
