"""Licences of other projects' weights: who states them, and what restricts commercial use."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import yaml

from cellpipe.config import sheets
from cellpipe.config.files import SCHEMAS
from cellpipe.errors import BadConfig
from cellpipe.networks.card import load_card, shipped
from cellpipe.quality.warnings import plate_warnings
from cellpipe.segment.engines.licences import licence_of, non_commercial, restriction
from cellpipe.segment.engines.weights import weights_card


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "cyto3"
    path.write_bytes(b"tensors")
    return path


def checked(weights: Path, engine: str = "cellpose", **nuclei: object) -> dict:
    config = {"plates": "p.tsv", "channels": {"dna": {"source": "1"}}}
    named = {"channel": "dna", "engine": engine, "weights": str(weights), **nuclei}
    return sheets.checked_config({**config, "segment": {"nuclei": named}}, SCHEMAS)


def package(path: Path, **stated: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        entry = {"torchscript": {"source": "weights.pt"}}
        archive.writestr("rdf.yaml", yaml.safe_dump({"name": "m", "weights": entry, **stated}))
    return path


def test_nobody_states_a_licence(weights: Path) -> None:
    assert licence_of(weights, {}) == ("not stated", "")


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("cyto3.licence", "CC-BY-NC-4.0\n", "CC-BY-NC-4.0"),
        ("cyto3.license.txt", "SPDX-License-Identifier: MIT\n", "MIT"),
        ("LICENSE", "# BSD 3-Clause License\n\nCopyright (c) 2026", "BSD 3-Clause License"),
        ("LICENCE.md", "Copyright 2026 the authors\nAll rights …", "the text in LICENCE.md"),
    ],
)
def test_a_text_next_to_the_weights_states_it(
    file: str, text: str, name: str, weights: Path
) -> None:
    weights.with_name(file).write_text(text)
    assert licence_of(weights, {}) == (name, file)


def test_the_text_of_these_weights_precedes_that_of_the_folder(weights: Path) -> None:
    weights.with_name("LICENSE").write_text("MIT License")
    weights.with_name("cyto3.licence").write_text("CC-BY-NC-4.0")
    assert licence_of(weights, {}).name == "CC-BY-NC-4.0"


def test_a_package_states_it_in_its_description_or_in_a_text_of_its_own(tmp_path: Path) -> None:
    stated = package(tmp_path / "stated.zip", license="CC-BY-NC-4.0")
    card = weights_card("bioimageio", str(stated))
    assert (card.licence, card.extra["licence_source"]) == ("CC-BY-NC-4.0", "rdf.yaml")
    silent = package(tmp_path / "silent.zip")
    with zipfile.ZipFile(silent, "a") as archive:
        archive.writestr("LICENSE", "Apache License\n")
    card = weights_card("bioimageio", str(silent))
    assert (card.licence, card.extra["licence_source"]) == ("Apache License", "LICENSE")


def test_what_the_user_states_precedes_the_files_and_both_are_named(weights: Path) -> None:
    assert licence_of(weights, {}, "MIT") == ("MIT", "the config")
    weights.with_name("LICENSE").write_text("CC-BY-NC-4.0")
    assert licence_of(weights, {}, "MIT") == ("MIT", "the config; LICENSE: CC-BY-NC-4.0")


@pytest.mark.parametrize(
    ("words", "restricts"),
    [
        ("CC-BY-NC-4.0", True),
        ("cc by-nc-sa 3.0", True),
        ("Creative Commons Attribution-NonCommercial 4.0 International", True),
        ("Modified Apache, Non-Commercial", True),
        ("PolyForm-Noncommercial-1.0.0", True),
        ("NCGL-UK-2.0", True),
        ("for academic use", True),
        ("Not for commercial use", True),
        ("Commercial use is prohibited", True),
        ("It may be used commercially", False),
        ("CC-BY-4.0", False),
        ("CC0-1.0", False),
        ("NCSA", False),
        ("AFL-3.0 (Academic Free License)", False),
        ("BSD-3-Clause", False),
        ("not stated", False),
    ],
)
def test_non_commercial_licences_are_recognised(words: str, restricts: bool) -> None:
    assert non_commercial(words) is restricts


def test_a_text_that_restricts_under_another_title_is_recognised(weights: Path) -> None:
    text = weights.with_name("LICENSE")
    text.write_text("Licence of this model\n\nIt may be used for non-\ncommercial research.")
    assert non_commercial(licence_of(weights, {}).name)
    text.write_text("GNU GENERAL PUBLIC LICENSE\n\n... only occasionally and noncommercially")
    assert licence_of(weights, {}).name == "GNU GENERAL PUBLIC LICENSE"


def test_no_shipped_weights_restrict_anything() -> None:
    cards = [load_card(name) for name in shipped()]
    assert cards
    assert [c.name for c in cards if restriction(c.licence, "", c.trained_on)] == []


def test_models_of_cellpose_are_warned_of_until_a_licence_is_stated(weights: Path) -> None:
    (unknown,) = sheets.networks(checked(weights))
    assert unknown["licence"] == "not stated"
    assert "CC-BY-NC" in unknown["restriction"]
    (own,) = sheets.networks(checked(weights, licence="BSD-3-Clause"))
    assert (own["licence"], own["licence_source"]) == ("BSD-3-Clause", "the config")
    assert own["restriction"] == ""
    (known,) = sheets.networks(checked(weights, licence="CC-BY-NC-4.0"))
    assert known["restriction"] == "licence CC-BY-NC-4.0, stated by the config"


def test_a_restriction_is_a_warning_of_the_plate(weights: Path) -> None:
    config = checked(weights, licence="CC-BY-NC-4.0")
    restricted = sheets.restricted(sheets.networks(config))
    (row,) = plate_warnings({"restricted_weights": restricted}, {}).itertuples()
    assert row.kind == "licence of weights"
    assert row.seen == "weights 'cyto3' (segment): licence CC-BY-NC-4.0, stated by the config"
    free = sheets.restricted(sheets.networks(checked(weights, licence="MIT")))
    assert plate_warnings({"restricted_weights": free}, {}).empty


def test_a_licence_alters_no_result(weights: Path, tmp_path: Path) -> None:
    plain, stated = checked(weights), checked(weights, licence="MIT")
    assert sheets.segmenting(plain) == sheets.segmenting(stated)
    assert sheets.weights_of(plain, "segment") == sheets.weights_of(stated, "segment")
    folder = tmp_path / "stardist"
    folder.mkdir()
    (folder / "config.json").write_text('{"n_dim": 2}')
    (folder / "weights_best.h5").write_bytes(b"tensors")
    before = weights_card("stardist", str(folder))
    (folder / "LICENSE").write_text("MIT License")
    after = weights_card("stardist", str(folder))
    assert (before.licence, after.licence) == ("not stated", "MIT License")
    assert before.digest == after.digest


def test_a_licence_of_our_own_weights_is_their_card_s(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="card"):
        checked(Path("nuclei"), engine="cellpipe", licence="MIT")
