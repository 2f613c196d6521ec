"""Damages of movies: frames lost, repeated, shuffled, moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tifffile
from harm import Harm, any_image, any_well, exchange, harm_to, images_of, rewrite, well_of


def frames_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    first = int(rng.integers(1, len(paths) - 2))
    lost = paths[first : first + int(rng.integers(1, 3))]
    for path in lost:
        path.unlink()
    return harm_to("frames lost", *lost, word="missing|lost")


def end_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    lost = paths[-int(rng.integers(1, len(paths) // 2)) :]
    for path in lost:
        path.unlink()
    return harm_to("movie ends early", *lost)


def time_point_lost(folder: Path, rng: np.random.Generator) -> Harm:
    """The same time point of every well."""
    token = any_image(folder, rng).name.split("_")[2]
    lost = [path for path in images_of(folder) if f"_{token}_" in path.name]
    for path in lost:
        path.unlink()
    left = {path.name.split("_")[2] for path in images_of(folder)}
    last = "a movie that is a frame shorter; no file holds its length" if token > max(left) else ""
    return harm_to(f"time point {token} lost everywhere", *lost, not_knowable=last)


def frame_repeated(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    k = int(rng.integers(1, len(paths)))
    paths[k].unlink()
    shutil.copyfile(paths[k - 1], paths[k])
    return harm_to("repeats the frame before", paths[k])


def frames_swapped(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    a, b = paths[0], paths[-1]
    exchange(a, b)
    return harm_to("first and last frame swapped", a, b)


def stage_moved(folder: Path, rng: np.random.Generator) -> Harm:
    """From some frame on, all is seen 40 pixels farther."""
    paths = any_well(folder, rng)
    k = int(rng.integers(2, len(paths) - 2))
    for path in paths[k:]:
        rewrite(path, np.roll(tifffile.imread(path), (40, -25), (0, 1)))
    return harm_to("the stage jumps before", paths[k])


def neighbours_swapped(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    k = int(rng.integers(1, len(paths) - 2))
    exchange(paths[k], paths[k + 1])
    return harm_to("two frames swapped", paths[k], paths[k + 1], word="order of frames")


def shuffled(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    order = rng.permutation(len(paths))
    images = [tifffile.imread(paths[k]) for k in order]
    for path, image in zip(paths, images, strict=True):
        rewrite(path, image)
    return harm_to("frames in any order", *paths, word="order of frames|cells step")


def frame_of_another_well(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    path = paths[int(rng.integers(1, len(paths) - 1))]
    others = [p for p in images_of(folder) if well_of(p) != well_of(path)]
    rewrite(path, tifffile.imread(others[rng.integers(len(others))]))
    return harm_to("a frame of another well", path, word="same pixels")


def every_other_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    for path in paths[1::2]:
        path.unlink()
    return harm_to("every other frame lost", *paths)


def start_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    lost = paths[: int(rng.integers(1, len(paths) // 2))]
    for path in lost:
        path.unlink()
    return harm_to("movie starts late", *lost)


def dimmed(folder: Path, rng: np.random.Generator) -> Harm:
    """One frame with a quarter of the light: the lamp flickers."""
    paths = any_well(folder, rng)
    path = paths[int(rng.integers(1, len(paths) - 1))]
    rewrite(path, (tifffile.imread(path) * 0.25).astype(np.uint16))
    return harm_to("a quarter of the light", path, word="another level")


def interval_changed(folder: Path, rng: np.random.Generator) -> Harm:
    wells = frozenset(well_of(path) for path in images_of(folder))
    why = "the images of this plate hold no time; where they do, it is compared with the config"
    changes = {"ingest": {"time_step_s": 150}}
    return Harm("another interval in the config", wells, changes=changes, not_knowable=why)
