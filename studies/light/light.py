"""How well uneven light is found and corrected, compared with BaSiC on the same images.

    CELLPIPE_DATA=… python studies/light/light.py                 # cellpipe alone
    CELLPIPE_DATA=… python studies/light/light.py --basic PYTHON  # with BaSiCPy in its environment
    python studies/light/light.py --seeds 4                       # planted light alone, more fields

BaSiCPy (Peng et al., Nat. Commun. 8:14836, 2017) wants an older SciPy, so it runs in an environment
of its own: ``python -m venv basic; basic/bin/pip install torch basicpy==2.0.0 tifffile``. PYTHON is
``basic/bin/python``. Both are given the same images in memory, and are timed without reading them.

Tables: error against planted light; CV of the mean image of wells that the profile was not made
from; seconds of CPU on one thread, the least of three.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

DATA = Path(os.environ.get("CELLPIPE_DATA", "data"))
SMOOTH = 20 / 512  # of the shorter edge: sigma under which the CV of a mean image is taken
PLANTED = {  # name → what differs from 24 fields of 5 to 60 % objects
    "24 fields": {},
    "background dim": {"background": 15.0},
    "no offset": {"offset": 0.0},
    "8 fields": {"n": 8},
    "objects of 2.5 times the size": {"radius_px": 15.0},
    "spots alone": {"radius_px": 1.6, "cover": (0.002, 0.02)},
    "even light": {"ratio": 1.0},
}
REAL = {  # name → files below DATA, characters of the name that are the well
    "transfluor": ("hcs-transfluor-rowO/images/*.TIF", slice(22, 25)),
    "bbbc013 gfp": ("hcs-plate-sbs-bbbc013/images/Channel1*.tif", slice(9, 17)),
    "bbbc013 dna": ("hcs-plate-sbs-bbbc013/images/Channel2*.tif", slice(9, 17)),
    "bbbc039": ("nuclei-bbbc039/images/*.tif", slice(8, 11)),
    "brain tiles": ("flatfield-basic/brain-tiles/*.tif", slice(0, None)),
    "nanog movie": ("flatfield-basic/nanog-timelapse/*.tif", slice(0, None)),
}


def planted_light(shape: tuple[int, int], ratio: float, gradient: float = 0.3) -> np.ndarray:
    """A vignette off the middle times a gradient, mean 1, brightest to darkest pixel `ratio`."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    light = (1 + 0.6 * ((y - 0.1) ** 2 + (x + 0.05) ** 2)) ** -2
    light = light * (1 + gradient / 2 * x - 0.1 * y)
    light = light ** (np.log(ratio) / np.log(light.max() / light.min()))
    return light / light.mean()


def planted_field(
    rng: np.random.Generator,
    light: np.ndarray,
    cover: float,
    background: float = 100.0,
    offset: float = 100.0,
    radius_px: float = 6.0,
) -> np.ndarray:
    """A field of elliptic objects that cover a share of it, as a camera sees it, float32 (Y, X)."""
    shape, reach = light.shape, int(2 * radius_px) + 1
    truth, taken = np.zeros(shape), np.zeros(shape, bool)
    near = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    while taken.mean() < cover:
        top, left = (int(rng.integers(-reach, n)) for n in shape)
        angle, a, b = rng.uniform(0, np.pi), *(radius_px * rng.uniform(0.7, 1.4, 2))
        u = (near[0] * np.cos(angle) + near[1] * np.sin(angle)) / a
        v = (near[1] * np.cos(angle) - near[0] * np.sin(angle)) / b
        at = tuple(
            slice(max(0, start), min(n, start + 2 * reach + 1))
            for start, n in zip((top, left), shape, strict=True)
        )
        cut = tuple(
            slice(s.start - start, s.stop - start) for s, start in zip(at, (top, left), strict=True)
        )
        own = ((u**2 + v**2) < 1)[cut] & ~taken[at]
        truth[at][own] = 800 * np.exp(0.4 * rng.standard_normal() - 0.08)
        taken[at] |= own
    expected = (ndimage.gaussian_filter(truth, 1.0) + background) * light
    counts = 2 * rng.poisson(expected / 2) + 3 * rng.standard_normal(shape)
    return (counts + offset).astype(np.float32)


def planted_plate(
    n: int = 24,
    ratio: float = 3.0,
    cover: tuple[float, float] = (0.05, 0.6),
    background: float = 100.0,
    seed: int = 1,
    shape: tuple[int, int] = (512, 512),
    **field: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, Y, X) of fields, each with a background of its own, and the planted light."""
    rng, light = np.random.default_rng(seed), planted_light(shape, ratio)
    levels = background * np.exp(0.2 * rng.standard_normal(n))
    pairs = zip(np.linspace(*cover, n), levels, strict=True)
    fields = [planted_field(rng, light, share, level, **field) for share, level in pairs]
    return np.stack(fields), light


def real_images(pattern: str, well: slice) -> tuple[np.ndarray, list[str]]:
    """Images (N, Y, X) of a set, and the well of each."""
    import tifffile

    paths = sorted(DATA.glob(pattern))
    return np.stack([tifffile.imread(path).astype(np.float32) for path in paths]), [
        path.name[well] for path in paths
    ]


# --- the contenders: images (N, Y, X) → light (Y, X), dark field, seconds of CPU

Found = tuple[np.ndarray, np.ndarray | float, float]


def by_cellpipe(images: np.ndarray) -> Found:
    from cellpipe.correct.profile import find_light
    from cellpipe.correct.sample import small
    from cellpipe.correct.surface import light_of, surface
    from cellpipe.image.axes import Image

    times = []
    for _ in range(3):
        started = time.process_time()
        coarse = np.stack([small(Image(image[None], "cyx"))[0] for image in images])
        found = find_light(coarse, [str(i) for i in range(len(images))])
        light, dark = light_of(found.coefficients, images.shape[1:]), found.dark_level
        if found.dark_field is not None:
            dark = surface(found.dark_field, images.shape[1:])
        times.append(time.process_time() - started)
    return light, dark, min(times)


BASIC = """
import sys, time, json
import numpy as np, torch
torch.set_num_threads(1)
from basicpy import BaSiC
images = np.load(sys.argv[1] + "/images.npy")
times = []
for _ in range(1 if sys.argv[3] == "autotune" else 3):
    basic = BaSiC(**json.loads(sys.argv[2]))
    started = time.process_time()
    if sys.argv[3] == "autotune":
        basic.autotune(images)
    basic.fit(images)
    times.append(time.process_time() - started)
spent = min(times)
np.save(sys.argv[1] + "/flat.npy", np.asarray(basic.flatfield))
np.save(sys.argv[1] + "/dark.npy", np.asarray(basic.darkfield))
print(json.dumps(spent))
"""


def by_basic(python: str, tuned: bool = False, **settings: Any) -> Callable[[np.ndarray], Found]:
    def found(images: np.ndarray) -> Found:
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/images.npy", images)
            words = [folder, json.dumps(settings), "autotune" if tuned else "fit"]
            clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            ran = subprocess.run(
                [python, "-c", BASIC, *words],
                check=True,
                capture_output=True,
                text=True,
                env={**clean, "OMP_NUM_THREADS": "1"},
            )
            light = np.load(f"{folder}/flat.npy").astype(np.float64)
            dark = np.load(f"{folder}/dark.npy").astype(np.float64)
        return light / light.mean(), dark, float(ran.stdout.splitlines()[-1])

    return found


# --- what is asked of them


def error(light: np.ndarray, planted: np.ndarray) -> tuple[float, float]:
    """Root mean square and largest error, relative, over the field, in percent."""
    off = light / light.mean() / planted - 1
    return 100 * float(np.sqrt(np.mean(off**2))), 100 * float(np.abs(off).max())


def cv(images: np.ndarray) -> float:
    """Coefficient of variation of the smoothed mean image."""
    mean = images.mean(0)
    smooth = ndimage.gaussian_filter(mean, SMOOTH * min(mean.shape), mode="reflect")
    return float(smooth.std() / smooth.mean())


def held_out(images: np.ndarray, wells: list[str], find: Callable) -> tuple[float, float, float]:
    """CV of the mean image of one half of the wells, before and after correction by the light that
    the other half showed; and seconds. Means of both directions."""
    names = sorted(set(wells))
    first = np.isin(wells, names[::2])
    rows = []
    for from_these, to_those in ((first, ~first), (~first, first)):
        light, dark, spent = find(images[from_these])
        even = (images[to_those] - dark) / light + np.median(dark)
        rows.append((cv(images[to_those]), cv(even), spent))
    before, after, spent = np.mean(rows, axis=0)
    return float(before), float(after), float(spent)


def floor(images: np.ndarray, wells: list[str], find: Callable) -> float:
    """CV that half of the wells would have in perfectly even light: half of how the halves differ.

    Two means of as many other fields, corrected alike, differ by their contents alone.
    """
    first = np.isin(wells, sorted(set(wells))[::2])
    light, dark, _ = find(images)
    halves = []
    for some in (first, ~first):
        mean = ((images[some] - dark) / light).mean(0)
        smooth = ndimage.gaussian_filter(mean, SMOOTH * min(mean.shape), mode="reflect")
        halves.append(smooth / smooth.mean())
    return float((halves[0] - halves[1]).std() / np.sqrt(2))


def nuclei_of_people(find: Callable) -> tuple[float, float]:
    """Whether BBBC039 is even: brightest to darkest quarter of the field, by the nuclei that people
    outlined, before and after correction by the light that the other half of the wells showed."""
    import imageio.v3 as iio
    import pandas as pd

    from cellpipe.quality.light import brightest_to_darkest

    images, wells = real_images(*REAL["bbbc039"])
    paths = sorted((DATA / "nuclei-bbbc039/images").glob("*.tif"))
    first = np.isin(wells, sorted(set(wells))[::2])
    lights = [find(images[half])[:2] for half in (~first, first)]
    rows = []
    for image, path, well, k in zip(images, paths, wells, first.astype(int), strict=True):
        labels = iio.imread(DATA / "nuclei-bbbc039/labels" / f"{path.stem}.png").astype(int)
        edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        whole = np.setdiff1d(np.unique(labels), edge)  # what is cut at the border is dimmer
        light, dark = lights[1 - k]
        even = (image - dark) / light + np.median(dark)
        for name, pixels in (("raw", image), ("even", even)):
            ground = np.median(pixels[labels == 0])
            values = ndimage.mean(pixels, labels, whole) - ground
            places = ndimage.center_of_mass(labels > 0, labels, whole)
            for value, (y, x) in zip(values, places, strict=True):
                rows.append((name, well, path.stem, 0, y, x, value))
    table = pd.DataFrame(rows, columns=["of", "well", "field", "t", "y_um", "x_um", "dna_mean"])
    found = [brightest_to_darkest(own, "dna") for _, own in table.groupby("of", sort=False)]
    return found[0][0], found[1][0]


EVEN: tuple[dict[str, Any], ...] = (
    {"n": 12},
    {"n": 8},
    {"n": 6, "cover": (0.02, 0.05), "background": 3.0},
    {"n": 8, "cover": (0.3, 0.6), "background": 3.0},
    {"n": 24, "background": 2.0},
)


def even_plates(seeds: int = 8) -> list[tuple[bool, float]]:
    """Whether `auto` corrects small plates in even light, and how uneven it finds them."""
    from cellpipe.correct.decide import judged

    found = []
    for changed in EVEN:
        for seed in range(seeds):
            small = {"shape": (128, 160), "radius_px": 3.0, "seed": seed, **changed}
            images, _ = planted_plate(ratio=1.0, **small)
            n = len(images)
            wells = [str(i // 2) for i in range(n)]
            light = judged("x", images, wells, n, method="auto", seed=0)
            found.append((light.applied, light.ratio))
    return found


def of_seeds(seeds: int, only: str) -> None:
    """Errors of planted light by fields of several seeds: what one seed shows may be luck."""
    print("planted light, 3:1: error, % (root mean square, largest), of each seed; dark level")
    for name, changed in PLANTED.items():
        rows = []
        for seed in range(1, seeds + 1) if only in name else ():
            images, light = planted_plate(seed=seed, **changed)
            found, dark, _ = by_cellpipe(images)
            rows.append((*error(found, light), float(np.median(dark))))
        if rows:
            rms, most, _ = np.array(rows).T
            each = "  ".join(f"{r:.2f} {m:.2f} ({d:.1f})" for r, m, d in rows)
            print(f"  {name:32} {rms.mean():.2f} {np.median(most):.2f} {most.max():.2f}   {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--basic", metavar="PYTHON", help="Python with BaSiCPy")
    parser.add_argument("--tuned", action="store_true", help="BaSiC's autotune too; a minute each")
    parser.add_argument("--only", default="", help="images whose name contains this")
    parser.add_argument("--seeds", type=int, default=0, help="planted light of so many seeds alone")
    given = parser.parse_args()
    if given.seeds:
        return of_seeds(given.seeds, given.only)
    contenders: dict[str, Callable[[np.ndarray], Found]] = {"cellpipe": by_cellpipe}
    if given.basic:
        contenders["BaSiC"] = by_basic(given.basic)
        contenders["BaSiC, dark field"] = by_basic(given.basic, get_darkfield=True)
    if given.basic and given.tuned:
        contenders["BaSiC, tuned"] = by_basic(given.basic, tuned=True)
    print("planted light, 3:1: error of the light, % (root mean square, largest); seconds")
    for name, changed in PLANTED.items():
        if given.only not in name:
            continue
        images, light = planted_plate(**changed)
        for who, find in contenders.items():
            found, dark, spent = find(images)
            rms, most = error(found, light)
            level = f"{np.median(dark):.1f}"
            print(f"  {name:32} {who:18} {rms:6.2f} {most:6.2f}   dark {level:>6} {spent:7.2f} s")
    print("real images: CV of the mean image of wells that the light was not found from; seconds")
    for name, place in REAL.items():
        if given.only not in name:
            continue
        images, wells = real_images(*place)
        least = floor(images, wells, by_cellpipe)
        for who, find in contenders.items():
            before, after, spent = held_out(images, wells, find)
            print(
                f"  {name:18} {len(images):3} images {who:18} {before:.3f} → {after:.3f}"
                f"   by contents alone {least:.3f} {spent:7.2f} s"
            )
    even = even_plates()
    corrected, most = sum(applied for applied, _ in even), max(ratio for _, ratio in even)
    print(f"even light: {corrected} of {len(even)} plates corrected, ratios up to {most:.3f}")
    before, after = nuclei_of_people(by_cellpipe)
    print(f"bbbc039, nuclei of people: brightest to darkest quarter {before:.2f} → {after:.2f}")


if __name__ == "__main__":
    main()
