"""What a network sees and is asked for: targets, crops, augmentation, losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from drawn_pairs import PLAIN, disc_field

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
from cellpipe.training.losses import Weighting, segmentation_loss
from cellpipe.training.schedule import Schedule
from cellpipe.training.segmentation import (
    Example,
    Simulated,
    make_example,
    sample_batch,
)
from cellpipe.training.simulated import Simulation, simulate_fields
from cellpipe.training.targets import border_mask, centre_maps, contact_mask, size_weight


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
    draw = [sample_batch(examples, schedule, Augmentation(), step) for step in (0, 0, 1)]
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
    fields = list(simulate_fields(simulation, seed=3))
    assert all(
        (a[1] == b[1]).all() for a, b in zip(fields, simulate_fields(simulation, 3), strict=True)
    )
    drawn = Simulated([make_example(*field) for field in fields], simulation.share)
    assert all(labels.max() >= 3 for _, labels in fields)
    schedule = Schedule(batch=16, crop_px=32)
    batches = [sample_batch(real, schedule, PLAIN, step, drawn)[0] for step in range(20)]
    flat = (torch.cat(batches).std((1, 2, 3)) > 1e-3).float().mean()
    assert float(flat) == pytest.approx(0.25, abs=0.08)


def test_crops_come_from_a_set_as_often_as_its_weight_says():
    dark = Example(torch.zeros(1, 64, 64), torch.zeros(5, 64, 64), 20.0)
    bright = Example(torch.ones(1, 64, 64), torch.zeros(5, 64, 64), 20.0, weight=3.0)
    schedule = Schedule(batch=400, crop_px=16)
    images, _, _ = sample_batch([dark, bright], schedule, PLAIN, step=0)
    assert images.mean() == pytest.approx(0.75, abs=0.07)
