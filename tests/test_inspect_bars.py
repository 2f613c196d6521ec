"""The bar in the picture of a field is of that field's pixels, not of those of most fields."""

from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from test_in_place import draw_source

from cellpipe.figures.inspected import plate_of_planes
from cellpipe.figures.style import figure_bytes
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.pictures import edges_um, pixels_of_a_field, plot
from cellpipe.inspect.plate import Inspected, inspect_plate


def draw(path: Path, side: int, um: float | None) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(side).integers(90, 900, (side, side)).astype(np.uint16)
    size = {"PhysicalSizeX": um, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": um,
            "PhysicalSizeYUnit": "µm"} if um else {}  # fmt: skip
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "YX", **size})


def plate_in(folder: Path) -> Inspected:
    (found,) = find_plates(folder)
    return inspect_plate(found)


@pytest.mark.parametrize(("um", "wanted"), [(2.0, 2.0), (None, None)])
def test_a_field_of_another_size_has_its_own_bar_or_none(
    tmp_path: Path, um: float | None, wanted: float | None
) -> None:
    for well in ("B02", "B04"):
        draw(tmp_path / f"images/x_{well}_s1_w1.ome.tif", 128, 0.5)
    draw(tmp_path / "images/x_B03_s1_w1.ome.tif", 32, um)  # the middle one, which is pictured
    plate = plate_in(tmp_path / "images")
    assert plate.pixel_um == 0.5
    place, pixels = pixels_of_a_field(plate)
    assert place == ("B03", 1)
    assert list(edges_um(plate, place, pixels).values()) == ([wanted] if wanted else [])
    assert [p.name for p in plot(plate, place, pixels, tmp_path / "p")][-1] == "p-channels.png"


def test_a_coarse_level_of_a_plate_in_place_has_coarse_pixels(tmp_path: Path) -> None:
    plate = plate_in(draw_source(tmp_path / "theirs.zarr", "0.5", "cyx"))
    place, pixels = pixels_of_a_field(plate)
    wide = next(iter(pixels.values())).shape[1]
    (edge,) = set(edges_um(plate, place, pixels).values())
    assert wide * edge == pytest.approx(520 * 0.325)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_titles_are_not_cut_off_at_the_top(n_channels: int) -> None:
    shares = {f"channel {n}": {"B02": 1.0, "C03": n / 3} for n in range(n_channels)}
    png = figure_bytes(plate_of_planes(shares, {"B02": 2, "C03": 2}), "png")
    pixels = iio.imread(io.BytesIO(png))[..., :3]
    dark = (pixels.min(axis=-1) < 128).any(axis=1)
    assert dark.argmax() > 5  # rows of white above the first letters
