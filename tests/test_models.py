from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from safetensors.torch import save_file

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.image.axes import Image
from cellpipe.image.normalise import intensity_range, normalise
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.card import Card, load_card, shipped, weights_path
from cellpipe.networks.infer import find_objects, network_denoised
from cellpipe.networks.instances import flood, labels_from_maps, object_probability
from cellpipe.networks.load import Network, load_network
from cellpipe.networks.predict import averaged_maps, image_maps
from cellpipe.networks.unet import UNet, UNetConfig
from cellpipe.simulate import PlateDesign, simulate_field

TINY = UNetConfig(outputs=("foreground", "distance"), widths=(8, 12), stem=2)
FINE = replace(TINY, residual=True, fine=4)
both = pytest.mark.parametrize("config", [TINY, FINE], ids=["plain", "fine"])


def tiny_network(kind: str = "segmentation", config: UNetConfig = TINY) -> Network:
    torch.manual_seed(0)
    card = Card("tiny", kind, config.as_dict(), "", "CC0-1.0", "", (9.0, 60.0))
    return Network(UNet(config).folded(), card)


def written(folder: Path, config: UNetConfig = TINY, **changed: object) -> Path:
    torch.manual_seed(0)
    path = folder / "some.safetensors"
    save_file(UNet(config).state_dict(), path)
    fields = {
        "name": "some",
        "kind": "segmentation",
        "architecture": config.as_dict(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": "CC0-1.0",
        "normalisation": "",
        "diameter_px": (9.0, 60.0),
    }
    Card(**(fields | changed)).write(path.with_suffix(".json"))  # type: ignore[arg-type]
    return path


def test_network_keeps_shape_and_follows_its_config():
    module = UNet(UNetConfig()).eval()
    out = module(torch.zeros(2, 1, 48, 32))
    assert out.shape == (2, 5, 48, 32)
    assert UNetConfig().stride_px == 16
    assert UNetConfig.from_dict(json.loads(json.dumps(TINY.as_dict()))) == TINY


def test_a_card_names_its_training_images_with_their_licences():
    assert load_card("nuclei").trained_on == "dsb2018-fluorescence (CC0-1.0), bbbc039 (CC0-1.0)"


@both
def test_folding_norms_changes_nothing(config):
    torch.manual_seed(1)
    module = UNet(config)
    module(torch.randn(4, 1, 32, 32))  # running averages that are not 0 and 1
    module.eval()
    x = torch.randn(1, 1, 32, 32)
    before = module(x)
    assert torch.allclose(module.folded()(x), before, atol=1e-5)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules())


@both
def test_leaving_out_heads_leaves_the_others_as_they_are(config):
    torch.manual_seed(1)
    module = UNet(replace(config, outputs=("foreground", "distance", "contact"))).eval()
    few = module.with_outputs(("distance", "foreground"))
    x = torch.rand(1, 1, 32, 32)
    assert few.config.outputs == ("distance", "foreground")
    assert torch.equal(few(x), module(x)[:, [1, 0]])


def test_padding_to_whole_strides_is_cut_off_again():
    network = tiny_network()
    image = np.random.default_rng(0).random((37, 50), np.float32)
    maps = image_maps(network.module, image)
    assert maps.shape == (2, 37, 50)
    assert image_maps(network.module, image[:1, :1]).shape == (2, 1, 1)


@both
def test_averaged_maps_turn_and_mirror_with_the_image(config):
    network = tiny_network(config=config)
    image = np.random.default_rng(0).random((32, 48), np.float32)
    maps = averaged_maps(network.module, image)
    assert np.abs(maps - image_maps(network.module, image)).max() > 1e-4  # it does something
    for change in (np.flipud, np.fliplr, np.rot90):
        there = averaged_maps(network.module, np.ascontiguousarray(change(image)))
        expected = np.stack([change(plane) for plane in maps])
        assert np.allclose(there, expected, atol=1e-5)


def test_labels_on_disk_are_those_in_memory(tmp_path):
    network = load_network("nuclei")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:700, :600]
    image = rng.normal(100, 3, (700, 600))
    for cy, cx in rng.uniform(0, 1, (80, 2)) * image.shape:
        image += 80 * ((y - cy) ** 2 + (x - cx) ** 2 < 100)
    labels, probability, *_ = find_objects(image, network, tile_px=448)
    stored = zarr.create_array(tmp_path / "image.zarr", data=image[None], chunks=(1, 256, 256))
    into = zarr.create_array(
        tmp_path / "labels.zarr", shape=image.shape, chunks=(256, 256), dtype="uint32"
    )
    image_on_disk = Image(stored, "cyx", block_px=256, scratch=lambda shape, dtype: into)
    _, again, *_ = find_objects(image_on_disk, network, tile_px=448)
    assert labels.max() > 40
    # exactly: an image this small is its own sample, so that the grey scale is the same
    assert np.array_equal(into[:], labels)
    assert np.array_equal(again, probability)


def test_bfloat16_finds_the_same_nuclei():
    field = simulate_field(PlateDesign(shape=(384, 384)), "B02", 1).pixels[0]
    network = load_network("nuclei")
    exact, *_ = find_objects(field, network)
    short, *_ = find_objects(field, network, precision="bfloat16")
    assert exact.max() > 10
    assert average_precision(exact, short, [0.9])[0] == 1


def test_many_images_at_once_give_what_one_gives():
    network = tiny_network()
    images = torch.rand(8, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    together = network.module(images)
    apart = torch.cat([network.module(image[None]) for image in images])
    assert torch.allclose(together, apart, atol=1e-5)


def test_normalise_maps_percentiles_to_zero_and_one():
    pixels = np.linspace(100, 5100, 40_000).reshape(200, 200)
    scaled = normalise(pixels)
    assert scaled.dtype == np.float32
    assert np.percentile(scaled, 1) == pytest.approx(0, abs=1e-3)
    assert np.percentile(scaled, 99.8) == pytest.approx(1, abs=1e-3)
    assert normalise(7 * pixels + 50) == pytest.approx(scaled, abs=1e-4)
    assert not normalise(np.full((9, 9), 7)).any()


def test_range_of_a_large_image_is_read_from_a_sample():
    pixels = np.random.default_rng(0).normal(1000, 50, (3000, 3000))
    exact = np.percentile(pixels, (1, 99.8))
    assert intensity_range(pixels) == pytest.approx(exact, abs=2)


def drawn(text: str) -> np.ndarray:
    """Heights from a picture: '.' is outside, digits are tens."""
    rows = [line.strip() for line in text.strip().splitlines()]
    return np.array([[0 if c == "." else 10 * int(c) for c in row] for row in rows], np.uint8)


SADDLE = drawn(
    """
    .........
    .35543675
    .36643784
    .35543675
    .........
    """
)  # peaks 60 and 80, saddle 30


def test_flood_splits_at_saddles_that_are_deep_enough():
    labels = flood(SADDLE, min_rise=25, min_area_px=1)
    assert labels.max() == 2
    assert ((labels > 0) == (SADDLE > 0)).all()
    assert len(np.unique(labels[1:4, 1:5])) == 1
    assert len(np.unique(labels[1:4, 6:])) == 1
    assert labels[2, 2] != labels[2, 7]
    assert flood(SADDLE, min_rise=31, min_area_px=1).max() == 1


def test_flood_drops_specks_and_numbers_without_gaps():
    level = drawn(
        """
        5......5
        .......5
        ..5....5
        55......
        55..55..
        """
    )
    labels = flood(level, min_rise=5, min_area_px=2)
    # one pixel in a corner is a speck; diagonal neighbours belong together
    assert labels.max() == 3
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert labels[0, 0] == 0
    assert labels[2, 2] == labels[4, 0]


def test_flood_of_nothing():
    assert flood(np.zeros((4, 5), np.uint8), 5, 1).max() == 0


def two_cones(distance_px: float) -> np.ndarray:
    """Exact maps (2, Y, X) of two discs of radius 12 whose centres are so far apart."""
    y, x = np.mgrid[:64, :96].astype(np.float32)
    apart = np.stack([np.hypot(y - 32, x - 48 + s * distance_px / 2) for s in (1, -1)])
    cone = np.clip(1 - apart.min(0) / 12, 0, None)
    return np.stack([np.where(cone > 0, 8.0, -8.0), cone]).astype(np.float32)


@pytest.mark.parametrize(("distance_px", "count"), [(30, 2), (18, 2), (12, 2), (2, 1)])
def test_touching_discs_are_two_and_one_disc_is_one(distance_px, count):
    labels = labels_from_maps(two_cones(distance_px))
    assert labels.max() == count
    assert labels.dtype == np.uint32


def test_probability_threshold_moves_the_outline():
    maps = two_cones(30)
    maps[0] = 8 * maps[1] - 1
    low, high = (labels_from_maps(maps, probability_threshold=p) > 0 for p in (0.3, 0.9))
    assert high.sum() < low.sum()
    assert not (high & ~low).any()
    labels = labels_from_maps(maps)
    probability = object_probability(labels, maps[0])
    inside = 1 / (1 + np.exp(-maps[0][labels == 1]))
    assert probability[0] == pytest.approx(inside.mean(), rel=1e-5)


def test_weights_are_loaded_with_their_card(tmp_path):
    path = written(tmp_path)
    network = load_network(path)
    torch.manual_seed(0)
    fresh = UNet(TINY).folded()
    x = torch.rand(1, 1, 16, 16)
    assert torch.allclose(network.module(x), fresh(x), atol=1e-6)
    assert network.card.licence == "CC0-1.0"
    assert network.device.type == "cpu"


def test_missing_weights_name_what_there_is():
    with pytest.raises(CellpipeError, match="no_such"):
        weights_path("no_such")
    with pytest.raises(CellpipeError, match=r"gone\.safetensors"):
        load_network("/gone.safetensors")


def test_changed_weights_are_refused(tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CellpipeError, match="sha256"):
        load_network(path)


def test_weights_of_another_network_are_refused(tmp_path):
    other = UNetConfig(widths=(8, 16)).as_dict()
    with pytest.raises(CellpipeError, match="weights of the network its card describes"):
        load_network(written(tmp_path, architecture=other))
    with pytest.raises(CellpipeError, match=r"architecture|network"):
        load_network(written(tmp_path, architecture={"layers": 3}))


def test_a_pickle_is_not_loaded(tmp_path):
    path = written(tmp_path)
    torch.save({"a": torch.zeros(1)}, path)
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(CellpipeError):
        load_network(path)


def test_card_must_be_there_and_whole(tmp_path):
    path = written(tmp_path)
    path.with_suffix(".json").write_text('{"name": "half"}')
    with pytest.raises(CellpipeError, match="card"):
        load_card(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CellpipeError, match="card"):
        load_card(path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_gpu_is_said_and_not_passed_over(tmp_path):
    with pytest.raises(BadConfig, match="cuda"):
        load_network(written(tmp_path), device="cuda")


def test_weights_of_the_wrong_kind_are_refused():
    pixels = np.random.default_rng(0).random((20, 20))
    with pytest.raises(CellpipeError, match="kind"):
        find_objects(pixels, tiny_network("denoise"))
    with pytest.raises(CellpipeError, match="kind"):
        network_denoised(pixels, tiny_network("segmentation"))


def test_cards_are_read_without_torch():
    code = (
        "import sys; from cellpipe.networks.card import load_card, shipped;"
        "[load_card(name) for name in shipped()];"
        "import cellpipe.segment.nuclei, cellpipe.segment.cells, cellpipe.image.quality;"
        "import cellpipe.restore.denoise;"
        "sys.exit('torch' in sys.modules or 'skimage' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name",
    [name for name in shipped() if load_card(name).kind != "linking"],  # no image network
)
def test_shipped_weights_fit_their_card(name):
    network = load_network(name)
    assert network.card.name == name
    assert network.card.licence == {"cells": "MIT", "cells_phase": "MIT"}.get(
        name, "CC0-1.0"
    )  # as its images
    assert weights_path(name).stat().st_size < 15e6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree():
    images = np.random.default_rng(0).random((64, 80), np.float32)
    here, there = load_network("nuclei"), load_network("nuclei", device="cuda")
    difference = image_maps(there.module, images) - image_maps(here.module, images)
    assert np.abs(difference).max() < 1e-2


@both
def test_a_network_starts_from_weights_that_draw_fewer_maps(config):
    torch.manual_seed(0)
    small = replace(config, outputs=("foreground", "distance"), widths=(4, 8))
    known = UNet(small).eval()
    network = UNet(replace(small, outputs=("distance", "contact", "foreground"))).eval()
    network.start_from(known.state_dict(), small.outputs)
    image = torch.rand(1, 1, 32, 32)
    drawn, expected = network(image)[0], known(image)[0]
    assert torch.equal(drawn[2], expected[0])
    assert torch.equal(drawn[0], expected[1])
    other = UNet(replace(small, widths=(6, 8)))
    with pytest.raises(RuntimeError, match="size"):
        network.start_from(other.state_dict(), small.outputs)
