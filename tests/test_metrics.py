from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.ndimage import binary_erosion
from scipy.optimize import linear_sum_assignment

from cellpipe.errors import CellpipeError
from cellpipe.metrics.labels import average_precision, dice, overlap, panoptic_quality
from cellpipe.metrics.segmentation import (
    judge_labels,
    precision_curves,
    summarise,
    worst_images,
)


def drawn(text: str) -> np.ndarray:
    """Labels from a picture: '.' is background, digits are objects."""
    rows = [line.strip() for line in text.strip().splitlines()]
    return np.array([[0 if c == "." else int(c) for c in row] for row in rows])


TWO = drawn(
    """
    1111....
    1111.222
    .....222
    """
)


def test_equal_up_to_numbering_is_perfect():
    renamed = np.array([0, 9, 4])[TWO]
    assert average_precision(TWO, renamed, [0.5, 0.9, 1.0]).tolist() == [1, 1, 1]
    assert panoptic_quality(TWO, renamed) == 1
    assert dice(TWO, renamed) == 1


def test_split_merged_missed_and_invented():
    merged = drawn(
        """
        1111....
        11111111
        .....111
        """
    )  # 8 of 15 pixels are object 1: IoU 0.53; object 2 is missed
    assert average_precision(TWO, merged, [0.5, 0.6]).tolist() == [0.5, 0]
    halved = drawn(
        """
        1133....
        1133.222
        .....222
        """
    )  # both halves have IoU 0.5, and only one may count
    assert average_precision(TWO, halved, [0.5])[0] == pytest.approx(2 / 3)
    invented = drawn(
        """
        1111....
        1111.222
        3....222
        """
    )
    assert average_precision(TWO, invented, [0.75])[0] == pytest.approx(2 / 3)


def test_low_thresholds_still_pair_one_to_one():
    truth = drawn("1122")
    predicted = drawn("1112")  # IoU: 1-1 2/3, 2-1 1/4, 2-2 1/2
    assert average_precision(truth, predicted, [0.2])[0] == 1
    swapped = drawn("1221")
    assert average_precision(truth, swapped, [0.3])[0] == 1
    assert average_precision(truth, swapped, [0.34])[0] == 0


def test_known_iou():
    pairs = overlap(drawn("1112"), drawn("1122")).iou.toarray()
    assert pairs == pytest.approx(np.array([[2 / 3, 1 / 4], [0, 1 / 2]]))


def test_empty_images():
    none = np.zeros((4, 4), int)
    assert average_precision(none, none, [0.5])[0] == 1
    assert panoptic_quality(none, none) == 1
    assert dice(none, none) == 1
    some = none.copy()
    some[1, 1] = 1
    assert average_precision(none, some, [0.5])[0] == 0
    assert average_precision(some, none, [0.5])[0] == 0


def test_panoptic_quality_by_hand():
    predicted = drawn(
        """
        111.....
        111..222
        .....222
        """
    )  # IoU 6/8 and 1
    assert panoptic_quality(TWO, predicted) == pytest.approx((0.75 + 1) / 2)
    assert dice(TWO, predicted) == pytest.approx(2 * 12 / (14 + 12))


def test_shapes_must_agree():
    with pytest.raises(CellpipeError, match="one shape"):
        overlap(np.zeros((2, 2)), np.zeros((2, 3)))


# every score again, pair by pair, as its definition reads


def literal_scores(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Scores of the definitions: dense tables, loops, and an assignment for each threshold."""
    a, b = ([labels == n for n in np.unique(labels[labels > 0])] for labels in (truth, found))
    iou = np.array([[(x & y).sum() / (x | y).sum() for y in b] for x in a]).reshape(len(a), len(b))
    scores: dict[str, float] = {}
    for percent in range(50, 100, 5):
        good = iou >= percent / 100
        rows, columns = linear_sum_assignment(-good.astype(float))
        hits = int(good[rows, columns].sum())
        scores[f"ap_{percent / 100:g}"] = hits / (len(a) + len(b) - hits)
        scores[f"f1_{percent / 100:g}"] = 2 * hits / (len(a) + len(b))
    over = iou[iou > 0.5]
    scores["pq"] = over.sum() / (len(over) + (len(a) + len(b) - 2 * len(over)) / 2)
    scores["sq"] = over.mean()
    seg = [
        max([(x & y).sum() / (x | y).sum() for y in b if 2 * (x & y).sum() > x.sum()], default=0)
        for x in a
    ]
    scores["seg"] = np.mean(seg)
    shared = united = 0
    used = set()
    for i, x in enumerate(a):
        if iou[i].max() > 0:
            best = int(iou[i].argmax())
            shared, united = shared + (x & b[best]).sum(), united + (x | b[best]).sum()
            used.add(best)
        else:
            united += x.sum()
    united += sum(int(y.sum()) for j, y in enumerate(b) if j not in used)
    scores["aji"] = shared / united
    scores["n_split"] = ((iou > 0.1).sum(axis=1) > 1).sum()
    scores["n_merged"] = ((iou > 0.1).sum(axis=0) > 1).sum()
    fore, ours = truth > 0, found > 0
    scores["jaccard"] = (fore & ours).sum() / (fore | ours).sum()
    scores["dice"] = 2 * (fore & ours).sum() / (fore.sum() + ours.sum())
    distances = []
    for i, j in zip(*np.nonzero(iou >= 0.5), strict=True):
        rim, other = (np.argwhere(rim_of(mask)) for mask in (a[i], b[j]))
        apart = np.hypot(*(rim[:, None] - other[None]).transpose(2, 0, 1))
        distances += [*apart.min(axis=1), *apart.min(axis=0)]
    scores["boundary_mean_px"] = np.mean(distances)
    scores["boundary_p95_px"] = np.percentile(distances, 95)
    return scores


def rim_of(mask: np.ndarray) -> np.ndarray:
    """Pixels of an object with a neighbour outside of it; the image border is no outside."""
    return mask & ~binary_erosion(mask, border_value=1)


def scene(seed: int, n: int = 14, side: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Discs, and the same moved, grown, cut in two, joined or left out."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    truth, found = np.zeros((2, side, side), np.int64)
    for i in range(n):
        cy, cx, r = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(4, 11)
        truth[np.hypot(y - cy, x - cx) < r] = 3 * i + 1
        moved = np.hypot(y - cy - rng.normal(0, 1.2), x - cx - rng.normal(0, 1.2))
        kind = rng.integers(6)
        if kind != 5:
            found[moved < r + rng.normal(0, 0.8)] = 100 + (i if kind else max(i - 1, 0))
        if kind == 1:
            found[(moved < r) & (x > cx)] = 200 + i
    return truth, found


@pytest.mark.parametrize("seed", range(6))
def test_every_score_is_that_of_its_definition(seed: int) -> None:
    truth, found = scene(seed)
    wanted = literal_scores(truth, found)
    scores = judge_labels(truth, found)
    assert {name: scores[name] for name in wanted} == pytest.approx(wanted)
    assert 0 < wanted["ap_0.5"] < 1  # else nothing was asked
    assert scores["ap_mean"] == pytest.approx(
        np.mean([v for name, v in wanted.items() if name[:3] == "ap_"])
    )


def test_scenes_hold_what_is_counted() -> None:
    counts = [literal_scores(*scene(seed)) for seed in range(6)]
    assert sum(c["n_split"] for c in counts) > 2
    assert sum(c["n_merged"] for c in counts) > 2


@pytest.mark.parametrize("seed", [0, 3])
def test_seg_is_that_of_py_ctcmetrics(seed: int, tmp_path: Path) -> None:
    from ctc_metrics.metrics.technical.seg import seg
    from ctc_metrics.utils.representations import match

    truth, found = scene(seed)
    paths = [tmp_path / "truth.tif", tmp_path / "found.tif"]
    for path, labels in zip(paths, (truth, found), strict=True):
        tifffile.imwrite(path, labels.astype(np.uint16))
    labels_ref, _, _, _, ious = match(*map(str, paths))
    assert judge_labels(truth, found)["seg"] == pytest.approx(seg([labels_ref], [ious]))


def test_known_outlines() -> None:
    truth, found = np.zeros((2, 40, 40), np.int64)
    truth[10:30, 10:30] = 1
    found[10:30, 12:32] = 1  # moved by two
    scores = judge_labels(truth, found, pixel_size_um=0.5)
    # of 76 pixels the trailing side (20) is 2 away, the leading one (18) 2, or 1 beside a corner,
    # its corners and the other sides lie on each other, but for one pixel at the trailing end
    assert scores["boundary_mean_px"] == pytest.approx((20 * 2 + 16 * 2 + 2 * 1 + 2 * 1) / 76)
    assert scores["boundary_p95_px"] == 2
    assert scores["boundary_mean_um"] == pytest.approx(scores["boundary_mean_px"] / 2)
    assert np.isnan(judge_labels(truth, found * 0)["boundary_mean_px"])


def test_outlines_farther_apart_than_is_looked_for_step_by_step() -> None:
    y, x = np.mgrid[:300, :300]
    truth = (np.hypot(y - 150, x - 150) < 120).astype(int)
    found = (np.hypot(y - 150, x - 150) < 100).astype(int) * 7
    scores = judge_labels(truth, found)
    assert scores["boundary_mean_px"] == pytest.approx(20, abs=0.5)


def test_an_object_that_fills_the_image_has_no_outline() -> None:
    full = np.ones((20, 20), int)
    half = full.copy()
    half[:5] = 0
    assert np.isnan(judge_labels(full, half)["boundary_mean_px"])
    assert judge_labels(full, half)["ap_0.75"] == 1


def test_labels_may_be_any_number_of_32_bits() -> None:
    truth, found = scene(1)
    large = np.where(truth, 2**32 - 1 - truth, 0).astype(np.uint32)
    assert judge_labels(large, found) == pytest.approx(judge_labels(truth, found))
    with pytest.raises(CellpipeError, match="the label -1"):
        judge_labels(truth - (truth == 0), found)


def test_a_hundred_thousand_objects() -> None:
    side = 320
    truth = np.kron(np.arange(1, side**2 + 1).reshape(side, side), [[1, 1, 0]] * 2 + [[0, 0, 0]])
    found = truth.copy()
    found[truth % 10 == 0] = 0  # missed
    found[truth % 10 == 1] = 10**6 + found[truth % 10 == 1]  # another number is no fault
    scores = judge_labels(truth, found)
    assert scores["n_true"] == side**2
    assert scores["n_missed"] == side**2 // 10
    assert scores["ap_0.95"] == pytest.approx(0.9)
    assert scores["boundary_p95_px"] == 0


def test_pooled_scores_are_those_of_all_images_as_one() -> None:
    scenes = [scene(seed) for seed in range(4)]
    images = pd.DataFrame([judge_labels(*pair) for pair in scenes])
    summary = summarise(images)
    stacked = [
        np.concatenate([np.where(pair[i], pair[i] + 1000 * n, 0) for n, pair in enumerate(scenes)])
        for i in (0, 1)
    ]
    together = judge_labels(*stacked)
    pooled = {name: value for name, (_, value) in summary.items() if np.isfinite(value)}
    assert pooled == pytest.approx({name: together[name] for name in pooled})
    assert {"ap_0.5", "f1_mean", "pq", "sq", "seg", "dice", "n_split"} <= set(pooled)
    assert summary["ap_0.5"][0] == pytest.approx(images["ap_0.5"].mean())
    assert np.isnan(summary["aji"][1])
    curves = precision_curves(images)
    assert curves["pooled"].iloc[0] == pytest.approx(together["ap_0.5"])
    assert (curves["low"] <= curves["high"]).all()


def test_empty_images_count_as_agreeing() -> None:
    none = np.zeros((9, 9), int)
    scores = judge_labels(none, none)
    perfect = ("ap_0.5", "f1_mean", "pq", "sq", "rq", "aji", "dice", "jaccard")
    assert all(scores[name] == 1 for name in perfect)
    assert np.isnan(scores["seg"])
    wrong = judge_labels(none, TWO[:1].repeat(9, 0).repeat(2, 1)[:, :9])
    assert wrong["n_false"] == 1
    assert wrong["ap_mean"] == wrong["pq"] == wrong["aji"] == 0


def test_the_worst_images_come_first_and_perfect_ones_never() -> None:
    images = pd.DataFrame({"f1_mean": [0.9, 0.2, 1.0, 0.5]})
    assert worst_images(images, 2) == [1, 3]
    assert worst_images(images, 9) == [1, 3, 0]
