"""Points, boxes and scribbles as truth: what is known of them, and what a network learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from skimage.draw import disk, ellipse

from cellpipe.errors import BadConfig
from cellpipe.networks.scale_search import agreement
from cellpipe.training import weak
from cellpipe.training.augment import UNKNOWN, crop
from cellpipe.training.losses import segmentation_loss
from cellpipe.training.pairs import PairSet, list_pairs, read_all
from cellpipe.training.plan import read_plan
from cellpipe.training.run import train
from cellpipe.training.segmentation import make_example

SHAPE = (96, 120)
CENTRES = [(20, 25), (30, 80), (70, 50)]
SIZES = [(8, 12), (10, 10), (14, 9)]


def truth() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint32)
    for value, (centre, size) in enumerate(zip(CENTRES, SIZES, strict=True), 1):
        labels[ellipse(*centre, *size, shape=SHAPE)] = value
    return labels


def boxes(labels: np.ndarray) -> np.ndarray:
    found = []
    for value in range(1, int(labels.max()) + 1):
        y, x = np.nonzero(labels == value)
        found.append((y.min(), x.min(), y.max() + 1, x.max() + 1))
    return np.array(found, float)


def scribbled(labels: np.ndarray) -> np.ndarray:
    scribbles = np.zeros(labels.shape, np.uint8)
    for value, (y, x) in enumerate(CENTRES, 2):
        scribbles[y - 2 : y + 3, x - 2 : x + 3] = value
    scribbles[2, 5:-5] = scribbles[-3, 5:-5] = weak.BACKGROUND
    return scribbles


def test_what_is_said_of_points_boxes_and_scribbles_is_true() -> None:
    labels = truth()
    pixels = np.where(labels > 0, 900.0, 100.0)[None]
    marked = {
        "points": weak.of_points(np.array(CENTRES, float), SHAPE, 20.0),
        "boxes": weak.of_boxes(boxes(labels), SHAPE),
        "scribbles": weak.of_scribbles(scribbled(labels), pixels),
    }
    shares = {}
    for name, (guess, known) in marked.items():
        assert guess.shape == known.shape == SHAPE
        assert guess.max() == 3, name
        right = (guess > 0) == (labels > 0)
        assert right[known].mean() > 0.99, name  # the tips of long objects are beyond a point's
        shares[name] = known.mean()
    assert agreement(labels, marked["boxes"].labels) == 1
    assert agreement(labels, marked["scribbles"].labels) == 1
    assert 0.5 < shares["points"] < 0.95
    assert 0.5 < shares["boxes"] < 0.97
    assert 0.01 < shares["scribbles"] < 0.1


def test_marks_that_touch_are_parted_and_those_at_the_frame_are_cut() -> None:
    guess, known = weak.of_points(np.array([(40.0, 40.0), (40.0, 52.0)]), SHAPE, 20.0)
    assert (guess[40, 40], guess[40, 45], guess[40, 47], guess[40, 52]) == (1, 1, 2, 2)
    guess, known = weak.of_boxes(
        np.array([(-5.0, -5.0, 8.0, 8.0), (90.0, 110.0, 99.0, 130.0)]), SHAPE
    )
    assert guess[0, 0] == 1
    assert guess[95, 119] in (0, 2)
    assert known[40, 60]
    none = weak.of_points(np.zeros((0, 2)), SHAPE, 20.0)
    assert none.known.all()
    assert not none.labels.any()
    nothing = weak.of_scribbles(np.zeros(SHAPE, np.uint8), np.zeros((1, *SHAPE)))
    assert not nothing.known.any()


def test_nothing_is_learned_where_nobody_said_anything() -> None:
    labels = truth()
    known = np.zeros(SHAPE, bool)
    known[:, :60] = True
    example = make_example(np.where(labels > 0, 900.0, 100.0), labels, known=known)
    assert (example.maps[0][:, 60:] == UNKNOWN).all()
    rng = np.random.default_rng(1)
    _, maps, valid = crop(example.image, example.maps, np.eye(2), 96, rng)
    assert maps[0].min() == 0
    assert 0 < valid.mean() < 1
    assert ((valid[0] == 0) | (maps[0] >= 0)).all()
    predicted = torch.zeros(1, 5, 96, 96, requires_grad=True)
    torch.stack(
        list(segmentation_loss(predicted, maps[None], valid[None]).values())
    ).sum().backward()
    assert predicted.grad is not None
    assert (predicted.grad[0][:, valid[0] == 0] == 0).all()
    assert (predicted.grad[0][0][valid[0] == 1] != 0).all()


def folder_of(path: Path, kind: str, n: int = 3) -> dict[str, Any]:
    """A folder of images of discs, marked; and the set of a config that reads it."""
    rows, entry = [], {"name": kind, "images": "images", "licence": "CC0-1.0", "held_out": [0, 0]}
    for part in ("images", "labels"):
        (path / part).mkdir(parents=True, exist_ok=True)
    for k in range(n):
        rng = np.random.default_rng(k)
        labels = np.zeros((96, 96), np.uint8)
        for value, (y, x) in enumerate(((22, 24), (25, 68), (70, 40)), 1):
            labels[disk((y + rng.integers(-4, 5), x + rng.integers(-4, 5)), 9)] = value
        pixels = rng.normal(100, 5, labels.shape) + 300 * (labels > 0)
        tifffile.imwrite(path / f"images/{kind}{k}.tif", pixels.astype(np.uint16))
        y, x = (
            np.array([np.nonzero(labels == v)[axis].mean() for v in (1, 2, 3)]) for axis in (0, 1)
        )
        if kind == "points":
            rows.append(pd.DataFrame({"file": f"{kind}{k}.tif", "y": y, "x": x}))
        elif kind == "boxes":
            names = ["top", "left", "bottom", "right"]
            rows.append(pd.DataFrame(boxes(labels), columns=names).assign(file=f"{kind}{k}.tif"))
        elif kind == "scribbles":
            scribbles = np.zeros_like(labels)
            for value, (at_y, at_x) in enumerate(zip(y.astype(int), x.astype(int), strict=True), 2):
                scribbles[at_y - 6 : at_y + 7, at_x - 6 : at_x + 7 : 3] = value
            scribbles[[2, 90, 91]] = scribbles[:, [2, 90, 91]] = weak.BACKGROUND
            scribbles[46:49, 5:90] = weak.BACKGROUND
            tifffile.imwrite(path / f"labels/{kind}{k}.tif", scribbles)
        else:
            tifffile.imwrite(path / f"labels/{kind}{k}.tif", labels)
    if rows:
        pd.concat(rows).to_csv(path / "marks.csv", index=False)
    diameter = {"diameter_px": 18.0} if kind == "points" else {}
    truth_of = {} if kind == "outlines" else {"truth": kind}
    return {**entry, "labels": "marks.csv" if rows else "labels", **truth_of, **diameter}


@pytest.mark.parametrize("kind", ["points", "boxes", "scribbles"])
def test_marks_are_read_with_their_images(kind: str, tmp_path: Path) -> None:
    entry = folder_of(tmp_path, kind)
    pair_set = PairSet(**{**entry, "held_out": (0.0, 0.0)})
    pairs = list_pairs(pair_set, tmp_path)
    assert pairs["file"].tolist() == [f"{kind}{k}.tif" for k in range(3)]
    for pixels, labels, known in read_all(pairs, 1):
        assert pixels.shape == (1, 96, 96)
        assert labels.max() == 3
        assert known is not None
        assert 0 < known.mean() < 1


@pytest.mark.parametrize("kind", ["points", "boxes", "scribbles"])
def test_a_network_learns_from_marks(kind: str, tmp_path: Path) -> None:
    """Bright discs on dark ground, by marks alone, from weights that know nothing."""
    entry = folder_of(tmp_path / "marked", kind, n=4)
    outlined = folder_of(tmp_path / "outlined", "outlines", n=2)
    sets = [
        {**entry, "images": "marked/images", "labels": f"marked/{entry['labels']}"},
        {
            **outlined,
            "images": "outlined/images",
            "labels": "outlined/labels",
            "held_out": [1.0, 0.0],
        },
    ]
    plan = read_plan({
        "name": "marks", "kind": "segmentation", "sets": sets,
        "network": {"widths": [8, 16]},
        "schedule": {"steps": 90, "batch": 4, "crop_px": 64, "learning_rate": 0.01,
                     "warmup_steps": 5, "average_decay": 0.9, "validate_every": 90,
                     "checkpoint_every": 90, "mixed_precision": False},
        "augmentation": {"resample": 0.0, "light": 0.0, "uneven": 0.0, "blur": 0.0, "noise": 0.0,
                         "empty": 0.0},
    })  # fmt: skip
    train(plan, tmp_path, tmp_path / "marks.safetensors", tmp_path / "run")
    scores = pd.read_csv(tmp_path / "scores.tsv", sep="\t")
    assert scores["ap50"].mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"held_out": [0.2, 0.0]}, "validated and tested with outlines"),
        ({"diameter_px": None}, "typical diameter of objects that points mark"),
        ({"truth": "boxes"}, "'diameter_px: 18.0'"),
        ({"truth": "dots"}, "points"),
    ],
)
def test_marks_that_cannot_be_learned_from_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    entry = {**folder_of(tmp_path, "points"), **changes}
    other = {**folder_of(tmp_path, "outlines"), "held_out": [0.5, 0.0], "name": "outlined"}
    with pytest.raises(BadConfig, match=said.replace("(", r"\(")):
        read_plan({"name": "marks", "kind": "segmentation", "sets": [entry, other],
                   "network": {"widths": [4, 8]}, "schedule": {"steps": 1}})  # fmt: skip


def test_an_image_without_marks_is_refused(tmp_path: Path) -> None:
    entry = folder_of(tmp_path, "points")
    table = pd.read_csv(tmp_path / "marks.csv")
    table[table["file"] != "points1.tif"].to_csv(tmp_path / "marks.csv", index=False)
    with pytest.raises(BadConfig, match=r"1 image.*points1\.tif"):
        list_pairs(PairSet(**{**entry, "held_out": (0.0, 0.0)}), tmp_path)
