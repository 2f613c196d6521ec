"""Fields that do not overlap, laid out as if they did: every match that is found is by chance.

Each well is 4 × 4 fields of which no two show the same place; neighbours are said to share 10 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.simulate.well import WellDesign, simulate_well

GRID, SIDE, OVERLAP = 4, 512, 0.1
SIMULATED: dict[str, dict[str, Any]] = {
    "nuclei": {},
    "many nuclei": {"nuclei_per_mm2": 2500.0},
    "few nuclei": {"nuclei_per_mm2": 60.0},
    "a twentieth of the light": {"brightness": 0.05},
    "empty": {"empty": (0,)},
    "empty, corners at 40 % of the light": {"empty": (0,), "drop": 0.6},
}
REAL = {  # set → which files: fields of different wells
    "nuclei-bbbc039": "images/*.tif",
    "hcs-plate-sbs-bbbc013, GFP": "images/Channel1-*.tif",
    "hcs-plate-sbs-bbbc013, DNA": "images/Channel2-*.tif",
    "flatfield-basic": "brain-tiles/*.tif",
}


def nominal(shape: tuple[int, int]) -> np.ndarray:
    """(16, 2) first pixels of the fields as the stage has them."""
    rows, columns = np.mgrid[:GRID, :GRID]
    step = np.rint(np.array(shape) * (1 - OVERLAP))
    return np.stack([rows.ravel() * step[0], columns.ravel() * step[1]], axis=1)


def simulated(seed: int, **design: Any) -> list[np.ndarray]:
    """A field of each of 16 scenes."""
    seeds = range(1000 * seed, 1000 * seed + GRID**2)
    return [simulate_well(WellDesign(grid=(1, 1), seed=s, **design)).fields[0] for s in seeds]


def pattern(seed: int, period: int) -> list[np.ndarray]:
    """A lattice of squares, which lies anew in each field."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    fields = []
    for _ in range(GRID**2):
        at = rng.uniform(0, period, 2)
        wave = np.cos(2 * np.pi * (y - at[0]) / period) * np.cos(2 * np.pi * (x - at[1]) / period)
        fields.append(_exposed(rng, 100 + 300.0 * (wave > 0.5)))
    return fields


def dust(seed: int) -> list[np.ndarray]:
    """Dust on the camera, the same in all fields, on an even background."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    shade = np.ones((SIDE, SIDE))
    for at, size in zip(rng.uniform(0, SIDE, (25, 2)), rng.uniform(2, 8, 25), strict=True):
        shade -= 0.15 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 2 / size**2)
    return [_exposed(rng, 150 * shade) for _ in range(GRID**2)]


def _exposed(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    counts = rng.poisson(np.maximum(light, 0)) + rng.normal(100, 3, light.shape)
    return np.clip(counts, 0, 65535).astype(np.uint16)


def kinds(data: Path) -> Iterator[tuple[str, Callable[[int], list[np.ndarray]]]]:
    """Name of what fields show, and their fields by the number of the well, from 1."""
    for name, design in SIMULATED.items():
        yield name, lambda seed, own=design: simulated(seed, **own)
    for period in (37, 90):
        yield f"lattice of {period} px", lambda seed, own=period: pattern(seed, own)
    yield "dust on the camera", dust
    for name, files in REAL.items():
        paths = sorted((data / name.partition(",")[0]).glob(files))
        if paths:
            yield name, lambda well, own=paths: _read(own, well)


def _read(paths: list[Path], well: int) -> list[np.ndarray]:
    """16 fields, spread over the set, so of different wells; [] where none are left."""
    from cellpipe.readers.pixels.reading import read_plane

    wells = len(paths) // GRID**2
    return [] if well > wells else [read_plane(p, 0) for p in paths[well - 1 :: wells][: GRID**2]]
