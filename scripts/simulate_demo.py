"""Simulate the demo: a small plate and a small movie plate whose truth is known.

    python scripts/simulate_demo.py --out demo --seed 1

Files are named as ImageXpress names them (B02_s1_w1.tif; w1 dna, w2 reporter, w3 spots); the
truth is written next to the images. The same seed gives the same bytes; a folder that
already contains this simulation is left unchanged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from cellpipe import simulate
from cellpipe.files.removal import remove
from cellpipe.simulate import MovieDesign, PlateDesign

PLATES = {
    "full": PlateDesign(),
    "small": PlateDesign(
        rows=("B", "C"),
        columns=(2, 3, 4),
        doses=(0.5,),
        n_fields=1,
        shape=(192, 192),
        empty_wells=("C03",),
    ),
    "tiny": PlateDesign(
        rows=("B", "C", "D"),
        columns=(2, 3, 4),
        doses=(0.5,),
        n_fields=2,
        shape=(160, 160),
        nuclei_per_mm2=1200.0,
        empty_wells=("C03",),
    ),
}
MOVIES = {
    "full": MovieDesign(),
    "small": MovieDesign(wells=("B02", "C02"), slowed_wells=("C02",), n_frames=8, shape=(192, 192)),
    "tiny": MovieDesign(
        wells=("B02", "C02", "D02"), slowed_wells=("C02",), n_frames=10, shape=(320, 320)
    ),
}
# Wells of the movie plate that a person is supposed to have annotated, one of each condition.
ANNOTATED = {"full": ("B02", "C03"), "small": ("B02",), "tiny": ("B02",)}


def write_tiff(path: Path, image: np.ndarray, pixel_size_um: float) -> None:
    """One plane; without a date, so that the same drawing gives the same bytes."""
    per_cm = 1e4 / pixel_size_um
    tifffile.imwrite(
        path, image, metadata=None, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER"
    )


def write_table(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, sep="\t", index=False, float_format="%.4f", lineterminator="\n")


def simulate_plate(folder: Path, size: str, seed: int) -> dict[str, Any]:
    """The static plate's images, plate map and truth; returns what is true of it."""
    design = PlateDesign(**{**vars_of(PLATES[size]), "seed": seed})
    write_table(folder / "plate_map.tsv", simulate.plate_map(design))
    nuclei, spots = [], []
    for well in design.wells.index:
        for field in range(1, design.n_fields + 1):
            simulated = simulate.simulate_field(design, well, field)
            for w, image in enumerate(simulated.pixels, start=1):
                path = folder / "images" / f"{well}_s{field}_w{w}.tif"
                write_tiff(path, image, design.pixel_size_um)
            for name in ("nuclei", "cells"):
                labels = getattr(simulated, name).astype(np.uint16)
                path = folder / "truth" / f"{well}_{field}_{name}.tif"
                write_tiff(path, labels, design.pixel_size_um)
            nuclei.append(simulated.truth)
            spots.append(simulated.spots)
    write_table(folder / "truth" / "nuclei.tsv", pd.concat(nuclei))
    write_table(folder / "truth" / "spots.tsv", pd.concat(spots))
    return {
        **vars_of(design),
        "channels": {"w1": "dna", "w2": "reporter", "w3": "spots"},
        "ratio_cut": design.ratio_cut,
        "first_field": 1,
    }


def simulate_movies(folder: Path, size: str, seed: int) -> dict[str, Any]:
    """The movie plate's frames, plate map and truth; returns what is true of it."""
    design = MovieDesign(**{**vars_of(MOVIES[size]), "seed": seed})
    write_table(folder / "plate_map.tsv", simulate.movie_map(design))
    classes, divisions = [], {}
    for well in design.wells:
        simulated = simulate.simulate_movie(design, well)
        for t, image in enumerate(simulated.pixels):
            path = folder / "images" / f"{well}_s1_t{t + 1:03d}_w1.tif"
            write_tiff(path, image, design.pixel_size_um)
        write_ctc(folder / "truth" / f"{well}_1_GT", simulated, design.pixel_size_um)
        table = simulated.objects.assign(well=well, field=1)
        classes.append(table[["well", "field", "t", "y_um", "x_um", "class"]])
        parents = simulated.lineage["parent_track_id"]
        divisions[well] = int(parents[parents > 0].nunique())
    table = pd.concat(classes)
    write_table(folder / "truth" / "classes.tsv", table)
    annotated = table[table["well"].isin(ANNOTATED[size])]
    write_table(folder / "truth" / "annotations.tsv", annotated)
    return {
        **vars_of(design),
        "habits": dataclasses.asdict(design.habits),
        "channels": {"w1": "dna"},
        "divisions": divisions,
        "annotated_wells": ANNOTATED[size],
        "first_field": 1,
        "first_t_in_file_names": 1,
    }


def write_ctc(folder: Path, simulated: simulate.Movie, pixel_size_um: float) -> None:
    """Reference annotation as the Cell Tracking Challenge lays it out: TRA and SEG."""
    for kind, name in (("TRA", "man_track"), ("SEG", "man_seg")):
        (folder / kind).mkdir(parents=True)
        for t, labels in enumerate(simulated.labels):
            path = folder / kind / f"{name}{t:03d}.tif"
            write_tiff(path, labels.astype(np.uint16), pixel_size_um)
    lines = simulated.lineage[["track_id", "t_start", "t_end", "parent_track_id"]]
    lines.to_csv(
        folder / "TRA" / "man_track.txt", sep=" ", header=False, index=False, lineterminator="\n"
    )


def vars_of(design: PlateDesign | MovieDesign) -> dict[str, Any]:
    """A design's own fields, without what it caches."""
    return {name: getattr(design, name) for name in design.__dataclass_fields__}


def simulate_into(
    folder: Path, simulation: Callable[[Path, str, int], dict[str, Any]], size: str, seed: int
) -> bool:
    """Simulate into a folder unless it contains this simulation; True if it was simulated.

    ``truth.json`` records the simulation first and is completed last, so that an interrupted
    simulation is repeated.
    """
    stamp = {"version": simulate.VERSION, "seed": seed, "size": size, "complete": True}
    receipt = folder / "truth" / "truth.json"
    if receipt.exists():
        held = json.loads(receipt.read_text())
        if {name: held.get(name) for name in stamp} == stamp:
            return False
    elif folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} contains other files; choose another folder with --out")
    for part in ("images", "truth"):
        remove(folder / part, folder)
        (folder / part).mkdir(parents=True)
    receipt.write_text(json.dumps({**stamp, "complete": False}) + "\n")
    truth = simulation(folder, size, seed)
    receipt.write_text(json.dumps({**truth, **stamp}, indent=1) + "\n")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("plate", "movie"), help="simulate only one of the two")
    parser.add_argument("--size", choices=tuple(PLATES), default="full")
    options = parser.parse_args()
    for name, simulation in (("plate", simulate_plate), ("movie", simulate_movies)):
        if options.only not in (None, name):
            continue
        new = simulate_into(options.out / name, simulation, options.size, options.seed)
        print(f"{options.out / name}: {'simulated' if new else 'already there'}")


if __name__ == "__main__":
    main()
