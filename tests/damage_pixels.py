"""Damages of pixels: of one plane, of a field, or of half a plate."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from harm import (
    Harm,
    any_field,
    any_image,
    any_well,
    exchange,
    harm_to,
    images_of,
    rewrite,
    well_of,
)

LEVELS = "another level|rescaled|gain changed"  # a word that names the cause


def resized(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path)
    cut = int(rng.integers(1, image.shape[0] // 2))
    image = image[cut:] if rng.random() < 0.5 else image[::2, ::2]
    rewrite(path, image)
    return harm_to(f"of {image.shape[0]} × {image.shape[1]} pixels", path)


def eight_bits(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    rewrite(path, np.clip(tifffile.imread(path) / 16, 0, 255).astype(np.uint8))
    return harm_to("exported in 8 bits", path)


def coloured(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    grey = np.clip(tifffile.imread(path) / 16, 0, 255).astype(np.uint8)
    rewrite(path, np.stack([grey] * 3, axis=-1), photometric="rgb")
    return harm_to("exported in colour", path)


def not_finite(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path).astype(np.float32)
    image[:5, :5] = np.nan
    rewrite(path, image)
    return harm_to("with NaN", path)


def pages_added(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path)
    rewrite(path, np.stack([image[::-1], image]), photometric="minisblack")
    return harm_to("of two pages", path)


def saturated(folder: Path, rng: np.random.Generator) -> Harm:
    """Overexposed on a camera of 12 bits."""
    path = any_image(folder, rng)
    image = tifffile.imread(path).astype(float)
    gain = 2 * 4095 / np.percentile(image, 99)
    rewrite(path, np.clip(image * gain, 0, 4095).astype(np.uint16))
    return harm_to("overexposed", path, word="saturated")


def blanked(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    rewrite(path, np.full_like(tifffile.imread(path), rng.choice([0, 100])))
    return harm_to("blank", path, word="blank|flat|level|no nuclei|no objects")


def half_blank(folder: Path, rng: np.random.Generator) -> Harm:
    """As after a transfer that left the end of a file as zeros."""
    path = any_image(folder, rng)
    image = tifffile.imread(path).copy()
    image[image.shape[0] // 3 :] = 0
    rewrite(path, image)
    return harm_to("zeros in the lower part", path)


def out_of_focus(folder: Path, rng: np.random.Generator) -> Harm:
    from scipy import ndimage

    paths = any_field(folder, rng)
    for path in paths:
        blurred = ndimage.gaussian_filter(tifffile.imread(path).astype(float), 12)
        rewrite(path, blurred.astype(np.uint16))
    return harm_to("far out of focus", *paths)


# stored in another way, but the same pixels: nothing may change


def stored_otherwise(folder: Path, rng: np.random.Generator) -> Harm:
    """Compressed, in tiles, in strips, big-endian, BigTIFF: as other programs write."""
    ways: dict[str, dict[str, Any]] = {
        "compressed": {"compression": "zlib", "predictor": True},
        "in tiles": {"tile": (64, 64)},
        "in compressed tiles": {"tile": (32, 32), "compression": "zlib"},
        "in strips of 7 rows": {"rowsperstrip": 7},
        "big-endian": {"byteorder": ">"},
        "as BigTIFF": {"bigtiff": True},
    }
    way = str(rng.choice(list(ways)))
    for path in any_field(folder, rng):
        rewrite(path, tifffile.imread(path), **ways[way])
    return Harm(f"a field {way}")


def white_is_zero(folder: Path, rng: np.random.Generator) -> Harm:
    """Stored so that 0 is white, as some programs do: a reader has to turn it, or say so."""
    path = any_image(folder, rng)
    rewrite(path, 65535 - tifffile.imread(path), photometric="miniswhite")
    return harm_to("0 is white", path, word=LEVELS)


# values changed


def inverted(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path)
    rewrite(path, image.max() - image)
    return harm_to("values inverted", path, word=LEVELS)


def rescaled(folder: Path, rng: np.random.Generator) -> Harm:
    """A field whose grey values were stretched or shifted by some bits when it was exported."""
    factor = float(rng.choice([1 / 16, 0.25, 4.0, 16.0]))
    paths = any_field(folder, rng)
    for path in paths:
        rewrite(path, np.clip(tifffile.imread(path) * factor, 0, 65535).astype(np.uint16))
    return harm_to(f"grey values times {factor:g}", *paths, word=LEVELS)


def offset_added(folder: Path, rng: np.random.Generator) -> Harm:
    offset = int(rng.choice([300, 1000, 5000]))
    paths = any_field(folder, rng)
    for path in paths:
        rewrite(path, (tifffile.imread(path).astype(int) + offset).clip(0, 65535).astype(np.uint16))
    return harm_to(f"grey values plus {offset}", *paths, word="another level")


def gain_changed(folder: Path, rng: np.random.Generator) -> Harm:
    """From some well on, the camera amplifies twice as much."""
    paths = images_of(folder)
    wells = sorted({well_of(path) for path in paths})
    first = wells[int(rng.integers(2, len(wells) - 1))]
    later = [path for path in paths if well_of(path) >= first]
    for path in later:
        rewrite(path, np.clip(tifffile.imread(path) * 2.0, 0, 65535).astype(np.uint16))
    return harm_to(f"gain doubled from well {first} on", *later, word=LEVELS)


def of_another_type(folder: Path, rng: np.random.Generator) -> Harm:
    """The same values in another type of numbers."""
    path = any_image(folder, rng)
    dtype = str(rng.choice(["float32", "int16", "uint32"]))
    rewrite(path, tifffile.imread(path).astype(dtype))
    return harm_to(f"stored as {dtype}", path)


def hot_columns(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path).copy()
    first = int(rng.integers(image.shape[1] - 3))
    image[:, first : first + 3] = 4095
    rewrite(path, image)
    return harm_to("three hot columns", path)


def dust(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    image = tifffile.imread(path).astype(float)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    cy, cx = rng.uniform(20, np.array(image.shape) - 20)
    image *= 1 - 0.4 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 12.0**2))
    rewrite(path, image.astype(np.uint16))
    why = "a shadow in one image is as dark as a place with fewer or dimmer cells"
    return harm_to("the shadow of dust", path, not_knowable=why)


# places changed


def rotated(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_field(folder, rng)
    for path in paths:
        rewrite(path, np.rot90(tifffile.imread(path)).copy())
    why = "cells have no upper side; a field that is not square has another shape then"
    return harm_to("rotated by 90°", *paths, not_knowable=why)


def magnified(folder: Path, rng: np.random.Generator) -> Harm:
    """A field that was imaged with an objective of twice the magnification."""
    from scipy import ndimage

    paths = any_field(folder, rng)
    for path in paths:
        image = tifffile.imread(path).astype(float)
        h, w = image.shape
        inner = image[h // 4 : h // 4 + (h + 1) // 2, w // 4 : w // 4 + (w + 1) // 2]
        rewrite(path, ndimage.zoom(inner, 2, order=1)[:h, :w].astype(np.uint16))
    why = ""
    if well_of(paths[0]) == "C03":
        why = "a field without objects has no size"
    elif (n := whole_nuclei(tifffile.imread(paths[0]))) < 2:
        why = f"{n} of its nuclei lie wholly in the field: one may be large by nature"
    return harm_to("of twice the magnification", *paths, word="another size", not_knowable=why)


def whole_nuclei(image: np.ndarray) -> int:
    """Bright objects (y, x) that do not touch the border of the image."""
    from skimage import filters, measure, segmentation

    return int(
        measure.label(segmentation.clear_border(image > filters.threshold_otsu(image))).max()
    )


def channels_exchanged(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_field(folder, rng)
    a, b = rng.permutation(len(paths))[:2]
    exchange(paths[a], paths[b])
    return harm_to("channels exchanged", paths[a], paths[b], word="exchanged|level")


def channel_doubled(folder: Path, rng: np.random.Generator) -> Harm:
    """One channel's image once more, under the name of another."""
    paths = any_field(folder, rng)
    a, b = rng.permutation(len(paths))[:2]
    rewrite(paths[b], tifffile.imread(paths[a]))
    return harm_to("a channel in place of another", paths[b], word="same pixels")


def field_doubled(folder: Path, rng: np.random.Generator) -> Harm:
    """A field's images once more, under the name of another field."""
    paths, stems = any_field(folder, rng), {p.name.split("_w")[0] for p in images_of(folder)}
    others = sorted(stems - {paths[0].name.split("_w")[0]})
    other = str(rng.choice(others))
    targets = [path.with_name(f"{other}_w{path.name.split('_w')[1]}") for path in paths]
    for path, target in zip(paths, targets, strict=True):
        target.unlink()
        shutil.copyfile(path, target)
    return harm_to(f"the images of {paths[0].name} in place of", *targets, word="same pixels")


def wells_exchanged(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    wells = sorted({well_of(path) for path in images_of(folder)} - {well_of(paths[0])})
    other = str(rng.choice(wells))
    targets = [path.with_name(other + path.name[3:]) for path in paths]
    for path, target in zip(paths, targets, strict=True):
        exchange(path, target)
    why = "the names of files are all that links images and wells"
    return harm_to("wells exchanged", paths[0], targets[0], not_knowable=why)
