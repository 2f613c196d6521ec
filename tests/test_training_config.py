"""Training configs: every option told, typed and refused by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest
import torch
import yaml
from conftest import ROOT
from drawn_pairs import CONFIG
from safetensors.torch import load_file
from test_docs import rows

from cellpipe.errors import BadConfig
from cellpipe.networks.card import weights_path
from cellpipe.training.pairs import PairSet
from cellpipe.training.plan import SECTIONS, Plan, read_plan
from cellpipe.training.plates import PlateSet
from cellpipe.training.recipe import gpus, initial_file
from cellpipe.training.start import fresh_or_known


def test_misspelt_keys_are_refused_by_name():
    with pytest.raises(BadConfig, match=r"learning_rat\b"):
        read_plan(CONFIG | {"schedule": {"learning_rat": 1}})
    with pytest.raises(BadConfig, match="augmentations"):
        read_plan({**CONFIG, "augmentations": {}})
    with pytest.raises(BadConfig, match="tracking"):
        read_plan(CONFIG | {"kind": "tracking"})


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


@pytest.mark.parametrize("name", ["nuclei_start", "nuclei", "denoise", "spots", "own_data"])
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
        ("normalisation", {"method": "max"}, "percentiles, objects, mean_std"),
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
