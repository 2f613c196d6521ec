"""The set "cell_painting" against plain formulas, scikit-image and SciPy, object by object."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.special import eval_jacobi
from skimage.feature import graycomatrix
from skimage.graph import MCP_Geometric
from skimage.measure import regionprops
from skimage.morphology import dilation, disk, erosion, reconstruction
from skimage.segmentation import find_boundaries

from cellpipe.measure.cells import measure_cells
from cellpipe.measure.columns import DIRECTIONS, STANDARD, TEXTURES, ZERNIKE, measured_columns
from cellpipe.measure.complete import Complete
from cellpipe.simulate import PlateDesign, simulate_field

CHANNELS = ["dna", "reporter", "spots"]
FULL_SCALE = 4000.0
BY = Complete(FULL_SCALE, (3, 5))
OPTIONS = {"set": "cell_painting", "texture_px": [3, 5], "full_scale": FULL_SCALE}
MEASURING = {**OPTIONS, "ratios": {}, "subtract_background": False}


@pytest.fixture(scope="module")
def field():
    return simulate_field(PlateDesign(shape=(256, 256), touching=0.5), "B09", 1)


@pytest.fixture(scope="module")
def table(field):
    """Measured in pixels, so that values are those of the libraries."""
    whole = measure_cells(field.nuclei, field.cells, field.pixels, CHANNELS, 1.0, complete=BY)
    return whole.set_index("label")


def rows(field, table):
    """Cells, each with its mask, box and measurements, without the part's name."""
    for prop in regionprops(field.cells):
        row = table.loc[prop.label]
        own = row[[name for name in row.index if name.startswith("cell_")]]
        yield prop, field.cells == prop.label, own.rename(lambda name: name[5:])


def test_every_column_has_its_name(field, table):
    named = measured_columns(CHANNELS, with_cells=True, measuring=OPTIONS)
    assert ["label", *table.columns] == named
    assert len(named) == len(set(named))
    assert measured_columns(CHANNELS, with_cells=True, measuring=STANDARD) == list(
        measure_cells(field.nuclei, field.cells, field.pixels, CHANNELS, 1.0)
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # regionprops: hulls of small objects
def test_shapes_are_those_of_regionprops(field, table):
    for prop, _, row in rows(field, table):
        expected = {
            "outline_um": prop.perimeter,
            "form_factor": 4 * np.pi * prop.area / prop.perimeter**2,
            "compactness": prop.perimeter**2 / (4 * np.pi * prop.area),
            "equivalent_diameter_um": prop.equivalent_diameter_area,
            "box_area_um2": prop.area_bbox,
            "extent": prop.extent,
            "convex_area_um2": prop.area_convex,
            "filled_area_um2": prop.area_filled,
            "euler_number": prop.euler_number,
            "orientation": np.degrees(prop.orientation),
            "inertia_0": prop.inertia_tensor_eigvals[0],
            "inertia_1": prop.inertia_tensor_eigvals[1],
        }
        for k, value in enumerate(prop.moments_hu):
            expected[f"hu_moment_{k}"] = value
        for p, q in np.ndindex(2, 2):
            expected[f"inertia_{p}_{q}"] = prop.inertia_tensor[p, q]
        for p, q in np.ndindex(3, 4):
            expected[f"moment_{p}_{q}"] = prop.moments[p, q]
            if p + q != 1:  # about the centroid these are 0, but for rounding
                expected[f"central_moment_{p}_{q}"] = prop.moments_central[p, q]
        for p, q in np.ndindex(4, 4):
            if p + q >= 2:
                expected[f"normalised_moment_{p}_{q}"] = prop.moments_normalized[p, q]
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=2e-6, abs=1e-8), name


def test_radii_and_feret_diameters(field, table):
    for _, mask, row in rows(field, table):
        inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask]
        for name, value in (("max", inside.max()), ("mean", inside.mean())):
            assert row[f"{name}_radius_um"] == pytest.approx(value, rel=1e-6)
        assert row["median_radius_um"] == pytest.approx(np.median(inside), rel=1e-6)
        points = np.argwhere(mask)
        # any direction's width is at least the least, and the greatest is the farthest pair
        turned = np.linspace(0, np.pi, 181)[:, None]
        along = points[:, :1].T * np.sin(turned) + points[:, 1:].T * np.cos(turned)
        widths = along.max(axis=1) - along.min(axis=1)
        assert row["min_feret_um"] <= widths.min() + 1e-6
        assert row["min_feret_um"] == pytest.approx(widths.min(), rel=0.01)
        assert row["max_feret_um"] >= widths.max() - 1e-4
        assert row["max_feret_um"] == pytest.approx(widths.max(), rel=0.001)


def test_quartiles_edge_and_centre_of_mass(field, table):
    inner = find_boundaries(field.cells, mode="inner")
    y, x = np.indices(field.cells.shape)
    for _, mask, row in rows(field, table):
        for channel, image in zip(CHANNELS, field.pixels.astype(float), strict=True):
            value, edge = image[mask], image[mask & inner]
            middle = np.median(value)
            expected = {
                "lower_quartile": np.percentile(value, 25),
                "median": middle,
                "upper_quartile": np.percentile(value, 75),
                "mad": np.median(np.abs(value - middle)),
                "edge_sum": edge.sum(),
                "edge_mean": edge.mean(),
                "edge_std": edge.std(),
                "edge_min": edge.min(),
                "edge_max": edge.max(),
                "mass_displacement_um": np.hypot(
                    np.average(y[mask], weights=value) - y[mask].mean(),
                    np.average(x[mask], weights=value) - x[mask].mean(),
                ),
            }
            for name, wanted in expected.items():
                assert row[f"{channel}_{name}"] == pytest.approx(wanted, rel=1e-5), name


def haralick(pairs: np.ndarray, brightest: int) -> list[float]:
    """Haralick's features of a matrix of shares (256, 256), as the paper writes them."""
    i, j = np.indices(pairs.shape)
    single = pairs.sum(axis=1)
    added = np.bincount((i + j).ravel(), pairs.ravel(), 511)
    apart = np.bincount(np.abs(i - j).ravel(), pairs.ravel(), 256)
    levels = np.arange(256)
    mean = single @ levels
    variance = single @ (levels - mean) ** 2
    sums = np.arange(511)

    def entropy(p: np.ndarray) -> float:
        return -float(np.sum(p[p > 0] * np.log2(p[p > 0])))

    crossed = np.outer(single, single)
    there = pairs > 0
    first = -float(np.sum(pairs[there] * np.log2(crossed[there])))
    return [
        np.sum(pairs**2),
        apart @ levels**2,
        (np.sum(i * j * pairs) - mean**2) / variance,
        variance,
        np.sum(pairs / (1 + (i - j) ** 2)),
        added @ sums,
        added @ (sums - added @ sums) ** 2,
        entropy(added),
        entropy(pairs),
        np.var(apart[: brightest + 1]),
        entropy(apart),
        (entropy(pairs) - first) / entropy(single),
        np.sqrt(1 - np.exp(-2 * (entropy(crossed) - entropy(pairs)))),
    ]


def test_textures_are_haralicks_features(field, table):
    levels = np.rint(np.clip(field.pixels / FULL_SCALE, 0, 1) * 255).astype(np.uint8)
    angles = {(0, 1): 0, (1, 1): np.pi / 4, (1, 0): np.pi / 2, (1, -1): 3 * np.pi / 4}
    for prop, mask, row in list(rows(field, table))[:6]:
        box = prop.slice
        for channel, level in zip(CHANNELS, levels, strict=True):
            own = np.where(mask, level, 0)[box]
            for px in (3, 5):
                for d, step in enumerate(DIRECTIONS):
                    # graycomatrix rounds a distance along a diagonal: that of px steps is longer
                    far = px * np.hypot(*step)
                    counts = graycomatrix(own, [far], [angles[step]], symmetric=True)
                    pairs = counts[:, :, 0, 0].astype(float)
                    pairs[0] = pairs[:, 0] = 0
                    expected = haralick(pairs / pairs.sum(), int(own.max()))
                    for name, value in zip(TEXTURES, expected, strict=True):
                        found = row[f"{channel}_texture_{name}_{px}_{d:02d}"]
                        assert found == pytest.approx(value, rel=1e-5, abs=1e-7), (name, px, d)


def test_light_in_rings_and_wedges(field, table):
    y, x = np.indices(field.cells.shape)
    for _, mask, row in rows(field, table):
        to_edge = ndimage.distance_transform_edt(mask)  # the frame's border is no edge
        middle = tuple(np.argwhere(to_edge == to_edge[mask].max())[0])
        ways = MCP_Geometric(np.where(mask, 1.0, np.inf)).find_costs([middle])[0]
        way, rest = ways[mask], to_edge[mask]
        ring = np.minimum(4 * way / (way + rest + 0.001), 4).astype(int)
        down, right = (y - middle[0])[mask], (x - middle[1])[mask]
        wedge = (down > 0) + 2 * (right > 0) + 4 * (np.abs(down) > np.abs(right))
        for channel, image in zip(CHANNELS, field.pixels.astype(float), strict=True):
            value = image[mask]
            for k in range(4):
                own = ring == k
                share = value[own].sum() / value.sum()
                means = [value[own & (wedge == w)].mean() for w in np.unique(wedge[own])]
                expected = (share, share / own.mean(), np.std(means) / np.mean(means))
                for name, wanted in zip(("fraction", "mean_fraction", "cv"), expected, strict=True):
                    found = row[f"{channel}_radial_{name}_{k + 1}of4"]
                    assert found == pytest.approx(wanted, rel=1e-5), (name, k)


def test_zernike_moments_are_sums_over_the_smallest_circle(field, table):
    for _, mask, row in rows(field, table):
        points = np.argwhere(mask).astype(float)
        centre, radius = smallest_circle(points)
        unit = (points - centre) / radius
        r, angle = np.hypot(*unit.T), np.arctan2(unit[:, 1], unit[:, 0])
        value = field.pixels[0][mask].astype(float)
        for n, m in ZERNIKE:
            k = (n - m) // 2
            radial = (-1) ** k * r**m * eval_jacobi(k, m, 0, 1 - 2 * r**2)
            shape, light = (np.sum(w * radial * np.exp(1j * m * angle)) for w in (1, value))
            found = row[f"zernike_{n}_{m}"]
            assert found == pytest.approx(abs(shape) / (np.pi * radius**2), rel=1e-4, abs=1e-6)
            found = row[f"dna_zernike_magnitude_{n}_{m}"]
            assert found == pytest.approx(abs(light) / mask.sum(), rel=1e-4, abs=1e-3)
            phase = row[f"dna_zernike_phase_{n}_{m}"]
            if abs(light) / mask.sum() > 0.1:
                turn = np.angle(np.exp(1j * (phase - np.arctan2(light.real, light.imag))))
                assert turn == pytest.approx(0, abs=1e-3)


def smallest_circle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """By trial: the largest of the circles that two or three corners of the hull ask for."""
    from scipy.spatial import ConvexHull

    corners = points[ConvexHull(points).vertices]
    found = None
    for number in (2, 3):
        for chosen in combinations(corners, number):
            a = chosen[0]
            others = np.array(chosen[1:]) - a
            if number == 3 and abs(np.linalg.det(others)) < 1e-9:
                continue
            centre = a + np.linalg.lstsq(2 * others, (others**2).sum(axis=1), rcond=None)[0]
            radius = float(np.hypot(*(a - centre)))
            far = np.hypot(*(corners - centre).T).max()
            if far <= radius + 1e-9 and (found is None or radius < found[1]):
                found = centre, radius
    assert found is not None
    return found


def test_granularity_is_what_openings_by_reconstruction_take(field, table):
    for channel, image in zip(CHANNELS, field.pixels.astype(float), strict=True):
        expected = spectrum(image, field.cells)
        found = table[[f"cell_{channel}_granularity_{k}" for k in range(1, 17)]].to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def spectrum(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """CellProfiler's granularity, by SciPy's interpolation and scikit-image's reconstruction."""

    def sampled(plane: np.ndarray, shape: tuple, step: tuple) -> np.ndarray:
        places = np.indices(shape).astype(float) * np.array(step)[:, None, None]
        return ndimage.map_coordinates(plane, places, order=1)

    index = np.unique(labels[labels > 0])
    quarter = tuple(int(n * 0.25) for n in image.shape)
    small = sampled(image, quarter, (4, 4))
    tiny_shape = tuple(int(np.ceil(n * 0.25)) for n in quarter)
    opened = dilation(erosion(sampled(small, tiny_shape, (4, 4)), disk(10)), disk(10))
    back = [(n * 0.25 - 1) / (n - 1) for n in quarter]
    small = np.maximum(small - sampled(opened, quarter, tuple(back)), 0)
    before = start = ndimage.mean(image, labels, index)
    eroded, steps = small, []
    for _ in range(16):
        eroded = erosion(eroded, disk(1))
        grown = reconstruction(eroded, small, footprint=disk(1))
        step = [(q - 1) / (n - 1) for q, n in zip(quarter, image.shape, strict=True)]
        after = ndimage.mean(sampled(grown, image.shape, tuple(step)), labels, index)
        steps.append(100 * (before - after) / start)
        before = after
    return np.stack(steps, axis=1)


def test_colocalisation_of_pairs(field, table):
    for _, mask, row in rows(field, table):
        values = field.pixels.astype(float)[:, mask]
        pairs = combinations(zip(CHANNELS, values, strict=True), 2)
        for (a, first), (b, second) in pairs:
            both = (first >= 0.15 * first.max()) & (second >= 0.15 * second.max())
            above = [v[v >= 0.15 * v.max()].sum() for v in (first, second)]
            ranks = [stats.rankdata(v, "dense") - 1 for v in (first, second)]
            n = max(r.max() for r in ranks) + 1
            weight = (n - np.abs(ranks[0] - ranks[1])) / n
            product = (first * second)[both].sum()
            expected = {
                "correlation": stats.pearsonr(first, second).statistic,
                "slope": stats.linregress(first, second).slope,
                "overlap": product / np.sqrt((first**2)[both].sum() * (second**2)[both].sum()),
                "k_1": product / (first**2)[both].sum(),
                "k_2": product / (second**2)[both].sum(),
                "manders_1": first[both].sum() / above[0],
                "manders_2": second[both].sum() / above[1],
                "rwc_1": (weight * first)[both].sum() / above[0],
                "rwc_2": (weight * second)[both].sum() / above[1],
            }
            for name, value in expected.items():
                assert row[f"{a}_{b}_{name}"] == pytest.approx(value, rel=1e-5, abs=1e-7), name
