"""Engines compared on images without truth: which of them is expected to segment best.

    expected F1    that an engine's card predicts; of an engine without a prediction: that of the
                   engine which expects most there, times the agreement with it
    stability      agreement with the objects that the engine finds in the same image at other
                   scales: what is cut into pieces at one scale is whole at another
    score          of an image: their product, 0 where only others find objects; of an engine: the
                   mean over images, each weighted by the most that any engine expects there, so
                   that empty and hopeless images decide little

The first engine is kept unless another has a score above its own by more than `MARGIN`: less is
within the error of what is expected. Agreement is F1 at an IoU of 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from cellpipe.image.rescale import nearest, resize
from cellpipe.networks.diameter import scaled_shape
from cellpipe.networks.scale_search import agreement
from cellpipe.segment.nuclei import Segmentation

# pixels (Y, X) or (C, Y, X), and how many times they are enlarged → objects
Finder = Callable[[np.ndarray, float], Segmentation]

MARGIN = 0.03
SCALES = (3 / 4, 1 / 2, 7 / 5)


class Candidate(NamedTuple):
    """An engine to compare: its name, and what finds objects with it."""

    name: str
    find: Finder


@dataclass(frozen=True)
class Judged:
    """An engine on the images of a sample: means over the images, weighted.

    score : see above; NaN where no engine found an object
    expected_f1 : NaN also where nothing predicts it
    predicted : whether the engine's card does
    stability : NaN where it found no object
    n_objects : found in all images
    """

    name: str
    score: float
    expected_f1: float
    predicted: bool
    stability: float
    n_objects: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON: four digits, None for an unknown value."""
        facts = asdict(self)
        for key in ("score", "expected_f1", "stability"):
            facts[key] = None if np.isnan(facts[key]) else round(facts[key], 4)
        return facts


class Weighed(NamedTuple):
    """judged : of each candidate, in their order
    best : number of the one that is to be used
    n_images : in which any engine found an object
    """

    judged: list[Judged]
    best: int
    n_images: int


class OfImage(NamedTuple):
    """What each of K candidates found in one image.

    labels : (Y, X) each; predicted : F1 by the card, (K,), NaN where there is none; stability :
    (K,), NaN without objects; alike : agreement with each other, (K, K)
    """

    labels: list[np.ndarray]
    predicted: np.ndarray
    stability: np.ndarray
    alike: np.ndarray

    @property
    def n_objects(self) -> np.ndarray:
        return np.array([int(own.max(initial=0)) for own in self.labels])

    @property
    def expected_f1(self) -> np.ndarray:
        """(K,): as predicted, or by agreement; 0 without objects. NaN where no card predicts any.

        Objects are as good as those of another engine with which they agree.
        """
        known = np.where(self.n_objects > 0, self.predicted, np.nan)
        if np.isnan(known).all():
            return np.where(self.n_objects > 0, np.nan, 0.0)
        best = int(np.nanargmax(known))
        by_agreement = known[best] * self.alike[best]
        expected = np.where(np.isnan(known), by_agreement, known)
        return np.where(self.n_objects > 0, expected, 0.0)


def seen_by_all(candidates: Sequence[Candidate], pixels: np.ndarray) -> OfImage:
    """What each engine finds in an image (Y, X) or (C, Y, X), and at other scales of it."""
    found = [candidate.find(pixels, 1.0) for candidate in candidates]
    labels = [np.asarray(each.labels) for each in found]
    pairs = zip(candidates, labels, strict=True)
    return OfImage(
        labels,
        np.array([each.expected.f1 for each in found]),
        np.array([stability(one.find, pixels, own) for one, own in pairs]),
        np.array([[agreement(one, other) for other in labels] for one in labels]),
    )


def stability(find: Finder, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Mean agreement of objects with those at other scales of the image; NaN without objects."""
    if not labels.any():
        return float("nan")
    alike = [
        agreement(labels, _numbered(nearest(np.asarray(find(view, zoom).labels), labels.shape)))
        for view, zoom in views(pixels)
    ]
    return float(np.mean(alike))


def views(pixels: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """An image (Y, X) or (C, Y, X) at other scales, float32, and how many times it is enlarged."""
    planes = pixels.reshape(-1, *pixels.shape[-2:])
    for zoom in SCALES:
        shape = scaled_shape((pixels.shape[-2], pixels.shape[-1]), zoom)
        resized = np.stack([resize(plane, shape) for plane in planes])
        yield resized.reshape(*pixels.shape[:-2], *shape), zoom


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Labels 1..n without gaps: some may have no pixel left after a change of scale."""
    values, numbers = np.unique(labels, return_inverse=True)
    return (numbers.reshape(labels.shape) + (values[0] != 0)).astype(np.uint32)


def weighed(names: Sequence[str], images: Sequence[OfImage]) -> Weighed:
    """Candidates by what they found in the images of a sample."""
    with_objects = [image for image in images if image.n_objects.any()]
    figures = _means(with_objects) if with_objects else np.full((3, len(names)), np.nan)
    judged = []
    for k, name in enumerate(names):
        score, expected_f1, stable = map(float, figures[:, k])
        predicted = any(np.isfinite(image.predicted[k]) for image in images)
        n = sum(int(image.n_objects[k]) for image in images)
        judged.append(Judged(name, score, expected_f1, predicted, stable, n))
    best = int(np.argmax(np.nan_to_num(figures[0], nan=-1.0)))
    if not figures[0, best] > figures[0, 0] + MARGIN:
        best = 0
    return Weighed(judged, best, len(with_objects))


def _means(images: Sequence[OfImage]) -> np.ndarray:
    """Scores, expected F1 and stability of K candidates, (3, K)."""
    expected = np.array([image.expected_f1 for image in images])  # (images, K)
    stable = np.array([image.stability for image in images])
    known = np.isfinite(expected).all(axis=1)
    if not known.any():  # no card predicts anything: stability decides
        quality, weight = np.where(np.isnan(expected), 1.0, expected), np.ones((len(images), 1))
    else:  # an image of which nothing is predicted decides nothing
        quality = np.where(known[:, None], expected, 0.0)
        weight = np.maximum(quality.max(axis=1), 1e-6)[:, None]
    score = np.sum(weight * quality * np.nan_to_num(stable), axis=0) / weight.sum()
    there = weight * np.isfinite(stable)
    shares = np.where(there.sum(axis=0) > 0, there.sum(axis=0), np.nan)
    stable_mean = np.sum(there * np.nan_to_num(stable), axis=0) / shares
    if not known.any():
        return np.stack([score, np.full(len(score), np.nan), stable_mean])
    return np.stack([score, np.sum(weight * quality, axis=0) / weight.sum(), stable_mean])
