"""Textured nuclei of 36 to 57 pixels, simulated: are they found whole, or cut into their texture?

python studies/domains/textured.py [--weights nuclei …] [--images 12] [--pictures FOLDER]

Two kinds: chromatin of strong contrast in bodies of about the same brightness ("textured"), and
bright blobs within dim bodies ("blobs"), as in dividing and dying cells and in simulated movies of
tracking challenges. Blur, photons and read noise are those of a usual camera.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from judging import program
from panel import draw
from scipy import ndimage

from cellpipe.metrics.labels import average_precision
from cellpipe.simulate.kinds.bodies import bodies_of, dome
from cellpipe.simulate.kinds.noise import smooth_noise
from cellpipe.simulate.kinds.placement import PLACEMENTS, without_specks

SHAPE = (512, 512)
DIAMETER_PX = (36.0, 57.0)
THRESHOLDS = (0.5, 0.75, 0.9)
PHOTONS, READ_ELECTRONS = 200.0, 2.0


def textured_nuclei(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (Y, X) float32 and labels (Y, X) uint32 of one image of a kind."""
    placed = PLACEMENTS["scattered_nuclei"](rng, SHAPE, rng.uniform(*DIAMETER_PX))
    bodies = bodies_of(without_specks(placed))
    light = bodies.each(np.exp(rng.normal(0, 0.2, bodies.n))) * dome(bodies, 0.3)
    if kind == "textured":
        coarse, fine = (smooth_noise(rng, SHAPE, sigma) for sigma in (4.0, 1.5))
        light = light * np.clip(1 + 0.35 * coarse + 0.2 * fine, 0.05, None)
    else:
        blobs = np.clip(smooth_noise(rng, SHAPE, 3.0) - 1.0, 0, 1.5)
        light = light * (0.35 + 2.0 * blobs)
    seen = ndimage.gaussian_filter(light, 1.0) + 0.1
    photons = rng.poisson(np.clip(seen, 0, None) * PHOTONS)
    pixels = photons + rng.normal(0, READ_ELECTRONS, SHAPE)
    return pixels.astype(np.float32), bodies.labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", nargs="*", default=["nuclei", "classical"])
    parser.add_argument("--images", type=int, default=12, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    programs = {name: program(name) for name in options.weights}
    rows = []
    for kind in ("textured", "blobs"):
        for number in range(options.images):
            rng = np.random.default_rng([options.seed, len(kind), number])
            pixels, truth = textured_nuclei(rng, kind)
            found = {name: p.found(pixels, None)[0] for name, p in programs.items()}
            for name, labels in found.items():
                rows.append((kind, name, *average_precision(truth, labels, THRESHOLDS)))
            if options.pictures and not number:
                draw(options.pictures / f"{kind}.png", kind, pixels, truth, found)
    table = pd.DataFrame(rows, columns=["kind", "engine", "ap50", "ap75", "ap90"])
    print(table.groupby(["kind", "engine"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
