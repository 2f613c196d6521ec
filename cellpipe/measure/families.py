"""The columns of the set "cell_painting": all families of measurements of one part of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from cellpipe.image.units import PixelSize, square_edge
from cellpipe.measure import colocalisation, grains, outline, pixels, radial, texture, zernike
from cellpipe.measure.columns import GRAINS, PAIR, RINGS, TEXTURES, ZERNIKE, more_columns
from cellpipe.measure.complete import Complete
from cellpipe.measure.members import Members
from cellpipe.measure.shape import hull_area, ranked


def complete_columns(
    members: Members,
    image: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    by: Complete,
) -> dict[str, np.ndarray]:
    """Columns `columns.more_columns` of a part, float32, each of shape (N,).

    image : (C, Y, X). Above a background grey values may be negative; there is no negative light,
        so what is a share of the light, or lies where it is, counts them as 0

    Raises BadConfig where pixels are not square: outlines, rings and moments would be wrong.
    """
    edge_um = square_edge(pixel_size_um, "the set 'cell_painting'")
    start = np.append(members.start, len(members.flat))
    shape = image.shape[1:]
    rank = np.full(shape, -1, np.int32)
    rank.ravel()[members.flat] = np.repeat(
        np.arange(len(members.count), dtype=np.int32), members.count
    )
    if not len(members.count):
        return _nothing(channels, by.texture_px)
    closed, opened = outline.edge_distances(rank, members.flat)
    columns = _shapes(members, start, rank, closed, edge_um)
    circle = zernike.circles(members.flat, start, shape[1])
    plain = zernike.moments(members.flat, start, shape[1], circle, None)
    columns |= _named("zernike", zernike.shape_magnitudes(plain, circle))
    columns |= outline.moments(members.flat, start, shape[1])
    edge = pixels.edge_of(rank, members.flat)
    rings = radial.rings_of(rank, members.flat, start, opened)
    means = grains.means_of_sample(shape, members.flat, members.count) if by.whole else None
    lights = [np.maximum(plane, 0) for plane in image]
    values = [light.ravel()[members.flat].astype(np.float64) for light in lights]
    for channel, plane, light, value in zip(channels, image, lights, values, strict=True):
        own = _of_light(members, start, edge, plane, edge_um)
        own |= _textures(members, start, rank, plane, by)
        own |= _radial(radial.radial(start, rings, value))
        sums = zernike.moments(members.flat, start, shape[1], circle, value)
        own |= _named("zernike_magnitude", zernike.light_magnitudes(sums, members.count))
        own |= _named("zernike_phase", zernike.light_phases(sums))
        spectrum = grains.unknown(len(members.count))
        if means is not None:
            of_plane = light, members.flat, members.start, members.count
            spectrum = grains.granularity(*of_plane, means)
        own |= {f"granularity_{k + 1}": spectrum[:, k] for k in range(GRAINS)}
        columns |= {f"{channel}_{name}": column for name, column in own.items()}
    planes = [plane.ravel() for plane in image]
    for (a, first), (b, second) in combinations(zip(channels, planes, strict=True), 2):
        figures = colocalisation.colocalisation(start, first[members.flat], second[members.flat])
        names = [column.name.format(a=a, b=b) for column in PAIR]
        columns |= {name: figures[:, k] for k, name in enumerate(names)}
    named = more_columns(channels, by.texture_px)
    return {name: columns[name].astype(np.float32) for name in named}


def _nothing(channels: Sequence[str], texture_px: Sequence[int]) -> dict[str, np.ndarray]:
    return {name: np.zeros(0, np.float32) for name in more_columns(channels, texture_px)}


def _shapes(
    members: Members,
    start: np.ndarray,
    rank: np.ndarray,
    to_edge: np.ndarray,
    edge_um: float,
) -> dict[str, np.ndarray]:
    """Outline, boxes, radii and Feret's diameters."""
    area_um2 = edge_um**2
    n, width = len(members.count), rank.shape[1]
    y, x = np.divmod(members.flat, width)
    length = outline.outline_length(rank, members.flat, start)
    around = outline.boxes(members.flat, start, width).prod(axis=1)
    feret = outline.feret_diameters(members.flat, start, width)
    round_area = 4 * np.pi * members.count
    with np.errstate(divide="ignore"):
        form = np.where(length > 0, round_area / length**2, np.nan)
    return {
        "outline_um": length * edge_um,
        "form_factor": form,
        "compactness": length**2 / round_area,
        "equivalent_diameter_um": np.sqrt(4 * members.count / np.pi) * edge_um,
        "box_area_um2": around * area_um2,
        "extent": members.count / around,
        "convex_area_um2": hull_area(y, x, members.start, members.count) * area_um2,
        "filled_area_um2": outline.filled_count(rank, n) * area_um2,
        "euler_number": outline.euler_number(ranked(rank.shape, y, x, members.count), n),
        "max_radius_um": np.maximum.reduceat(to_edge, members.start) * edge_um,
        "mean_radius_um": np.add.reduceat(to_edge, members.start) / members.count * edge_um,
        "median_radius_um": outline.medians(start, to_edge) * edge_um,
        "min_feret_um": feret[:, 0] * edge_um,
        "max_feret_um": feret[:, 1] * edge_um,
    }


def _of_light(
    members: Members,
    start: np.ndarray,
    edge: np.ndarray,
    plane: np.ndarray,
    edge_um: float,
) -> dict[str, np.ndarray]:
    figures = pixels.intensities(members.flat, start, edge, plane)
    y, x = figures[:, -2] * edge_um, figures[:, -1] * edge_um
    named = dict(zip(pixels.FEATURES, figures.T, strict=True))
    return {k: named[k] for k in pixels.OF_GREY_VALUES} | {"mass_displacement_um": np.hypot(y, x)}


def _textures(
    members: Members, start: np.ndarray, rank: np.ndarray, plane: np.ndarray, by: Complete
) -> dict[str, np.ndarray]:
    level, columns = texture.grey_levels(plane, by.full_scale), {}
    for px in by.texture_px:
        figures = texture.haralick(rank, members.flat, start, level, px)
        for d in range(figures.shape[1]):
            for k, name in enumerate(TEXTURES):
                columns[f"texture_{name}_{px}_{d:02d}"] = figures[:, d, k]
    return columns


def _radial(figures: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"radial_{name}_{ring + 1}of{RINGS}": figures[:, ring, k]
        for ring in range(RINGS)
        for k, name in enumerate(radial.FEATURES)
    }


def _named(what: str, magnitudes: np.ndarray) -> Mapping[str, np.ndarray]:
    return {f"{what}_{n}_{m}": magnitudes[:, k] for k, (n, m) in enumerate(ZERNIKE)}
