"""The sharpest plane of a stack is found, taken and named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from scipy import ndimage

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.axes import Image
from cellpipe.image.focus import ROWS, detail, sharpest
from cellpipe.image.projection import chosen_planes, flattened, method_of, project
from cellpipe.quality.scale import facts_of_scale
from cellpipe.quality.warnings import plate_warnings
from cellpipe.readers.accounting.holes import refuse_absent_plane
from cellpipe.run.frames import ingest
from cellpipe.run.frames.project import project_frame
from cellpipe.simulate import PlateDesign, simulate_field

DESIGN = PlateDesign(shape=(288, 288))
FIELD = simulate_field(DESIGN, DESIGN.wells.index[0], 1)


def stack(focus: int, n_z: int = 7, light: float = 1.0, level: float = 100.0, seed: int = 0):
    """A field in focus in one plane, blurred by 1.2 pixels a plane beside it; with shot noise."""
    rng = np.random.default_rng(seed)
    clear = FIELD.pixels[0].astype(float) - FIELD.pixels[0].min()
    planes = [ndimage.gaussian_filter(clear, 1.2 * abs(z - focus)) for z in range(n_z)]
    return rng.poisson(np.stack(planes) * light + level).astype(np.uint16)


@pytest.mark.parametrize("light", [1.0, 0.1])
@pytest.mark.parametrize("focus", [0, 3, 6])
def test_the_plane_in_focus_is_found_in_noise(focus, light):
    for seed in range(5):
        assert sharpest(stack(focus, light=light, seed=seed)) == focus


def test_a_brighter_background_and_more_noise_are_no_detail():
    """A plane out of focus with twice the offset and 4 times the noise stays out of focus."""
    planes = stack(2, n_z=3).astype(float)
    planes[0] += 500 + np.random.default_rng(1).normal(0, 40, planes[0].shape)
    assert sharpest(planes) == 2
    assert abs(detail(np.random.default_rng(2).normal(100, 10, (400, 300)))) < 1
    assert detail(np.full((300, 20), 7)) == 0


def test_detail_is_the_formula_whatever_the_rows_that_are_read_at_once():
    plane = np.random.default_rng(3).integers(0, 50, (2 * ROWS + 37, 41)).astype(np.uint16)
    g = plane - np.asarray(plane[:ROWS], float).mean()
    across = (g[:, :-2] * (g[:, 1:-1] - g[:, 2:])).sum()
    down = (g[:-2] * (g[1:-1] - g[2:])).sum()
    assert detail(plane) == pytest.approx((across + down) / plane.size)


def test_each_channel_of_a_frame_has_its_own_plane():
    pixels = np.stack([stack(1), stack(5)])
    image = Image(pixels, "czyx")
    assert chosen_planes(image, "best_focus") == {0: 1, 1: 5}
    flat = flattened(image, "best_focus")
    assert (flat.whole() == [pixels[0, 1], pixels[1, 5]]).all()
    assert (flat[1:2, 40:50, :9] == pixels[1, 5, 40:50, :9]).all()  # by the whole stack
    assert (project(pixels[0], "plane 3") == pixels[0, 2]).all()
    assert chosen_planes(image, "plane 3") == {0: 2, 1: 2}
    assert chosen_planes(image, "max") == {}


def test_a_frame_names_the_planes_that_were_taken():
    planes = {("dna", z): plane for z, plane in enumerate(stack(4))}
    planes["gfp", 0] = stack(0)[0]
    frame = ingest.assemble(
        planes, ["dna", "gfp"], dtype="uint16", n_z={"dna": 7, "gfp": 1}, projection="best_focus"
    )
    assert (frame.pixels[:, 0] == [planes["dna", 4], planes["gfp", 0]]).all()
    figures = ingest.frame_figures(frame.pixels, ["dna", "gfp"], frame.chosen)
    assert (figures["dna_z"], figures["dna_n_z"]) == (5, 7)
    assert "gfp_z" not in figures


def test_a_plate_in_place_gives_the_same(tmp_path):
    shape = (1, 2, 7, 288, 288)
    inspection = {**inspected({"B03": [shape]}), "projection": "best_focus"}
    plate = laid_out(tmp_path, inspection, chunk_px=64)
    for c, focus in enumerate((2, 4)):
        for z, plane in enumerate(stack(focus)):
            plate.write_plane("B03", 1, 0, c, z, plane)
    frame = ingest.in_place(plate, "B03", 1, 0)
    assert dict(zip(plate.channels, [(2, 7), (4, 7)], strict=True)) == frame.chosen
    assert (frame.pixels[:, 0] == [stack(2)[2], stack(4)[4]]).all()
    coarse = project_frame(plate, "B03", 1, 0, level=1)
    assert (coarse.whole() == plate.frame("B03", 1, 0, level=1).whole()[[0, 1], [2, 4]]).all()


def test_a_plane_that_stacks_lack_is_refused_before_any_image():
    options = {"method": "plane", "plane": 6}
    assert method_of(options) == "plane 6"
    assert method_of({"method": "mean", "plane": 6}) == "mean"
    refuse_absent_plane({"dna": 6, "gfp": 1}, options)
    refuse_absent_plane({"dna": 3}, {"method": "max", "plane": 6})
    with pytest.raises(BadConfig, match="from 1 to 5"):
        refuse_absent_plane({"dna": 5, "gfp": 6}, options)
    with pytest.raises(BadImage, match="stack of 3 planes"):
        project(np.zeros((3, 4, 4)), "plane 6")


@pytest.mark.parametrize(
    ("method", "words"),
    [("best_focus", "the sharpest plane in z"), ("plane 2", "plane 2 in z alone")],
)
def test_reports_name_the_method(method, words):
    facts = {
        **inspected({"B03": [(1, 1, 4, 64, 64)]}),
        "pixel_size_source": "",
        "projection": method,
    }
    assert (
        facts_of_scale({**facts, "z_step_source": ""})["projection"]
        == f"{words}, of up to 4 planes"
    )


@pytest.mark.parametrize(("ends", "warned"), [(2, False), (5, True)])
def test_focus_at_the_ends_of_many_stacks_is_a_warning(ends, warned):
    z = [1] * (ends // 2) + [7] * (ends - ends // 2) + [4] * (20 - ends)
    fields = pd.DataFrame({"dna_z": z, "dna_n_z": 7, "gfp_z": 1, "gfp_n_z": 2})
    inspection = {"projection": "best_focus", "channels": ["dna", "gfp", "cy5"]}
    found = plate_warnings(inspection, {"fields": fields})
    rows = found[found["kind"] == "focus"]
    assert rows["where"].tolist() == (["channel dna"] if warned else [])
    assert not warned or f"{ends} of 20 frames" in rows["seen"].item()
    other = plate_warnings({**inspection, "projection": "max"}, {"fields": fields})
    assert "focus" not in set(other["kind"])
