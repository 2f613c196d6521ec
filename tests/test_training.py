"""Trainings from start to usable weights: killed, frozen, ended early, started from others."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time

import imageio.v3 as iio
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT
from drawn_pairs import CONFIG, PLAIN, disc_field, labelled_plate, write_set
from in_process import run_forked
from safetensors.torch import load_file

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.image.normalise import GreyScale
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.networks.unet import UNet, UNetConfig
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.loop import Progress, fit
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import PairSet, list_pairs
from cellpipe.training.parts import Freeze
from cellpipe.training.plan import read_plan
from cellpipe.training.plates import list_frames
from cellpipe.training.run import train
from cellpipe.training.schedule import Schedule
from cellpipe.training.segmentation import (
    found_labels,
    in_use,
    make_example,
    sample_batch,
    worst_images,
)
from cellpipe.training.split import read_split


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
        ({"initial_share": 0.4}, Freeze()),
    ],
    ids=["plain", "sgd", "frozen", "mixed"],
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
            return sample_batch(examples, schedule, plan.augmentation, step)

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


def test_a_share_of_the_initial_weights_is_kept(tmp_path):
    example = [make_example(*disc_field(0))]
    schedule = Schedule(steps=4, batch=1, crop_px=16, validate_every=4, mixed_precision=False)

    def trained(share: float) -> tuple[dict, dict]:
        torch.manual_seed(0)
        network = UNet(UNetConfig(widths=(4, 4)))
        began = {name: value.clone() for name, value in network.state_dict().items()}
        own = dataclasses.replace(schedule, initial_share=share)
        ended, _ = fit(
            network,
            lambda step: sample_batch(example, own, PLAIN, step),
            segmentation_loss,
            lambda network: 0.0,
            own,
            tmp_path / f"{share}.pt",
        )
        return began, ended.state_dict()

    began, alone = trained(0.0)
    _, mixed = trained(0.25)
    for name, value in mixed.items():
        if value.is_floating_point():
            assert torch.allclose(value, 0.75 * alone[name] + 0.25 * began[name], atol=1e-6)
    assert any(not torch.equal(began[name], alone[name]) for name in began)


def test_schedule_warms_up_ends_at_zero_and_keeps_time():
    schedule = Schedule(steps=100, warmup_steps=10, learning_rate=1.0, max_seconds=50)
    assert schedule.learning_rate_at(0, 0) == pytest.approx(0.1)
    assert schedule.learning_rate_at(50, Progress(step=50).fraction(schedule)) == pytest.approx(0.5)
    late = Progress(step=50, seconds=50)
    assert late.fraction(schedule) == 1
    assert schedule.learning_rate_at(50, 1) == pytest.approx(0)


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
            lambda step: sample_batch(example, schedule, PLAIN, step),
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
        draw = lambda step: sample_batch(example, schedule, PLAIN, step)  # noqa: E731
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
    labels, *_ = find_objects(pixels, network)
    in_training = in_use(network.module, read_plan(config), scale)
    assert (labels == found_labels(in_training, pixels)).all(), "as in training"
    with pytest.raises(CellpipeError, match="2 channel"):
        find_objects(pixels[0], network)
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
    with pytest.raises(BadConfig, match=r"'weighting' in .* of kind: denoise"):
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


def test_the_worst_validation_images_come_first(tmp_path):
    write_set(tmp_path, ["a", "b", "c"])
    pairs = list_pairs(PairSet("discs", "images", "labels", "CC0-1.0"), tmp_path)
    scores = pd.DataFrame({"set": "discs", "file": pairs["file"], "ap50": [0.9, 0.2, 0.5],
                           "ap75": 0.0, "ap90": 0.0})  # fmt: skip
    scores["side"] = ["validation", "validation", "test"]
    plan = read_plan(CONFIG)
    network = in_use(UNet(UNetConfig(widths=(4, 4))).eval(), plan, GreyScale())
    shown = worst_images(network, pairs, scores)
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


def test_the_rule_trains_without_a_plate(tmp_path, monkeypatch):
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    (tmp_path / "config" / "training").mkdir(parents=True)
    config = {**CONFIG, "schedule": {**CONFIG["schedule"], "steps": 2}}
    (tmp_path / "config/training/discs.yaml").write_text(yaml.safe_dump(config))
    words = ["snakemake", "--snakefile", str(ROOT / "rules/train.smk"), "--cores", "1", "--"]
    monkeypatch.setenv("CELLPIPE_DATA", "data")
    code, printed = run_forked([*words, "training/discs/discs.safetensors"], tmp_path)
    assert code == 0, printed
    assert load_network(tmp_path / "training/discs/discs.safetensors").card.name == "discs"
    assert "done" in (tmp_path / "logs/train_network/discs.log").read_text()
