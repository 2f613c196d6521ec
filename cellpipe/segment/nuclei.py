"""Nuclei, the cells around them, and the cytoplasm between: pixels in, labels out."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cellpipe.image.axes import Image, plain, with_channels
from cellpipe.image.checks import check_axes, check_plane
from cellpipe.image.object_levels import Shown
from cellpipe.image.tiles import Plane
from cellpipe.networks.expected import Expected
from cellpipe.segment.engines import Engine, find, load_engine, numbered, numbering
from cellpipe.segment.sorted_out import SortedOut, sort_out


class Segmentation(NamedTuple):
    """labels : uint32 (Y, X), values 1..n without gaps, 0 background; of an image of several
        blocks, a plane that is read by slices
    probability : float32 (n,), mean foreground probability of label i + 1; NaN if unknown.
    object_probability : float32 (n,), of being a real object; NaN if unknown.
    sorted_out : what was found and then dropped
    shown : what the first channel shows, where the engine looked at that
    expected : F1 that is expected; NaN where that is not known
    scale : at which the engine saw the image; NaN where that is not known
    distance : from the images that the engine learned from; NaN where that is not known"""

    labels: Plane
    probability: np.ndarray
    object_probability: np.ndarray
    sorted_out: SortedOut = SortedOut()
    shown: Shown | None = None
    expected: Expected = Expected()
    scale: float = float("nan")
    distance: float = float("nan")


def segment_nuclei(
    pixels: Plane,
    pixel_size_um: float,
    *,
    engine: Engine | str = "cellpipe",
    diameter_um: float | None = None,
    min_area_um2: float | None = None,
    max_area_um2: float | None = None,
    probability_threshold: float | None = None,
    min_object_probability: float | None = None,
    keep_border: bool = True,
    tile_px: int = 2048,
) -> Segmentation:
    """Instance labels of nuclei in one image; or of whole cells, by an engine for them.

    Parameters
    ----------
    pixels : (Y, X), any integer or float type; or (C, Y, X) for an engine of several channels
    pixel_size_um : edge of a pixel
    engine : what `cellpipe.segment.engines.load_engine` returned; or the name of an engine that
        needs nothing more: "cellpipe" (the shipped weights "nuclei"), "classical"
    diameter_um : typical nucleus; engines for one scale rescale the image by it, and
        the classical one estimates it when it is None
    probability_threshold : least probability of a nucleus; None leaves it to the engine
    min_object_probability : objects with a lower probability of being real are discarded; None: the
        threshold of the engine's weights. Above 0, an engine without probabilities has no objects
    min_area_um2, max_area_um2 : objects outside are dropped; None drops none, but for what the
        engine itself takes for debris
    keep_border : False drops objects that touch the frame, since their area is wrong
    tile_px : edge of the tiles in which a large image is worked through

    Raises
    ------
    BadImage : not a plane, or NaN or infinite pixels. A flat image has no nuclei and no error.
    """
    if isinstance(engine, str):
        check_axes(pixels)  # engines that go by their name alone see one channel
        engine = _ready(engine)
    if len(pixels.shape) != 3 or not pixels.shape[0]:
        check_axes(pixels)
    image = with_channels(pixels)
    if not _has_contrast(image):
        none = np.zeros(0, np.float32)
        return Segmentation(plain(image.zeros(np.uint32)), none, none)
    found = find(
        engine,
        pixels,
        pixel_size_um,
        diameter_um=diameter_um,
        probability_threshold=probability_threshold,
        tile_px=tile_px,
    )
    px_um2 = pixel_size_um**2
    area, border = _areas_and_border(found.labels, len(found.probability))
    keep, out = sort_out(
        area,
        border,
        found,
        found.probable(min_object_probability),
        min_area_px=(min_area_um2 or 0.0) / px_um2,
        max_area_px=None if max_area_um2 is None else max_area_um2 / px_um2,
        keep_border=keep_border,
    )
    table, old = numbering(keep)
    labels = Image.of(found.labels, "yx")
    kept = labels.by_block(lambda place: table[labels[place]], np.uint32)
    return Segmentation(
        kept,
        found.probability[old - 1],
        found.object_probability[old - 1],
        sorted_out=out,
        shown=found.shown,
        expected=found.expected,
        scale=found.scale,
        distance=found.distance,
    )


def _has_contrast(image: Image) -> bool:
    """Whether any channel (C, Y, X) has more than one grey value. BadImage for bad pixels."""
    differs = False
    for c in range(image.shape[0]):
        channel, ends = image.channel(c), []
        check_axes(channel)
        for place in channel.blocks():
            block = channel[place]
            check_plane(block)
            ends.append((block.min(), block.max()))
        differs |= bool(max(high for _, high in ends) > min(low for low, _ in ends))
    return differs


@lru_cache(maxsize=2)
def _ready(engine: str) -> Engine:
    return load_engine(engine)


def filter_labels(
    labels: np.ndarray,
    *,
    min_area_px: float = 0.0,
    max_area_px: float | None = None,
    keep_border: bool = True,
    keep: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Drop objects by area and border, number the rest 1..n in their old order.

    keep : bool (n,), False for values that are dropped whatever their area

    Returns labels uint32 (Y, X) and the old value of each new label, shape (n,).
    """
    area, border = _areas_and_border(labels, 0)
    kept = kept_objects(area, border, min_area_px, max_area_px, keep_border)
    if keep is not None:
        kept[1:] &= keep[: len(kept) - 1]
    return numbered(labels, kept)


def _areas_and_border(labels: Plane, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each value up to `n` or more, and whether it touches the frame; (values,)."""
    image, touching = Image.of(labels, "yx"), []
    area = np.zeros(n + 1, np.int64)
    bottom, right = image.shape
    for y, x in image.blocks():
        block = image[y, x]
        own = np.bincount(block.ravel(), minlength=len(area))
        own[: len(area)] += area
        area = own
        touching += [block[0]] * (y.start == 0) + [block[-1]] * (y.stop == bottom)
        touching += [block[:, 0]] * (x.start == 0) + [block[:, -1]] * (x.stop == right)
    border = np.zeros(len(area), bool)
    for edge in touching:
        border[edge] = True
    return area, border


def kept_objects(
    area: np.ndarray,
    border: np.ndarray,
    min_area_px: float = 0.0,
    max_area_px: float | None = None,
    keep_border: bool = True,
) -> np.ndarray:
    """Which values to keep, bool (n + 1,); `area` in pixels and `border`, of each value, (n + 1,).

    The background, value 0, is never kept.
    """
    keep = (area >= max(min_area_px, 1)) & (area <= (max_area_px or np.inf))
    keep[0] = False
    return keep if keep_border else keep & ~border
