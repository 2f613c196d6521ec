"""The panel of domains: what it counts and reads, and that nothing learned from is called new."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_pairs import disc_field
from running import ROOT

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.networks.card import load_card
from cellpipe.networks.expected import Expected
from cellpipe.training.cut_pairs import LEAST_PX

sys.path.insert(0, str(ROOT / "studies/domains"))

import panel
import textured
from domains import DOMAINS, MOST_IMAGES, MOST_PLANES, images, listed, parts
from judging import Program, changes, judge, of_domain
from sides import Sides, sides_of

NAMED = {domain.name: domain for domain in DOMAINS}
FLAT, STACKS = NAMED["phase-quantitative"], NAMED["nuclei-embryo"]


def written(folder: Path, name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images", pixels), ("labels", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / kind / f"{name}.tif", array)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two fields of nine discs, in the shape of a published set."""
    for i in range(2):
        written(tmp_path / "domain-cells-qpi", f"field{i}", *disc_field(i))
    return tmp_path


def row(data: Path, change, learned: Sides | None = None, **asked) -> dict:
    """The panel's row for an engine that finds what `change` makes of the true labels."""
    fields = list(images(FLAT, data))
    truth = {image.pixels.tobytes(): image.truth for image in fields}
    engine = Program(
        lambda pixels, diameter: (change(truth[pixels.tobytes()].copy()), Expected()),
        learned or Sides(),
    )
    return of_domain(FLAT, judge(engine, fields, changes()["unchanged"], **asked)[0])


def test_the_true_labels_are_perfect(data):
    found = row(data, lambda labels: labels)
    assert [found[score] for score in ("ap50", "ap75", "ap90", "seg", "f1")] == [1.0] * 5
    assert (found["n"], found["true"], found["found"], found["outline_px"]) == (2, 18, 18, 0)
    assert not any(found[count] for count in ("missed", "false", "split", "merged"))


def test_a_split_and_a_merge_are_counted(data):
    def wrong(labels: np.ndarray) -> np.ndarray:
        labels[labels == 2] = 1  # two true ones in one
        x = np.nonzero(labels == 5)[1]
        half = np.arange(labels.shape[1])[None] > np.median(x)
        labels[(labels == 5) & half] = 99
        return labels

    found = row(data, wrong)
    assert (found["split"], found["merged"]) == (2, 2)  # one each in both fields
    assert found["true"] - found["missed"] == found["found"] - found["false"]
    assert 2 <= found["missed"] <= 4  # the larger of two may still match
    assert found["ap50"] < 0.9


def test_outlines_that_are_too_wide_are_measured(data):
    from skimage.segmentation import expand_labels

    assert row(data, lambda labels: expand_labels(labels, 2))["outline_px"] == 2


def test_what_was_learned_from_is_marked_or_left_out(data):
    learned = Sides(frozenset({"field0_train"}))
    assert row(data, lambda labels: labels, learned)["seen"] == "learned 1/2"
    left = row(data, lambda labels: labels, learned, sides=True)
    assert (left["n"], left["seen"], left["true"]) == (1, "learned 1/2", 9)
    all_learned = Sides(frozenset({"field0", "field1_z03_train"}))
    none = row(data, lambda labels: labels, all_learned, sides=True)
    assert none["n"] == 0
    assert np.isnan(none["ap50"])


def test_a_part_that_was_held_back_is_not_called_new(tmp_path):
    pixels, labels = disc_field(1)
    written(tmp_path / "phase", "set10_test", pixels, labels)
    written(tmp_path / "phase", "set10_train", pixels, labels)
    rows = [("phase", side, f"set10_{side}.tif") for side in ("train", "test")]
    table = pd.DataFrame(rows, columns=["set", "side", "file"])
    table.to_csv(tmp_path / "phase" / "manifest.csv", index=False)
    (part,) = parts(NAMED["phase"], tmp_path)
    assert part.name == "set10_test"
    assert Sides(frozenset({"set10_train"})).of(part) == "part"
    assert Sides(frozenset({"set10_test"})).of(part) == "learned"
    assert Sides(frozenset({"set1_train", "set20_train"})).of(part) == ""
    assert not list(parts(NAMED["yeast"], tmp_path))


def test_frames_of_a_movie_and_embryos_of_a_family_are_not_new(tmp_path):
    (frame,) = drawn(tmp_path, "phase-silver", "20180101ef002xy01t02", "labels_maskrcnn")
    assert Sides(frozenset({"20180101ef002xy01t01"})).of(frame) == "learned"
    assert Sides(validation=frozenset({"20180101ef002xy01t10"})).of(frame) == "chose"
    written(tmp_path / "domain-embryo-nuclei-3d-bbbc050", "Emb11_t201", *stack())
    assert {Sides(frozenset({"8_cell_stage"})).of(i) for i in images(STACKS, tmp_path)} == {"part"}


def drawn(data: Path, name: str, stem: str, folder: str):
    import imageio.v3 as iio

    pixels, labels = disc_field(2)
    for kind, suffix, array in (("images", "tif", pixels), (folder, "png", labels)):
        path = data / "tracking-t98g-phase" / kind / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True)
        iio.imwrite(path, array)
    return images(NAMED[name], data)


def stack() -> tuple[np.ndarray, np.ndarray]:
    """20 planes; objects in all but the first two, in the last but slivers."""
    pixels, labels = (np.stack([array] * 20) for array in disc_field(3))
    labels[:2] = 0
    labels[-1] = 0
    labels[-1, 5, 5:10] = 1
    return pixels, labels


def test_of_a_stack_planes_with_objects_are_judged(tmp_path):
    written(tmp_path / "domain-embryo-nuclei-3d-bbbc050", "Emb01_t501", *stack())
    planes = list(images(STACKS, tmp_path))
    heights = [int(plane.name.rsplit("_z", 1)[1]) for plane in planes]
    assert len(planes) == MOST_PLANES
    assert 2 <= min(heights) < max(heights) <= 18
    assert len(set(np.diff(heights))) <= 2
    assert all(np.bincount(plane.truth.ravel()).min() >= LEAST_PX for plane in planes)


def test_noise_and_scale_change_what_is_judged(data):
    image = next(images(FLAT, data))
    noisy, half = (changes([30], [0.5])[name] for name in ("30 photons", "scale 0.5"))
    (dim, truth), (small, labels) = noisy(image), half(image)
    assert np.array_equal(dim, noisy(image)[0])
    assert np.array_equal(truth, image.truth)
    light = image.truth > 0
    assert 0.1 < dim[light].std() / (dim[light].mean() - dim[~light].mean()) < 0.4
    assert small.shape == labels.shape == (48, 48)
    assert labels.max() == 9


def test_objects_are_brought_to_a_diameter_and_back(data):
    """An engine that takes what is bright for objects: their outlines come back where they were."""
    from scipy import ndimage

    fields = list(images(FLAT, data))
    given = []

    def found(pixels: np.ndarray, diameter: float | None) -> tuple[np.ndarray, Expected]:
        given.append((pixels.shape, diameter))
        return ndimage.label(ndimage.gaussian_filter(pixels, 1) > 95)[0], Expected()

    change = changes(diameters_px=[34])["at 34 px"]
    table, _ = judge(Program(found, Sides()), fields, change, diameter_given=True)
    for (shape, diameter), true in zip(given, table["true_px"], strict=True):
        assert shape[0] == round(96 * 34 / true)
        assert diameter == pytest.approx(34, rel=0.01)
    assert of_domain(FLAT, table)["ap90"] > 0.9


def test_the_whole_panel(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CELLPIPE_DATA", str(data))
    out, shown = tmp_path / "panel.tsv", tmp_path / "shown"
    asked = ["--engines", "nuclei", "classical", "--domains", FLAT.name, "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["panel.py", *asked, "--pictures", str(shown)])
    panel.main()
    table = pd.read_csv(out, sep="\t")
    assert list(table["engine"]) == ["nuclei", "classical"]
    assert (table["ap50"] > 0.9).all()
    assert "all, outlined by people" in capsys.readouterr().out
    assert (shown / f"{FLAT.name}.png").stat().st_size > 10_000


def test_missing_files_are_named(data):
    with pytest.raises(BadConfig, match="nuclei-tissue"):
        listed(NAMED["nuclei-tissue"], data)
    (data / "domain-cells-qpi/labels/field1.tif").unlink()
    with pytest.raises(BadConfig, match="field1"):
        listed(FLAT, data)


def test_cards_say_what_was_learned_from_before():
    """The network of cells in phase contrast began as that of nuclei."""
    nuclei = load_card("nuclei").extra["split"]["dsb2018-fluorescence/train"]
    learned = sides_of("cells_phase").train
    assert {"set10_train", *(Path(file).stem for file in nuclei)} <= learned
    # through two parts whose weights are not shipped
    assert {Path(file).stem for file in nuclei} <= sides_of("cells").train
    assert {Path(file).stem for file in nuclei} <= sides_of("nuclei_general").train
    with pytest.raises(CellpipeError, match="no_such"):
        sides_of("no_such.safetensors")


@pytest.mark.data
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_every_domain_is_there(domain, real_data):
    judged = list(images(domain, real_data))
    files = listed(domain, real_data)
    assert len(files) >= 1
    assert len(judged) <= MOST_IMAGES * MOST_PLANES
    for image in judged:
        assert image.pixels.shape == image.truth.shape
        assert image.truth.max() > 0, image.name
    # the shipped network was trained on nuclei: what it is judged on it did not learn from, but for
    # one image that another set publishes too
    sides = sides_of("nuclei")
    assert {sides.of(image) for image in judged} == (
        {"learned"} if domain.name == "nuclei-dense" else {""}
    )


def test_expected_f1_is_judged_on_new_images_alone():
    images = pd.DataFrame(
        {
            "engine": "cells",
            "images": ["unchanged"] * 5 + ["dark"],
            "seen": ["", "", "part", "learned", "", ""],
            "kind": ["nuclei", "cells", "cells", "cells", "cells", "cells"],
            "f1": [0.9, 0.5, 0.7, 0.0, 0.0, 0.0],
            "expected_f1": [0.8, 0.6, 0.9, 1.0, np.nan, 1.0],
            "expected_low": [0.7, 0.4, 0.8, 1.0, np.nan, 1.0],
            "expected_high": [0.95, 0.7, 1.0, 1.0, np.nan, 1.0],
        }
    )
    table = panel.expectations(images).set_index("of")
    assert table["images"].to_dict() == {"nuclei": 1, "cells": 2, "all": 3}
    assert table["error"].round(6).to_dict() == {"nuclei": 0.1, "cells": 0.15, "all": 0.133333}
    assert table.loc["all", "within"] == pytest.approx(2 / 3)
    assert table.loc["all", "spearman"] == 0.5
    assert table.loc["cells", "not_predicted"] == 1
    assert panel.expectations(images.assign(expected_f1=np.nan)).empty


def test_the_study_of_texture_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["textured.py", "--weights", "classical", "--images", "1",
                                     "--pictures", str(tmp_path)])  # fmt: skip
    textured.main()
    printed = capsys.readouterr().out
    assert "blobs" in printed
    assert "classical" in printed
    assert (tmp_path / "textured.png").is_file()
