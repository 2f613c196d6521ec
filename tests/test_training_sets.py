"""What a training samples: planes of stacks, sets that count alike, simulated fields."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import tifffile
import torch
from conftest import ROOT

from cellpipe.config.reading import read_yaml
from cellpipe.training import domains
from cellpipe.training.augment import Augmentation
from cellpipe.training.pairs import PairSet, even_planes, list_pairs
from cellpipe.training.plan import read_plan
from cellpipe.training.schedule import Schedule
from cellpipe.training.segmentation import Example, balanced, sample_batch
from cellpipe.training.simulated import Simulation, held_out_fields, simulate_fields
from cellpipe.training.split import sample_split


def stack(folder, name, first, last):
    """A stack of 12 planes of (20, 24), of which first..last-1 hold an object."""
    pixels = np.broadcast_to(np.arange(12, dtype=np.uint16)[:, None, None], (12, 20, 24))
    labels = np.zeros((12, 20, 24), np.uint16)
    labels[first:last, 5:15, 5:15] = 7
    for kind, array in (("images", pixels), ("labels", labels)):
        (folder / kind).mkdir(exist_ok=True)
        tifffile.imwrite(folder / kind / f"{name}.tif", array)


def test_planes_with_objects_at_even_distances():
    labels = np.zeros((12, 4, 4), int)
    labels[2:11, 1, 1] = 1
    assert even_planes(labels, 3) == [3, 6, 9]
    assert even_planes(labels, 50) == list(range(2, 11))
    assert even_planes(labels * 0, 3) == [2, 6, 10], "an image without objects is one too"


def test_planes_of_stacks_are_pairs_of_one_side(tmp_path):
    for number in range(4):
        stack(tmp_path, f"s{number}", 2, 11)
    asked = PairSet("stacks", "images", "labels", "CC0-1.0", planes=3, held_out=(0.25, 0.25))
    pairs = sample_split([list_pairs(asked, tmp_path)], [asked.held_out], seed=1)
    assert len(pairs) == 12
    assert pairs["file"].is_unique
    assert set(pairs["file"].str.split(" z").str[1]) == {"3", "6", "9"}
    assert (pairs.groupby("group")["side"].nunique() == 1).all()
    assert Counter(pairs["side"]) == {"train": 6, "validation": 3, "test": 3}
    pixels, labels = pairs["pair"].iloc[1].read()
    assert pixels.shape == (1, 20, 24)
    assert set(np.unique(pixels)) == {6}
    assert labels.max() == 1
    assert labels.sum() == 100


def test_sets_are_sampled_alike_however_many_images_they_have():
    def example(value, edge):
        image = torch.full((1, edge, edge), float(value))
        return Example(image, torch.zeros(5, edge, edge), 20.0)

    many = [example(0, 16) for _ in range(30)]
    few = [example(1, 16), example(2, 64)]
    examples = balanced([*many, *few], ["many"] * 30 + ["few"] * 2)
    plain = Augmentation(resample=0, light=0, uneven=0, blur=0, noise=0, empty=0)
    schedule = Schedule(batch=600, crop_px=8, seed=4)
    seen = Counter(
        float(crop.mean().round()) for crop in sample_batch(examples, schedule, plain, 0)[0]
    )
    assert seen[0.0] == pytest.approx(300, abs=45)
    # within a set by edge length
    assert seen[2.0] / seen[1.0] == pytest.approx(4, rel=0.5)


@pytest.mark.parametrize("objects", ["nuclei", "cells"])
def test_simulated_fields_of_any_kind(objects):
    asked = Simulation(share=0.5, fields=3, shape_px=96, scenes="any", objects=objects)
    first, again = (list(simulate_fields(asked, 5)) for _ in range(2))
    for (pixels, labels), (same, _) in zip(first, again, strict=True):
        assert (pixels.shape, labels.shape) == ((1, 96, 96), (96, 96))
        assert pixels.tobytes() == same.tobytes()
    assert first[0][0].tobytes() != first[1][0].tobytes()


def test_simulated_fields_are_held_out():
    asked = Simulation(share=0.5, fields=3, held_out_fields=4, shape_px=64, scenes="any")
    pairs = held_out_fields(asked, 5)
    assert pairs["side"].tolist() == ["validation", "test"] * 2
    learned = {pixels.tobytes() for pixels, _ in simulate_fields(asked, 5)}
    held_out = {pair.read()[0].tobytes() for pair in pairs["pair"]}
    assert len(learned | held_out) == 7
    assert held_out_fields(Simulation(held_out_fields=4), 5).empty


@pytest.mark.data
@pytest.mark.parametrize("name", ["cells_start", "cells_middle", "cells"])
def test_domains_are_cut_as_the_configs_read_them(name, tmp_path, real_data):
    table = domains.cut(real_data, tmp_path)
    plan = read_plan(read_yaml(ROOT / f"config/training/{name}.yaml"))
    listed = plan.split(tmp_path)
    assert {s.name for s in plan.sets} == set(table["set"])
    written = table.set_index(["set", "file"])["side"]
    for row in listed[listed["set"] != "simulated"].itertuples():
        assert written[row.set, row.file] != "test"
    # no field is learned from and tested on, but for its own columns
    stems = table.assign(stem=table["file"].str.replace(r"_(train|test)(?=\.)", "", regex=True))
    both = stems.groupby(["set", "stem"])["side"].nunique() > 1
    cut = {"bacteria-phase", "epithelium", "plant-cells", "tissue-cells", "phase"}
    assert {of_set for of_set, _ in both[both].index} == cut


@pytest.mark.data
def test_the_split_of_nuclei_keeps_what_was_held_out(real_data):
    """More sets change no side of the sets that earlier weights learned from."""
    sides = []
    for name in ("nuclei_start", "nuclei", "nuclei_general_start", "nuclei_general"):
        plan = read_plan(read_yaml(ROOT / f"config/training/{name}.yaml"))
        listed = plan.split(real_data).set_index(["set", "file"])["side"]
        sides.append(listed.loc[["dsb2018-fluorescence", "bbbc039"]].sort_index())
    assert all(sides[0].equals(other) for other in sides[1:])
