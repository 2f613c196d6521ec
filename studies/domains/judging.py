"""One engine on the images of one domain: scores, errors by kind, distances of outlines, time."""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from domains import Domain, Image
from sides import NOT_NEW, Sides, sides_of

from cellpipe.image.rescale import nearest, resize
from cellpipe.metrics.boundaries import surface_distances
from cellpipe.metrics.labels import matches, overlap, segmentation_accuracy, splits_and_merges
from cellpipe.networks.diameter import scaled_shape, typical_diameter_px
from cellpipe.networks.expected import Expected
from cellpipe.segment.engines import load_engine
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.cut_pairs import whole

sys.path.insert(0, str(Path(__file__).parents[1] / "nuclei"))
from degraded import READ_ELECTRONS, through_camera

THRESHOLDS = (0.5, 0.75, 0.9)
SCORES = ("ap50", "ap75", "ap90", "seg", "f1")
TYPICAL = ("outline_px", "true_px", "cpu_s_per_mpx")
COUNTS = ("true", "found", "missed", "false", "split", "merged")

# pixels (Y, X), diameter → labels, and the F1 that is expected of them
Found = Callable[[np.ndarray, float | None], tuple[np.ndarray, Expected]]
Change = Callable[[Image], tuple[np.ndarray, np.ndarray]]  # image → pixels and truth (Y, X)


class Program(NamedTuple):
    """An engine at its defaults, and what it learned from."""

    found: Found
    sides: Sides


def program(weights: str, by_size: bool = False) -> Program:
    """A shipped network or that of a file, or "classical". Raises CellpipeError without them.

    by_size : at the scale that the size of objects suggests, whatever F1 is expected
    """
    classical = weights == "classical"
    engine = load_engine("classical" if classical else "cellpipe", weights, threads=1)
    if by_size and isinstance(engine, CellpipeEngine):
        card = replace(engine.network.card, expectation=None)
        engine = replace(engine, network=engine.network._replace(card=card))

    def found(pixels: np.ndarray, diameter: float | None) -> tuple[np.ndarray, Expected]:
        seen = segment_nuclei(pixels, 1.0, engine=engine, diameter_um=diameter)
        return np.asarray(seen.labels), seen.expected

    return Program(found, Sides() if classical else sides_of(weights))


def changes(
    photons: Sequence[float] = (),
    scales: Sequence[float] = (),
    diameters_px: Sequence[float] = (),
    inverted: bool = False,
) -> dict[str, Change]:
    """What is judged, by name: images unchanged, with few photons, resized, dark for bright.

    diameters_px : images alone are resized, so that their true objects have these median diameters
    """
    made: dict[str, Change] = {"unchanged": lambda image: (image.pixels, image.truth)}
    for count in photons:
        made[f"{count:g} photons"] = lambda image, count=count: (
            through_camera(image.pixels, count, READ_ELECTRONS, zlib.crc32(image.name.encode())),
            image.truth,
        )
    for scale in scales:
        made[f"scale {scale:g}"] = lambda image, scale=scale: resized(image, scale)
    for diameter in diameters_px:
        made[f"at {diameter:g} px"] = lambda image, diameter=diameter: (
            resize(image.pixels, scaled_shape(image.truth.shape, diameter / true_px(image.truth))),
            image.truth,
        )
    if inverted:
        made["inverted"] = lambda image: (
            image.pixels.max() - image.pixels.astype(np.float32),
            image.truth,
        )
    return made


def resized(image: Image, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and truth of an image at another resolution; objects of a few pixels are no truth."""
    shape = scaled_shape(image.truth.shape, scale)
    return resize(image.pixels, shape), whole(nearest(image.truth, shape))


def true_px(truth: np.ndarray) -> float:
    """Median diameter of labels 1..n (Y, X); NaN without one."""
    areas = np.bincount(truth.ravel())[1:]
    return typical_diameter_px(areas) if len(areas) else float("nan")


def judge_image(truth: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """Scores and counts of one image, and the distances in pixels between matched outlines."""
    pairs = overlap(truth, found)
    matched = matches(pairs)
    n_true, n_found = pairs.n_truth, pairs.n_predicted
    hits = np.array([(matched.iou >= t).sum() for t in THRESHOLDS])
    none = n_true + n_found == 0
    ap = np.ones(3) if none else hits / (n_true + n_found - hits)
    split, merged = splits_and_merges(pairs)
    missed, false = n_true - int(hits[0]), n_found - int(hits[0])
    counts = (n_true, n_found, missed, false, split, merged)
    f1 = 1.0 if none else 2 * hits[0] / (n_true + n_found)
    return {
        **dict(zip(SCORES, (*ap, segmentation_accuracy(pairs), f1), strict=True)),
        **dict(zip(COUNTS, counts, strict=True)),
        "distances": surface_distances(truth, found, pairs, matched),
    }


def judge(
    engine: Program, pictures: Sequence[Image], change: Change, **options: bool
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """A row per image of a domain, and what was found.

    sides : leave out what the engine learned from
    diameter_given : by the true objects
    """
    rows, labels = [], []
    for image in pictures:
        seen = engine.sides.of(image)
        pixels, truth = change(image)
        diameter = true_px(truth)
        given = options.get("diameter_given") and diameter > 0
        row = {"image": image.name, "seen": seen, "true_px": diameter}
        if options.get("sides") and seen in NOT_NEW:
            rows.append(row)
            labels.append(np.zeros(truth.shape, np.uint32))
            continue
        started = time.process_time()
        zoom = pixels.shape[0] / truth.shape[0]
        found, expected = engine.found(pixels, diameter * zoom if given else None)
        seconds = time.process_time() - started
        row |= {f"expected_{name}": value for name, value in expected._asdict().items()}
        found = nearest(found, truth.shape)
        rows.append({**row, **judge_image(truth, found), "mpx": pixels.size / 1e6, "cpu": seconds})
        labels.append(found)
    return pd.DataFrame(rows), labels


def of_domain(domain: Domain, rows: pd.DataFrame) -> dict[str, Any]:
    """One row of the panel, of the rows of images. Without a judged image it has no scores."""
    known = {"domain": domain.name, "kind": domain.kind, "truth": domain.truth}
    seen = [f"{name} {n}/{len(rows)}" for name, n in rows["seen"].value_counts().items() if name]
    known |= {"n": len(rows), "seen": ", ".join(sorted(seen))}
    judged = rows[rows["true"].notna()] if "true" in rows else rows.iloc[:0]
    if judged.empty:
        return {**known, "n": 0, **dict.fromkeys((*SCORES, *COUNTS, *TYPICAL), np.nan)}
    distances = np.concatenate(list(judged["distances"]))
    typical = (
        np.median(distances) if len(distances) else np.nan,
        judged["true_px"].median(),
        judged["cpu"].sum() / judged["mpx"].sum(),
    )
    return {
        **known,
        "n": len(judged),
        **{score: judged[score].mean() for score in SCORES},
        **{count: int(judged[count].sum()) for count in COUNTS},
        **dict(zip(TYPICAL, typical, strict=True)),
    }
