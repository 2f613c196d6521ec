"""COCO annotations as label images: outlines or run lengths in one JSON file.

    {"images": [{"id": 1, "file_name": "A7_1.tif", "height": 520, "width": 704}, …],
     "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[x, y, x, y, …]]}, …],
     "categories": [{"id": 1, "name": "cell"}]}

As LIVECell and EVICAN are published, and as CVAT, Label Studio and others export. Coordinates are
those of COCO: the first pixel covers 0 to 1, so its centre is at 0.5; a pixel belongs to an outline
that its centre is in. Where objects overlap, the smaller is on top: a label image has one object
per pixel. Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig, BadImage
from cellpipe.files.reach import file_state, reached

MAX_BYTES = 2**32  # LIVECell's training side has 1.1 GB
MAX_SIDE_PX = 2**15
_SHIFT, _MORE, _SIGN = 48, 0x20, 0x10  # of run lengths as text


@dataclass(frozen=True)
class CocoImage:
    """One image: its size and its annotations as they are in the file."""

    name: str
    shape: tuple[int, int]
    annotations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Coco:
    """A file of annotations.

    images : by the name of their file without folder and suffix
    categories : id → name
    crowds : regions that outline many objects together, which are no objects, and are not used
    """

    path: Path
    images: dict[str, CocoImage]
    categories: dict[int, str]
    crowds: int

    def labels(self, name: str, category: str | None = None) -> np.ndarray:
        """(Y, X) uint32 labels of an image, 0 background; of one category, or of all.

        Raises BadImage for an outline that is none.
        """
        image = self.images[name]
        wanted = [
            one
            for one in image.annotations
            if category is None or self.categories.get(one.get("category_id", -1)) == category
        ]
        masks = [_mask(one, image, self.path) for one in wanted]
        labels = np.zeros(image.shape, np.uint32)
        sizes = [len(rows) for rows, _ in masks]
        # the largest first, so that a smaller object is not covered
        for index in sorted(range(len(masks)), key=lambda k: -sizes[k]):
            labels[masks[index]] = index + 1
        return labels


def is_coco(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def read_coco(path: Path) -> Coco:
    """Read a file; kept, until it changes. Raises BadConfig, or Unreachable."""
    return _read(path, *file_state(path))


@lru_cache(maxsize=2)
def _read(path: Path, size: int, modified_ns: int) -> Coco:
    if size > MAX_BYTES:
        raise _no_coco(path, f"{size:,} bytes")
    try:
        content = reached(lambda: json.loads(path.read_bytes()), path)
        images = {int(one["id"]): one for one in content["images"]}
        categories = {int(one["id"]): str(one["name"]) for one in content.get("categories", [])}
        # LIVECell has a dictionary of annotations, everybody else a list
        listed = content["annotations"]
        annotations = list(listed.values()) if isinstance(listed, dict) else listed
        of_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for one in annotations:
            if not one.get("iscrowd"):
                of_image[int(one["image_id"])].append(one)
        found: dict[str, CocoImage] = {}
        for key, image in images.items():
            file = str(image["file_name"]).replace("\\", "/")
            name = PurePosixPath(file).stem
            shape = (int(image["height"]), int(image["width"]))
            if name in found:
                raise _no_coco(path, f"two images named '{name}'")
            if not all(0 < side <= MAX_SIDE_PX for side in shape):
                raise _no_coco(path, f"an image of {shape[0]} × {shape[1]} pixels")
            found[name] = CocoImage(name, shape, tuple(of_image.get(key, [])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise _no_coco(path, f"{type(fault).__name__}: {str(fault)[:100]}") from fault
    return Coco(path, found, categories, len(annotations) - sum(map(len, of_image.values())))


def _no_coco(path: Path, why: str) -> BadConfig:
    return BadConfig(
        seen=f"{path}, which is no file of COCO annotations ({why})",
        wanted="JSON with images, annotations and categories",
        do="export the annotations again, in the format COCO",
    )


def _mask(annotation: dict[str, Any], image: CocoImage, path: Path) -> tuple[np.ndarray, ...]:
    """Rows and columns of the pixels of an object. Raises BadImage."""
    shape = annotation.get("segmentation")
    try:
        if isinstance(shape, dict):
            return np.nonzero(_from_runs(shape, image.shape))
        mask = np.zeros(image.shape, bool)
        for outline in shape or []:
            mask |= _inside(outline, image.shape)
    except (ValueError, TypeError, IndexError, KeyError) as fault:
        raise BadImage(
            seen=f"annotation {annotation.get('id')} of '{image.name}' in {path} ({fault})",
            wanted="outlines [x, y, x, y, …], or run lengths of the size of the image",
            do="correct the annotation, or remove it",
        ) from fault
    return np.nonzero(mask)


def _inside(outline: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """(Y, X) bool: pixels whose centres are in an outline; where it crosses itself, even-odd."""
    points = np.asarray(outline, float)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError(f"an outline of {points.size} numbers")
    x, y = points[::2] - 0.5, points[1::2] - 0.5  # the centre of the first pixel is 0, 0
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    mask = np.zeros(shape, bool)
    first, last = max(0, math.ceil(y.min())), min(shape[0] - 1, math.floor(y.max()))
    for row in range(first, last + 1):
        crossing = (y <= row) != (y_next <= row)
        part = (row - y[crossing]) / (y_next[crossing] - y[crossing])
        at = np.sort(x[crossing] + part * (x_next[crossing] - x[crossing]))
        for start, stop in zip(at[::2], at[1::2], strict=True):
            mask[row, max(0, math.ceil(start)) : max(0, math.ceil(stop))] = True
    return mask


def _from_runs(encoded: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """(Y, X) bool of run lengths, column by column, the first of background."""
    counts = encoded["counts"]
    runs = _counts(counts) if isinstance(counts, str) else [int(n) for n in counts]
    n = shape[0] * shape[1]
    if tuple(encoded["size"]) != shape or min(runs, default=0) < 0 or sum(runs) != n:
        raise ValueError(f"run lengths of {sum(runs)} pixels, size {encoded['size']}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(shape[::-1]).T


def _counts(text: str) -> list[int]:
    """Run lengths from text: groups of five bits, and from the third on differences to the last
    but one (as in pycocotools)."""
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - _SHIFT
        value |= (code & 0x1F) << bits
        bits += 5
        if not code & _MORE:
            if code & _SIGN:
                value |= -1 << bits
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = bits = 0
    return runs
