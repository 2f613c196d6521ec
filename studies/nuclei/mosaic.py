"""A mosaic with more nuclei than 16 bits can number: the same objects with tiles as without?

python studies/nuclei/mosaic.py [--side 8192] [--tiles 1024 2048] [--memory 4096 8192] [--folder .]

Draws a field, segments it untiled and with several tile sizes, and matches the objects: how many
have a partner with IoU of 0.99 or more, and how many were cut or merged. Then, for several sizes,
the peak memory of a process that segments (nuclei, and rings as cells) and measures it by region
in a plate on disk, as the workflow does. Without sizes after --tiles, memory alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.config import sheets
from cellpipe.image.scratch import scratch_in
from cellpipe.metrics.labels import overlap
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate
from cellpipe.run.frames import measure, segment
from cellpipe.run.frames.project import project_frame
from cellpipe.simulate import PlateDesign, simulate_field

SCHEMAS = Path(__file__).parents[2] / "config/schemas"
BLOCK_PX, BLOCKS = 1024, 4


def draw_mosaic(side_px: int, seed: int) -> np.ndarray:
    """Nuclei of about 20 px, one per 30 × 30 pixels; uint16 (Y, X).

    A few drawn fields, laid side by side in turns and mirrorings drawn by the seed; nuclei that a
    field's edge cuts touch their neighbours', which no tile may make worse.
    """
    rng = np.random.default_rng(seed)
    design = PlateDesign(
        shape=(BLOCK_PX, BLOCK_PX), pixel_size_um=0.6, nuclei_per_mm2=2900, seed=seed
    )
    fields = [simulate_field(design, "B02", field).pixels[0] for field in range(BLOCKS)]
    mosaic = np.zeros((side_px, side_px), np.uint16)
    for y in range(0, side_px, BLOCK_PX):
        for x in range(0, side_px, BLOCK_PX):
            block = np.rot90(fields[rng.integers(BLOCKS)], rng.integers(4))
            block = block[:: rng.choice([-1, 1])]
            mosaic[y : y + BLOCK_PX, x : x + BLOCK_PX] = block[: side_px - y, : side_px - x]
    return mosaic


def agreement(reference: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share of objects with a partner of IoU ≥ 0.99, and objects with two partners."""
    pairs = overlap(reference, labels)
    same = int((pairs.iou.data >= 0.99).sum())
    large = pairs.iou.copy()
    large.data = large.data > 0.1
    large.eliminate_zeros()
    return {
        "objects": pairs.n_predicted,
        "same": same / max(pairs.n_truth, pairs.n_predicted),
        "cut": int((np.diff(large.tocsr().indptr) > 1).sum()),
        "merged": int((np.diff(large.tocsc().indptr) > 1).sum()),
    }


def lay_out_mosaic(folder: Path, mosaic: np.ndarray) -> None:
    """A plate of one field, as the workflow ingests it."""
    field = {"well": "A01", "field": 1, "axes": "tczyx", "dtype": str(mosaic.dtype)}
    inspection = {
        "plate": "mosaic",
        "channels": ["dna"],
        "pixel_size_um": 0.6,
        "time_step_s": 1.0,
        "fields": [field | {"shape": [1, 1, 1, *mosaic.shape], "n_t": 1, "n_z": 1}],
    }
    layout = folder / "layout.json"
    lay_out(layout, inspection, colors=["FFFFFF"], labels=["nuclei", "cells"])
    Plate(layout).write_plane("A01", 1, 0, 0, 0, mosaic)


def by_region(folder: Path, tile_px: int) -> None:
    """Segment and measure the plate's field by region, as jobs do.

    Prints peak memory in MB before, after segmentation and after measuring, the part of it that is
    mapped files (libraries), CPU seconds of the two steps, and the number of objects.
    """
    config = {"plates": "", "channels": {"dna": {"source": "1"}}}
    nuclei = {"channel": "dna", "tile_px": tile_px}
    asked = sheets.checked_config(config | {"segment": {"nuclei": nuclei}}, SCHEMAS)
    plate, place = Plate(folder / "layout.json"), ("A01", 1, 0)
    size_um = plate.pixel_size_um
    networks = segment.load_networks(asked["segment"], "cpu", 1)
    warm = np.random.default_rng(0).integers(100, 900, (1, 256, 256)).astype(np.uint16)
    segment.segment_frame(warm, size_um, asked["segment"], networks)
    peaks, cpu = [_memory_mb("VmHWM")], [time.process_time()]
    most_mpx, scratch = 0.0, scratch_in(folder)  # frames of any size are cut into blocks
    frame = project_frame(plate, *place).cut(most_mpx, scratch)
    layers, figures = segment.segment_frame(frame, size_um, asked["segment"], networks)
    for name, labels in layers.items():
        plate.write_labels(*place, name, labels)
    peaks.append(_memory_mb("VmHWM"))
    cpu.append(time.process_time())
    opened = [plate.flat_labels(*place, name) for name in ("nuclei", "cells")]
    frame = [image.cut(most_mpx, scratch) for image in (*opened, project_frame(plate, *place))]
    rows = measure.measure_frame(*frame, plate.channels, size_um, asked["measure"])
    peaks.append(_memory_mb("VmHWM"))
    cpu.append(time.process_time())
    if len(rows) != figures["n_nuclei"]:
        raise SystemExit(f"{len(rows)} rows of {figures['n_nuclei']} nuclei")
    figures_mb = (*peaks, _memory_mb("RssFile"))
    print(*(round(mb) for mb in figures_mb), *np.diff(cpu).round(1), len(rows))


def _memory_mb(name: str) -> float:
    """Memory of this process: "VmHWM" is its peak, "RssFile" the part of it now that is files.

    getrusage would count the process that started it too.
    """
    (line,) = [t for t in Path("/proc/self/status").read_text().splitlines() if name in t]
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--reference-tile", type=int, default=4096, help="'untiled' beyond memory")
    parser.add_argument("--tiles", type=int, nargs="*", default=[1024, 2048])
    parser.add_argument("--memory", type=int, nargs="*", default=[4096, 8192])
    parser.add_argument("--folder", help="for the plates; not one that lies in memory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--by-region", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.by_region:
        folder, tile = options.by_region
        by_region(Path(folder), int(tile))
        return
    started = time.perf_counter()
    mosaic = draw_mosaic(options.side, options.seed)
    print(f"drawn in {time.perf_counter() - started:.0f} s", flush=True)
    network = load_network("nuclei")
    reference = None
    rows = []
    for tile_px in (options.reference_tile, *options.tiles) if options.tiles else ():
        cpu = time.process_time()
        labels, *_ = find_objects(mosaic, network, tile_px=tile_px)
        cpu = time.process_time() - cpu
        if reference is None:
            reference = labels
        row = {"tile_px": tile_px, **agreement(reference, labels)}
        rows.append(row | {"Mpx_per_cpu_s": mosaic.size / 1e6 / cpu})
        print(pd.DataFrame(rows).round(4).to_string(index=False), flush=True)
    for side in options.memory:
        with tempfile.TemporaryDirectory(dir=options.folder) as made:
            lay_out_mosaic(Path(made), mosaic[:side, :side])
            command = [sys.executable, __file__, "--by-region", made, "1024"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        before, segmented, measured, files, *cpu, n = said.split()
        print(
            f"{side} px, tiles of 1024: {before} MB → segment {segmented} → measure {measured} "
            f"({files} of files), {n} nuclei, CPU s {' + '.join(cpu)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
