from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import torch

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.models.engines.cellpipe import CellpipeEngine
from cellpipe.models.load import load_network
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.augment import Augmentation, blur, crop, disturb, random_affine
from cellpipe.training.denoising import add_noise, psnr
from cellpipe.training.loop import Progress, fit
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import PairSet, list_pairs, read_pair
from cellpipe.training.plan import read_plan
from cellpipe.training.run import train
from cellpipe.training.schedule import Schedule
from cellpipe.training.segmentation import draw_batch, make_example
from cellpipe.training.split import draw_split, read_split
from cellpipe.training.targets import centre_maps, contact_mask, size_weight

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


def test_a_killed_run_ends_with_the_same_weights(tmp_path):
    examples = [make_example(*disc_field(i)) for i in range(2)]
    plan = read_plan(CONFIG)
    schedule = dataclasses.replace(plan.schedule, steps=8, checkpoint_every=2, validate_every=4)

    class Killed(Exception):
        pass

    def run(name: str, stop: int | None = None) -> dict:
        from cellpipe.models.unet import UNet

        def draw(step: int):
            if step == stop:
                raise Killed
            return draw_batch(examples, schedule, plan.augmentation, step)

        torch.manual_seed(0)
        network = UNet(plan.network)
        path = tmp_path / f"{name}.pt"
        return fit(network, draw, segmentation_loss, lambda n: 0.0, schedule, path)[0].state_dict()

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
