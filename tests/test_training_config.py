"""Training configs: every option told, typed and refused by name."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
import torch
import yaml
from conftest import ROOT
from drawn_pairs import CONFIG
from in_process import run_forked
from safetensors.torch import load_file

from cellpipe.config.checked import check_file
from cellpipe.config.files import load_schema
from cellpipe.config.training_faults import OUTPUTS
from cellpipe.detect.learned import OUTPUTS as SPOT_OUTPUTS
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.networks.card import weights_path
from cellpipe.networks.unet import UNetConfig
from cellpipe.training.linking_plan import SECTIONS as LINKING_SECTIONS
from cellpipe.training.linking_plan import LinkingPlan
from cellpipe.training.pairs import PairSet
from cellpipe.training.plan import SECTIONS, Plan, read_plan
from cellpipe.training.plates import PlateSet
from cellpipe.training.recipe import data_folder, gpus, initial_file
from cellpipe.training.start import fresh_or_known
from cellpipe.training.true_links import CtcSet

SET = {"name": "a", "images": "images", "labels": "labels", "licence": "CC0-1.0"}


def test_misspelt_keys_are_refused_by_name():
    with pytest.raises(BadConfig, match=r"learning_rat\b"):
        read_plan(CONFIG | {"schedule": {"learning_rat": 1}})
    with pytest.raises(BadConfig, match="augmentations"):
        read_plan({**CONFIG, "augmentations": {}})
    with pytest.raises(BadConfig, match="tracking"):
        read_plan(CONFIG | {"kind": "tracking"})


SECTIONS_OF = {
    **{("training", section): kind for section, kind in SECTIONS.items()},
    **{("linking", section): kind for section, kind in LINKING_SECTIONS.items()},
}
SETS_OF = {"then": PlateSet, "else": PairSet}


@pytest.mark.parametrize(("schema", "section"), SECTIONS_OF)
def test_a_section_has_the_options_and_defaults_of_its_dataclass(schema: str, section: str) -> None:
    part = load_schema(schema)["properties"][section]
    assert_alike(part, SECTIONS_OF[schema, section])


def test_sets_and_plans_have_the_options_of_their_dataclasses() -> None:
    training, linking = (load_schema(name)["properties"] for name in ("training", "linking"))
    for which, kind in SETS_OF.items():
        assert_alike(training["sets"]["items"][which], kind)
    assert_alike(linking["sets"]["items"], CtcSet)
    assert set(training) == {option.name for option in dataclasses.fields(Plan)}
    assert set(linking) == {option.name for option in dataclasses.fields(LinkingPlan)}


def assert_alike(part: dict[str, Any], kind: Any) -> None:
    known = {o.name: o for o in dataclasses.fields(kind) if o.name != "fitted"}  # of the card
    assert list(part["properties"]) == list(known)
    for name, option in known.items():
        schema = part["properties"][name]
        made = option.default_factory
        default = option.default if made is dataclasses.MISSING else made()
        if default is dataclasses.MISSING:
            assert name in part["required"]
        else:
            assert schema["default"] == (list(default) if isinstance(default, tuple) else default)


FROM_SHIPPED = ("nuclei_start", "nuclei_general_start", "cells_start")
STARTS = {
    "nuclei": "nuclei_start",
    "nuclei_general": "nuclei_general_start",
    "cells_middle": "cells_start",
    "cells": "cells_middle",
}


@pytest.mark.parametrize(
    "name",
    [*FROM_SHIPPED, *STARTS, "denoise", "spots", "own_data"],
)
def test_the_recipes_are_plans(name):
    path = ROOT / "config" / "training" / f"{name}.yaml"
    plan = read_plan(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert plan.name == name
    assert gpus(path) == 0
    # another training makes the weights that a recipe starts from
    start = STARTS.get(name)
    assert initial_file(path) == ([f"training/{start}/{start}.safetensors"] if start else [])


def test_the_example_starts_from_the_shipped_weights():
    path = ROOT / "config" / "training" / "own_data.yaml"
    network = fresh_or_known(read_plan(yaml.safe_load(path.read_text(encoding="utf-8"))))
    shipped = load_file(weights_path("nuclei"))
    assert torch.equal(network.state_dict()["down.0.blocks.0.conv.weight"],
                       shipped["down.0.blocks.0.conv.weight"])  # fmt: skip
    assert len(network.config.outputs) == 5


def test_a_recipe_names_the_file_and_the_gpu_that_its_rule_asks_for(tmp_path):
    path = tmp_path / "r.yaml"
    recipe = {**CONFIG, "initial": "training/a/a.safetensors", "schedule": {"device": "cuda"}}
    path.write_text(yaml.safe_dump(recipe))
    assert initial_file(path) == ["training/a/a.safetensors"]
    assert gpus(path) == 1
    with pytest.raises(BadConfig, match="no file"):
        initial_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("section", "entry", "said"),
    [
        ("schedule", {"optimizer": "adam"}, "do: write adamw if that is meant"),
        ("schedule", {"learning_rate": "1e-3"}, "write 0.001, with a decimal point"),
        ("schedule", {"steps": "2000"}, "write 2000, without quotes"),
        ("schedule", {"patienc": 3}, "did you mean 'schedule.patience'"),
        ("schedule", {"steps": 100.0}, "write 100, a whole number"),
        ("schedule", {"steps": 0}, "whole number ≥ 1"),
        ("schedule", {"decay": False}, "`cosine`, `constant`, `step`"),
        ("schedule", None, "a section with the options: steps, batch"),
        ("normalisation", {"method": "max"}, "percentiles`, `objects`, `mean_std`"),
        ("normalisation", {"fitted": [[0, 1]]}, "one of: method, per, percentiles"),
        ("simulation", {"share": 0.1, "channels": ["dna", "spots"]}, "'network.inputs'"),
        ("simulation", {"channels": ["dan"]}, "write dna if that is meant"),
        ("freeze", ["down"], "a section with the options: parts"),
        ("freeze", {"parts": "down"}, "write a list: [down]"),
        ("freeze", {"parts": ["dwon"]}, "'dwon' for 'freeze.parts'"),
        ("sets", [], "a list of sets"),
        ("sets", None, "remove 'sets'"),
        ("sets", [{"name": "a", "plate": "p", "lable": "n"}], "did you mean 'sets.label'"),
        ("sets", [{"name": "a", "images": "i", "labels": "l"}], "no 'sets.licence' in the training"
         " config (in 'a')"),
        ("augmentation", {"scale": [0.5]}, "list of 2"),
        ("augmentation", {"augmentation": {}}, "the option 'augmentation.augmentation'"),
        ("initial", "nucleii", "did you mean 'nuclei'"),
    ],
)  # fmt: skip
def test_misspelt_and_mistyped_options_are_named(section: str, entry: Any, said: str) -> None:
    with pytest.raises(CellpipeError, match=re.escape(said)):
        read_plan({**CONFIG, section: entry})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"initial": "spots", "network": None}, "weights of kind: spots for 'initial'"),
        ({"initial": "nuclei"}, "[8, 16, 24] for 'network.widths'"),
        ({"sets": []}, "no 'sets'"),
        ({"network": {"inputs": 2, "widths": [8, 16, 24]}, "simulation": {"share": 0.1, "scenes":
          "any", "channels": ["dna", "reporter"]}}, "'scenes: plate' with 'channels'"),
        ({"sets": [{**SET, "held_out": [0.7, 0.7]}]}, "together at most 1"),
        ({"sets": [{**SET, "held_out": [-0.1, 0.2]}]}, "shares that validate and test, from 0"),
        ({"sets": [{**SET, "held_out": [0.5, 0.5]}]}, "leaves no images that train"),
        ({"sets": [{**SET, "held_out": [0.0, 0.5]}]}, "leaves no images that validate"),
        ({"augmentation": {"scale": [1.3, 0.7]}}, "do: write [0.7, 1.3]"),
        ({"augmentation": {"scale": [0, 0.7]}}, "above 0"),
        ({"normalisation": {"percentiles": [99.8, 1]}}, "the lower one first"),
        ({"spots": {"diameter_px": [2.0, 4.0]}}, "'spots' in"),
        ({"initial": "nuclei", "network": None, "simulation": {"share": 0.1, "channels": ["dna",
          "spots"]}}, "'network.inputs'"),
        ({"schedule": {**CONFIG["schedule"], "initial_share": 0.5}}, "initial_share' and no"),
    ],
)  # fmt: skip
def test_contradictions_are_refused_before_any_job(
    changes: dict[str, Any], said: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "r.yaml"
    content = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    recipe.write_text(yaml.safe_dump(content))
    for check in (check_file, initial_file):  # `cellpipe check`, and the rule
        with pytest.raises(BadConfig, match=re.escape(said)):
            check(recipe)
    with pytest.raises(BadConfig, match=re.escape(said)):
        read_plan(content)


def test_maps_that_a_kind_learns_are_those_of_its_code() -> None:
    assert OUTPUTS["spots"] == SPOT_OUTPUTS
    assert OUTPUTS["segmentation"] == UNetConfig().outputs


@pytest.mark.parametrize("path", sorted((ROOT / "config/training").glob("*.yaml")), ids=str)
def test_every_recipe_of_the_repository_passes_the_check(path) -> None:
    assert check_file(path).startswith("a training of kind")


def test_a_config_without_schedule_or_network_is_told_what_to_add() -> None:
    for key in ("schedule", "network"):
        with pytest.raises(BadConfig, match=f"no '{key}'"):
            read_plan({name: value for name, value in CONFIG.items() if name != key})


def test_sets_that_are_not_there_are_named_before_any_job(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**CONFIG, "sets": [SET]}))
    with pytest.raises(BadConfig, match="CELLPIPE_DATA"):
        data_folder(recipe, str(tmp_path / "data"))
    for part in ("images", "labels"):
        (tmp_path / "data" / part).mkdir(parents=True)
    assert data_folder(recipe, str(tmp_path / "data")) == [str(tmp_path / "data")]
    (tmp_path / "data/labels").rename(tmp_path / "data/labls")
    with pytest.raises(BadConfig, match=r"did you mean .*labls"):
        data_folder(recipe, str(tmp_path / "data"))


def test_a_mistyped_training_costs_no_weights(tmp_path) -> None:
    """Snakemake removes the weights of an earlier training before the job that makes new ones."""
    (tmp_path / "config/training").mkdir(parents=True)
    recipe = tmp_path / "config/training/own.yaml"
    recipe.write_text((ROOT / "config/training/spots.yaml").read_text())
    weights = tmp_path / "training/own/own.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"an hour of work")
    recipe.write_text(recipe.read_text().replace("warmup_steps", "warm_up_steps"))
    words = ["snakemake", f"--snakefile={ROOT / 'rules/train.smk'}", "--cores=1", "--forceall"]
    code, printed = run_forked([*words, "--", "training/own/own.safetensors"], tmp_path)
    assert code == 1
    assert "did you mean 'schedule.warmup_steps'?" in printed
    assert "Traceback" not in printed
    assert weights.read_bytes() == b"an hour of work"
