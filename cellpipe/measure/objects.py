"""One row per object: size, shape and intensities, by sums over pixels instead of over objects.

Every value is a sum, minimum or maximum over the pixels of an object, so all objects of a frame
are measured together (``numpy.bincount`` and ``reduceat`` over the pixels sorted by object); no
Python loop runs over objects. The shapes themselves are in ``cellpipe.measure.shape``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Plane
from cellpipe.image.units import PixelSize
from cellpipe.measure import shape
from cellpipe.measure.columns import STATISTICS
from cellpipe.measure.complete import Complete
from cellpipe.measure.members import Members, gather, without


def measure_objects(
    labels: np.ndarray, pixels: np.ndarray, channels: Sequence[str], pixel_size_um: PixelSize
) -> pd.DataFrame:
    """Size, shape and intensities of every object of a frame.

    Parameters
    ----------
    labels : array, unsigned integer, shape (Y, X)
        0 background; values may be sparse and of any size.
    pixels : array, shape (C, Y, X)
    channels : C names
    pixel_size_um : float, or (float, float): edges in y and x of pixels that are not square

    Returns
    -------
    DataFrame, one row per label, ascending
        label (uint32); y_um x_um (centroid, origin in the centre of the top-left pixel); area_um2;
        perimeter_um (Crofton, four directions); eccentricity major_axis_um minor_axis_um (of the
        ellipse with the same second moments); solidity (area / area of the convex hull);
        touches_border (bool); <channel>_mean _std _min _max _sum, std being that of the
        population. Definitions are those of ``skimage.measure.regionprops``. An empty frame
        gives an empty table with the same columns and dtypes.

    Raises
    ------
    ValueError
        If labels, pixels and channels do not belong together.
    """
    return pd.DataFrame(_columns_of(labels, pixels, channels, pixel_size_um))


def _columns_of(
    labels: np.ndarray,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    complete: Complete | None = None,
) -> dict[str, np.ndarray]:
    """Columns of `measure_objects`. A table is made of all at once: one by one costs more than
    the measurement."""
    check_together(labels, pixels, channels)
    members = gather(labels)
    return {
        "label": members.label,
        **measure_shape(labels.shape, members, pixel_size_um),
        **measure_intensity(members, pixels, channels),
        **_more(members, pixels, channels, pixel_size_um, complete),
    }


def _more(
    members: Members,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    complete: Complete | None,
) -> dict[str, np.ndarray]:
    """Columns of the set "cell_painting" beyond the standard ones."""
    if complete is None:
        return {}
    from cellpipe.measure.families import complete_columns  # compiles: only where it is asked for

    return complete_columns(members, pixels, channels, pixel_size_um, complete)


def measure_parts(
    nuclei: np.ndarray,
    cells: np.ndarray | None,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    ratios: Mapping[str, Mapping[str, str]],
    complete: Complete | None = None,
) -> pd.DataFrame:
    """Rows of `cellpipe.measure.cells.measure_cells` for arrays."""
    columns = _columns_of(nuclei, pixels, channels, pixel_size_um, complete)
    if cells is not None:
        check_together(cells, pixels, channels)
        whole = gather(cells)
        for name, part in (("cell", whole), ("cytoplasm", without(whole, nuclei > 0))):
            own = measure_part(part, columns["label"], pixels, channels, pixel_size_um, complete)
            columns |= {f"{name}_{key}": column for key, column in own.items()}
    return pd.DataFrame(columns | divide(columns, ratios))


def check_ratios(ratios: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> None:
    """Raise BadConfig where a ratio names a column that is not there, with the nearest one."""
    for name, parts in ratios.items():
        for part in ("numerator", "denominator"):
            wanted = parts[part]
            if wanted in columns:
                continue
            near = difflib.get_close_matches(wanted, columns, n=1, cutoff=0.0)
            raise BadConfig(
                seen=f"{wanted!r} for 'measure.ratios.{name}.{part}'",
                wanted="a column of the cell table",
                do=f"write {near[0]!r}, or one of: {', '.join(columns)}",
            )


def check_together(labels: Plane, pixels: Plane, channels: Sequence[str]) -> None:
    """Labels (Y, X), pixels (C, Y, X) and C channel names."""
    wanted = (len(channels), *labels.shape)
    if len(labels.shape) != 2 or tuple(pixels.shape) != wanted:
        raise ValueError(
            f"labels have shape {labels.shape} and pixels {pixels.shape}; wanted (Y, X) and "
            f"({len(channels)}, Y, X) for the channels {list(channels)}"
        )


def measure_shape(
    frame: tuple[int, ...], members: Members, pixel_size_um: PixelSize
) -> dict[str, np.ndarray]:
    """Columns of `columns.STANDARD_SHAPE`, each of shape (N,), in a frame of shape (Y, X)."""
    y, x = np.divmod(members.flat, frame[1])
    # in units of the edge, or of the shorter one
    edge, (y_edge, x_edge) = _unit_and_edges(pixel_size_um)
    placed_y, placed_x = (y, x) if y_edge == x_edge else (y * y_edge, x * x_edge)
    ellipse = shape.ellipse(placed_y, placed_x, members.start, members.count)
    ranks = shape.ranked(frame, y, x, members.count)
    crofton = shape.crofton(y_edge, x_edge)
    return {
        "y_um": ellipse.y_px * edge,
        "x_um": ellipse.x_px * edge,
        "area_um2": members.count * _area_um2(pixel_size_um),
        "perimeter_um": shape.perimeter(ranks, len(members.label), crofton) * edge,
        "eccentricity": ellipse.eccentricity,
        "major_axis_um": ellipse.major_px * edge,
        "minor_axis_um": ellipse.minor_px * edge,
        "solidity": members.count / shape.hull_area(y, x, members.start, members.count),
        "touches_border": shape.touches_border(ranks, len(members.label)),
    }


def _unit_and_edges(size: PixelSize) -> tuple[float, tuple[float, float]]:
    """Shorter edge of a pixel, and both edges (y, x) in units of it."""
    if not isinstance(size, tuple):
        return size, (1.0, 1.0)
    edge = min(size)
    return edge, (size[0] / edge, size[1] / edge)


def _area_um2(size: PixelSize) -> float:
    return size[0] * size[1] if isinstance(size, tuple) else size**2


def measure_intensity(
    members: Members, pixels: np.ndarray, channels: Sequence[str]
) -> dict[str, np.ndarray]:
    """Columns <channel>_<statistic> for every channel, float64, each of shape (N,)."""
    columns: dict[str, np.ndarray] = {}
    for channel, image in zip(channels, pixels, strict=True):
        value = image.ravel().take(members.flat).astype(np.float64)
        total = np.add.reduceat(value, members.start)
        mean = total / members.count
        # deviations from the object's own mean: sums of squares would cancel for bright objects
        deviation = value - np.repeat(mean, members.count)
        variance = np.add.reduceat(deviation * deviation, members.start) / members.count
        statistics = {
            "mean": mean,
            "std": np.sqrt(variance),
            "min": np.minimum.reduceat(value, members.start),
            "max": np.maximum.reduceat(value, members.start),
            "sum": total,
        }
        columns.update({f"{channel}_{name}": statistics[name] for name in STATISTICS})
    return columns


def measure_part(
    members: Members,
    label: np.ndarray,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    complete: Complete | None = None,
) -> dict[str, np.ndarray]:
    """Area and intensities of a part of each labelled object: area 0 and NaN where it has none.

    complete : all shapes, and the other columns of the set "cell_painting", too
    """
    if complete is None:
        columns = {"area_um2": members.count * _area_um2(pixel_size_um)}
    else:
        columns = measure_shape(pixels.shape[1:], members, pixel_size_um)
    columns |= measure_intensity(members, pixels, channels)
    columns |= _more(members, pixels, channels, pixel_size_um, complete)
    place = pd.Index(members.label).get_indexer(pd.Index(label))
    found = place >= 0
    aligned = {}
    for name, column in columns.items():
        nothing = 0.0 if name in ("area_um2", "touches_border") else np.nan
        kind = column.dtype if column.dtype in (bool, np.float32) else np.float64
        aligned[name] = np.full(len(label), nothing, kind)
        aligned[name][found] = column[place[found]]
    return aligned


def divide(
    columns: Mapping[str, np.ndarray], ratios: Mapping[str, Mapping[str, str]]
) -> dict[str, np.ndarray]:
    """Ratio columns; a denominator of 0 has no ratio."""
    check_ratios(ratios, list(columns))
    divided = {}
    for name, parts in ratios.items():
        denominator = columns[parts["denominator"]].astype(np.float64)
        numerator = columns[parts["numerator"]].astype(np.float64)
        divided[name] = np.divide(
            numerator,
            denominator,
            out=np.full(len(denominator), np.nan),
            where=denominator != 0,
        )
    return divided
