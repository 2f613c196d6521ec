"""Parts of a plane that hold one grey value are found, whatever the shape; dark ground is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_focus import field

from cellpipe.quality.blank import blank_share, lines_of_one_value, name_blank
from cellpipe.quality.fields import lines_within
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.frames.ingest import frame_figures

IMAGE = field(40)  # (384, 384)


@pytest.mark.parametrize("value", [0, 100, 65535])
@pytest.mark.parametrize(
    "part",
    [np.s_[128:], np.s_[:30], np.s_[:, :40], np.s_[100:110], np.s_[128:256, 64:192]],
    ids=["lower", "upper", "left", "strip", "tile"],
)
def test_bands_and_tiles_are_found(part, value: int) -> None:
    image = IMAGE.copy()
    image[part] = value
    share, _ = blank_share(image)
    assert share == pytest.approx(image[part].size / image.size)


def test_a_transfer_ends_within_a_row_or_a_row_of_tiles() -> None:
    image = IMAGE.copy()
    image.ravel()[60_000:] = 0
    assert blank_share(image)[0] == pytest.approx(1 - 60_000 / image.size, abs=0.01)
    tiled = IMAGE.copy()
    tiled[256:], tiled[128:256, 128:] = 0, 0
    assert blank_share(tiled)[0] == pytest.approx((tiled == 0).mean(), abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40, 200])
def test_dark_ground_and_saturated_cells_are_not_blank(n: int) -> None:
    cells = field(n, height=9000).astype(int)
    cut = np.maximum(cells - 170, 0)
    for image in (cells, cut, cut // 40, np.minimum(cells, 4095), np.minimum(cut, 2000)):
        for dtype in (np.uint16, np.float32):
            assert blank_share(image.astype(dtype))[0] == 0


def rows(frames: list[np.ndarray]) -> pd.DataFrame:
    place = [{"well": f"B{k + 1:02d}", "field": 1, "t": 0} for k in range(len(frames))]
    figures = [frame_figures(frame[None, None], ["gfp"]) for frame in frames]
    return pd.DataFrame(
        [{**at, **of} for at, of in zip(place, figures, strict=True)], dtype=object
    ).infer_objects()


def test_the_field_is_named_with_its_share() -> None:
    half, none = IMAGE.copy(), np.full_like(IMAGE, 100)
    half[96:] = 0
    found = name_blank(rows([IMAGE, half, IMAGE, none, field(3)]), ["gfp"])
    assert found["gfp_flag"].tolist() == ["", "75 % blank", "", "100 % blank", ""]
    assert "gfp_equal" not in found
    warnings = plate_warnings({}, {"fields": found}).set_index("kind")["where"]
    assert "B02" in warnings["blank parts"]
    assert "B04" in warnings["blank image"]


def test_planes_of_one_value_are_usual_where_the_background_was_cut_off() -> None:
    frames = [np.maximum(field(n).astype(int) - 200, 0).astype(np.uint16) for n in (0, 1, 5, 20, 0)]
    found = name_blank(rows(frames), ["gfp"])
    assert "gfp_flag" not in found
    assert found["gfp_blank"].eq(0).all()


def test_one_plane_of_a_stack_is_enough() -> None:
    half = IMAGE.copy()
    half[192:] = 0
    stack = np.stack([IMAGE, half, IMAGE])
    assert frame_figures(stack[None], ["dna"])["dna_blank"] == pytest.approx(0.5)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("value", [0, 4095])
def test_hot_and_dead_lines_are_counted_and_flagged(value: int, turned: bool) -> None:
    rng = np.random.default_rng(3)
    planes = [rng.normal(300, 9, (160, 400)).astype(np.uint16) for _ in range(4)]
    planes[1][:, 40:43] = value
    planes[2][:, :3] = value  # a margin, as registration leaves it
    seen = [plane.T if turned else plane for plane in planes]
    assert [lines_of_one_value(plane) for plane in seen] == [0, 3, 0, 0]
    rows = [frame_figures(plane[None, None], ["dna"]) for plane in seen]
    fields = pd.DataFrame(rows).assign(well=["B02", "B03", "B04", "B05"], field=1, t=0)
    named = name_blank(fields, ["dna"])
    assert named["dna_flag"].tolist()[1] == "3 lines of one value"
    assert "lines" not in "".join(named["dna_flag"].tolist()[2:])
    (warning,) = lines_within({}, {"fields": named})
    assert "B03" in warning["where"]
    assert "up to 3 rows or columns" in warning["seen"]


def test_where_grounds_have_one_value_no_line_is_known() -> None:
    rng = np.random.default_rng(4)
    plane = np.clip(rng.normal(-40, 20, (160, 200)), 0, None).astype(np.uint16)
    plane[50:90, 60:120] = rng.normal(300, 9, (40, 60))
    assert lines_of_one_value(plane) == 0
