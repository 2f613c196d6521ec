from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import yaml
from conftest import ROOT
from drawn_plate import inspected, laid_out
from safetensors.torch import load_file
from test_docs import rows

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.metrics.labels import average_precision
from cellpipe.models.card import weights_path
from cellpipe.models.engines.cellpipe import CellpipeEngine
from cellpipe.models.infer import network_labels
from cellpipe.models.load import load_network
from cellpipe.models.normalise import DESCRIPTION, GreyScale
from cellpipe.models.unet import UNet, UNetConfig
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.augment import (
    Augmentation,
    blur,
    crop,
    disturb,
    random_affine,
    random_bend,
)
from cellpipe.training.denoising import add_noise, psnr
from cellpipe.training.elastic import random_displacement
from cellpipe.training.loop import Progress, fit
from cellpipe.training.losses import Weighting, segmentation_loss
from cellpipe.training.pairs import PairSet, list_pairs, read_all, read_pair
from cellpipe.training.parts import Freeze
from cellpipe.training.plan import SECTIONS, Plan, read_plan
from cellpipe.training.plates import PlateSet, list_frames
from cellpipe.training.recipe import gpus, initial_file
from cellpipe.training.run import train
from cellpipe.training.schedule import Schedule
from cellpipe.training.segmentation import (
    Drawn,
    Example,
    draw_batch,
    found_labels,
    make_example,
    worst_images,
)
from cellpipe.training.simulated import Simulation, draw_fields
from cellpipe.training.split import draw_split, read_split
from cellpipe.training.start import fresh_or_known
from cellpipe.training.targets import border_mask, centre_maps, contact_mask, size_weight

PLAIN = Augmentation(resample=0, light=0, uneven=0, blur=0, noise=0, empty=0)


def disc_field(seed: int, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of a field of discs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.uint8)
    for value, (cy, cx) in enumerate(
        [(a, b) for a in range(16, size, 32) for b in range(16, size, 32)], start=1
    ):
        cy, cx = cy + rng.uniform(-5, 5), cx + rng.uniform(-5, 5)
        labels[np.hypot(y - cy, x - cx) < rng.uniform(7, 10)] = value
    pixels = 20 + 150 * (labels > 0) + 8 * rng.standard_normal(labels.shape)
    return pixels.clip(0, 255).astype(np.uint8), labels


def write_set(folder: Path, names: list[str]) -> PairSet:
    for i, name in enumerate(names):
        pixels, labels = disc_field(i)
        for kind, array in (("images", pixels), ("labels", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            iio.imwrite(folder / kind / f"{name}.png", array)
    return PairSet("discs", "images", "labels", "CC0-1.0")


def test_centre_maps_of_a_disc():
    y, x = np.mgrid[:41, :41]
    labels = (np.hypot(y - 20, x - 20) <= 10).astype(int) * 3
    distance, offset_y, offset_x, edge = centre_maps(labels)
    assert distance[20, 20] == 1
    assert distance[20, 15] == pytest.approx(0.5, abs=0.06)
    assert not distance[labels == 0].any()
    assert offset_y[14, 20] == pytest.approx(6)
    assert offset_x[20, 26] == pytest.approx(-6)
    assert edge[20, 20] == pytest.approx(math.sqrt((labels > 0).sum()))


def test_a_nucleus_cut_by_the_frame_keeps_rising_to_the_edge():
    y, x = np.mgrid[:30, :30]
    distance = centre_maps((np.hypot(y, x - 15) <= 10).astype(int))[0]
    assert distance[0, 15] == 1
    assert (np.diff(distance[:10, 15]) < 0).all()


def test_an_object_that_fills_the_frame_has_finite_maps():
    assert np.isfinite(centre_maps(np.ones((8, 8), int))).all()


def test_contact_is_where_two_objects_meet_and_not_where_one_ends():
    labels = torch.zeros(1, 1, 9, 20)
    labels[..., 2:7, 2:6], labels[..., 2:7, 6:10], labels[..., 2:7, 16:20] = 1, 2, 3
    contact = contact_mask(labels)[0, 0]
    assert contact[4, 4:8].all()
    assert not contact[:, :3].any()
    assert not contact[:, 12:].any()


def test_small_objects_weigh_more():
    edge = torch.zeros(1, 1, 20, 20)
    edge[..., 2:4, 2:4], edge[..., 10:, 10:] = 2.0, 40.0
    weight = size_weight(edge)[0, 0]
    assert weight[2, 2] == 5
    assert weight[15, 15] == 1
    assert weight[4, 4] == 5  # around it as well, or it would be drawn too large
    assert weight[7, 7] == 1


def test_a_plain_crop_is_an_exact_copy_up_to_turns_and_flips():
    pixels, labels = disc_field(3)
    example = make_example(pixels, labels)
    seen = set()
    rng = np.random.default_rng(0)
    turned = [np.rot90(a, k) for k in range(4) for a in (labels, labels[:, ::-1])]
    for _ in range(40):
        matrix = random_affine(rng, PLAIN, 18)
        _, maps, valid = crop(example.image, example.maps, matrix, 96, rng)
        assert valid.all()
        match = [i for i, t in enumerate(turned) if (maps[0].numpy() == t).all()]
        assert len(match) == 1
        seen.add(match[0])
        again = centre_maps(maps[0].numpy().astype(int))
        assert np.abs(maps[1:].numpy() - again).max() < 1e-3
    assert seen == set(range(8))


def test_offsets_and_sizes_follow_scale_and_rotation():
    pixels, labels = disc_field(4)
    example = make_example(pixels, labels)
    turn = math.pi / 6
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) / 2
    _, maps, valid = crop(example.image, example.maps, matrix, 128, np.random.default_rng(1))
    assert valid.all()
    drawn = maps[0].numpy().astype(int)
    inner = [v for v in np.unique(drawn[32:-32, 32:-32]) if v and not _cut(drawn == v)]
    assert inner
    again = centre_maps(drawn)
    for value in inner:
        mask = drawn == value
        assert np.abs(maps[2:4].numpy() - again[1:3])[:, mask].max() < 1.5  # nearest pixel, doubled
        assert maps[4].numpy()[mask].mean() == pytest.approx(again[3, mask].mean(), rel=0.05)


def _cut(mask: np.ndarray) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def test_beyond_the_image_nothing_counts():
    pixels, labels = disc_field(5, size=48)
    example = make_example(pixels, labels)
    _, _, valid = crop(example.image, example.maps, np.eye(2), 96, np.random.default_rng(0))
    assert valid.sum() == pytest.approx(48 * 48, abs=16 * 48)


def test_scaling_respects_the_range_of_diameters():
    settings = Augmentation(resample=1.0, scale=(0.25, 4.0), diameter_px=(10, 40), stretch=1.0)
    rng = np.random.default_rng(0)
    sizes = [
        20 / math.sqrt(abs(np.linalg.det(random_affine(rng, settings, 20)))) for _ in range(300)
    ]
    assert min(sizes) == pytest.approx(10, abs=0.5)
    assert max(sizes) == pytest.approx(40, abs=2)


def test_blur_has_the_sigma_that_was_asked():
    point = torch.zeros(3, 1, 33, 33)
    point[..., 16, 16] = 1
    out = blur(point, torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1))
    steps = torch.arange(33.0) - 16
    variance = (out[:, 0].sum(1) * steps**2).sum(1)
    assert variance.tolist() == pytest.approx([0, 1, 4], abs=0.05)
    assert out.sum((1, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_batches_are_the_same_for_a_seed_and_differ_by_step():
    examples = [make_example(*disc_field(i)) for i in range(3)]
    schedule = Schedule(batch=3, crop_px=64, seed=5)
    draw = [draw_batch(examples, schedule, Augmentation(), step) for step in (0, 0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(draw[0], draw[1], strict=True))
    assert not torch.equal(draw[0][0], draw[2][0])
    assert draw[0][0].shape == (3, 1, 64, 64)
    assert draw[0][1].shape == (3, 5, 64, 64)


def test_disturb_leaves_the_images_alone_when_nothing_is_asked():
    images = torch.rand(2, 1, 16, 16).clamp_min(1e-2)
    assert torch.allclose(disturb(images, PLAIN, np.random.default_rng(0)), images, atol=1e-6)


def test_perfect_maps_have_a_small_loss_and_wrong_ones_a_large():
    pixels, labels = disc_field(6)
    maps = make_example(pixels, labels).maps[None]
    valid = torch.ones(1, 1, *labels.shape)
    contact = contact_mask(maps[:, :1])
    perfect = torch.cat(
        [20 * (maps[:, :1] > 0) - 10, maps[:, 1:2], 20 * contact - 10, maps[:, 2:4] / 16], 1
    ).float()
    assert sum(segmentation_loss(perfect, maps, valid).values()) < 0.01
    assert sum(segmentation_loss(-perfect, maps, valid).values()) > 5
    nothing = segmentation_loss(-perfect, maps, torch.zeros_like(valid))
    assert nothing["foreground"] == nothing["distance"] == nothing["offset"] == 0


def test_camera_noise_has_the_variance_it_should():
    image = np.full((400, 400), 0.5, np.float32)
    noisy = add_noise(image, photons=20, read_sigma=0.05, rng=np.random.default_rng(0))
    assert noisy.mean() == pytest.approx(0.5, abs=0.002)
    assert noisy.var() == pytest.approx(0.5 / 20 + 0.05**2, rel=0.03)


def test_psnr_of_known_noise():
    truth = np.tile(np.linspace(0, 1, 500, dtype=np.float32), (500, 1))
    noisy = truth + np.random.default_rng(0).normal(0, 0.01, truth.shape)
    assert psnr(truth, noisy) == pytest.approx(40, abs=0.3)  # percentile range 0.988
    assert psnr(truth, truth) == math.inf


def split_table(names: list[str], groups: list[str], shape=(8, 8)) -> pd.DataFrame:
    shapes = [shape] * len(names)
    return pd.DataFrame({"set": "s", "file": names, "shape": shapes, "group": groups})


def test_split_has_the_shares_asked_in_every_stratum_and_twins_on_one_side():
    names = [f"a{i}" for i in range(100)]
    first = split_table(names, names)
    twins = split_table(
        [f"b{i}" for i in range(40)],
        names[:20] + [f"b{i}" for i in range(20, 40)],
        (9, 9),
    )
    split = draw_split([first, twins], [(0.2, 0.1), (0.25, 0.25)], seed=1)
    counts = split[split["file"].str.startswith("a")]["side"].value_counts()
    assert counts["validation"] == pytest.approx(20, abs=2)
    assert counts["test"] == pytest.approx(10, abs=2)
    assert (split.groupby("group")["side"].nunique() == 1).all()
    again = draw_split([first.iloc[::-1].reset_index(drop=True), twins], [(0.2, 0.1)] * 2, seed=1)
    merged = split[split["file"].str.startswith("a")].merge(again, on="file")
    assert (merged["side_x"] == merged["side_y"]).all(), "the order of files must not matter"
    other = draw_split([first], [(0.2, 0.1)], seed=2)
    assert (other["side"] != split["side"][:100]).any()


def test_pairs_without_labels_are_named(tmp_path):
    pair_set = write_set(tmp_path, ["a", "b"])
    assert list_pairs(pair_set, tmp_path)["group"].tolist() == ["a", "b"]
    (tmp_path / "labels" / "b.png").unlink()
    with pytest.raises(BadConfig, match=r"b\.png"):
        list_pairs(pair_set, tmp_path)


def test_pairs_of_different_shape_are_refused(tmp_path):
    iio.imwrite(tmp_path / "i.png", np.zeros((8, 8), np.uint8))
    iio.imwrite(tmp_path / "l.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(BadConfig, match="same shape"):
        read_pair(tmp_path / "i.png", tmp_path / "l.png")


CONFIG = {
    "name": "discs",
    "kind": "segmentation",
    "sets": [
        {"name": "discs", "images": "images", "labels": "labels", "licence": "CC0-1.0",
         "held_out": [0.25, 0.25]}
    ],
    "network": {"widths": [8, 16, 24]},
    "schedule": {"steps": 60, "batch": 4, "crop_px": 64, "learning_rate": 0.01,
                 "warmup_steps": 5, "average_decay": 0.9, "validate_every": 30,
                 "checkpoint_every": 20, "mixed_precision": False, "seed": 3},
    "augmentation": {"resample": 0.0, "noise": 0.2, "blur": 0.0},
}  # fmt: skip


def test_misspelt_keys_are_refused_by_name():
    with pytest.raises(BadConfig, match=r"learning_rat\b"):
        read_plan(CONFIG | {"schedule": {"learning_rat": 1}})
    with pytest.raises(BadConfig, match="augmentations"):
        read_plan({**CONFIG, "augmentations": {}})
    with pytest.raises(BadConfig, match="tracking"):
        read_plan(CONFIG | {"kind": "tracking"})


def test_a_network_learns_discs_and_what_it_writes_can_be_used(tmp_path):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    plan = read_plan(CONFIG)
    out = tmp_path / "discs.safetensors"
    train(plan, tmp_path / "data", out, tmp_path / "work")
    network = load_network(out)
    pixels, labels = disc_field(99)
    found = segment_nuclei(pixels, 1.0, engine=CellpipeEngine(network))
    assert average_precision(labels, found.labels, [0.7])[0] == 1
    assert (found.probability > 0.6).all()
    split = read_split(network.card)
    assert split["side"].value_counts().to_dict() == {"train": 4, "validation": 2, "test": 2}
    written = pd.read_csv(tmp_path / "work" / "split.tsv", sep="\t")
    assert written.merge(split).shape[0] == 8
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["extra"]["scores"]["test/discs"]["ap50"] > 0.9


@pytest.mark.parametrize(
    ("options", "freeze"),
    [
        ({}, Freeze()),
        ({"optimizer": "sgd", "decay": "step", "decay_every": 3, "dropout": 0.5}, Freeze()),
        ({"dropout": 0.2, "patience": 1}, Freeze(("down", "lateral"), until_step=6)),
    ],
    ids=["plain", "sgd", "frozen"],
)
def test_a_killed_run_ends_with_the_same_weights(tmp_path, options, freeze):
    examples = [make_example(*disc_field(i)) for i in range(2)]
    plan = read_plan(CONFIG)
    schedule = dataclasses.replace(
        plan.schedule, steps=8, checkpoint_every=2, validate_every=4, **options
    )

    class Killed(Exception):
        pass

    def run(name: str, stop: int | None = None) -> dict:
        def draw(step: int):
            if step == stop:
                raise Killed
            return draw_batch(examples, schedule, plan.augmentation, step)

        torch.manual_seed(0)
        network = UNet(plan.network)
        path = tmp_path / f"{name}.pt"
        trained, _ = fit(network, draw, segmentation_loss, lambda n: 0.0, schedule, path, freeze)
        return trained.state_dict()

    whole = run("whole")
    with pytest.raises(Killed):
        run("killed", stop=5)
    resumed = run("killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_schedule_warms_up_ends_at_zero_and_keeps_time():
    schedule = Schedule(steps=100, warmup_steps=10, learning_rate=1.0, max_seconds=50)
    assert schedule.learning_rate_at(0, 0) == pytest.approx(0.1)
    assert schedule.learning_rate_at(50, Progress(step=50).fraction(schedule)) == pytest.approx(0.5)
    late = Progress(step=50, seconds=50)
    assert late.fraction(schedule) == 1
    assert schedule.learning_rate_at(50, 1) == pytest.approx(0)


# --- a plate of others as training data ---------------------------------------------------------


def labelled_plate(folder: Path, version: str) -> np.ndarray:
    """A drawn plate with two channels and labels in all wells but B05; the labels of B02."""
    wells = {f"B{column:02d}": [(2, 2, 1, 96, 96)] for column in range(2, 6)}
    plate = laid_out(folder, inspected(wells), labels=["nuclei"], ngff_version=version)
    for seed, well in enumerate(wells):
        for t in range(2):
            pixels, labels = disc_field(2 * seed + t)
            for c in range(2):
                plane = pixels.astype(np.uint16) * (c + 1)
                plate.write_plane(well, 1, t, c, 0, plane)
            if well != "B05":
                plate.write_labels(well, 1, t, "nuclei", 10 * labels.astype(np.uint32))
    return disc_field(0)[1]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_of_a_plate_are_pairs_with_wells_as_groups(tmp_path, version):
    truth = labelled_plate(tmp_path, version)
    ask = PlateSet("p", "drawn.ome.zarr", "nuclei", ("gfp", "dna"), "CC0-1.0")
    pairs = list_frames(ask, tmp_path)
    assert pairs["file"].tolist() == [f"B0{c}_1_t{t}" for c in (2, 3, 4) for t in (0, 1)]
    assert pairs["group"].tolist() == ["B02", "B02", "B03", "B03", "B04", "B04"]  # B05: no labels
    pixels, labels = pairs["pair"][0].read()
    assert (labels == truth).all(), "numbered 1..n again"
    assert (pixels[0] == 2 * pixels[1]).all(), "channels in the order that was asked"
    assert list_frames(dataclasses.replace(ask, wells=("B03",)), tmp_path)["group"][0] == "B03"
    with pytest.raises(BadConfig, match="dna, gfp"):
        list_frames(dataclasses.replace(ask, channels=("dpi",)), tmp_path)
    with pytest.raises(BadConfig, match="no frame"):
        list_frames(dataclasses.replace(ask, label="cells"), tmp_path)


def test_a_well_stands_on_one_side_and_few_wells_are_still_shared_out():
    names = [f"w{i // 8}_{i % 8}" for i in range(80)]
    split = draw_split([split_table(names, [n.split("_")[0] for n in names])], [(0.2, 0.2)], 1)
    assert (split.groupby("group")["side"].nunique() == 1).all()
    wells = split.groupby("side")["group"].nunique()
    assert wells["train"] == pytest.approx(6, abs=1)
    assert wells["validation"] == pytest.approx(2, abs=1)


def test_a_split_that_leaves_nothing_to_validate_is_refused(tmp_path):
    write_set(tmp_path, ["a", "b"])
    plan = read_plan({**CONFIG, "sets": [{**CONFIG["sets"][0], "held_out": [0.0, 0.0]}]})
    with pytest.raises(BadConfig, match="0 to validate"):
        plan.split(tmp_path)


def test_channels_come_from_folders_of_their_own_or_from_one_tiff(tmp_path):
    write_set(tmp_path, ["a"])
    pixels, labels = disc_field(0)
    (tmp_path / "other").mkdir()
    iio.imwrite(tmp_path / "other" / "a.png", pixels // 2)
    two = PairSet("two", ("images", "other"), "labels", "CC0-1.0")
    found, read = list_pairs(two, tmp_path)["pair"][0].read()
    assert (found == np.stack([pixels, pixels // 2])).all()
    assert (read == labels).all()
    tifffile.imwrite(tmp_path / "images" / "a.tif", np.stack([pixels] * 3), photometric="rgb",
                     planarconfig="separate")  # fmt: skip
    (tmp_path / "images" / "a.png").unlink()
    one = PairSet("one", "images", "labels", "CC0-1.0")
    assert list_pairs(one, tmp_path)["pair"][0].read()[0].shape == (3, 96, 96)


# --- grey scales ---------------------------------------------------------------------------------


def test_limits_are_fitted_per_channel_and_come_back_from_the_card():
    rng = np.random.default_rng(0)
    images = [np.stack([rng.normal(100, 10, (64, 64)), rng.normal(9, 2, (64, 64))])] * 3
    scale = GreyScale(method="mean_std", per="data").fit(images)
    assert np.ravel(scale.fitted) == pytest.approx([90, 130, 7, 15], rel=0.05)
    brought = scale.bring(images[0])
    assert brought.mean((1, 2)) == pytest.approx([0.25, 0.25], abs=0.02)
    assert brought.std((1, 2)) == pytest.approx([0.25, 0.25], abs=0.02)
    assert GreyScale.of_card(json.loads(json.dumps(scale.for_card()))) == scale
    assert GreyScale().fit(images).for_card() == DESCRIPTION


def test_a_grey_scale_of_each_image_follows_its_light():
    image = np.random.default_rng(1).normal(50, 5, (1, 64, 64))
    own = GreyScale(percentiles=(5.0, 95.0))
    assert np.allclose(own.bring(image), own.bring(40 * image + 7), atol=1e-5)
    assert ((own.bring(image) > 0) & (own.bring(image) < 1)).mean() == pytest.approx(0.9, abs=0.01)


# --- augmentation --------------------------------------------------------------------------------


def test_bent_crops_carry_their_offsets_along():
    pixels, labels = disc_field(4)
    example = make_example(pixels, labels)
    rng = np.random.default_rng(2)
    bend = random_displacement(rng, 96, strength_px=3.0, smooth_px=48.0)
    assert float(bend.square().mean().sqrt()) == pytest.approx(3, rel=0.01)
    _, maps, _ = crop(example.image, example.maps, np.eye(2), 96, rng, bend)
    drawn = maps[0].numpy().astype(int)
    assert (drawn != labels).mean() > 0.03
    again = centre_maps(drawn)
    inner = [v for v in np.unique(drawn) if v and not _cut(drawn == v)]
    assert len(inner) > 2
    for value in inner:
        mask = drawn == value
        # up to half a pixel comes from the nearest neighbour; and a bent disc's centroid is not
        # quite its bent centroid
        error = np.abs(maps[2:4].numpy() - again[1:3])[:, mask].mean()
        straight = np.abs(_straight_offsets(example, bend, mask) - again[1:3])[:, mask].mean()
        assert error < min(0.7, 0.9 * straight)


def _straight_offsets(example: Example, bend: torch.Tensor, mask: np.ndarray) -> np.ndarray:
    """Offsets (2, Y, X) as they were where each pixel was taken from, not bent."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    places = np.stack([y, x]) + bend.numpy()
    y, x = places.round().astype(int).clip(0, mask.shape[0] - 1)
    return example.maps[2:4].numpy()[:, y, x]


def test_elastic_is_smooth_and_off_by_default():
    rng = np.random.default_rng(0)
    assert random_bend(rng, Augmentation(), 64) is None
    assert rng.random() == np.random.default_rng(0).random(), "nothing may be drawn"
    bend = random_bend(rng, Augmentation(elastic=1.0), 128)
    assert float(torch.diff(bend, dim=1).abs().max()) < 0.6  # never folds over


def test_channels_are_disturbed_one_by_one():
    settings = Augmentation(light=1.0, noise=0, blur=0, uneven=0)
    images = torch.full((3, 2, 16, 16), 0.5)
    out = disturb(images, settings, np.random.default_rng(0))
    assert out.shape == images.shape
    assert (out[:, 0] - out[:, 1]).abs().mean((1, 2)).min() > 0.01


def test_simulated_fields_take_the_share_that_is_asked():
    real = [Example(torch.zeros(1, 64, 64), torch.zeros(5, 64, 64), 20.0)]
    simulation = Simulation(share=0.25, fields=2, shape_px=128)
    fields = list(draw_fields(simulation, seed=3))
    assert all(
        (a[1] == b[1]).all() for a, b in zip(fields, draw_fields(simulation, 3), strict=True)
    )
    drawn = Drawn([make_example(*field) for field in fields], simulation.share)
    assert all(labels.max() >= 3 for _, labels in fields)
    schedule = Schedule(batch=16, crop_px=32)
    batches = [draw_batch(real, schedule, PLAIN, step, drawn)[0] for step in range(20)]
    flat = (torch.cat(batches).std((1, 2, 3)) > 1e-3).float().mean()
    assert float(flat) == pytest.approx(0.25, abs=0.08)


# --- loss, schedule, parts -----------------------------------------------------------------------


def test_weights_of_border_and_foreground_move_the_loss_there():
    _, labels = disc_field(6)
    maps = make_example(*disc_field(6)).maps[None]
    valid = torch.ones(1, 1, *labels.shape)
    rim = border_mask(maps[:, :1], 2)
    assert rim[0, 0].numpy()[labels == 0].any()
    assert 0.02 < float(rim.mean()) < 0.5
    inside = (maps[:, :1] > 0).float()

    def share(wrong: torch.Tensor, **given: float) -> float:
        """How much a loss grows with a fault at some pixels, against that of a fault anywhere."""
        drawn = torch.zeros(1, 5, *labels.shape)
        drawn[:, :1] = torch.where(wrong > 0, -8.0, 8.0) * (2 * inside - 1)
        return float(segmentation_loss(drawn, maps, valid, Weighting(**given))["foreground"])

    assert share(rim, border=4.0) > 1.3 * share(rim)
    assert share(inside, foreground=5.0) > 1.3 * share(inside)
    assert share(1 - inside, foreground=5.0) < share(1 - inside)


def test_rates_of_every_decay():
    common = {"warmup_steps": 0, "learning_rate": 1.0}
    steps = Schedule(decay="step", decay_every=10, decay_factor=0.5, **common)
    assert [steps.learning_rate_at(s, 0) for s in (0, 9, 10, 25)] == [1, 1, 0.5, 0.25]
    assert Schedule(decay="constant", **common).learning_rate_at(90, 0.9) == 1


def test_training_ends_when_nothing_gets_better(tmp_path):
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    schedule = Schedule(steps=50, batch=1, crop_px=16, validate_every=2, patience=2,
                        mixed_precision=False)  # fmt: skip
    example = [make_example(*disc_field(0))]
    path = tmp_path / "c.pt"

    def run():
        return fit(
            UNet(UNetConfig(widths=(4, 4))),
            lambda step: draw_batch(example, schedule, PLAIN, step),
            segmentation_loss,
            lambda network: next(scores),
            schedule,
            path,
        )[1]

    progress = run()
    assert (progress.step, progress.best_step) == (8, 4)
    assert run().step == 8, "a run that has ended goes on no more"


def test_frozen_parts_stay_until_their_step(tmp_path):
    torch.manual_seed(0)
    network = UNet(UNetConfig(widths=(4, 6, 8)))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    schedule = Schedule(steps=2, batch=1, crop_px=32, mixed_precision=False, warmup_steps=0,
                        decay="constant")  # fmt: skip
    example = [make_example(*disc_field(0))]

    def fitted(freeze: Freeze) -> dict:
        own = UNet(network.config)
        own.load_state_dict(before)
        draw = lambda step: draw_batch(example, schedule, PLAIN, step)  # noqa: E731
        path = tmp_path / f"{freeze.until_step}.pt"
        trained, _ = fit(own, draw, segmentation_loss, lambda n: 0.0, schedule, path, freeze)
        return {k: not torch.equal(v, before[k]) for k, v in trained.state_dict().items()}

    moved = fitted(Freeze(("down",)))
    assert not any(m for name, m in moved.items() if name.startswith("down"))
    assert moved["up.0.blocks.0.conv.weight"]
    assert fitted(Freeze(("down",), until_step=1))["down.0.blocks.0.conv.weight"]
    with pytest.raises(BadConfig, match="dwn"):
        fitted(Freeze(("dwn",), until_step=2))
    with pytest.raises(BadConfig, match="every part"):
        fitted(Freeze(("down", "up", "lateral", "head"), until_step=3))


def options() -> Iterator[tuple[str, dataclasses.Field]]:
    """Every option of a training config, as its README names them."""
    for option in dataclasses.fields(Plan):
        yield option.name, option
    for kind in (PairSet, PlateSet):
        yield from ((f"sets.{option.name}", option) for option in dataclasses.fields(kind))
    for section, kind in SECTIONS.items():
        yield from ((f"{section}.{option.name}", option) for option in dataclasses.fields(kind))


def test_every_option_is_explained_with_its_default():
    told = rows((ROOT / "config/training/README.md").read_text(encoding="utf-8"))
    known = {key: option for key, option in options() if key != "normalisation.fitted"}
    assert set(told) == set(known)
    assert all(meaning for _, meaning in told.values())
    for key, option in known.items():
        if option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING:
            assert told[key][0] == "required", key
            continue
        given = yaml.safe_load(told[key][0].strip("`"))
        default = option.default
        if default is dataclasses.MISSING:
            default = option.default_factory()
            default = default if isinstance(default, dict) else {}
        assert given == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize("name", ["nuclei_start", "nuclei", "denoise", "own_data"])
def test_the_recipes_are_plans(name):
    path = ROOT / "config" / "training" / f"{name}.yaml"
    plan = read_plan(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert plan.name == name
    assert gpus(path) == 0
    # another training makes the weights that a recipe starts from
    made = {"nuclei": ["training/nuclei_start/nuclei_start.safetensors"]}
    assert initial_file(path) == made.get(name, [])


def test_the_example_starts_from_the_shipped_weights():
    path = ROOT / "config" / "training" / "own_data.yaml"
    network = fresh_or_known(read_plan(yaml.safe_load(path.read_text(encoding="utf-8"))))
    shipped = load_file(weights_path("nuclei"))
    assert torch.equal(network.state_dict()["down.0.blocks.0.conv.weight"],
                       shipped["down.0.blocks.0.conv.weight"])  # fmt: skip
    assert len(network.config.outputs) == 5


def test_a_recipe_names_the_file_and_the_gpu_that_its_rule_asks_for(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("initial: training/a/a.safetensors\nschedule: {device: cuda}\n")
    assert initial_file(path) == ["training/a/a.safetensors"]
    assert gpus(path) == 1
    assert initial_file(tmp_path / "none.yaml") == []


def test_misspelt_and_mistyped_options_are_named():
    for section, entry, said in [
        ("schedule", {"optimizer": "adam"}, "adamw, sgd"),
        ("schedule", {"learning_rate": "1e-3"}, "1.0e-3"),
        ("schedule", {"patienc": 3}, "did you mean 'patience'"),
        ("normalisation", {"method": "max"}, "percentiles, mean_std"),
        ("normalisation", {"fitted": [[0, 1]]}, "per: data"),
        ("simulation", {"share": 0.1, "channels": ["dna", "spots"]}, "network: inputs"),
        ("freeze", ["down"], "a section"),
        ("sets", [], "a list of sets"),
        ("augmentation", {"scale": [0.5]}, "a list of 2"),
    ]:
        with pytest.raises(BadConfig, match=re.escape(said)):
            read_plan({**CONFIG, section: entry})
    with pytest.raises(BadConfig, match="without schedule"):
        read_plan({key: value for key, value in CONFIG.items() if key != "schedule"})


# --- the whole ---------------------------------------------------------------------------------


def test_two_channels_simulation_and_transfer_learning_end_in_usable_weights(tmp_path):
    data = tmp_path / "data"
    labelled_plate(data, "0.5")
    plate = {"name": "p", "plate": "drawn.ome.zarr", "label": "nuclei", "channels": ["dna", "gfp"],
             "licence": "CC-BY-4.0", "held_out": [0.34, 0.0]}  # fmt: skip
    config = {
        **CONFIG,
        "sets": [plate],
        "licence": "CC-BY-4.0",
        "network": {"inputs": 2, "widths": [4, 8]},
        "normalisation": {"method": "mean_std", "per": "data"},
        "simulation": {"share": 0.3, "fields": 1, "shape_px": 96, "channels": ["dna", "reporter"]},
        "augmentation": {"elastic": 0.5},
        "schedule": {**CONFIG["schedule"], "steps": 4, "validate_every": 2, "optimizer": "sgd",
                     "dropout": 0.2},
    }  # fmt: skip
    first, second = tmp_path / "a" / "a.safetensors", tmp_path / "b" / "b.safetensors"
    train(read_plan(config), data, first, tmp_path / "work")
    network = load_network(first)
    assert network.card.licence == "CC-BY-4.0"
    scale = GreyScale.of_card(network.card.normalisation)
    pixels = list_frames(read_plan(config).sets[0], data)["pair"][0].read()[0]
    labels, _ = network_labels(pixels, network)
    assert (labels == found_labels(network.module, pixels, scale)).all(), "as in training"
    with pytest.raises(CellpipeError, match="2 channel"):
        network_labels(pixels[0], network)
    assert {p.name for p in first.parent.iterdir()} == {
        "a.safetensors", "a.json", "curves.tsv", "curves.svg", "scores.tsv", "worst.png"
    }  # fmt: skip
    curve = pd.read_csv(first.parent / "curves.tsv", sep="\t")
    assert curve["step"].tolist() == [2, 4]
    assert curve[["score", "foreground", "dice"]].notna().all(axis=None)
    assert iio.imread(first.parent / "worst.png").std() > 10
    again = {**config, "initial": str(first), "freeze": {"parts": ["down"]}}
    del again["network"]  # it is that of the initial weights
    train(read_plan(again), data, second, tmp_path / "work2")
    old, new = load_file(first), load_file(second)
    assert all(torch.equal(old[k], new[k]) for k in old if k.startswith("down"))
    assert any(not torch.equal(old[k], new[k]) for k in old)


def test_a_denoiser_trains_from_other_weights_with_drawn_images(tmp_path):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    schedule = {**CONFIG["schedule"], "steps": 2, "crop_px": 32}
    config = {
        **CONFIG,
        "kind": "denoise",
        "network": {"outputs": ["noise"], "widths": [4, 4]},
        "schedule": schedule,
        "simulation": {"share": 0.5, "fields": 1, "shape_px": 96},
    }
    first, second = (tmp_path / n / f"{n}.safetensors" for n in "ab")
    train(read_plan(config), tmp_path / "data", first, tmp_path / "work")
    again = {**config, "initial": str(first), "freeze": {"parts": ["down", "up"]}}
    train(read_plan(again), tmp_path / "data", second, tmp_path / "work2")
    old, new = load_file(first), load_file(second)
    assert torch.equal(old["down.0.blocks.0.conv.weight"], new["down.0.blocks.0.conv.weight"])
    assert not torch.equal(old["head.weight"], new["head.weight"])
    scores = pd.read_csv(second.parent / "scores.tsv", sep="\t")
    assert scores["side"].value_counts().to_dict() == {"validation": 2, "test": 2}
    assert iio.imread(second.parent / "worst.png").std() > 10
    with pytest.raises(BadConfig, match="denoiser"):
        read_plan({**config, "weighting": {"border": 1.0}})


def test_a_checkpoint_of_other_options_is_refused(tmp_path):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    schedule = {**CONFIG["schedule"], "steps": 2}
    config = {**CONFIG, "schedule": schedule, "network": {"widths": [4, 4]}}
    out = tmp_path / "d.safetensors"
    train(read_plan(config), tmp_path / "data", out, tmp_path / "work")
    other = {**config, "schedule": {**schedule, "learning_rate": 0.5}, "licence": "CC-BY-4.0"}
    with pytest.raises(BadConfig, match="licence, schedule: learning_rate"):
        train(read_plan(other), tmp_path / "data", out, tmp_path / "work")
    before = out.read_bytes()
    train(read_plan(config), tmp_path / "data", out, tmp_path / "work")
    assert out.read_bytes() == before


def test_images_of_another_number_of_channels_are_named(tmp_path):
    write_set(tmp_path, ["a", "b"])
    pairs = list_pairs(PairSet("discs", "images", "labels", "CC0-1.0"), tmp_path)
    with pytest.raises(BadConfig, match=r"a\.png of set discs with 1 channel"):
        list(read_all(pairs, channels=2))


def test_the_worst_validation_images_come_first(tmp_path):
    write_set(tmp_path, ["a", "b", "c"])
    pairs = list_pairs(PairSet("discs", "images", "labels", "CC0-1.0"), tmp_path)
    scores = pd.DataFrame({"set": "discs", "file": pairs["file"], "ap50": [0.9, 0.2, 0.5],
                           "ap75": 0.0, "ap90": 0.0})  # fmt: skip
    scores["side"] = ["validation", "validation", "test"]
    network = UNet(UNetConfig(widths=(4, 4))).eval()
    shown = worst_images(network, pairs, scores, GreyScale())
    assert [image.name.split()[1] for image in shown] == ["b.png", "a.png"]
    assert (shown[0].panels[0][2] == pairs["pair"][1].read()[1]).all(), "the truth first"


def test_a_run_killed_by_the_system_ends_with_the_same_weights(tmp_path):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    schedule = {**CONFIG["schedule"], "steps": 16, "checkpoint_every": 1, "dropout": 0.3}
    config = {**CONFIG, "schedule": schedule, "network": {"widths": [4, 4]}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    words = ["--config", "c.yaml", "--data", "data", "--work", "killed", "--threads", "1"]
    script = [sys.executable, ROOT / "scripts/train_network.py", *words, "--out", "k.safetensors"]
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    with subprocess.Popen(script, cwd=tmp_path) as running:
        while not checkpoint.exists() and running.poll() is None:
            time.sleep(0.005)
        running.kill()
    assert torch.load(checkpoint, weights_only=True)["progress"]["step"] < 16
    assert not (tmp_path / "k.safetensors").exists()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in ("killed", "whole"):
            train(read_plan(config), tmp_path / "data", tmp_path / f"{name}.safetensors",
                  tmp_path / name)  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    killed, whole = (tmp_path / f"{n}.safetensors" for n in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()


def test_the_rule_trains_without_a_plate(tmp_path):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    (tmp_path / "config" / "training").mkdir(parents=True)
    config = {**CONFIG, "schedule": {**CONFIG["schedule"], "steps": 2}}
    (tmp_path / "config/training/discs.yaml").write_text(yaml.safe_dump(config))
    words = ["--snakefile", ROOT / "rules/train.smk", "--cores", "1", "--"]
    command = [sys.executable, "-m", "snakemake", *words, "training/discs/discs.safetensors"]
    environment = {**os.environ, "CELLPIPE_DATA": "data"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert load_network(tmp_path / "training/discs/discs.safetensors").card.name == "discs"
    assert "done" in (tmp_path / "logs/train_network/discs.log").read_text()
