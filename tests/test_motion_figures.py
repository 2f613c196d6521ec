"""Figures of motion show what the tracks did, group by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_tables import draw_tracks

from cellpipe.dynamics.msd import ensemble_msd, track_msd
from cellpipe.figures import figure_bytes, msd_plot, spaghetti_plot, well_groups


def drawn():
    _, points = draw_tracks()
    return points, ensemble_msd(track_msd(points, 300), ["plate", "well"])


def wells_of(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"plate": "P", "well": [f"A{i:02d}" for i in range(1, n + 1)], **columns})


def groups_of(**columns) -> list[str]:
    return well_groups(wells_of(**columns)).tolist()


def test_wells_are_grouped_by_what_colours_can_tell():
    many = [f"drug {i}" for i in range(20)]
    assert groups_of(condition=["a", "b", None]) == ["a", "b", "no condition"]
    control = ["negative"] * 2 + [""] * 17 + ["positive"]
    assert set(groups_of(condition=many, control=control)) == {
        "negative control", "samples", "positive control",
    }  # fmt: skip
    assert groups_of(dose=[1, 2]) == ["A01", "A02"]
    assert set(groups_of(condition=many)) == {"all wells"}


def test_msd_of_each_group_is_drawn_where_it_is():
    points, msd = drawn()
    figure = msd_plot(msd, pd.Series({"B02": "one", "B03": "two"}))
    lines = {line.get_label().split(":")[0]: line for line in figure.axes[0].lines}
    assert set(lines) == {"one", "two", "free diffusion"}
    own = track_msd(points[points["well"] == "B03"], 300)
    first = own[own["lag_frames"] == 1]
    expected = np.average(first["msd_um2"], weights=first["n_pairs"])
    assert lines["two"].get_ydata()[0] == pytest.approx(expected)
    assert lines["two"].get_xdata()[0] == pytest.approx(300 / 3600)  # in hours, as the axis says
    assert figure.axes[0].get_xlabel() == "lag (h)"


def test_paths_start_at_one_origin_in_the_panel_of_their_group():
    points, _ = drawn()
    figure = spaghetti_plot(points, pd.Series({"B02": "one", "B03": "two"}))
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(panels) == ["one", "two"]
    segments = panels["one"].collections[0].get_segments()
    own = points[points["well"] == "B02"].sort_values(["track_id", "t"])
    assert len(segments) == own["track_id"].nunique()
    assert all((segment[0] == 0).all() for segment in segments)
    at = own[own["track_id"] == own["track_id"].iloc[0]][["x_um", "y_um"]].to_numpy()
    np.testing.assert_allclose(segments[0], at - at[0])
    low, high = panels["one"].get_ylim()
    assert low > high  # y points down, as in the image


def test_same_tracks_same_bytes_and_none_are_no_error():
    points, msd = drawn()
    groups = pd.Series({"B02": "a<b", "B03": "$x_1"})
    for draw, table in ((msd_plot, msd), (spaghetti_plot, points)):
        assert figure_bytes(draw(table, groups)) == figure_bytes(draw(table, groups))
        assert figure_bytes(draw(table.iloc[:0], groups)).startswith(b"<?xml")


def test_of_many_or_long_paths_a_stated_sample_is_plotted():
    n, n_frames = 400, 500
    t = np.tile(np.arange(n_frames), n)
    points = pd.DataFrame(
        {"well": "B02", "field": 1, "t": t, "track_id": np.repeat(np.arange(n) + 1, n_frames)}
    )
    points["y_um"], points["x_um"] = np.sin(t / 9.0), t / 7.0
    figure = spaghetti_plot(points, pd.Series({"B02": "one"}))
    assert figure.axes[0].get_title(loc="left") == "one\n14 of 400 tracks"
    assert len(figure_bytes(figure)) < 500_000
    short = spaghetti_plot(points[points["t"] < 3], pd.Series({"B02": "one"}))
    assert short.axes[0].get_title(loc="left") == "one\n100 of 400 tracks"
