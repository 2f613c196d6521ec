"""One row per object: size, shape and intensities, by sums over pixels instead of over objects.

Every value is a sum, minimum or maximum over the pixels of an object, so all objects of a frame
are measured together (``numpy.bincount`` and ``reduceat`` over the pixels sorted by object); no
Python loop runs over objects. The shapes themselves are in ``cellpipe.shape``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe import shape
from cellpipe.errors import BadConfig

STATISTICS = ("mean", "std", "min", "max", "sum")
SHAPE_COLUMNS = (
    "y_um",
    "x_um",
    "area_um2",
    "perimeter_um",
    "eccentricity",
    "major_axis_um",
    "minor_axis_um",
    "solidity",
    "touches_border",
)


@dataclass(frozen=True)
class Members:
    """The pixels of a label image's objects, sorted by object.

    label : array, uint32, shape (N,), ascending
    flat : array, int64, shape (P,); places in the flattened image, row by row within an object
    start : array, int64, shape (N,); where each object's pixels begin in ``flat``
    count : array, int64, shape (N,)
    """

    label: np.ndarray
    flat: np.ndarray
    start: np.ndarray
    count: np.ndarray

    @property
    def owner(self) -> np.ndarray:
        """The object (0 .. N-1) of each entry of ``flat``, shape (P,)."""
        return np.repeat(np.arange(len(self.label)), self.count)


def measure_objects(
    labels: np.ndarray, pixels: np.ndarray, channels: Sequence[str], pixel_size_um: float
) -> pd.DataFrame:
    """Size, shape and intensities of every object of a frame.

    Parameters
    ----------
    labels : array, unsigned integer, shape (Y, X)
        0 background; values may be sparse and of any size.
    pixels : array, shape (C, Y, X)
    channels : C names
    pixel_size_um : float

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
    check_together(labels, pixels, channels)
    members = gather(labels)
    table = pd.DataFrame({"label": members.label})
    table = table.assign(**measure_shape(labels, members, pixel_size_um))
    return table.assign(**measure_intensity(members, pixels, channels))


def measure_cells(
    nuclei: np.ndarray,
    cells: np.ndarray | None,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: float,
    ratios: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """The wide table of a frame: each nucleus with its cell, its cytoplasm and their ratios.

    Parameters
    ----------
    nuclei : labels, shape (Y, X)
    cells : labels, shape (Y, X), or None
        A cell bears its nucleus' label. Its cytoplasm is what no nucleus covers.
    pixels : array, shape (C, Y, X)
    channels : C names
    pixel_size_um : float
    ratios : {name: {"numerator": column, "denominator": column}}
        Columns to divide; 0 in the denominator gives NaN.

    Returns
    -------
    DataFrame, one row per nucleus
        As ``measure_objects`` for the nucleus, then cell_area_um2 cell_<channel>_mean ... and
        cytoplasm_area_um2 cytoplasm_<channel>_mean ... where cells are given (area 0 and NaN for
        a nucleus without), then the ratios.

    Raises
    ------
    BadConfig
        If a ratio names a column that the table does not have.
    """
    table = measure_objects(nuclei, pixels, channels, pixel_size_um)
    if cells is not None:
        cytoplasm = np.where(nuclei > 0, 0, cells)
        label = pd.Index(table["label"])
        for name, labels in (("cell", cells), ("cytoplasm", cytoplasm)):
            part = measure_part(labels, pixels, channels, pixel_size_um).add_prefix(f"{name}_")
            part = part.reindex(label)
            part[f"{name}_area_um2"] = part[f"{name}_area_um2"].fillna(0.0)
            table = table.assign(**{column: part[column].to_numpy() for column in part})
    return table.assign(**divide(table, ratios or {}))


def measured_columns(channels: Sequence[str], *, with_cells: bool) -> list[str]:
    """Columns that ``measure_cells`` will make, ratios aside; for checks before a run."""
    intensities = [f"{channel}_{name}" for channel in channels for name in STATISTICS]
    columns = ["label", *SHAPE_COLUMNS, *intensities]
    for part in ("cell", "cytoplasm") if with_cells else ():
        columns += [f"{part}_{column}" for column in ("area_um2", *intensities)]
    return columns


def check_ratios(ratios: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> None:
    """Raise BadConfig where a ratio names a column that is not there, with the nearest one."""
    for name, parts in ratios.items():
        for part in ("numerator", "denominator"):
            wanted = parts[part]
            if wanted in columns:
                continue
            near = difflib.get_close_matches(wanted, columns, n=1, cutoff=0.0)
            raise BadConfig(
                seen=f"measure.ratios.{name}.{part} = {wanted!r}",
                wanted="a column of the cell table",
                do=f"write {near[0]!r}, or one of: {', '.join(columns)}",
            )


def check_together(labels: np.ndarray, pixels: np.ndarray, channels: Sequence[str]) -> None:
    """Labels (Y, X), pixels (C, Y, X) and C channel names."""
    wanted = (len(channels), *labels.shape)
    if labels.ndim != 2 or pixels.shape != wanted:
        raise ValueError(
            f"labels have shape {labels.shape} and pixels {pixels.shape}; wanted (Y, X) and "
            f"({len(channels)}, Y, X) for the channels {list(channels)}"
        )


def gather(labels: np.ndarray) -> Members:
    """Sort the labelled pixels of an image by object, keeping raster order within each."""
    flat = np.flatnonzero(labels)
    value = labels.ravel()[flat]
    order = np.argsort(value, kind="stable")
    value, flat = value[order], flat[order]
    start = np.flatnonzero(np.diff(value, prepend=value.dtype.type(0)))
    count = np.diff(start, append=len(value))
    return Members(value[start].astype(np.uint32), flat, start, count)


def measure_shape(
    labels: np.ndarray, members: Members, pixel_size_um: float
) -> dict[str, np.ndarray]:
    """Columns of ``SHAPE_COLUMNS``, each of shape (N,)."""
    y, x = np.divmod(members.flat, labels.shape[1])
    owner = members.owner
    ellipse = shape.ellipse(y, x, owner, members.count)
    ranks = shape.ranked(labels.shape, members.flat, owner)
    return {
        "y_um": ellipse.y_px * pixel_size_um,
        "x_um": ellipse.x_px * pixel_size_um,
        "area_um2": members.count * pixel_size_um**2,
        "perimeter_um": shape.perimeter(ranks, len(members.label)) * pixel_size_um,
        "eccentricity": ellipse.eccentricity,
        "major_axis_um": ellipse.major_px * pixel_size_um,
        "minor_axis_um": ellipse.minor_px * pixel_size_um,
        "solidity": members.count / shape.hull_area(y, x, members.start, members.count),
        "touches_border": shape.touches_border(ranks, len(members.label)),
    }


def measure_intensity(
    members: Members, pixels: np.ndarray, channels: Sequence[str]
) -> dict[str, np.ndarray]:
    """Columns <channel>_<statistic> for every channel, float64, each of shape (N,)."""
    columns: dict[str, np.ndarray] = {}
    for channel, image in zip(channels, pixels, strict=True):
        if not len(members.label):
            # reduceat refuses an empty list of starts
            columns.update({f"{channel}_{name}": np.zeros(0) for name in STATISTICS})
            continue
        value = image.ravel()[members.flat].astype(np.float64)
        total = np.add.reduceat(value, members.start)
        mean = total / members.count
        # deviations from the object's own mean: sums of squares would cancel for bright objects
        deviation = value - np.repeat(mean, members.count)
        variance = np.add.reduceat(deviation**2, members.start) / members.count
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
    labels: np.ndarray, pixels: np.ndarray, channels: Sequence[str], pixel_size_um: float
) -> pd.DataFrame:
    """Area and intensities only, indexed by label."""
    check_together(labels, pixels, channels)
    members = gather(labels)
    area = {"area_um2": members.count * pixel_size_um**2}
    columns = area | measure_intensity(members, pixels, channels)
    return pd.DataFrame(columns, index=pd.Index(members.label, name="label"))


def divide(
    table: pd.DataFrame, ratios: Mapping[str, Mapping[str, str]]
) -> dict[str, np.ndarray]:
    """Ratio columns; a denominator of 0 has no ratio."""
    check_ratios(ratios, list(table.columns))
    columns = {}
    for name, parts in ratios.items():
        denominator = table[parts["denominator"]].to_numpy(np.float64)
        numerator = table[parts["numerator"]].to_numpy(np.float64)
        columns[name] = np.divide(
            numerator,
            denominator,
            out=np.full(len(table), np.nan),
            where=denominator != 0,
        )
    return columns
