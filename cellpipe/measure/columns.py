"""What the columns of measurements are called, what they mean, and CellProfiler's names for them.

    set "standard"       size, ellipse, hull, intensities: of the nucleus; area and intensities of
                         the cell and the cytoplasm
    set "cell_painting"  these for each part, and outline, radii, moments, edge, quartiles,
                         texture, radial distribution, granularity, colocalisation

A name is <part>_<channel>_<what>: a nucleus (or a cell that is segmented alone) has no part, a
shape no channel. Nothing heavy is imported here: configs are checked by these names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

COMPLETE = "cell_painting"
STANDARD: Mapping[str, Any] = {"set": "standard"}
STATISTICS = ("mean", "std", "min", "max", "sum")

TEXTURES = {
    "angular_second_moment": ("AngularSecondMoment", "sum of squared shares of pairs"),
    "contrast": ("Contrast", "mean squared difference of a pair"),
    "correlation": ("Correlation", "correlation of the levels of a pair"),
    "variance": ("Variance", "variance of levels"),
    "inverse_difference_moment": (
        "InverseDifferenceMoment",
        "mean of 1 / (1 + squared difference)",
    ),
    "sum_average": ("SumAverage", "mean of the sum of a pair"),
    "sum_variance": ("SumVariance", "variance of the sum"),
    "sum_entropy": ("SumEntropy", "entropy of the sum, bits"),
    "entropy": ("Entropy", "entropy of pairs, bits"),
    "difference_variance": ("DifferenceVariance", "variance of the shares of differences"),
    "difference_entropy": ("DifferenceEntropy", "entropy of the difference, bits"),
    "info_meas1": ("InfoMeas1", "information that one level of a pair gives of the other"),
    "info_meas2": ("InfoMeas2", "the same, between 0 and 1"),
}
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))  # (y, x): right, down right, down, down left
RINGS = 4
GRAINS = 16  # steps of granularity, in pixels of a quarter of the frame
ZERNIKE_ORDER = 9
ZERNIKE = tuple((n, m) for n in range(ZERNIKE_ORDER + 1) for m in range(n + 1) if (n - m) % 2 == 0)
RAW = tuple((p, q) for p in range(3) for q in range(4))
NORMALISED = tuple((p, q) for p in range(4) for q in range(4) if p + q >= 2)
_TEXTURE = re.compile(r"_texture_\w+_(\d+)_\d\d$")
PIXELS = "px"  # moments and inertia: powers of pixels


class Column(NamedTuple):
    """A column of a part of an object: {c} is a channel, {a} and {b} a pair of them.

    cellprofiler : its name there, after the compartment; "" where it has none
    """

    name: str
    unit: str
    meaning: str
    cellprofiler: str = ""


STANDARD_SHAPE = (
    Column("y_um", "µm", "centroid, from the middle of the first pixel", "Location_Center_Y"),
    Column("x_um", "µm", "centroid", "Location_Center_X"),
    Column("area_um2", "µm²", "pixels times the area of one", "AreaShape_Area"),
    Column("perimeter_um", "µm", "Crofton's perimeter, four directions", ""),
    Column(
        "eccentricity", "", "of the ellipse with the same second moments", "AreaShape_Eccentricity"
    ),
    Column("major_axis_um", "µm", "long axis of that ellipse", "AreaShape_MajorAxisLength"),
    Column("minor_axis_um", "µm", "short axis of that ellipse", "AreaShape_MinorAxisLength"),
    Column("solidity", "", "area over that of the convex hull", "AreaShape_Solidity"),
    Column("touches_border", "", "whether it reaches the border of the frame", ""),
)
STANDARD_CHANNEL = (
    Column("{c}_mean", "grey", "mean of the pixels", "Intensity_MeanIntensity_{c}"),
    Column("{c}_std", "grey", "standard deviation", "Intensity_StdIntensity_{c}"),
    Column("{c}_min", "grey", "least", "Intensity_MinIntensity_{c}"),
    Column("{c}_max", "grey", "greatest", "Intensity_MaxIntensity_{c}"),
    Column("{c}_sum", "grey", "sum", "Intensity_IntegratedIntensity_{c}"),
)


def shape_columns() -> tuple[Column, ...]:
    """Shapes of the set "cell_painting" beyond the standard ones."""
    return (
        Column("outline_um", "µm", "length of the outline, pixel to pixel", "AreaShape_Perimeter"),
        Column("form_factor", "", "4 π area / outline²", "AreaShape_FormFactor"),
        Column("compactness", "", "outline² / (4 π area)", "AreaShape_Compactness"),
        Column(
            "equivalent_diameter_um",
            "µm",
            "of a disc of that area",
            "AreaShape_EquivalentDiameter",
        ),
        Column("box_area_um2", "µm²", "of the box around it", "AreaShape_BoundingBoxArea"),
        Column("extent", "", "area over that of the box", "AreaShape_Extent"),
        Column("convex_area_um2", "µm²", "of the convex hull", "AreaShape_ConvexArea"),
        Column("filled_area_um2", "µm²", "with holes filled", "AreaShape_FilledArea"),
        Column("euler_number", "", "pieces less holes", "AreaShape_EulerNumber"),
        Column("orientation", "°", "of the long axis, from the vertical", "AreaShape_Orientation"),
        Column("max_radius_um", "µm", "greatest distance to the edge", "AreaShape_MaximumRadius"),
        Column("mean_radius_um", "µm", "mean distance to the edge", "AreaShape_MeanRadius"),
        Column("median_radius_um", "µm", "median distance to the edge", "AreaShape_MedianRadius"),
        Column("min_feret_um", "µm", "least distance of parallels", "AreaShape_MinFeretDiameter"),
        Column(
            "max_feret_um", "µm", "greatest distance of parallels", "AreaShape_MaxFeretDiameter"
        ),
        *(
            Column(
                f"zernike_{n}_{m}",
                "",
                "magnitude of a Zernike moment",
                f"AreaShape_Zernike_{n}_{m}",
            )
            for n, m in ZERNIKE
        ),
        *_moments(),
    )


def _moments() -> Iterator[Column]:
    kinds = (
        ("moment", RAW, "moment y^p x^q about the corner of its box", "SpatialMoment"),
        ("central_moment", RAW, "moment about the centroid", "CentralMoment"),
        ("normalised_moment", NORMALISED, "moment over a power of the area", "NormalizedMoment"),
    )
    for name, orders, meaning, theirs in kinds:
        for p, q in orders:
            yield Column(f"{name}_{p}_{q}", PIXELS, meaning, f"AreaShape_{theirs}_{p}_{q}")
    for k in range(7):
        yield Column(f"hu_moment_{k}", "", "Hu's moment", f"AreaShape_HuMoment_{k}")
    for p, q in ((0, 0), (0, 1), (1, 0), (1, 1)):
        yield Column(
            f"inertia_{p}_{q}", PIXELS, "inertia tensor", f"AreaShape_InertiaTensor_{p}_{q}"
        )
    for k in range(2):
        theirs = f"AreaShape_InertiaTensorEigenvalues_{k}"
        yield Column(f"inertia_{k}", PIXELS, "its eigenvalue", theirs)


def channel_columns(texture_px: Sequence[int] = (3,)) -> tuple[Column, ...]:
    """Measurements of one channel of the set "cell_painting" beyond the standard ones."""
    edge = (("sum", "Integrated"), ("mean", "Mean"), ("std", "Std"), ("min", "Min"), ("max", "Max"))
    quartiles = (
        ("lower_quartile", "LowerQuartileIntensity", "a quarter of the pixels are below"),
        ("median", "MedianIntensity", "half of the pixels are below"),
        ("upper_quartile", "UpperQuartileIntensity", "three quarters of the pixels are below"),
        ("mad", "MADIntensity", "median distance from the median"),
    )
    return (
        *(Column(f"{{c}}_{n}", "grey", m, f"Intensity_{t}_{{c}}") for n, t, m in quartiles),
        *(
            Column(
                f"{{c}}_edge_{n}", "grey", f"{n} at the edge", f"Intensity_{t}IntensityEdge_{{c}}"
            )
            for n, t in edge
        ),
        Column(
            "{c}_mass_displacement_um",
            "µm",
            "from the centroid to the centre of mass",
            "Intensity_MassDisplacement_{c}",
        ),
        *_textures(texture_px),
        *_radial(),
        *(
            Column(
                f"{{c}}_granularity_{k}",
                "%",
                f"light in grains of {k} steps",
                f"Granularity_{k}_{{c}}",
            )
            for k in range(1, GRAINS + 1)
        ),
    )


def _textures(texture_px: Sequence[int]) -> Iterator[Column]:
    for px in texture_px:
        for d in range(len(DIRECTIONS)):
            for name, (theirs, meaning) in TEXTURES.items():
                yield Column(
                    f"{{c}}_texture_{name}_{px}_{d:02d}",
                    "",
                    f"{meaning}; {px} pixels apart",
                    f"Texture_{theirs}_{{c}}_{px}_{d:02d}_256",
                )


def _radial() -> Iterator[Column]:
    kinds = (
        ("fraction", "FracAtD", "share of the light in a ring"),
        ("mean_fraction", "MeanFrac", "that over its share of the pixels"),
        ("cv", "RadialCV", "variation between its eight wedges"),
    )
    for ring in range(1, RINGS + 1):
        for name, theirs, meaning in kinds:
            yield Column(
                f"{{c}}_radial_{name}_{ring}of{RINGS}",
                "",
                meaning,
                f"RadialDistribution_{theirs}_{{c}}_{ring}of{RINGS}",
            )
    for name, theirs in (("magnitude", "ZernikeMagnitude"), ("phase", "ZernikePhase")):
        for n, m in ZERNIKE:
            yield Column(
                f"{{c}}_zernike_{name}_{n}_{m}",
                "",
                f"{name} of a Zernike moment of the light",
                f"RadialDistribution_{theirs}_{{c}}_{n}_{m}",
            )


PAIR = (
    Column("{a}_{b}_correlation", "", "Pearson's correlation", "Correlation_Correlation_{a}_{b}"),
    Column("{a}_{b}_slope", "", "of {b} over {a}, least squares", "Correlation_Slope_{a}_{b}"),
    Column("{a}_{b}_overlap", "", "Manders' overlap coefficient", "Correlation_Overlap_{a}_{b}"),
    Column("{a}_{b}_k_1", "", "overlap over the light of {a}", "Correlation_K_{a}_{b}"),
    Column("{a}_{b}_k_2", "", "overlap over the light of {b}", "Correlation_K_{b}_{a}"),
    Column("{a}_{b}_manders_1", "", "light of {a} where {b} is", "Correlation_Manders_{a}_{b}"),
    Column("{a}_{b}_manders_2", "", "light of {b} where {a} is", "Correlation_Manders_{b}_{a}"),
    Column("{a}_{b}_rwc_1", "", "that, weighted by ranks", "Correlation_RWC_{a}_{b}"),
    Column("{a}_{b}_rwc_2", "", "that, weighted by ranks", "Correlation_RWC_{b}_{a}"),
)


def more_columns(channels: Sequence[str], texture_px: Sequence[int] = (3,)) -> list[str]:
    """Names of the columns of a part that only the set "cell_painting" has."""
    names = [column.name for column in shape_columns()]
    of_channel = channel_columns(texture_px)
    names += [column.name.format(c=c) for c in channels for column in of_channel]
    pairs = combinations(channels, 2)
    return names + [column.name.format(a=a, b=b) for a, b in pairs for column in PAIR]


def split(column: str) -> tuple[str, str]:
    """Part ("" for a nucleus, "cell", "cytoplasm") and the rest of the name of a column."""
    for part in ("cell", "cytoplasm"):
        if column.startswith(f"{part}_"):
            return part, column.removeprefix(f"{part}_")
    return "", column


def cellprofiler_names(channels: Sequence[str], columns: Iterable[str]) -> dict[str, str]:
    """CellProfiler's names of those columns of a part that have one, without a compartment.

    channels : of the plate; columns : of its cell table, by which distances textures are known
    """
    distances = {found[1] for name in columns if (found := _TEXTURE.search(name))}
    shapes = (*STANDARD_SHAPE, *shape_columns())
    lights = (*STANDARD_CHANNEL, *channel_columns(sorted(map(int, distances))))
    named = {column.name: column.cellprofiler for column in shapes}
    named |= {
        column.name.format(c=c): column.cellprofiler.format(c=c)
        for c in channels
        for column in lights
    }
    named |= {
        column.name.format(a=a, b=b): column.cellprofiler.format(a=a, b=b)
        for a, b in combinations(channels, 2)
        for column in PAIR
    }
    return {name: theirs for name, theirs in named.items() if theirs}


def measured_columns(
    channels: Sequence[str], *, with_cells: bool, measuring: Mapping[str, Any] = STANDARD
) -> list[str]:
    """Names of the columns that ``measure_cells`` makes, ratios aside; for checks before a run.

    measuring : `set` and `texture_px` of the section ``measure`` of a config
    """
    shapes = [column.name for column in STANDARD_SHAPE]
    light = [column.name.format(c=c) for c in channels for column in STANDARD_CHANNEL]
    complete = measuring["set"] == COMPLETE
    more = more_columns(channels, measuring["texture_px"]) if complete else []
    names = ["label", *shapes, *light, *more]
    part = [*(shapes if complete else ["area_um2"]), *light, *more]
    for name in ("cell", "cytoplasm") if with_cells else ():
        names += [f"{name}_{column}" for column in part]
    return names
