"""Images that no one should have taken: an error in words, or no objects and a flag."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from made_networks import threshold_network
from test_channels import DNA, PHASE, settled

from cellpipe.config import sheets
from cellpipe.errors import BadConfig, BadImage, CellpipeError
from cellpipe.networks.card import load_card
from cellpipe.networks.load import load_network
from cellpipe.run.frames import segment

ENGINES = ("classical", "cellpipe")


def segmented(pixels: np.ndarray, engine: str, **nuclei) -> tuple[dict, dict]:
    """Layers and figures of a frame (C, Y, X), as the workflow makes them."""
    options = settled({"nuclei": {"channel": "dna", "engine": engine, **nuclei}})["segment"]
    networks = segment.load_networks(options, "cpu", 1)
    return segment.segment_frame(pixels, 0.5, options, networks)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 64, 48), np.uint16),
        np.full((1, 64, 48), 65535, np.uint16),
        np.full((1, 64, 48), 0.5, np.float32),
        np.full((1, 1, 1), 7, np.uint8),
        np.full((1, 1, 300), 7, np.uint8),
    ],
    ids=["black", "white", "grey float", "one pixel", "one line"],
)
def test_a_flat_image_has_no_objects_and_a_flag(pixels, engine):
    layers, figures = segmented(pixels, engine)
    assert figures["flag"] == "flat"
    assert figures["n_nuclei"] == 0
    for labels in layers.values():
        assert labels.shape == pixels.shape[1:]
        assert not labels.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_burnt_image_is_flagged_and_its_nuclei_are_found(engine):
    burnt = np.where(DNA > 700, 65535, DNA).astype(np.uint16)[None]
    layers, figures = segmented(burnt, engine, min_area_um2=1)
    assert figures["flag"] == "saturated"
    assert layers["nuclei"].max() == 20


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_refused(value, engine):
    pixels = DNA[None].astype(np.float32)
    pixels[0, 100, 100] = value
    with pytest.raises(BadImage, match="1 pixels that are NaN or infinite"):
        segmented(pixels, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_colours_are_no_plane(engine):
    colours = np.stack([DNA, PHASE, DNA], axis=-1)[None]  # (1, Y, X, 3)
    with pytest.raises(BadImage, match=r"1 channel\(s\)"):
        segmented(colours, engine)


def test_a_single_bright_pixel_is_no_nucleus():
    dust = np.full((1, 96, 96), 100, np.uint16)
    dust[0, 40, 40] = 60000
    for engine in ENGINES:
        layers, _ = segmented(dust, engine)
        assert not layers["nuclei"].any()


def test_a_channel_that_is_not_there_stops_the_run():
    with pytest.raises(BadConfig, match="one of the channels: dna, reporter, phase"):
        settled({"nuclei": {"channel": "dapi"}})


def test_weights_of_another_network_are_refused_before_the_first_job(tmp_path):
    one = threshold_network(tmp_path / "one.safetensors", (1.0,), 0.4)
    two = threshold_network(tmp_path / "two.safetensors", (1.0, 1.0), 0.4)
    shutil.copyfile(two.with_suffix(".json"), one.with_suffix(".json"))
    with pytest.raises(CellpipeError, match="as its card says"):
        settled({"nuclei": {"channel": "dna", "weights": str(one)}})
    card = json.loads(two.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(one.read_bytes()).hexdigest()
    one.with_suffix(".json").write_text(json.dumps(card))
    assert load_card(one).architecture["inputs"] == 2
    with pytest.raises(CellpipeError, match="weights of the network its card describes"):
        load_network(one)
    denoiser = threshold_network(tmp_path / "noise.safetensors", (1.0,), 0.4, kind="denoise")
    with pytest.raises(BadConfig, match="weights of kind 'segmentation'"):
        sheets.networks(settled({"nuclei": {"channel": "dna", "weights": str(denoiser)}}))
