"""Score a folder of label images against a folder of true ones: no plate is needed.

Images belong together by name: truth/a.tif, found/a.tif, pixels/a.png. As a Snakemake script, or
from the command line:

    python scripts/evaluate_labels.py --truth truth --found found --out evaluation
"""

import argparse
import sys
from pathlib import Path

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.evaluate.judged_folders import judged_folders
from cellpipe.evaluate.judging import (
    judge_images,
    plot_curve,
    plot_worst,
    score_notes,
    score_table,
)
from cellpipe.files.publish import publish_table
from cellpipe.run.job import log, speaking


def evaluate(folders, outputs, pixel_size_um, n_worst, sparse):
    judged = judged_folders(*folders)
    square = pixel_size_um if isinstance(pixel_size_um, int | float) else None
    images = judge_images(judged, square, sparse)
    table = score_table(images, {})
    notes = score_notes(images)
    table["note"] = table["score"].map(notes).fillna("")
    for note in dict.fromkeys(notes.values()):
        log.warning("%s", note)
    plot_curve(images, outputs["curve"])
    plot_worst(judged, images, outputs["worst"], n_worst)
    publish_table(outputs["images"], images)
    publish_table(outputs["scores"], table)
    log.info("%s", {row.score: round(float(row.value), 4) for row in table.itertuples()})
    return table


def command_line():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("truth", "found", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pixels", type=Path)
    parser.add_argument("--pixel-size-um", type=float)
    parser.add_argument("--n-worst", type=int, default=6)
    parser.add_argument(
        "--sparse", action="store_true", default=None, help="the truth outlines some objects only"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = {"scores": "scores.tsv", "images": "images.tsv", "curve": "ap.svg", "worst": "worst"}
    outputs = {key: options.out / name for key, name in names.items()}
    folders = options.truth, options.found, options.pixels
    try:
        table = evaluate(folders, outputs, options.pixel_size_um, options.n_worst, options.sparse)
    except CellpipeError as fault:
        sys.exit(f"seen:   {fault.seen}\nwanted: {fault.wanted}\ndo:     {fault.do}")
    print(table.to_string(index=False, float_format="{:.4f}".format))


if "snakemake" in globals():
    job = globals()["snakemake"]
    with speaking(job):
        given = [job.input.get(name) for name in ("truth", "found", "pixels")]
        if not (given[0] and given[1]):
            raise BadConfig(
                seen="no folder for 'evaluate.truth' or 'evaluate.result' in the config",
                wanted="two folders of label images",
                do="set them, as in --config 'evaluate={truth: a, result: b}'",
            )
        paths = [Path(path) if path else None for path in given]
        params = job.params
        evaluate(paths, job.output, params.pixel_size_um, params.n_worst, params.sparse_truth)
elif __name__ == "__main__":
    command_line()
