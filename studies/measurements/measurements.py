"""The set "cell_painting" against cp-measure: the same values, and how fast?

    CELLPIPE_DATA=… python studies/measurements/measurements.py --cp-measure PYTHON

PYTHON is that of an environment with cp-measure 0.3.0 (``python -m venv cp; cp/bin/pip install
cp_measure==0.3.0``), which measures the same arrays: cells of a simulated field, and of
hcs-cellpainting-nf1 with its published masks. For each family: columns, the largest difference over
the largest value of the column, and CPU seconds on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
from skimage.io import imread
from skimage.measure import label

from cellpipe.measure.columns import PAIR, Column, channel_columns, shape_columns
from cellpipe.measure.complete import Complete
from cellpipe.measure.families import complete_columns
from cellpipe.measure.members import gather
from cellpipe.simulate import PlateDesign, simulate_field

NF1 = "hcs-cellpainting-nf1/Plate_2_{}/{}"
SITES = (("B7", 3), ("D6", 2), ("D7", 1))
REMOTE = """
import json, sys, time, warnings
import numpy as np
from itertools import combinations
from cp_measure.core import measurecolocalization as co, measuregranularity as gr
from cp_measure.core import measureobjectintensity as it, measureobjectintensitydistribution as di
from cp_measure.core import measureobjectsizeshape as si, measuretexture as te
warnings.simplefilter("ignore")
given = np.load(sys.argv[1])
labels, pixels = given["labels"].astype(np.int64), given["pixels"]
values, seconds = {}, {}
def run(family, name, measure, *arrays):
    start = time.process_time()
    found = measure(*arrays)
    seconds[family] = seconds.get(family, 0.0) + time.process_time() - start
    for key, column in found.items():
        values[f"{name}/{key}"] = np.asarray(column, float)
run("shape", "shape", si.get_sizeshape, labels, None)
run("shape", "shape", si.get_feret, labels, None)
run("shape", "shape", si.get_zernike, labels, None)
for c, plane in enumerate(pixels):
    run("intensity", c, it.get_intensity, labels, plane)
    run("texture", c, te.get_texture, labels, plane)
    run("radial", c, di.get_radial_distribution, labels, plane)
    run("radial", c, di.get_radial_zernikes, labels, plane)
    run("granularity", c, gr.get_granularity, labels, plane)
for a, b in combinations(range(len(pixels)), 2):
    for measure in (co.get_correlation_pearson, co.get_correlation_manders_fold,
                    co.get_correlation_rwc, co.get_correlation_overlap):
        run("colocalisation", f"{a},{b}", measure, pixels[a], pixels[b], labels)
np.savez(sys.argv[2], **values)
json.dump(seconds, open(sys.argv[3], "w"))
"""
RENAMED = {"Correlation_Correlation": "Correlation_Pearson"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cp-measure", required=True, metavar="PYTHON")
    options = parser.parse_args()
    for name, labels, pixels in images():
        ours, seconds = measured(labels, pixels)
        theirs, their_seconds = by_cp_measure(options.cp_measure, labels, pixels)
        print(f"{name}: {labels.max()} cells, {len(pixels)} channels, {labels.shape} pixels")
        report(ours, theirs, len(pixels), their_seconds)
        total = sum(their_seconds.values())
        print(f"  CPU s: all {seconds:.2f}, cp-measure {total:.2f}, {total / seconds:.1f} times\n")


def images():
    """Name, labels (Y, X) from 1 without gaps, pixels (C, Y, X) between 0 and 1."""
    field = simulate_field(PlateDesign(shape=(1024, 1024), touching=0.5), "B09", 1)
    numbers = np.unique(field.cells)
    labels = np.searchsorted(numbers, field.cells)
    yield "simulated", labels, field.pixels / field.pixels.max()
    data = Path(os.environ.get("CELLPIPE_DATA", "data"))
    for well, site in SITES:
        named = [f"{well}_01_{c}_{site}_{n}_001" for c, n in ((1, "DAPI"), (2, "GFP"), (3, "RFP"))]
        mask = imread(data / NF1.format("masks", f"{named[2]}_MaskCells.tiff"))
        planes = [imread(data / NF1.format("images", f"{name}.tif")) for name in named]
        yield f"nf1 {well}", label(mask > 0), np.stack(planes) / 65535


def measured(labels: np.ndarray, pixels: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    channels = [str(c) for c in range(len(pixels))]
    for _ in range(2):  # the first one compiles
        start = time.process_time()
        members = gather(labels.astype(np.uint32))
        columns = complete_columns(members, pixels, channels, 1.0, Complete(1.0))
        seconds = time.process_time() - start
    return columns, seconds


def by_cp_measure(
    python: str, labels: np.ndarray, pixels: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        given, found, took = (f"{folder}/{name}" for name in ("in.npz", "out.npz", "took.json"))
        np.savez(given, labels=labels, pixels=pixels)
        alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        alone["OMP_NUM_THREADS"] = "1"
        subprocess.run([python, "-c", REMOTE, given, found, took], check=True, env=alone)
        return dict(np.load(found)), json.loads(Path(took).read_text())


def report(
    ours: dict[str, np.ndarray],
    theirs: dict[str, np.ndarray],
    n_channels: int,
    seconds: dict[str, float],
) -> None:
    """A line per family: columns compared, the largest difference and where, their seconds."""
    families: dict[str, list[tuple[float, str]]] = {}
    for name, key in pairs(n_channels):
        if key not in theirs:
            raise KeyError(f"{key}, for {name}")
        mine, other = ours[name].astype(float), theirs[key]
        if (np.isnan(mine) != np.isnan(other)).any():
            families.setdefault(family_of(name), []).append((np.inf, f"{name}: empty in one"))
            continue
        largest = max(float(np.nanmax(np.abs(other))), 1e-6)
        apart = float(np.nanmax(np.abs(mine - other))) / largest
        families.setdefault(family_of(name), []).append((apart, name))
    for family, found in families.items():
        worst, name = max(found)
        over = sum(apart > 1e-3 for apart, _ in found)
        took = seconds.get(family)
        print(
            f"  {family:15} {len(found):4} columns, {over:3} differ by more than 0.001; most "
            f"{worst:.1e} ({name})" + ("" if took is None else f"; cp-measure {took:.2f} s")
        )


def pairs(n_channels: int):
    """Our columns and the places of cp-measure's."""
    for column in shape_columns():
        yield column.name, f"shape/{column.cellprofiler.removeprefix('AreaShape_')}"
    for c in range(n_channels):
        for column in channel_columns():
            yield column.name.format(c=c), f"{c}/{in_cp_measure(column)}"
    for a, b in combinations(range(n_channels), 2):
        names = ("Pearson", "Slope", "Overlap", "K_1", "K_2", "Manders_1", "Manders_2", "RWC_1")
        for column, theirs in zip(PAIR, (*names, "RWC_2"), strict=True):
            yield column.name.format(a=a, b=b), f"{a},{b}/Correlation_{theirs}"


def in_cp_measure(column: Column) -> str:
    name = column.cellprofiler.replace("_{c}", "")
    return name.removeprefix("Texture_")


def family_of(name: str) -> str:
    for word, family in (("texture", "texture"), ("granularity", "granularity"),
                         ("radial", "radial"), ("zernike_", "Zernike")):  # fmt: skip
        if word in name:
            return family
    if not name[0].isdigit():
        return "shape"
    return "colocalisation" if name[2].isdigit() else "intensity"


if __name__ == "__main__":
    main()
