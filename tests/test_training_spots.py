"""Drawn spots, what a network is shown of them, and a training from nothing else."""

from __future__ import annotations

import dataclasses
import json

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial import cKDTree

from cellpipe.detect.filters import DIAMETER_TO_SIGMA, blob_answer
from cellpipe.detect.learned import OUTPUTS, in_noise_units, spots_from_maps
from cellpipe.detect.spots import detect_spots
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.metrics.points import point_scores
from cellpipe.networks.load import load_network
from cellpipe.networks.unet import UNet, UNetConfig
from cellpipe.simulate.spots import MIN_DISTANCE_SIGMAS, SpotDesign, simulate_spots
from cellpipe.training.loop import fit
from cellpipe.training.plan import read_plan
from cellpipe.training.run import train
from cellpipe.training.schedule import Schedule
from cellpipe.training.simulated_spots import list_simulated_spots
from cellpipe.training.spots import sample_batch, score_fields, spot_loss, spot_maps

BRIGHT = SpotDesign(diameter_px=(3.5, 5.0), signal_to_noise=(25.0, 60.0), empty=0.0)
CONFIG = {
    "name": "dots",
    "kind": "spots",
    "network": {"outputs": list(OUTPUTS), "widths": [8, 12]},
    "schedule": {"steps": 2, "batch": 2, "crop_px": 32, "validate_every": 1, "warmup_steps": 0,
                 "checkpoint_every": 1, "mixed_precision": False, "seed": 3},
}  # fmt: skip


def bright_field(seed: int, shape: tuple[int, int] = (160, 160)):
    return simulate_spots(np.random.default_rng(seed), shape, BRIGHT)


# --- drawing -----------------------------------------------------------------------------------


def test_light_is_where_the_drawn_spots_are():
    scores = []
    for seed in range(12):
        field = bright_field(seed)
        options = {"diameter_um": field.diameter_px, "engine": "log"}  # of no network
        found = detect_spots(field.pixels, pixel_size_um=1, **options)
        at = found[["y_um", "x_um"]].to_numpy()
        scores.append(point_scores(field.spots_px, at, tolerance=2))
    # grain, fibres and haze beside them, crowds and hot pixels are what makes it no more
    assert np.median([s["recall"] for s in scores]) >= 0.8


def test_fields_keep_to_their_design():
    design = SpotDesign(diameter_px=(3.0, 4.0), spots_per_px=(0.004, 0.006), empty=0.5)
    fields = [simulate_spots(np.random.default_rng(i), (64, 64), design) for i in range(60)]
    assert all(3 <= field.diameter_px <= 4 for field in fields)
    n = np.array([len(field.spots_px) for field in fields])
    assert 0.25 < (n == 0).mean() < 0.75
    assert 8 < n[n > 0].mean() < 25
    for field in fields:
        assert field.pixels.dtype == np.uint16
        pairs = cKDTree(field.spots_px).query_pairs(
            MIN_DISTANCE_SIGMAS * field.diameter_px / DIAMETER_TO_SIGMA * 0.999
        )
        assert not pairs, "two Gaussians nearer than that have one peak"


def test_a_field_is_its_seed():
    one, again, other = (bright_field(seed, (48, 48)) for seed in (5, 5, 6))
    assert (one.pixels == again.pixels).all()
    assert (one.spots_px == again.spots_px).all()
    assert (one.pixels != other.pixels).any()


# --- what the network is shown and asked -------------------------------------------------------


def test_noise_units_know_no_camera():
    image = bright_field(1).pixels.astype(float)
    one, other = (
        in_noise_units(each, blob_answer(each, 1.5), 1.5) for each in (image, 7 * image - 300)
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_noise_units_are_the_heights_of_a_spot():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:200, :200]
    noise = rng.normal(0, 3, y.shape)
    image = noise + 60 * np.exp(-((y - 100) ** 2 + (x - 100) ** 2) / (2 * 1.5**2))
    answer = blob_answer(image, 1.5)
    seen = np.sinh(in_noise_units(image, answer, 1.5))
    signal_to_noise = (answer.filtered[100, 100] - answer.middle) / answer.noise[100, 100]
    assert seen[100, 100] == pytest.approx(signal_to_noise, rel=0.15)


def test_maps_show_the_way_to_the_nearest_centre():
    heat, offset_y, offset_x = spot_maps(
        np.array([[10.3, 10.0], [10.0, 14.0], [-0.4, 0.2]]), (20, 24)
    )
    assert heat[10, 10] == pytest.approx(np.exp(-0.045))
    assert (offset_y[10, 10], offset_x[10, 10]) == pytest.approx((0.3, 0))
    assert offset_x[10, 13] == pytest.approx(1)
    assert offset_x[10, 11] == pytest.approx(-1)
    assert heat[0, 0] > 0.8  # centres in the outer half of a border pixel count
    assert heat[5, 5] == 0
    assert np.isfinite(spot_maps(np.zeros((0, 2)), (8, 8))).all()


def test_perfect_maps_give_the_spots_back():
    field = bright_field(4)
    maps = spot_maps(field.spots_px, field.pixels.shape)
    maps[0] = np.log(np.clip(maps[0], 1e-6, 1 - 1e-6) / (1 - np.clip(maps[0], 1e-6, 1 - 1e-6)))
    found = spots_from_maps(maps, sigma_px=1, probability_threshold=0.5)
    distance, place = cKDTree(found[:, :2]).query(field.spots_px)
    far = cKDTree(field.spots_px).query(field.spots_px, k=2)[0][:, 1] > 2.5
    assert far.sum() > 10
    assert distance[far].max() < 1e-3
    assert len(set(place[far])) == far.sum()


def test_within_one_radius_there_is_one_spot():
    heat = np.full((3, 20, 20), 0.0)
    heat[0] = -9
    heat[0, 10, 8], heat[0, 10, 11] = 2.0, 1.0
    assert len(spots_from_maps(heat, sigma_px=1.0)) == 2
    one = spots_from_maps(heat, sigma_px=2.2)
    assert one[:, :2].tolist() == [[10, 8]]
    assert one[0, 2] == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_step_draws_the_same_crops_again_and_another_step_others():
    schedule = Schedule(batch=2, crop_px=32, seed=1)
    one, again, other = (sample_batch(schedule, SpotDesign(), step) for step in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    assert [tuple(part.shape) for part in one] == [(2, 1, 32, 32), (2, 3, 32, 32), (2, 1, 32, 32)]


def test_the_loss_is_least_for_the_maps_themselves():
    maps = torch.from_numpy(spot_maps(np.array([[8.2, 7.7]]), (16, 16)))[None]
    heat = maps[:, :1].clamp(1e-4, 1 - 1e-4)
    best = torch.cat([torch.log(heat / (1 - heat)), maps[:, 1:]], 1)
    valid = torch.ones(1, 1, 16, 16)
    least = sum(spot_loss(best, maps, valid).values())
    for shift in (0.5, -0.5):
        for channel in range(3):
            other = best.clone()
            other[:, channel] += shift
            assert sum(spot_loss(other, maps, valid).values()) > least + 0.01


# --- the whole ---------------------------------------------------------------------------------


def test_held_out_fields_are_drawn_by_signal_to_noise():
    table = list_simulated_spots(SpotDesign(), seed=1)
    assert table.groupby(["set", "side"]).size().nunique() == 1
    assert table["set"].nunique() == 3
    seeds = table["pair"].map(lambda pair: pair.seed)
    assert not seeds.duplicated().any()


def test_what_a_training_writes_finds_spots(tmp_path, monkeypatch):
    monkeypatch.setattr("cellpipe.training.simulated_spots.FIELDS", 1)
    monkeypatch.setattr("cellpipe.training.simulated_spots.FIELD_PX", 48)
    out = tmp_path / "out" / "dots.safetensors"
    train(read_plan(CONFIG), tmp_path, out, tmp_path / "work")
    network = load_network(out)
    assert network.card.kind == "spots"
    assert network.card.diameter_px == list(SpotDesign().diameter_px)
    assert network.card.extra["data"] == [
        {"set": "simulated by cellpipe.simulate", "licence": "CC0-1.0"}
    ]
    assert (
        json.loads(out.with_suffix(".json").read_text())["extra"]["training"]["spots"]["empty"]
        == 0.08
    )
    scores = pd.read_csv(out.with_name("scores.tsv"), sep="\t")
    assert scores["side"].value_counts().to_dict() == {"validation": 3, "test": 3}
    assert iio.imread(out.with_name("worst.png")).std() > 5
    options = {"pixel_size_um": 1, "diameter_um": 4, "engine": "learned"}
    found = detect_spots(bright_field(3).pixels, **options, network=network, threshold=-1e9,
                         probability_threshold=1e-6)  # fmt: skip
    assert len(found)
    assert found["probability"].between(0, 1).all()
    with pytest.raises(CellpipeError, match="'spots'"):
        detect_spots(bright_field(3).pixels, **options, network=load_network("denoise"))


def test_a_small_network_learns_bright_spots(tmp_path):
    torch.manual_seed(0)
    schedule = Schedule(steps=110, batch=4, crop_px=48, learning_rate=0.02, warmup_steps=5,
                        average_decay=0.9, validate_every=110, mixed_precision=False)  # fmt: skip
    design = dataclasses.replace(BRIGHT, spots_per_px=(0.005, 0.008))
    fields = list_simulated_spots(design, 1).groupby("set").head(2)
    network, _ = fit(
        UNet(UNetConfig(outputs=OUTPUTS, widths=(16,))),
        lambda step: sample_batch(schedule, design, step),
        spot_loss,
        lambda network: 0.0,
        schedule,
        tmp_path / "checkpoint.pt",
    )
    assert score_fields(network, fields)["f1"].mean() > 0.3


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"sets": [{"name": "a", "images": "i", "labels": "l", "licence": "CC0"}]}, "no effect"),
        ({"augmentation": {"noise": 0.1}}, "no effect"),
        ({"simulation": {"share": 0.5}}, "no effect"),
        ({"network": {"outputs": ["heat"]}}, "heat, offset_y, offset_x"),
        ({"spots": {"diameter": [2, 3]}}, "diameter_px"),
    ],
)
def test_what_a_training_of_spots_does_not_use_is_refused(section, said):
    assert read_plan(CONFIG).sets == ()
    with pytest.raises(BadConfig, match=said):
        read_plan({**CONFIG, **section})
