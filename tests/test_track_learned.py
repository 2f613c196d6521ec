"""Links judged by a network: what a judge may change, and what the shipped one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT
from drawn_cells import STEADY, cells_in
from made_networks import threshold_network
from running import MOVIE, Run, with_changes

from cellpipe.config import sheets
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.networks.card import load_card, weights_path
from cellpipe.simulate import DIFFICULTIES, Errors, detect
from cellpipe.track import link_cells
from cellpipe.track.clues import DIVISION_CLUES, LINK_CLUES
from cellpipe.track.frames import Links
from cellpipe.track.learned import _keep_unrivalled
from cellpipe.track.linking import LinkNetwork, LinkNetworkConfig, load_link_network


class Opinion:
    """A judge that adds to every gain."""

    def __init__(self, of_links: float, of_divisions: float) -> None:
        self.of_links, self.of_divisions = of_links, of_divisions

    def links(self, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
        assert clues.shape == (len(gain), LINK_CLUES)
        assert np.isfinite(clues).all()
        return gain + self.of_links

    def divisions(self, clues: np.ndarray, worth: np.ndarray) -> np.ndarray:
        assert clues.shape == (len(worth), DIVISION_CLUES)
        assert np.isfinite(clues).all()
        return worth + self.of_divisions


class Contrary:
    """A judge to whom the likeliest is the least."""

    def links(self, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return 50 - gain

    def divisions(self, clues: np.ndarray, worth: np.ndarray) -> np.ndarray:
        return worth


def crowd(seed: int, level: str = "hard", n_frames: int = 16) -> pd.DataFrame:
    design = DIFFICULTIES[level].design(seed=seed, n_frames=n_frames, shape=(480, 480))
    return detect(design, "A01", Errors(missed=0.025, false=0.01)).drop(columns="class")


def right_share(points: pd.DataFrame, linked: pd.DataFrame) -> float:
    """Share of the steps of found tracks that are steps of one cell."""
    order = np.lexsort((points["t"], linked["track_id"]))
    track, truth = linked["track_id"].to_numpy()[order], points["track_id"].to_numpy()[order]
    step = np.diff(track) == 0
    return float((np.diff(truth)[step] == 0).mean())


def test_a_judge_that_refuses_all_undoes_no_link_that_has_no_rival() -> None:
    cells = cells_in([STEADY, STEADY, STEADY])
    without = link_cells(cells)
    assert without["track_id"].nunique() == 3
    pd.testing.assert_frame_equal(link_cells(cells, judge=Opinion(-100, -100)), without)


def test_links_without_a_rival_come_back_and_divisions_do_not() -> None:
    #  rows 0 1 2 3 of one frame, 4 5 6 7 of the next: 0 → 4, 1 → 5 and 6, 2 → 7; 3 ends
    links, again = Links.none(8), Links.none(8)
    for i, j in ((0, 4), (1, 5), (2, 7)):
        links.first[i], links.before[j], links.cost[i] = j, i, 0.5
    links.second[1], links.before[6] = 6, 1
    again.first[3], again.before[7] = 7, 3  # in place of 2 → 7
    _keep_unrivalled(links, again)
    assert again.first.tolist() == [4, -1, -1, 7, -1, -1, -1, -1]
    assert again.before.tolist() == [-1, -1, -1, -1, 0, -1, -1, 3]
    assert again.cost[0] == 0.5


def test_a_judge_chooses_among_rivals() -> None:
    # two cells side by side, whose ways cross as well as not
    at = pd.DataFrame({"t": np.repeat(np.arange(6), 2), "label": [1, 2] * 6, "y_um": 0.0})
    at["x_um"] = np.tile([0.0, 6.0], 6)
    straight = link_cells(at, divisions=False)["track_id"].to_numpy().reshape(-1, 2)
    assert (straight == [1, 2]).all()
    crossed = (
        link_cells(at, divisions=False, judge=Contrary())["track_id"].to_numpy().reshape(-1, 2)
    )
    assert (crossed[0] == crossed[1][::-1]).all()


def test_a_network_that_has_no_share_says_nothing() -> None:
    torch.manual_seed(0)
    network = LinkNetwork(LinkNetworkConfig())
    clues, gain = np.ones((3, LINK_CLUES), np.float32), np.array([1.0, -2.0, 3.0])
    network.share.fill_(0.0)
    np.testing.assert_array_equal(network.links(clues, gain), gain)
    network.share.fill_(1.0)
    only_network = network.links(clues, gain)
    assert np.ptp(only_network) == pytest.approx(0, abs=1e-6), "alike to the network"
    network.share.fill_(0.25)
    np.testing.assert_allclose(network.links(clues, gain), 0.75 * gain + 0.25 * only_network)


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_short_and_empty_movies_are_judged_too(n_frames: int) -> None:
    cells = cells_in([STEADY, STEADY])
    cells = cells[cells["t"] < n_frames]
    network = load_link_network("linking")
    linked = link_cells(cells, judge=network)
    assert len(linked) == len(cells)
    assert linked["track_id"].nunique() == min(2, len(cells))


def test_the_shipped_network_links_no_worse_and_the_same_every_time() -> None:
    points, reach = crowd(31), 3 * DIFFICULTIES["hard"].step_um
    known = points.drop(columns=["track_id", "parent_track_id"])
    without = link_cells(known, max_distance_um=reach)
    learned, again = (
        link_cells(known, max_distance_um=reach, judge=load_link_network("linking"))
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(learned, again)
    assert not learned.equals(without), "it has no say"
    assert right_share(points, learned) >= right_share(points, without)


def test_the_shipped_card_tells_both_scores_and_what_it_was_trained_on() -> None:
    card = load_card("linking")
    assert (card.kind, card.licence) == ("linking", "CC0-1.0")
    assert card.trained_on
    assert weights_path("linking").stat().st_size < 1e5
    scores = card.extra["scores"]["validation/drawn"]
    better = scores["f1"] > scores["f1_without"]
    assert card.extra["verdict"].startswith("better" if better else "no better")


def test_weights_of_another_kind_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CellpipeError, match="wanted: weights of kind 'linking'"):
        load_link_network("spots")
    other = threshold_network(tmp_path / "x.safetensors", [1.0], 0.5, kind="linking")
    with pytest.raises(CellpipeError, match="train it again"):
        load_link_network(other)


def test_its_weights_count_where_cells_are_linked() -> None:
    least = {"channels": {"dna": {"source": "1"}}, "segment": {"nuclei": {"channel": "dna"}}}
    document = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    least["plates"] = document["plates"]
    schemas = ROOT / "config/schemas"

    def checked(**track: object) -> dict:
        return sheets.checked_config({**least, "track": track}, schemas)

    used = checked(enabled=True, weights="linking")
    card = load_card("linking")
    assert sheets.weights_of(used, "track") == {"linking": card.digest}
    assert list(sheets.weights_of(used, "segment")) == ["nuclei"]
    assert [n["used_by"] for n in sheets.networks(used)] == ["segment", "track"]
    assert sheets.track_environment(used) == "segment"
    for idle in (checked(enabled=True), checked(enabled=False, weights="linking")):
        assert not sheets.weights_of(idle, "track")
        assert sheets.track_environment(idle) == "track"
    with pytest.raises(BadConfig, match="kind 'denoise' for 'track'"):
        sheets.networks(checked(enabled=True, weights="denoise"))


@pytest.mark.slow
def test_a_network_for_links_makes_tracks_again_and_nothing_before(tmp_path: Path) -> None:
    run = Run.drawn(tmp_path, "movie", with_changes(MOVIE, {"classify": {"training": "off"}}))
    tracks = "results/P/blocks/track/0000.parquet"
    run.run(tracks)
    before, segmented = pd.read_parquet(tmp_path / tracks), run.receipts("segment")
    run.run(tracks, track={"weights": "linking"})
    after = pd.read_parquet(tmp_path / tracks)
    assert len(after) == len(before) > 0
    assert not set(after["fingerprint"]) & set(before["fingerprint"])
    assert run.receipts("segment") == segmented
