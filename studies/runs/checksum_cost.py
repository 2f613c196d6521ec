"""What checksums, digests and bringing data to disk cost, in seconds of processor and of clock.

    python studies/runs/checksum_cost.py --side 1024 --frames 24

Planes of shot noise are written as ingest writes them (a pyramid, Zstandard), then read.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from cellpipe.files.durable import sync_disk
from cellpipe.plate import trees
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate

ROUNDS, NEVER = 3, (np.inf, np.inf)


def timed(step: Callable[[int], object], n: int) -> tuple[float, float]:
    """Milliseconds of processor and of clock, for each of `n` steps."""
    cpu, clock = time.process_time(), time.perf_counter()
    for i in range(n):
        step(i)
    return 1e3 * (time.process_time() - cpu) / n, 1e3 * (time.perf_counter() - clock) / n


def without_checksum(shape, dtype, axes, chunk_px, version):  # type: ignore[no-untyped-def]
    """An array as it was before chunks bore checksums."""
    files = ARRAY(shape, dtype, axes, chunk_px, version)
    files["zarr.json"]["codecs"].pop()
    return files


ARRAY = trees.array


def laid_out(folder: Path, n: int, side: int) -> Plate:
    folder.mkdir()
    field = {"well": "B02", "field": 1, "axes": "tczyx", "shape": [n, 1, 1, side, side]}
    inspection = {
        "plate": "P",
        "channels": ["dna"],
        "pixel_size_um": 0.65,
        "time_step_s": 300.0,
        "fields": [{**field, "dtype": "uint16", "n_t": n, "n_z": 1}],
    }
    lay_out(folder / "layout.json", inspection, colors=["FFFFFF"], labels=[])
    return Plate(folder / "layout.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--frames", type=int, default=24)
    options = parser.parse_args()
    n, image = options.frames, np.random.default_rng(0).poisson(200, (options.side,) * 2)
    planes = [np.roll(image, 13 * i).astype(np.uint16) for i in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(trees, "array", without_checksum):
            bare = laid_out(Path(folder, "bare"), n, options.side)
        plate = laid_out(Path(folder, "sums"), n, options.side)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(ROUNDS):  # in turn, so that a busy machine is so for all of them
            for name, of in (("without checksums", bare), ("with checksums", plate)):
                steps = {
                    f"write {name}": lambda i, of=of: of.write_plane("B02", 1, i, 0, 0, planes[i]),
                    f"read {name}": lambda i, of=of: of.frame("B02", 1, i).whole(),
                }
                for step, function in steps.items():
                    best[step] = min(best.get(step, NEVER), timed(function, n))
            steps = {
                "digest of a frame": lambda i: plate.stored_digest("B02", 1, i),
                "bring to disk": lambda i: sync_disk(plate.path),
            }
            for step, function in steps.items():
                best[step] = min(best.get(step, NEVER), timed(function, n))
        for step, (cpu, clock) in best.items():
            print(f"{step:<28} {cpu:6.2f} ms of processor, {clock:7.1f} of clock")


if __name__ == "__main__":
    main()
