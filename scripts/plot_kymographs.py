"""Take kymographs along the lines that were drawn on a plate: a TIFF and a figure of each."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cellpipe.config.lines import LINE, read_lines
from cellpipe.dynamics.kymograph import band, line_profile
from cellpipe.errors import BadConfig
from cellpipe.figures.kymographs import kymograph_figure
from cellpipe.figures.style import figure_bytes
from cellpipe.files.publish import publish_table, published
from cellpipe.image.units import words_of
from cellpipe.plate.plate import Plate
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import log, speaking
from cellpipe.run.not_made import NotMade
from cellpipe.run.receipts import good_frames


def taken(line, corners_um):
    """Kymograph (T, S) of one line; a frame that was left out, or not taken, is NaN.

    Raises BadImage for pixels that should be there and are not.
    """
    if (line["well"], line["field"]) not in plate.fields:
        raise BadConfig(
            seen=f"the line '{line['line']}' in well {line['well']} field {line['field']}",
            wanted="a field that was imaged",
            do=f"correct {snakemake.input.lines}",
        )
    places = band(corners_um / plate.pixel_size_um, width_px)
    rows = []
    for t in range(plate.fields[line["well"], line["field"]].size("t")):
        place = (line["well"], line["field"], t)
        if place in ingested and line["channel"] in plate.channels_at(line["well"], t):
            pixels = project_frame(plate, *place, [line["channel"]]).whole()
            rows.append(line_profile(pixels[0], places))
        else:
            rows.append(np.full(places.shape[2], np.nan))
    return np.stack(rows)


def save(name, line, corners_um, aside):
    """The TIFF and the figure of one line, both or none."""
    kymograph = taken(line, corners_um)
    with words_of(plate.scale):
        figure = kymograph_figure(
            kymograph,
            pixel_size_um=plate.pixel_size_um,
            time_step_s=plate.time_step_s,
            title=f"{line['well']} field {line['field']}, {line['line']}",
        )
        svg = figure_bytes(figure, "svg")
    Image.fromarray(kymograph.astype(np.float32)).save(Path(aside, f"{name}.tif"))
    Path(aside, f"{name}.svg").write_bytes(svg)


with speaking(snakemake), published(snakemake.output.folder) as aside:
    aside.mkdir()
    plate, not_made = Plate(snakemake.input.layout), NotMade()
    ingested = good_frames(snakemake.input.ingest)
    width_px = snakemake.params.width_um / plate.pixel_size_um
    others = dict.fromkeys(snakemake.params.plates)
    lines = read_lines(snakemake.input.lines, {**others, plate.name: plate.channels})
    scale = {
        "pixel_size_um": plate.pixel_size_um if plate.scale.length_known else None,
        "time_step_s": plate.time_step_s if plate.scale.time_known else None,
    }
    listing = []
    of_plate = lines[lines["plate"] == plate.name].groupby(LINE, sort=True)
    for number, (key, corners) in enumerate(of_plate, start=1):
        line = dict(zip(LINE, key, strict=True))
        name = f"{line['well']}_{line['field']}_{line['channel']}_{number:03d}"
        with not_made.trying(f"kymographs/{name} (line '{line['line']}')"):
            save(name, line, corners[["y_um", "x_um"]].to_numpy(float), aside)
            listing.append({"file": f"{name}.tif", **line, **scale})
    publish_table(aside / "lines.tsv", pd.DataFrame(listing, columns=["file", *LINE, *scale]))
    not_made.publish(snakemake.output.not_made)
    log.info("%d kymographs", len(listing))
