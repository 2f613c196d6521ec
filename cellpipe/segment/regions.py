"""Nuclei, and the cells around them, in images that are larger than memory.

                 blocks            labels on disk        blocks with a halo
    image  ──►  engine.find    ──►  nuclei  ──►  ring, grow, network  ──►  cells

Images and labels are planes that are read and written by slices, and no more than a few tiles of
them are held. The same objects come out as from the whole image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from cellpipe.image.object_levels import Shown
from cellpipe.image.scratch import MakePlane
from cellpipe.image.tiles import Channel, Plane, blocks, widened
from cellpipe.segment.cells import Levels, grow_cells, levels_of, smoothed
from cellpipe.segment.engines import RegionEngine
from cellpipe.segment.nuclei import check_plane
from cellpipe.segment.sorted_out import SortedOut, sort_out

SAMPLE_PX = 1 << 22  # pixels that grey levels are taken from
BLOCK_PX = 1792  # with the halo, no more than a tile


class SegmentedRegions(NamedTuple):
    """labels (Y, X) uint32, 1..n without gaps; probabilities float32 (n,), see `Segmentation`."""

    labels: Plane
    probability: np.ndarray
    object_probability: np.ndarray
    sorted_out: SortedOut = SortedOut()
    shown: Shown | None = None


def segment_by_region(
    pixels: Plane,
    pixel_size_um: float,
    *,
    engine: RegionEngine,
    scratch: MakePlane,
    min_area_um2: float | None = None,
    max_area_um2: float | None = None,
    min_object_probability: float | None = None,
    keep_border: bool = True,
    **options: Any,
) -> SegmentedRegions:
    """`cellpipe.segment.nuclei.segment_nuclei` for an image (C, Y, X) that is read by slices.

    scratch : makes the plane of labels
    options : of `RegionEngine.find`

    Raises BadImage for NaN or infinite pixels. A flat image has no nuclei.
    """
    shape = (pixels.shape[1], pixels.shape[2])
    labels = scratch(shape, np.uint32)
    if not _checked_contrast(pixels):
        none = np.zeros(0, np.float32)
        return SegmentedRegions(labels, none, none)
    found = engine.find(pixels, pixel_size_um, into=labels, **options)
    n = len(found.probability)
    kept, out = sort_out(
        *_areas_and_border(labels, n),
        found,
        found.probable(min_object_probability),
        min_area_px=(min_area_um2 or 0.0) / pixel_size_um**2,
        max_area_px=None if max_area_um2 is None else max_area_um2 / pixel_size_um**2,
        keep_border=keep_border,
    )
    old = np.flatnonzero(kept)
    if len(old) < n:
        table = np.zeros(n + 1, np.uint32)
        table[old] = np.arange(1, len(old) + 1)
        for place in blocks(shape):
            labels[place] = table[labels[place]]
    of_kept = found.probability[old - 1], found.object_probability[old - 1]
    return SegmentedRegions(labels, *of_kept, out, found.shown)


def _checked_contrast(pixels: Plane) -> bool:
    """Whether any channel has more than one grey value. Raises BadImage for one that is unfit."""
    differs = False
    for c in range(pixels.shape[0]):
        plane, lowest, highest = Channel(pixels, c), np.inf, -np.inf
        for place in blocks(plane.shape):
            block = plane[place]
            check_plane(block)
            lowest, highest = min(lowest, block.min()), max(highest, block.max())
        differs |= bool(highest > lowest)
    return differs


def _areas_and_border(labels: Plane, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each value, and whether it touches the plane's border; both (n + 1,)."""
    area, border = np.zeros(n + 1, np.int64), np.zeros(n + 1, bool)
    bottom, right = labels.shape[0], labels.shape[1]
    for y, x in blocks(labels.shape):
        block = labels[y, x]
        area += np.bincount(block.ravel(), minlength=n + 1)
        edges = [block[0]] * (y.start == 0) + [block[-1]] * (y.stop == bottom)
        edges += [block[:, 0]] * (x.start == 0) + [block[:, -1]] * (x.stop == right)
        for edge in edges:
            border[edge] = True
    return area, border


def grow_by_region(
    nuclei: Plane,
    pixels: Plane | None,
    into: Plane,
    *,
    pixel_size_um: float,
    max_distance_um: float,
    method: str = "ring",
    block_px: int = BLOCK_PX,
) -> None:
    """`cellpipe.segment.cells.grow_cells` block by block, with a halo of twice the reach.

    nuclei, into : labels (Y, X); pixels : cytoplasm (Y, X), for "grow", whose grey levels are
    those of the whole plane, from an even sample
    """
    halo_px = int(np.ceil(2 * max_distance_um / pixel_size_um)) + 32
    levels = None
    if method == "grow" and pixels is not None:
        levels = _levels_by_region(nuclei, pixels, max_distance_um / pixel_size_um, halo_px)
    for place in blocks(nuclei.shape, block_px):
        outer, inner = widened(place, halo_px, nuclei.shape)
        cells = grow_cells(
            np.asarray(nuclei[outer]),
            None if pixels is None else np.asarray(pixels[outer]),
            pixel_size_um=pixel_size_um,
            method="ring" if method == "ring" else "grow",
            max_distance_um=max_distance_um,
            levels=levels,
        )
        into[place] = cells[inner]


def _levels_by_region(nuclei: Plane, pixels: Plane, reach_px: float, halo_px: int) -> Levels:
    """Grey levels of the cytoplasm, from an even sample of its smoothed pixels."""
    step = max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLE_PX)))
    smooth, distance = [], []
    for place in blocks(pixels.shape, BLOCK_PX // step * step):
        outer, inner = widened(place, halo_px, pixels.shape)
        seen, background = np.asarray(pixels[outer]), np.asarray(nuclei[outer]) == 0
        check_plane(seen)
        far = np.full(seen.shape, np.inf)  # a block without nuclei
        away = far if background.all() else ndimage.distance_transform_edt(background)
        smooth.append(smoothed(seen)[inner][::step, ::step].ravel())
        distance.append(away[inner][::step, ::step].ravel())
    return levels_of(np.concatenate(smooth), np.concatenate(distance), reach_px)
