"""A mosaic with more nuclei than 16 bits can number: the same objects with tiles as without?

python benchmarks/mosaic.py [--side 8192] [--tiles 1024 2048] [--memory 4096 8192]

Draws a field, segments it untiled and with several tile sizes, and matches the objects: how many
have a partner with IoU of 0.99 or more, and how many were cut or merged. Then the peak memory of a
process that reads its image from disk and writes its labels to disk, for several sizes.
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

from cellpipe.metrics.labels import overlap
from cellpipe.models.infer import network_labels
from cellpipe.models.load import load_network
from cellpipe.simulate import PlateDesign, draw_field

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
    fields = [draw_field(design, "B02", field).pixels[0] for field in range(BLOCKS)]
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


def on_disk(side_px: int, tile_px: int, folder: Path) -> None:
    """Segment an image on disk into labels on disk; prints the process's peak memory in MB."""
    pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="r")
    into = np.lib.format.open_memmap(
        folder / "labels.npy", mode="w+", dtype=np.uint32, shape=(side_px, side_px)
    )
    network = load_network("nuclei")
    network_labels(pixels[None, :256, :256], network)
    before = _peak_mb()
    network_labels(OnDisk(pixels), network, tile_px=tile_px, into=into)
    print(f"{before:.0f} {_peak_mb():.0f} {int(into[::7].max())}")


class OnDisk:
    """(1, Y, X) over a memory map that lets go of what was read: mapped pages count as memory."""

    ndim = 3

    def __init__(self, plane: np.memmap) -> None:
        self.plane = plane
        self.shape = (1, *plane.shape)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: tuple) -> np.ndarray:
        again = np.memmap(
            self.plane.filename, self.plane.dtype, "r", self.plane.offset, self.plane.shape
        )
        return np.array(again[place[1:]])[None]


def _peak_mb() -> float:
    """Largest memory of this process; getrusage would count the process that started it too."""
    (line,) = [t for t in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in t]
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--reference-tile", type=int, default=4096, help="'untiled' beyond memory")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--memory", type=int, nargs="*", default=[4096, 8192])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on-disk", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_disk:
        side, tile, folder = options.on_disk
        on_disk(int(side), int(tile), Path(folder))
        return
    started = time.perf_counter()
    mosaic = draw_mosaic(options.side, options.seed)
    print(f"drawn in {time.perf_counter() - started:.0f} s", flush=True)
    network = load_network("nuclei")
    reference = None
    rows = []
    for tile_px in (options.reference_tile, *options.tiles):
        cpu = time.process_time()
        labels, _ = network_labels(mosaic, network, tile_px=tile_px)
        cpu = time.process_time() - cpu
        if reference is None:
            reference = labels
        row = {"tile_px": tile_px, **agreement(reference, labels)}
        rows.append(row | {"Mpx_per_cpu_s": mosaic.size / 1e6 / cpu})
        print(pd.DataFrame(rows).round(4).to_string(index=False), flush=True)
    for side in options.memory:
        with tempfile.TemporaryDirectory() as made:
            np.save(Path(made, "pixels.npy"), mosaic[:side, :side])
            command = [sys.executable, __file__, "--on-disk", str(side), "1024", made]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        before, peak, n = said.split()
        print(f"{side} px on disk, tiles of 1024: {before} → {peak} MB, labels up to {n}")


if __name__ == "__main__":
    main()
