"""How unlike an image is to those that a network learned from: fitted, stored, and warned of."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from cellpipe.networks.expected import Expectation, Familiar
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.quality.strange import FEWEST, STRANGE, strange_images
from cellpipe.simulate import PlateDesign, simulate_field
from cellpipe.simulate.kinds import simulate_scene
from cellpipe.training import familiar

SIDES = np.array(["train", "validation"] * 200)


def known_images() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.multivariate_normal([1.0, 5.0], [[4.0, 1.5], [1.5, 1.0]], size=400)


def test_most_known_images_are_within_one_and_strange_ones_are_not() -> None:
    images = known_images()
    found = familiar.of_images(images, SIDES)
    own = np.array([found.distance(row[None]) for row in images])
    assert np.mean(own < 1) == pytest.approx(familiar.WITHIN, abs=0.02)
    assert found.distance(np.array([[1.0, 5.0]])) < 0.2
    along, across = np.array([[5.0, 6.5]]), np.array([[5.0, 3.5]])
    assert found.distance(across) > 2 * found.distance(along), "axes differ in what is usual"
    assert found.distance(np.array([[1.0, 15.0]])) > 3
    both = np.array([[1.0, 15.0], [1.0, -5.0]])
    assert found.distance(both) < 0.2, "of the mean of the objects"
    assert np.isnan(found.distance(np.zeros((0, 2))))


def test_it_is_the_same_from_a_card() -> None:
    found = familiar.of_images(known_images(), SIDES)
    stored = Expectation(("all",), (1.0,), 0.0, 0.1, 0.1, {}, asdict(found)).for_card()
    again = Familiar.of_card(Expectation.of_card(stored).familiar or {})
    assert again == found


@pytest.mark.parametrize("name", ["nuclei", "nuclei_general", "cells"])
def test_shipped_networks_know_fields_of_their_kind(name: str) -> None:
    network = load_network(name)
    field = simulate_field(PlateDesign(seed=3), "B02", 1)
    found = find_objects(field.pixels[0], network)
    assert 0 < found.distance < STRANGE
    card = replace(network.card, expectation={**network.card.expectation, "familiar": None})
    assert np.isnan(find_objects(field.pixels[0], network._replace(card=card)).distance)


def test_what_the_default_network_never_saw_is_at_a_distance() -> None:
    """Dark nuclei on bright ground: what it finds there are pieces of the ground."""
    network = load_network("nuclei")
    rng = np.random.default_rng(5)
    dark = []
    while len(dark) < 5:
        pixels = simulate_scene(rng, (192, 192), "nuclei").pixels.astype(np.float32)
        found = find_objects(pixels.max() - pixels, network)
        if found.probable().sum() >= FEWEST:
            dark.append(found.distance)
    assert np.median(dark) > STRANGE


def fields(distances: list[float], n_nuclei: int = 20) -> pd.DataFrame:
    numbers = range(1, len(distances) + 1)
    return pd.DataFrame(
        {
            "well": "B02",
            "field": numbers,
            "t": 0,
            "n_nuclei": n_nuclei,
            "domain_distance": distances,
        }
    )


def test_a_plate_of_strange_images_is_warned_of() -> None:
    (row,) = strange_images({}, {"fields": fields([0.7] * 10 + [2.0] * 10)})
    assert "objects of 10 of 20 images" in row["seen"]
    assert "a distance of 2 (median)" in row["seen"]
    for table in (
        fields([0.7] * 19 + [4.0]),
        fields([STRANGE] * 20),
        fields([4.0] * 20, n_nuclei=2),
        fields([float("nan")] * 20),
        fields([4.0]).drop(columns="domain_distance"),
    ):
        assert list(strange_images({}, {"fields": table})) == []
