"""All figures of one segmented image against its truth, and of many images together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.metrics.boundaries import surface_distances
from cellpipe.metrics.labels import (
    THRESHOLDS,
    aggregated_jaccard,
    foreground,
    matches,
    overlap,
    panoptic,
    segmentation_accuracy,
    splits_and_merges,
)

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("n_true", "n_found", "n_missed", "n_false", "n_split", "n_merged")
AREAS = ("true_px", "found_px", "both_px")


def judge_labels(
    truth: np.ndarray, found: np.ndarray, pixel_size_um: float | None = None
) -> dict[str, float]:
    """Every score of one label image, from one table of overlaps.

    Parameters
    ----------
    truth, found : integer arrays, shape (Y, X), 0 background
    pixel_size_um : size of a pixel, where it is known

    Returns
    -------
    dict of float
        n_true, n_found; n_missed and n_false at IoU 0.5, and as shares recall_0.5 and
        precision_0.5 (NaN without a true, or found, object); n_split, n_merged; AP and F1 at each
        of `THRESHOLDS` (``ap_0.5`` …) and their means (``ap_mean``, ``f1_mean``); pq, sq, rq; seg,
        aji; dice and jaccard of the foreground; boundary_mean_px and boundary_p95_px, the
        distances between the outlines of matched objects, and in µm where that is known; the
        pixels of the foregrounds, and of what they share.

    Raises
    ------
    CellpipeError
        If the shapes differ, or a number is no label.
    """
    pairs = overlap(truth, found)
    matched = matches(pairs)
    hits = np.array([(matched.iou >= threshold).sum() for threshold in THRESHOLDS])
    n_split, n_merged = splits_and_merges(pairs)
    counts = {
        "n_true": pairs.n_truth,
        "n_found": pairs.n_predicted,
        "n_missed": pairs.n_truth - int(hits[0]),
        "n_false": pairs.n_predicted - int(hits[0]),
        "n_split": n_split,
        "n_merged": n_merged,
    }
    true_px, found_px, both_px = foreground(pairs)
    distances = surface_distances(truth, found, pairs, matched)
    return {
        **counts,
        **_shares(int(hits[0]), pairs.n_truth, pairs.n_predicted),
        **_curves(hits, pairs.n_truth + pairs.n_predicted),
        **panoptic(pairs)._asdict(),
        "seg": segmentation_accuracy(pairs),
        "aji": aggregated_jaccard(pairs),
        **_foreground_scores(true_px, found_px, both_px),
        **_boundary_scores(distances, pixel_size_um),
        **dict(zip(AREAS, (true_px, found_px, both_px), strict=True)),
    }


def summarise(images: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Score → (mean of the images, pooled value), of a table with a row per `judge_labels`.

    Images that were not scored are left out, and those whose truth outlines some cells only count
    in the scores that they have. Pooled, all images count as one large one: every object weighs
    the same (in dice and jaccard every pixel), however few objects its image holds. Counts are
    summed. What cannot be pooled from the table (AJI, the outlines) is NaN.
    """
    images = scored(images)
    pooled = _pooled(images)
    names = [name for name in images if name in pooled or name.startswith(("aji", "boundary_"))]
    return {name: (float(images[name].mean()), pooled.get(name, np.nan)) for name in names}


def scored(images: pd.DataFrame) -> pd.DataFrame:
    """The rows that have scores: the others have a note with the reason."""
    return images[images["n_true"].notna()] if "n_true" in images else images.iloc[:0]


def complete(images: pd.DataFrame) -> pd.DataFrame:
    """The rows whose truth outlines every object, so that AP and F1 have a meaning."""
    return images[images["ap_0.5"].notna()] if "ap_0.5" in images else images.iloc[:0]


def precision_curves(images: pd.DataFrame) -> pd.DataFrame:
    """AP against IoU, of a table with a row per `judge_labels`.

    Returns
    -------
    DataFrame, a row per threshold: iou; mean, low and high (quartiles) of the images; pooled;
    n_images. No row where no image has a complete truth.
    """
    import pandas as pd

    images = complete(images)
    if images.empty:
        columns = ("iou", "mean", "low", "high", "pooled", "n_images")
        return pd.DataFrame(columns=list(columns), dtype=float)
    values = images[[f"ap_{t:g}" for t in THRESHOLDS]].to_numpy(float)
    pooled = _pooled(images)
    low, high = np.percentile(values, (25, 75), axis=0)
    return pd.DataFrame(
        {
            "iou": THRESHOLDS,
            "mean": values.mean(axis=0),
            "low": low,
            "high": high,
            "pooled": [pooled[f"ap_{t:g}"] for t in THRESHOLDS],
            "n_images": len(images),
        }
    )


def worst_images(images: pd.DataFrame, n: int) -> list[int]:
    """Positions of the `n` rows of lowest mean F1, the worst first; of perfect ones, none."""
    order = np.argsort(images["f1_mean"].to_numpy(), kind="stable")[:n]
    return [int(i) for i in order if images["f1_mean"].iloc[i] < 1]


def _pooled(images: pd.DataFrame) -> dict[str, float]:
    """Pooled values; those that need a complete truth are of the images that have one."""
    whole = complete(images)
    counts = {
        name: float(images[name].sum(min_count=1)) for name in COUNTS if name != "n_false"
    } | {"n_false": float(whole["n_false"].sum(min_count=1))}
    n_true, n_missed = counts["n_true"], counts["n_missed"]
    seg = (images["seg"] * images["n_true"]).sum()
    return {
        **{name: counts[name] for name in COUNTS},
        "recall_0.5": (n_true - n_missed) / n_true if n_true else np.nan,
        **(of_all := _pooled_of_all(whole)),
        "sq": _pooled_sq(images)
        if len(whole) < len(images)
        else of_all["pq"] / (of_all["rq"] or np.nan),
        "seg": float(seg / n_true) if n_true else np.nan,
    }


def _pooled_sq(images: pd.DataFrame) -> float:
    """Mean IoU of all matched pairs, also of images whose truth outlines some cells only."""
    matched = images["n_true"] - images["n_missed"]
    known = images["sq"].notna() & (matched > 0)
    weight = float(matched[known].sum())
    return float((images["sq"] * matched)[known].sum() / weight) if weight else np.nan


def _pooled_of_all(images: pd.DataFrame) -> dict[str, float]:
    """Of images with a complete truth; NaN without one."""
    n_objects = images["n_true"] + images["n_found"]
    total = int(n_objects.sum())
    # F1 is twice the hits over the objects of both: so it determines the hits exactly
    hits = [round(float((images[f"f1_{t:g}"] * n_objects).sum() / 2)) for t in THRESHOLDS]
    areas = (int(images[name].sum()) for name in AREAS)
    n_found = int(images["n_found"].sum())
    pooled = {
        "precision_0.5": hits[0] / n_found if n_found else np.nan,
        **_curves(np.array(hits), total),
        "pq": float((images["pq"] * n_objects).sum() / total) if total else 1.0,
        "rq": float((images["rq"] * n_objects).sum() / total) if total else 1.0,
        **_foreground_scores(*areas),
    }
    return pooled if len(images) else dict.fromkeys(pooled, np.nan)


def _shares(hits: int, n_true: int, n_found: int) -> dict[str, float]:
    """Share of the found objects that are right, and of the true ones that were found."""
    return {
        "precision_0.5": hits / n_found if n_found else np.nan,
        "recall_0.5": hits / n_true if n_true else np.nan,
    }


def _curves(hits: np.ndarray, n_objects: int) -> dict[str, float]:
    """AP and F1 at each threshold, and their means; without any object, 1."""
    ap = hits / (n_objects - hits) if n_objects else np.ones(len(hits))
    f1 = 2 * hits / n_objects if n_objects else np.ones(len(hits))
    named: dict[str, float] = {}
    for name, values in (("ap", ap), ("f1", f1)):
        named |= {f"{name}_{t:g}": float(v) for t, v in zip(THRESHOLDS, values, strict=True)}
        named[f"{name}_mean"] = float(values.mean())
    return named


def _foreground_scores(true_px: int, found_px: int, both_px: int) -> dict[str, float]:
    """Dice and Jaccard of the foregrounds; two empty images agree: 1."""
    union = true_px + found_px - both_px
    if not union:
        return {"dice": 1.0, "jaccard": 1.0}
    return {"dice": 2 * both_px / (true_px + found_px), "jaccard": both_px / union}


def _boundary_scores(distances: np.ndarray, pixel_size_um: float | None) -> dict[str, float]:
    mean, far = (
        (float(distances.mean()), float(np.percentile(distances, 95)))
        if len(distances)
        else (np.nan, np.nan)
    )
    scores = {"boundary_mean_px": mean, "boundary_p95_px": far}
    if pixel_size_um:
        scores |= {
            "boundary_mean_um": mean * pixel_size_um,
            "boundary_p95_um": far * pixel_size_um,
        }
    return scores
