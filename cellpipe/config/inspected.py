"""What only the images show, checked as soon as possible: before anything is made from them.

first run       inspect_plate calls `refuse_by_inspection`, before the plate is laid out
results kept    `refuse_lost_inspection`, before any job: Snakemake would remove the inspection
                before the job that fails on a misspelt name, and all results hang on it
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cellpipe.config.channel_sets import channels_of, segmented_channels
from cellpipe.config.plate_map import read_plate_map
from cellpipe.errors import BadConfig, Unreachable
from cellpipe.image.units import Scale
from cellpipe.readers import watch

Section = Mapping[str, Any]


def asked_of_images(config: Section, row: Section) -> dict[str, Any]:
    """Requirements of a plate's config and row on its images, to be compared later."""
    own = config["layouts"].get(row["layout"], {})
    plate_map = Path(row["plate_map"]).read_bytes() if row["plate_map"] else b""
    return {
        "layout": row["layout"],
        "pattern": own.get("pattern", ""),
        "sources": {name: spec["source"] for name, spec in channels_of(config, row).items()},
        "ingest": dict(config["ingest"]),
        "plate_map": hashlib.sha256(plate_map).hexdigest(),
    }


def refuse_by_inspection(config: Section, inspection: Section) -> None:
    """Raise BadConfig for what this plate cannot give: spots that its pixels or fields exclude."""
    detect = config["detect"]
    if detect["channel"] not in inspection["channels"]:
        return
    from cellpipe.detect.limits import refuse_diameter, refuse_wide  # few plates have spots

    scale = Scale.from_dict(inspection)
    edge_um = min(scale.y, scale.x)
    refuse_diameter(detect["engine"], detect["diameter_um"], edge_um)
    shapes = [field["shape"][-2:] for field in inspection["fields"]]
    if shapes:
        refuse_wide(detect["diameter_um"], edge_um, max(shapes, key=min))
    if detect["track"]:
        _refuse_wide_gaps(detect, inspection)


def _refuse_wide_gaps(detect: Section, inspection: Section) -> None:
    """Spots of a channel that was taken too rarely for any two of its frames to be linked."""
    absent = set(inspection.get("not_taken", {}).get(detect["channel"], ()))
    n_t = max((field["n_t"] for field in inspection["fields"]), default=1)
    taken = [t for t in range(n_t) if t not in absent]
    gap = min((b - a - 1 for a, b in itertools.pairwise(taken)), default=0)
    if gap > detect["max_gap_frames"]:
        raise BadConfig(
            seen=f"{detect['max_gap_frames']} for 'detect.max_gap_frames', and {gap} frames or "
            f"more between those at which channel '{detect['channel']}' was taken",
            wanted="spots that can be linked from one frame of the channel to the next",
            do=f"set 'detect.max_gap_frames' to {gap} or more, or 'detect.track' to false",
        )


def lost_to_segmentation(config: Section, inspection: Section) -> Iterator[str]:
    """A sentence for each channel that segmentation needs and that some frames or wells lack.

    These frames are quarantined, in all of their channels.
    """
    n_t = max((field["n_t"] for field in inspection["fields"]), default=1)
    n_wells = len({field["well"] for field in inspection["fields"]})
    for channel, option in segmented_channels(config).items():
        absent = len(inspection.get("not_taken", {}).get(channel, ()))
        wells = len(inspection.get("lacking", {}).get(channel, ()))
        lost = [f"{absent} of {n_t} frames"] * bool(absent)
        lost += [f"all frames of {wells} of {n_wells} wells"] * bool(wells)
        if lost:
            remedy = "; set 'segment.cells.method' to ring to keep them" * ("cells" in option)
            yield (
                f"segmentation needs channel '{channel}' ('{option}'): {' and '.join(lost)} lack "
                f"it and are quarantined{remedy}"
            )


def refuse_lost_inspection(config: Section, plates: Mapping[str, Section]) -> None:
    """Raise BadConfig for what a new inspection of a plate would refuse, where it has results.

    Plates that were never inspected are left to their first job. So are images that have changed
    since, and shares that cannot be reached.
    """
    for plate, row in plates.items():
        folder = Path(config["results"], plate)
        try:
            inspection = json.loads((folder / "inspection.json").read_text(encoding="utf-8"))
            now, then = asked_of_images(config, row), dict(inspection.get("asked", {}))
            changed = {key for key in now if now[key] != then.get(key)}
            current = watch.token(folder, Path(row["images"])) == watch.last_token(folder)
        except (OSError, ValueError, AttributeError):
            continue
        if changed - {"plate_map"}:
            try:
                read_plate_map(row["plate_map"], _wells_that_are_found(config, row))
            except Unreachable:
                continue
        elif changed and current:
            read_plate_map(row["plate_map"], {field["well"] for field in inspection["fields"]})
        elif current:
            refuse_by_inspection(config, inspection)


def _wells_that_are_found(config: Section, row: Section) -> Collection[str]:
    """Wells of the images, listed as the inspection lists them.

    Raises BadConfig for a layout or an acquisition that finds none, or a channel without images.
    """
    from cellpipe.readers import in_place, manifest
    from cellpipe.readers.inspection import refuse_absent_channels
    from cellpipe.readers.layouts import ome_zarr

    images, ingest = Path(row["images"]), config["ingest"]
    if row["layout"] == "ome-zarr":
        source = ome_zarr.describe_source(images, ingest["acquisition"])
        sources = set(in_place.common_channels(source))
        wells = {field["well"] for field in source["fields"]}
    else:
        files = manifest.listing(images, ingest["follow_links"])
        planes = manifest.list_planes(
            row["layout"], images, config["layouts"], files, ingest["plate_columns"]
        )
        planes = manifest.with_colours(planes, ingest["colour_images"])
        sources, wells = set(planes["channel"]), set(planes["well"])
    names = {spec["source"]: name for name, spec in channels_of(config, row).items()}
    refuse_absent_channels(names, sources)
    return wells
