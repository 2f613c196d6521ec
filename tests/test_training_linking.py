"""Movies with true links, and a network that learns from them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT
from safetensors.torch import load_file

from cellpipe.errors import BadConfig
from cellpipe.exports.ctc import write_ctc
from cellpipe.simulate import DIFFICULTIES, Errors, detect
from cellpipe.track.clues import DIVISION_CLUES, LINK_CLUES
from cellpipe.track.lineage import links_of
from cellpipe.track.linking import LinkNetwork, LinkNetworkConfig, load_link_network
from cellpipe.training.linking import Candidates, Told, train_linking, verdict
from cellpipe.training.linking_plan import LinkingPlan
from cellpipe.training.plan import read_plan
from cellpipe.training.recipe import data_folder
from cellpipe.training.run import train
from cellpipe.training.true_links import (
    CtcSet,
    LinkingDesign,
    TrueMovie,
    list_ctc_frames,
    list_simulated_movies,
    with_leaps,
)

FEW = {"movies": 2, "held_out": 1, "frames": 6, "cells": [20, 30], "cells_per_mm2": [900, 1600]}
CONFIG = {
    "name": "links",
    "kind": "linking",
    "network": {"widths": [8]},
    "linking": FEW,
    "schedule": {"steps": 4, "batch": 64, "validate_every": 2, "warmup_steps": 0,
                 "checkpoint_every": 2, "decay": "constant", "mixed_precision": False, "seed": 3},
}  # fmt: skip


def crowd(seed: int, level: str = "middle") -> TrueMovie:
    """Cells whose true links are known, all that can be measured, measured."""
    design = DIFFICULTIES[level].design(seed=seed, n_frames=8, shape=(400, 400))
    points = detect(design, "A01", Errors(missed=0.02)).drop(columns="class")
    return TrueMovie(points, 3 * DIFFICULTIES[level].step_um)


# --- what is learned from ----------------------------------------------------------------------


def test_true_candidates_are_the_true_links() -> None:
    movie = crowd(1)
    _, right, _, divides = Told.of(movie).examples()
    told = movie.points.sort_values(["t", "label"], ignore_index=True)
    source, target = links_of(told)
    t = told["t"].to_numpy()
    daughters = np.bincount(source, minlength=len(told))[source]
    near = t[target] == t[source] + 1
    # a true link may be beyond the reach, or one of more rivals than are weighed
    assert 0.97 * (near & (daughters == 1)).sum() < right.sum() <= (near & (daughters == 1)).sum()
    mothers = len(set(source[near & (daughters == 2)].tolist()))
    assert 0 < divides.sum() <= mothers


def test_a_judge_that_knows_the_truth_scores_higher() -> None:
    told = Told.of(crowd(2, "hard"))

    class Knowing(LinkNetwork):
        """Learned nothing: its log-odds are the truth, looked up in the order of the frames."""

        def __init__(self) -> None:
            super().__init__(LinkNetworkConfig())
            _, self.right, _, self.divides = told.examples()

        def links(self, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
            here, self.right = np.split(self.right, [len(gain)])
            return np.where(here, 10.0, -10.0)

        def divisions(self, clues: np.ndarray, worth: np.ndarray) -> np.ndarray:
            here, self.divides = np.split(self.divides, [len(worth)])
            return np.where(here, 25.0, -10.0)

    assert told.scores(None)["f1"] + 0.005 < told.scores(Knowing())["f1"]


def test_drawn_movies_are_their_seed_and_keep_to_their_design() -> None:
    design = LinkingDesign(movies=6, held_out=2, frames=5, cells=(20.0, 30.0))
    table, again = list_simulated_movies(design, 4), list_simulated_movies(design, 4)
    assert table["side"].value_counts().to_dict() == {"train": 6, "validation": 2, "test": 2}
    movies = [pair.read() for pair in table["pair"]]
    for movie, same in zip(movies, again["pair"], strict=True):
        pd.testing.assert_frame_equal(movie.points, same.read().points)
        assert movie.points["t"].nunique() == 5
        assert 10 < len(movie.points) / 5 < 50
    other = list_simulated_movies(design, 5)["pair"][0].read()
    assert not movies[0].points.equals(other.points)
    assert len({tuple(movie.points) for movie in movies}) > 1, "not all know as much"
    assert list_simulated_movies(dataclasses.replace(design, movies=0), 4).empty


def test_who_leaps_stays_where_it_came_down_and_daughters_go_along() -> None:
    points = pd.DataFrame(
        {
            "t": [0, 1, 2, 3, 3, 4, 0],
            "y_um": 0.0,
            "x_um": 0.0,
            "track_id": [1, 1, 1, 2, 3, 2, 0],
            "parent_track_id": [0, 0, 0, 1, 1, 1, 0],
        }
    )
    at = with_leaps(points, np.random.default_rng(0), 1.0, 10.0)[["y_um", "x_um"]].to_numpy()
    step = np.hypot(*np.diff(at[:3], axis=0).T)
    assert ((step > 2) & (step < 9)).all()
    np.testing.assert_array_equal(at[3], at[2])  # her first place is beside her mother's last
    np.testing.assert_array_equal(at[4], at[2])
    assert np.hypot(*(at[5] - at[3])) > 2
    np.testing.assert_array_equal(at[6], 0)  # what is no cell


def test_candidates_are_drawn_by_the_weight_of_their_set() -> None:
    parts = [np.full((n, 1), value, np.float32) for value, n in enumerate((10, 900, 100, 0))]
    true = [part[:, 0] == 2 for part in parts]
    movies = pd.DataFrame(
        {"set": ["own", "drawn", "drawn", "none"], "weight": [3.0, 1.0, 1.0, 1.0]}
    )
    clues, told = Candidates.of(parts, true, movies).sampled(np.random.default_rng(0), 8000)
    shares = [float((clues == value).float().mean()) for value in range(4)]
    np.testing.assert_allclose(shares, [0.75, 0.225, 0.025, 0], atol=0.02)
    assert torch.equal(told == 1, clues[:, 0] == 2)


def ctc_folder(folder: Path) -> Path:
    """Eight frames of two squares that drift; the left one divides."""
    frames, links = [], []
    for t in range(8):
        labels = np.zeros((60, 80), np.uint32)
        tracks = {1: (20, 10 + t)} if t < 4 else {2: (12, 10 + t), 3: (28, 10 + t)}
        for label, (y, x) in (tracks | {4: (40, 50 + t)}).items():
            labels[y : y + 5, x : x + 5] = label
            parent = 1 if label in (2, 3) else 0
            links.append({"t": t, "label": label, "track_id": label, "parent_track_id": parent})
        frames.append((t, labels))
    write_ctc(folder, frames, pd.DataFrame(links), kind="truth")
    return folder


def test_one_s_own_movies_decide_where_there_are_any() -> None:
    rows = [
        ("drawn", "validation", 0.9, 0.8),
        ("drawn", "validation", 0.9, 0.8),
        ("own", "validation", 0.7, 0.75),
        ("own", "test", 0.9, 0.1),
    ]
    scores = pd.DataFrame(rows, columns=["set", "side", "f1", "f1_without"])
    network = LinkNetwork(LinkNetworkConfig())
    assert verdict(network, scores).startswith("no improvement")
    assert "0.7000 with the network, 0.7500 without" in verdict(network, scores)
    assert verdict(network, scores[:2]).startswith("better")
    network.share.fill_(0)
    assert verdict(network, scores[:2]).startswith("no improvement")


def test_a_challenge_s_folder_is_cut_by_time(tmp_path: Path) -> None:
    ctc_folder(tmp_path / "01_GT/TRA")
    given = CtcSet("own", "01_GT", 2.0, "CC0-1.0", max_distance_um=20.0)
    table = list_ctc_frames(given, tmp_path)
    assert table[["file", "side"]].to_numpy().tolist() == [
        ["0-3", "train"], ["4-5", "validation"], ["6-7", "test"],
    ]  # fmt: skip
    movie = table["pair"][0].read()
    assert movie.reach_um == 20
    assert movie.points["area_um2"].eq(100).all()
    assert movie.points.groupby("track_id")["x_um"].agg(list).to_dict() == {
        1: [24, 26, 28, 30], 4: [104, 106, 108, 110],
    }  # fmt: skip
    later = table["pair"][1].read().points
    assert later.groupby("track_id")["parent_track_id"].max().to_dict() == {2: 1, 3: 1, 4: 0}
    with pytest.raises(BadConfig, match="held_out"):
        list_ctc_frames(dataclasses.replace(given, held_out=(0.1, 0.0)), tmp_path)


# --- the training ------------------------------------------------------------------------------


def test_a_training_writes_weights_that_judge_and_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = read_plan(CONFIG)
    train(plan, tmp_path, tmp_path / "links.safetensors", tmp_path / "run")
    card = json.loads((tmp_path / "links.json").read_text())
    assert card["kind"] == "linking"
    assert card["extra"]["verdict"].partition(" (")[0] in (
        "no improvement on the validation movies",
        "better on the validation movies",
    )
    assert set(card["extra"]["scores"]["validation/drawn"]) == {
        "f1", "f1_without", "division_f1", "division_f1_without",
    }  # fmt: skip
    assert card["extra"]["training"]["linking"]["movies"] == 2
    network = load_link_network(tmp_path / "links.safetensors")
    assert network.config == LinkNetworkConfig((8,))
    assert not np.allclose(network.link.mean, 0)

    # the same seed, killed after two of its four steps
    movies = plan.split(tmp_path)
    cut = dataclasses.replace(plan, schedule=dataclasses.replace(plan.schedule, steps=2))
    for part in (cut, plan):
        torch.manual_seed(plan.schedule.seed)
        again = train_linking(part, movies, tmp_path / "checkpoint.pt").network.state_dict()
    stored = load_file(tmp_path / "links.safetensors")
    assert stored.keys() == again.keys()
    assert all(torch.equal(again[name], stored[name]) for name in stored)


def test_a_training_goes_on_from_known_weights_with_own_movies(tmp_path: Path) -> None:
    ctc_folder(tmp_path / "01_GT/TRA")
    train(read_plan(CONFIG), tmp_path, tmp_path / "first.safetensors", tmp_path / "run")
    own = [{"name": "own", "ctc": "01_GT", "pixel_size_um": 2.0, "licence": "CC0-1.0"}]
    start = {"initial": str(tmp_path / "first.safetensors"), "sets": own}
    plan = read_plan({**CONFIG, **start})
    train(plan, tmp_path, tmp_path / "own.safetensors", tmp_path / "own")
    card = json.loads((tmp_path / "own.json").read_text())
    assert card["extra"]["split"]["own/test"] == ["6-7"]
    assert {"set": "own", "licence": "CC0-1.0"} in card["extra"]["data"]
    first, second = (load_file(tmp_path / f"{name}.safetensors") for name in ("first", "own"))
    assert np.array_equal(first["link.mean"], second["link.mean"])
    assert not np.array_equal(first["link.layers.0.weight"], second["link.layers.0.weight"])
    other = read_plan({**CONFIG, **start, "network": {"widths": [9]}})
    with pytest.raises(BadConfig, match="widths"):
        train(other, tmp_path, tmp_path / "x.safetensors", tmp_path / "x")


# --- its config --------------------------------------------------------------------------------


def test_faults_of_a_config_are_named() -> None:
    with pytest.raises(BadConfig, match=r"did you mean 'linking\.movies'"):
        read_plan({**CONFIG, "linking": {"movie": 3}})
    with pytest.raises(BadConfig, match="augmentation"):
        read_plan({**CONFIG, "augmentation": {}})
    with pytest.raises(BadConfig, match="no 'schedule'"):
        read_plan({key: value for key, value in CONFIG.items() if key != "schedule"})
    with pytest.raises(BadConfig, match="movies to learn from"):
        read_plan({**CONFIG, "linking": {"movies": 0}})


def test_the_recipe_is_a_plan_whose_every_movie_is_drawn() -> None:
    path = ROOT / "config/training/linking.yaml"
    plan = read_plan(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert isinstance(plan, LinkingPlan)
    assert data_folder(path, "data") == []


def test_a_clue_that_never_changes_in_the_training_has_a_scale_of_a_hundredth() -> None:
    network = LinkNetwork(LinkNetworkConfig())
    rng = np.random.default_rng(4)
    clues = [rng.normal(3, 5, (4000, n)).astype(np.float32) for n in (LINK_CLUES, DIVISION_CLUES)]
    clues[0][:, 0] = 2.0
    network.fit_scale(*clues)
    assert network.link.scale[0] == pytest.approx(0.01)
    assert network.link.mean[0] == pytest.approx(2.0)
    np.testing.assert_allclose(network.link.scale[1:], 5, rtol=0.1)
    np.testing.assert_allclose(network.division.scale, 5, rtol=0.1)
