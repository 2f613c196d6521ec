"""Whether kills at random moments leave torn shards: files that hold all channels of a frame.

    python studies/formats/shard_kills.py --kills 25

A process writes frames of four time points over and over, each time with other pixels, and is
killed; then every shard that is there is read whole, with its checksums.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cellpipe.plate.chunks import chunk_files
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate

SHAPE = (4, 2, 4, 601, 530)
LEVELS = 3
WRITER = """
import itertools, sys
import numpy as np
from cellpipe.plate.plate import Plate
plate = Plate(sys.argv[1])
for n in itertools.count():
    pixels = np.random.default_rng(n).integers(0, 50 + n, {shape}, np.uint16)
    plate.write_frame("B02", 1, n % 4, plate.channels, pixels)
    print(n, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    options = parser.parse_args()
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        layout = Path(folder, "layout.json")
        field = {"well": "B02", "field": 1, "axes": "tczyx", "shape": list(SHAPE)}
        inspection = {
            "plate": "P",
            "channels": ["dna", "gfp"],
            "fields": [{**field, "dtype": "uint16", "n_t": SHAPE[0], "n_z": SHAPE[2]}],
        }
        lay_out(layout, inspection, colors=["FFFFFF"] * 2, labels=[], shards=True)
        plate, read, torn, left = Plate(layout), 0, 0, 0
        for _ in range(options.kills):
            command = [sys.executable, "-c", WRITER.format(shape=SHAPE[1:]), str(layout)]
            writer = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert writer.stdout is not None
            writer.stdout.readline()  # it is at work
            time.sleep(chance.uniform(0, 1.5))
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            for t in range(SHAPE[0]):
                left += plate.remove_leftovers("B02", 1, t)
                for level in range(LEVELS):
                    array = plate.array(plate.fields["B02", 1], level)
                    (file,) = chunk_files(array, (slice(t, t + 1), *[slice(None)] * 4))
                    if not file.is_file():
                        continue
                    read += 1
                    try:
                        np.asarray(array[t])
                    except ValueError:
                        torn += 1
    print(f"{options.kills} kills: {read} shards read, {torn} torn; {left} files aside removed")


if __name__ == "__main__":
    main()
