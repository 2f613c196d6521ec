"""Whether damaged .nd2, .czi and .lif files are read or named, without much memory or time.

    CELLPIPE_DATA=… python studies/formats/damaged_containers.py --copies 150 --seed 1

Copies of each real file are cut at random, or have bytes changed (anywhere, in the first or in the
last 9,000) or zeroed; all planes of each are read, in a process with 4 GB of address space.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from container_readers import FILES

from cellpipe.errors import CellpipeError
from cellpipe.readers.containers.containers import contents_of
from cellpipe.readers.pixels.reading import read_header, read_plane

MEMORY, END = 4 << 30, 9000


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy of a file that is not whole."""
    kind, bytes_of = rng.integers(5), np.frombuffer(data, np.uint8).copy()
    if kind == 0:
        return data[: int(rng.integers(1, len(data)))]
    low, high = [(0, len(data)), (0, END), (len(data) - END, len(data))][min(kind, 3) - 1]
    low, high = max(low, 0), min(high, len(data))
    if kind == 4:
        start = int(rng.integers(low, high))
        bytes_of[start : start + int(rng.integers(1, 4096))] = 0
    else:
        at = rng.integers(low, high, int(rng.integers(1, 20)))
        bytes_of[at] = rng.integers(0, 256, len(at))
    return bytes_of.tobytes()


def try_all(path: Path, copies: int, seed: int, answers: multiprocessing.Queue) -> None:
    """Read all planes of damaged copies of one file; counts, slowest and most memory."""
    warnings.simplefilter("ignore")  # of libraries
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    rng, data = np.random.default_rng(seed), path.read_bytes()
    read = named = 0
    slowest, others = 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(copies):
            copy = Path(folder, f"{k}{path.suffix}")
            copy.write_bytes(damaged(data, rng))
            start = time.process_time()
            try:
                views = contents_of(copy).views
                for page in range(sum(view.n_planes for view in views)):
                    read_header(copy, page)
                    read_plane(copy, page)
                read += 1
            except CellpipeError:
                named += 1
            except BaseException as fault:  # what must not be
                others.append(f"{type(fault).__name__}: {fault}")
            slowest = max(slowest, time.process_time() - start)
            copy.unlink()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put((read, named, others, slowest, peak_mb))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| file | read | named as damaged | other errors | slowest, s of CPU | most memory, MB |")
    print("|---|---|---|---|---|---|")
    for name in FILES:
        answers: multiprocessing.Queue = multiprocessing.Queue()
        path = Path(os.environ["CELLPIPE_DATA"], name)
        job = multiprocessing.Process(
            target=try_all, args=(path, options.copies, options.seed, answers)
        )
        job.start()
        while job.is_alive() and answers.empty():
            time.sleep(0.1)
        job.join()
        if answers.empty():
            print(f"| {path.name} | the process ended, status {job.exitcode} | | | | |", flush=True)
            continue
        read, named, others, slowest, peak_mb = answers.get()
        figures = (
            f"{read} | {named} | {len(others)} {others[:1] or ''} | {slowest:.2f} | {peak_mb:.0f}"
        )
        print(f"| {path.name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
