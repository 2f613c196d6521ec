"""A spot moves along a line, and its slope is asked back; lines of users are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.config.lines import COLUMNS, plates_with_lines, read_lines
from cellpipe.dynamics.kymograph import band, kymograph
from cellpipe.errors import BadConfig
from cellpipe.figures.kymographs import kymograph_figure
from cellpipe.figures.style import figure_bytes

START, STOP = np.array([12.0, 8.0]), np.array([52.0, 88.0])  # y, x in pixels
SPEED_PX = 1.7  # pixels a frame


def moving_spot(n_frames: int = 40, side: int = 100) -> np.ndarray:
    """Pixels (T, Y, X): a spot that goes from START towards STOP, and a brighter one beside it."""
    y, x = np.mgrid[:side, :side]
    way = (STOP - START) / np.hypot(*(STOP - START))
    frames = []
    for t in range(n_frames):
        at = START + SPEED_PX * t * way
        frame = 100 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 8)
        frames.append(frame + 900 * np.exp(-((y - 80) ** 2 + (x - 20) ** 2) / 8))
    return np.array(frames)


def test_without_a_width_it_is_the_line_itself():
    pixels = np.random.default_rng(2).random((3, 20, 30))
    line = np.array([[4.0, 2.0], [4.0, 12.0]])
    np.testing.assert_allclose(kymograph(pixels, line), pixels[:, 4, 2:13])


def test_slope_is_the_velocity_of_the_spot():
    drawn = kymograph(moving_spot(), np.array([START, STOP]), width_px=3)
    assert drawn.shape == (40, int(np.hypot(*(STOP - START))) + 1)
    places = np.arange(drawn.shape[1])
    centre = (drawn * places).sum(axis=1) / drawn.sum(axis=1)
    slope, offset = np.polyfit(np.arange(3, 40), centre[3:], 1)
    assert slope == pytest.approx(SPEED_PX, rel=0.01)
    assert offset == pytest.approx(0, abs=0.3)
    assert drawn.max() == pytest.approx(85, abs=8)  # a mean over 3 pixels; not the one beside it


def test_a_bent_line_is_as_long_as_its_sides_and_keeps_its_direction():
    line = np.array([[10.0, 10.0], [10.0, 40.0], [50.0, 40.0]])
    places = band(line, width_px=3)
    assert places.shape == (2, 3, 71)
    np.testing.assert_allclose(places[:, 1, [0, 30, 70]].T, line, atol=1e-9)
    steps = np.hypot(*np.diff(places[:, 1], axis=1))
    np.testing.assert_allclose(steps, 1)
    across = np.hypot(*(places[:, 2] - places[:, 0]))
    np.testing.assert_allclose(across, 2)


def test_ramp_is_read_off_exactly_and_outside_is_nan():
    y, x = np.mgrid[:30, :30]
    ramp = (3.0 * y + x)[None]
    drawn = kymograph(ramp, np.array([[5.0, 5.0], [5.0, 34.0]]))
    np.testing.assert_allclose(drawn[0, :25], 15 + np.arange(5, 30))
    assert np.isnan(drawn[0, 25:]).all()


def test_figure_is_the_same_each_time_also_with_nothing_to_see():
    drawn = kymograph(moving_spot(6), np.array([START, STOP]))
    for table in (drawn, np.full((4, 9), np.nan)):
        first, second = (
            figure_bytes(kymograph_figure(table, pixel_size_um=0.2, time_step_s=60, title="$a<b"))
            for _ in range(2)
        )
        assert first == second


def table_of(folder: Path, **changes: object) -> Path:
    """A table of one line of two corners, with one column changed."""
    row = dict(zip(COLUMNS, ["P", "b3", 1, "tips", "axon 1", 1.0, 2.0], strict=True))
    table = pd.DataFrame([row, {**row, "y_um": 9.0}]).assign(**changes)
    path = folder / "lines.tsv"
    table.dropna(axis=1, how="all").to_csv(path, sep="\t", index=False)
    return path


def test_lines_are_read_and_name_their_plates(tmp_path):
    path = table_of(tmp_path)
    lines = read_lines(path, {"O": ["dna", "tips"], "P": ["dna", "tips"]})
    assert lines["well"].unique().tolist() == ["B03"]
    assert lines["y_um"].tolist() == [1, 9]
    assert plates_with_lines(str(path), {plate: ["tips"] for plate in "OPQ"}) == ["P"]
    assert plates_with_lines(None, {"P": ["tips"]}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plate": "R"}, "'R' in the column 'plate'"),
        ({"channel": "tip"}, "one of the channels of the plate P: dna, tips"),
        ({"y_um": None}, "without the column y_um"),
        ({"x_um": ["2", "two"]}, "row 3"),
        ({"y_um": 1.0}, "'axon 1' of B03"),
        ({"well": "third"}, "third"),
    ],
)
def test_faults_in_the_table_are_named(tmp_path, changes, said):
    with pytest.raises(BadConfig, match=said):
        read_lines(table_of(tmp_path, **changes), {"P": ["dna", "tips"]})
    with pytest.raises(BadConfig, match="no file"):
        read_lines(tmp_path / "none.tsv", {"P": ["dna"]})
