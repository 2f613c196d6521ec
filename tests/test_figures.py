"""Figures show what the tables say, and the same tables give the same bytes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from drawn_tables import draw_plate, draw_scene, draw_tracks

from cellpipe.figures import (
    confusion_matrix,
    control_distributions,
    dose_response_curve,
    feature_importance,
    figure_bytes,
    lineage_tree,
    plate_heat_map,
    thumbnail_with_outlines,
    track_paths,
)
from cellpipe.figures.plates import plate_grid, spread_points
from cellpipe.figures.thumbnails import outlines
from cellpipe.figures.tracks import MAX_LINES, first_families, lineage_places, sampled_paths


@cache
def plate():
    return draw_plate()


def draw_all(names=None):
    drawn = plate()
    tracks, points = draw_tracks()
    wells, statistics = drawn["wells"], drawn["statistics"]
    draw = {
        "heat": lambda: plate_heat_map(wells, "gfp_ratio"),
        "z": lambda: plate_heat_map(wells, "gfp_ratio_robust_z"),
        "dose": lambda: dose_response_curve(wells, statistics, "gfp_ratio", group_column="row"),
        "confusion": lambda: confusion_matrix(drawn["judged"].confusion),
        "importance": lambda: feature_importance(drawn["importance"]),
        "controls": lambda: control_distributions(wells, "gfp_ratio"),
        "paths": lambda: track_paths(points[points["well"] == "B02"]),
        "lineage": lambda: lineage_tree(tracks[tracks["well"] == "B02"]),
    }
    return {name: draw[name]() for name in names or draw}


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_same_tables_same_bytes(kind):
    names = ["heat", "dose"] if kind != "svg" else None
    first, second = draw_all(names), draw_all(names)
    for name in first:
        assert figure_bytes(first[name], kind) == figure_bytes(second[name], kind), name


def test_nothing_global_is_changed():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw_all()
    assert dict(mpl.rcParams) == before


def test_heat_map_puts_each_well_in_its_place():
    wells = plate()["wells"]
    figure = plate_heat_map(wells, "gfp_ratio")
    image = np.asarray(figure.axes[0].images[0].get_array().filled(np.nan))
    assert image.shape == (8, 12)
    assert image[0, 11] == wells.loc[wells["well"] == "A12", "gfp_ratio"].item()
    assert np.isnan(image[2]).all()  # row C was not imaged
    assert np.isnan(image[5, 6])  # F07 is empty
    np.testing.assert_array_equal(image, plate_grid(wells, "gfp_ratio"))


def test_curve_is_drawn_through_its_ec50():
    drawn = plate()
    figure = dose_response_curve(
        drawn["wells"], drawn["statistics"], "gfp_ratio", group_column="row"
    )
    fits = drawn["statistics"].query("kind == 'dose_response' and readout == 'gfp_ratio'")
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 200]
    assert len(lines) == len(fits) == 4
    for line, (_, fit) in zip(lines, fits.iterrows(), strict=True):
        at_ec50 = np.interp(np.log(fit["ec50"]), np.log(line.get_xdata()), line.get_ydata())
        assert at_ec50 == pytest.approx((fit["bottom"] + fit["top"]) / 2, rel=0.01)


def test_plates_without_doses_controls_or_values_still_give_figures():
    wells = plate()["wells"].assign(dose=np.nan, control="", gfp_ratio=np.nan)
    empty = plate()["statistics"].iloc[:0]
    for figure in (
        plate_heat_map(wells, "gfp_ratio"),
        control_distributions(wells, "gfp_ratio"),
        dose_response_curve(wells, empty, "gfp_ratio"),
    ):
        assert figure_bytes(figure).startswith(b"<?xml")


def test_names_are_only_names():
    confusion = pd.DataFrame([[3, 1], [0, 4]], index=["a<b", "$x_1"], columns=["a<b", "$x_1"])
    assert b"a&lt;b" in figure_bytes(confusion_matrix(confusion))


def test_spread_points_never_touch_and_stay_inside():
    offsets = spread_points(np.r_[np.full(9, 5.0), 1.0, 9.0])
    assert np.abs(offsets).max() <= 0.32
    assert len(set(offsets[:9].round(6))) == 9


def test_daughters_stand_around_their_mother():
    #  1 ─┬─ 2        4 ───
    #     └─ 3
    tracks = pd.DataFrame({"track_id": [1, 2, 3, 4], "parent_track_id": [0, 1, 1, 0]})
    places = lineage_places(tracks)
    assert places[1] == (places[2] + places[3]) / 2
    assert sorted(places[k] for k in (2, 3, 4)) == [0, 1, 2]


def test_outline_is_the_rim_of_each_object():
    labels = np.zeros((7, 8), int)
    labels[1:6, 1:4] = 1
    labels[1:6, 4:7] = 2  # touches object 1: both rims show
    rim = outlines(labels)
    expected = np.zeros((7, 8), bool)
    expected[1:6, 1:7] = True
    expected[2:5, 2] = expected[2:5, 5] = False
    np.testing.assert_array_equal(rim, expected)


@pytest.mark.parametrize("shape", [(256, 256), (640, 512), (100, 40), (3, 900)])
def test_thumbnails_are_small_rgb_with_outlines(shape):
    pixels, labels = draw_scene(0.5, seed=3, shape=shape)
    rgb = thumbnail_with_outlines(pixels, labels, size_px=128)
    assert rgb.dtype == np.uint8
    assert rgb.shape[2] == 3
    assert max(rgb.shape[:2]) <= 128
    plain = thumbnail_with_outlines(pixels, size_px=128)
    changed = (rgb != plain).any(axis=2).mean()
    assert 0 < changed < 0.5 or not labels.any()


def test_thumbnails_with_common_limits_can_be_compared():
    dim, bright = np.full((64, 64), 100.0), np.full((64, 64), 200.0)
    dark, light = (thumbnail_with_outlines(p, limits=[(0.0, 200.0)]) for p in (dim, bright))
    assert light.min() == 255
    assert dark.max() == pytest.approx(128, abs=1)
    assert thumbnail_with_outlines(np.zeros((64, 64))).max() == 0  # a flat image is no error


def many_tracks(n: int, n_frames: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`n` cells that do not divide, but for the last, and their points."""
    ids = np.arange(1, n + 3)
    parent = np.where(ids > n, n, 0)
    tracks = pd.DataFrame({"track_id": ids, "parent_track_id": parent})
    tracks["t_start"] = np.where(parent > 0, n_frames, 0)
    tracks["t_end"] = tracks["t_start"] + n_frames - 1
    t = np.tile(np.arange(n_frames), n)
    track = np.repeat(ids[:n], n_frames)
    points = pd.DataFrame(
        {"t": t, "track_id": track, "y_um": track % 300 + t, "x_um": track // 300}
    )
    return tracks, points.astype({"y_um": float, "x_um": float})


def test_of_many_tracks_a_stated_sample_is_plotted():
    tracks, points = many_tracks(70_000)
    figure = lineage_tree(tracks)
    assert f"{MAX_LINES} of 70,002 tracks" in figure.axes[0].get_title(loc="left")
    shown = first_families(tracks, MAX_LINES)
    assert {70_000, 70_001, 70_002} <= set(shown["track_id"])  # families that divided come first
    assert len(figure_bytes(figure)) < 1_000_000
    figure = track_paths(points)
    assert "2,000 of 70,000 tracks" in figure.axes[0].get_title(loc="left")
    assert len(figure_bytes(figure)) < 1_500_000
    few, n_tracks = sampled_paths(many_tracks(300, n_frames=1000)[1])
    assert n_tracks == 300
    assert sum(map(len, few)) <= 50_000


def test_all_of_a_few_tracks_are_plotted_and_families_stay_whole():
    tracks, points = draw_tracks()
    own = tracks[tracks["well"] == "B02"]
    assert lineage_tree(own, title="B02").axes[0].get_title(loc="left") == "B02"
    some = first_families(own, len(own) - 1)
    assert 0 < len(some) < len(own)
    assert set(some["parent_track_id"]) - {0} <= set(some["track_id"])
    assert len(first_families(own, 1)) == 1
    paths, n = sampled_paths(points[points["well"] == "B02"])
    assert len(paths) == n == points[points["well"] == "B02"]["track_id"].nunique()


def test_names_of_classes_are_shown_unchanged_whatever_they_hold():
    from xml.etree import ElementTree

    names = ["G2/M", "G1/S", r"$\foo$", 'a<b & "c"', "bell\x07"]
    confusion = pd.DataFrame(np.eye(5), index=names, columns=names)
    picture = figure_bytes(confusion_matrix(confusion))
    texts = {node.text for node in ElementTree.fromstring(picture).iter() if node.text}
    assert {"G2/M", "G1/S", r"$\foo$", 'a<b & "c"', "bell "} <= texts
    wells = plate()["wells"].rename(columns={"gfp_ratio": "fraction_G2/M $x$"})
    assert b"fraction G2/M $x$" in figure_bytes(plate_heat_map(wells, "fraction_G2/M $x$"))
