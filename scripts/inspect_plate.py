"""List what is in a plate, without reading its pixels, and check the plate map against it."""

import json
from pathlib import Path

import pandas as pd

from cellpipe.config.inspected import (
    asked_of_images,
    lost_to_segmentation,
    refuse_by_inspection,
)
from cellpipe.config.plate_map import read_plate_map
from cellpipe.errors import BadImage
from cellpipe.files.places import refuse_overlap
from cellpipe.files.publish import publish_table, publish_text
from cellpipe.image.levels import contrast_window
from cellpipe.image.projection import method_of
from cellpipe.quality.scale import facts_of_scale
from cellpipe.readers import formats, in_place, manifest
from cellpipe.readers.accounting import account
from cellpipe.readers.accounting.doubles import same_bytes
from cellpipe.readers.accounting.holes import refuse_absent_plane, stack_sizes
from cellpipe.readers.accounting.remedies import OTHER_CHANNEL, OTHER_OF_SET
from cellpipe.readers.accounting.sparse import lacking_in_words
from cellpipe.readers.inspection import inspect_planes, wells_without_images
from cellpipe.readers.layouts import ome_zarr
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.readers.vendor import centres
from cellpipe.readers.vendor.plan import recorded_of_plate, unlike_the_plan
from cellpipe.run.job import log, speaking, warn
from cellpipe.wells import row_and_column

SAMPLES = 6


def inspect(images: Path, options) -> tuple[dict, pd.DataFrame, pd.DataFrame]:
    """What is in the plate, its planes, and what was passed over."""
    own = {
        "pixel_size_um": options.ingest["pixel_size_um"],
        "time_step_s": options.ingest["time_step_s"],
    }
    if options.layout == "ome-zarr":
        source = ome_zarr.describe_source(images, options.ingest["acquisition"])
        inspection = in_place.inspect_source(source, options.channels, plate=options.plate, **own)
        deepest = max(int(field["n_z"]) for field in inspection["fields"])
        refuse_absent_plane(dict.fromkeys(inspection["channels"], deepest), options.project)
        inspection, over = account.accounted_source(inspection, source)
        return inspection, pd.DataFrame(), over
    files = manifest.listing(images, options.ingest["follow_links"])
    listed = manifest.list_planes(
        options.layout, images, options.layouts, files, options.ingest["plate_columns"]
    )
    files.notes += unlike_the_plan(listed, recorded_of_plate(listed, images), files.names)
    listed = manifest.with_colours(listed, options.ingest["colour_images"])
    inspection, planes = inspect_planes(
        listed,
        options.channels,
        plate=options.plate,
        read=manifest.read_header_below(images),
        keep_stack=options.project["keep_stack"],
        same=same_bytes(images),
        stated=formats.states_planes(options.layout),
        **own,
    )
    inspection = centres.with_centres(inspection, planes, images, options.layout)
    depths = stack_sizes(planes)
    if "n_z" in planes:  # of fields whose metadata state another depth
        depths = planes.groupby("channel")["n_z"].min().astype(int).to_dict()
    refuse_absent_plane(depths, options.project)
    inspection["windows"] = windows(planes, images)
    other = OTHER_OF_SET if options.channel_set else OTHER_CHANNEL
    inspection, over = account.accounted(inspection, files, listed, planes, other)
    return inspection, planes, over


def windows(planes: pd.DataFrame, images: Path) -> dict:
    """Display ranges from a few planes spread over the plate, of those that can be read."""
    found = {}
    for channel, group in planes.groupby("channel"):
        samples = []
        for row in group.iloc[:: max(1, len(group) // SAMPLES)].itertuples():
            try:
                samples.append(read_plane(images / row.path, row.page))
            except BadImage:
                continue
        if samples:
            found[channel] = contrast_window(samples)
    return found


with speaking(snakemake):
    options = snakemake.params
    here = Path(snakemake.output.inspection).parent
    refuse_overlap(options.images, here, plate=options.plate)
    inspection, planes, over = inspect(Path(options.images), options)
    wells = sorted({f["well"] for f in inspection["fields"]}, key=row_and_column)
    if options.plate_map:
        mapped = read_plate_map(options.plate_map, wells)["well"]
        named = [*wells, *(fault["well"] for fault in inspection["faults"])]
        inspection["faults"] += wells_without_images(mapped, named)
    # from the config, not from params: another readout or spot is no reason to inspect again
    refuse_by_inspection(snakemake.config, inspection)
    row = {"layout": options.layout, "plate_map": options.plate_map, "plate": options.plate}
    row |= {"channels": options.channel_set}
    inspection["projection"] = method_of(options.project)
    inspection["asked"] = asked_of_images(snakemake.config, row)
    for name, words in facts_of_scale(inspection).items():
        log.info("%s: %s", name, words)
    if inspection["pixel_size_seen"]:
        log.warning("pixel size: seen and not taken: %s", inspection["pixel_size_seen"])
    publish_table(snakemake.output.manifest, planes)
    publish_table(snakemake.output.passed_over, over)
    inspection["token"] = options.watched
    publish_text(snakemake.output.inspection, json.dumps(inspection, indent=1) + "\n")
    log.info(
        "%s: %d wells, %d fields, %d holes, %d fields that cannot be read",
        options.plate,
        len(wells),
        len(inspection["fields"]),
        len(inspection["holes"]),
        len(inspection["faults"]),
    )
    placed = [f["centre"] for f in inspection["fields"] if "centre" in f]
    if placed:
        about = "%d of %d fields, relative to the %s (%s)"
        origin, source = placed[0]["origin"], placed[0]["source"]
        log.info(
            f"stage positions: {about}", len(placed), len(inspection["fields"]), origin, source
        )
    for line in account.sentences(inspection["files"]):
        log.info("%s", line)
    n_wells = len(wells)
    lacking = [
        f"channel '{channel}' {lacking_in_words(of, n_wells)}"
        for channel, of in inspection.get("lacking", {}).items()
    ]
    lacking += lost_to_segmentation(snakemake.config, inspection)
    for line in [*inspection["notes"], *lacking, *account.warnings(inspection["files"])]:
        warn(line)
