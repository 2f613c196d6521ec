"""Label images judged per second, and how time and memory grow with the number of objects.

python studies/runs/judge.py [--sides 1024 2048 4096 8192]

CPU seconds of one thread, the least of three; memory beyond the two label images themselves.
Discs on a grid of 26 pixels; what was found is smaller and moved, and one in twenty is missed.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np

from cellpipe.metrics.segmentation import judge_labels

STEP = 26


def scene(side: int) -> tuple[np.ndarray, np.ndarray]:
    """True and found labels (side, side), uint32."""
    rng = np.random.default_rng(0)
    n = -(-side // STEP)
    radius = 11 + rng.normal(0, 0.7, (n, n)).astype(np.float32)
    moved = rng.normal(0, 1, (2, n, n)).astype(np.float32)
    missed = rng.random((n, n)) < 0.05
    images = np.zeros((2, side, side), np.uint32)
    x = np.arange(side)
    for y in range(side):
        row, column = y // STEP, x // STEP
        label = (row * n + column + 1).astype(np.uint32)
        dy, dx = y % STEP - 12.5, x % STEP - 12.5
        images[0, y] = np.where(np.hypot(dy, dx) < radius[row, column], label, 0)
        there = np.hypot(dy - moved[0, row, column], dx - moved[1, row, column])
        found = (there < 0.96 * radius[row, column]) & ~missed[row, column]
        images[1, y] = np.where(found, label, 0)
    return images[0], images[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{'side':>6} {'objects':>8} {'CPU s':>8} {'objects/s':>10} {'MB':>7} {'AP@0.5':>7}")
    for side in options.sides:
        truth, found = scene(side)
        seconds = []
        for _ in range(options.repeats):
            start = time.process_time()
            scores = judge_labels(truth, found)
            seconds.append(time.process_time() - start)
        tracemalloc.start()
        judge_labels(truth, found)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        n, least = int(scores["n_true"]), min(seconds)
        print(
            f"{side:>6} {n:>8,} {least:>8.2f} {n / least:>10,.0f} {peak:>7,.0f} "
            f"{scores['ap_0.5']:>7.3f}"
        )


if __name__ == "__main__":
    main()
