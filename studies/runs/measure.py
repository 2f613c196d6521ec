"""Objects measured per second, beside scikit-image's regionprops_table on the same labels.

python studies/runs/measure.py [--side 2048] [--repeats 3]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from skimage.measure import regionprops_table

from cellpipe.measure.cells import measure_cells
from cellpipe.measure.objects import measure_objects
from cellpipe.simulate import PlateDesign, simulate_field

PROPERTIES = [
    *("label", "centroid", "area", "perimeter_crofton", "eccentricity", "solidity"),
    *("axis_major_length", "axis_minor_length"),
    *("intensity_mean", "intensity_std", "intensity_min", "intensity_max"),
]


def best_of(call: Callable[[], object], repeats: int) -> float:
    """Shortest of several runs in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=2048, help="of the square field, in pixels")
    parser.add_argument("--nuclei-per-mm2", type=float, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    design = PlateDesign(
        shape=(options.side, options.side), nuclei_per_mm2=options.nuclei_per_mm2, touching=0.3
    )
    field = simulate_field(design, "B02", 1)
    channels, size_um = ["dna", "reporter", "spots"], design.pixel_size_um
    last = np.moveaxis(field.pixels, 0, -1)
    calls = {
        "cellpipe measure_objects": lambda: measure_objects(
            field.nuclei, field.pixels, channels, size_um
        ),
        "cellpipe measure_cells (nuclei, cells, cytoplasm)": lambda: measure_cells(
            field.nuclei, field.cells, field.pixels, channels, size_um
        ),
        "scikit-image regionprops_table": lambda: regionprops_table(
            field.nuclei.astype(np.int64), last, properties=PROPERTIES
        ),
    }
    n = len(field.truth)
    print(f"{n} nuclei in {options.side} x {options.side} pixels, {len(channels)} channels")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, call in calls.items():
            seconds = best_of(call, options.repeats)
            print(f"{name:52s} {seconds:8.3f} s {n / seconds:10.0f} objects/s")


if __name__ == "__main__":
    main()
