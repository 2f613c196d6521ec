"""What a model package gives, by what it states; and how it becomes labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.networks.instances import labels_from_maps, object_probability
from cellpipe.segment.engines import logit, numbered
from cellpipe.segment.engines.rdf import Tensor

LEAST_AREA_PX = 20  # debris of a threshold

# raw output (C, Y, X) and least probability → labels uint32 (Y, X) and probability (n,)
Decode = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]


def _labels(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    _refuse_other_maps(maps, 1, "labels", bool((maps == np.round(maps)).all() and maps.min() >= 0))
    labels, old = numbered(maps[0].astype(np.int64))
    return labels, np.full(len(old), np.nan, np.float32)


def _foreground(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Islands of foreground."""
    _refuse_other_maps(maps, 1, "foreground", _are_probabilities(maps))
    islands, _ = ndimage.label(maps[0] > probability)
    labels, _ = numbered(islands, np.bincount(islands.ravel()) >= LEAST_AREA_PX)
    return labels, object_probability(labels, logit(maps[0]))


def _foreground_boundary(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Islands of foreground less boundary, grown into the foreground by watershed."""
    from skimage.segmentation import watershed

    _refuse_other_maps(maps, 2, "foreground_boundary", _are_probabilities(maps))
    seeds, _ = ndimage.label(maps[0] - maps[1] > probability)
    grown = watershed(maps[1], seeds, mask=maps[0] > probability)
    labels, _ = numbered(grown, np.bincount(grown.ravel()) >= LEAST_AREA_PX)
    return labels, object_probability(labels, logit(maps[0]))


def _foreground_distance(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of our own networks; the foreground as a probability."""
    _refuse_other_maps(maps, 2, "foreground_distance", _are_probabilities(maps[0]))
    predicted = np.stack([logit(maps[0]), maps[1]])
    labels = labels_from_maps(predicted, probability_threshold=probability)
    return labels, object_probability(labels, predicted[0])


DECODE: dict[str, Decode] = {
    "labels": _labels,
    "foreground": _foreground,
    "foreground_boundary": _foreground_boundary,
    "foreground_distance": _foreground_distance,
}


def meaning(given: Tensor, path: Path) -> str:
    """What an output is by the type of its values or the names of its channels.

    Raises BadConfig where neither does: a guess could not be told from a result.
    """
    if given.integers:
        return "labels"
    names = tuple(name.lower() for name in given.channel_names)
    if names in MEANING:
        return MEANING[names]
    named = f"channels named {', '.join(given.channel_names)}" if names else "unnamed channels"
    raise BadConfig(
        seen=f"{path}: an output '{given.name}' with {named}, which leaves open what they are",
        wanted=f"one of: {', '.join(DECODE)}",
        do="set 'segment.nuclei.bioimageio.output' to what the page of the model states",
    )


# names of the channels of an output → what it is
MEANING = {
    ("foreground",): "foreground",
    ("foreground", "boundary"): "foreground_boundary",
    ("foreground", "boundaries"): "foreground_boundary",
    ("foreground", "border"): "foreground_boundary",
    ("foreground", "borders"): "foreground_boundary",
    ("labels",): "labels",
    ("instances",): "labels",
}


EXPECTED = {
    "labels": "1 channel of whole numbers from 0",
    "foreground": "1 channel of probabilities from 0 to 1",
    "foreground_boundary": "2 channels of probabilities from 0 to 1",
    "foreground_distance": "2 channels, a probability from 0 to 1 and a distance",
}


def _are_probabilities(maps: np.ndarray) -> bool:
    return bool(maps.min() >= -1e-3 and maps.max() <= 1 + 1e-3)


def _refuse_other_maps(maps: np.ndarray, n: int, output: str, fits: bool) -> None:
    """Raise BadConfig for maps (C, Y, X) that are not what they are said to be."""
    if len(maps) != n or not fits:
        raise BadConfig(
            seen=f"an output of {len(maps)} channel(s), {maps.min():.3g} to {maps.max():.3g}",
            wanted=f"'{output}': {EXPECTED[output]}",
            do="correct 'segment.nuclei.bioimageio.output', or use another model",
        )
