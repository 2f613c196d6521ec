"""How cells of this movie move, learned from the movie itself.

Nearest neighbours that choose each other in consecutive frames are right often enough to tell
the stage's drift, the typical step, its persistence, and how far the look of one cell changes
from frame to frame; a first pass of links tells it better. So one set of defaults serves slow
and fast, sparse and crowded movies.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.detections import Detections
from cellpipe.track.look import Law, learn_look

MIN_PAIRS_FOR_DRIFT = 10
SAMPLE = 2000  # cells of a frame that are asked
LINK_SAMPLE = 200_000  # links of a movie that are asked
HEAVY_SHARE, HEAVY_SCALE = 0.1, 3.0  # one step in ten comes from a three times wider law


@dataclass(frozen=True)
class Motion:
    """What is known of the movie's motion.

    Attributes
    ----------
    sigma_um : float
        Standard deviation of one coordinate of a step (after drift).
    sigma_predicted_um : float
        The same about the predicted position, for cells whose last step is known.
    persistence : float
        Share of the last step that the next one keeps, -0.5 … 1.
    look : Law
        What the difference of two detections' features says for one cell.
    """

    sigma_um: float
    sigma_predicted_um: float
    persistence: float
    look: Law


def mutual_pairs(
    a_um: np.ndarray, b_um: np.ndarray, max_distance_um: float, asked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of points in (N, 2) and (M, 2) that are each other's nearest neighbours.

    With `asked`, indices of a, only these points of a are considered.
    """
    if len(a_um) == 0 or len(b_um) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    i = np.arange(len(a_um)) if asked is None else asked
    distance, j = cKDTree(b_um).query(a_um[i], distance_upper_bound=max_distance_um)
    i, j = i[np.isfinite(distance)], j[np.isfinite(distance)]
    mutual = cKDTree(a_um).query(b_um[j])[1] == i
    return i[mutual], j[mutual]


def _sample(n: int) -> np.ndarray:
    """Some of n cells, evenly: enough for a median, and no more however large the frame."""
    return np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(int)) if n else np.zeros(0, int)


def drift(detections: Detections, max_distance_um: float) -> np.ndarray:
    """Position of the whole field against its first frame, shape (frames, 2), in µm.

    The most voted displacement among all neighbours opens, the median of mutual neighbours
    refines. Too few cells, or a median within its own error, count as no drift.
    """
    frames = detections.frames()
    steps = np.zeros((len(frames), 2))
    for k in range(1, len(frames)):
        a = detections.position_um[frames[k - 1]]
        b = detections.position_um[frames[k]]
        steps[k] = _shift(a, b, max_distance_um)
    return np.cumsum(steps, axis=0)


def _shift(a: np.ndarray, b: np.ndarray, max_distance_um: float) -> np.ndarray:
    if min(len(a), len(b)) < MIN_PAIRS_FOR_DRIFT:
        return np.zeros(2)
    asked = _sample(len(a))
    shift = _most_voted(a[asked], b, max_distance_um)
    for _ in range(2):
        i, j = mutual_pairs(a + shift, b, max_distance_um, asked)
        if len(i) < MIN_PAIRS_FOR_DRIFT:
            return np.zeros(2)
        shift = np.median(b[j] - a[i], axis=0)
    residual = b[j] - a[i] - shift
    error = 1.25 * 1.48 * np.median(np.abs(residual), axis=0) / np.sqrt(len(i))
    return shift if (np.abs(shift) > 3 * error).any() else np.zeros(2)


def _most_voted(a: np.ndarray, b: np.ndarray, max_distance_um: float) -> np.ndarray:
    """Centre of the displacement bin that most pairs share; zero unless it clearly wins."""
    k = min(8, len(b))
    distance, j = cKDTree(b).query(a, k=k, distance_upper_bound=max_distance_um)
    i, column = np.nonzero(np.isfinite(distance))
    d = b[j[i, column]] - a[i]
    edges = np.linspace(-max_distance_um, max_distance_um, 18)
    votes, _, _ = np.histogram2d(d[:, 0], d[:, 1], bins=(edges, edges))
    centre = (edges[:-1] + edges[1:]) / 2
    y, x = np.unravel_index(votes.argmax(), votes.shape)
    at_rest = votes[len(centre) // 2, len(centre) // 2]
    if votes[y, x] < at_rest + 4 * np.sqrt(max(at_rest, 1.0)):
        return np.zeros(2)
    return np.array([centre[y], centre[x]])


def learn(detections: Detections, max_distance_um: float) -> Motion:
    """Motion of a movie whose drift is already taken out."""
    frames, position = detections.frames(), detections.position_um
    last_step = np.full((len(detections), 2), np.nan)
    pairs, before, after = [], [], []
    found = np.zeros(0, int)
    for a, b in itertools.pairwise(frames):
        # who was just found is asked again: two steps of one cell tell its persistence
        asked = np.union1d(found, _sample(a.stop - a.start))
        i, found = mutual_pairs(position[a], position[b], max_distance_um, asked)
        i, j = i + a.start, found + b.start
        found = found[:SAMPLE]
        last_step[j] = position[j] - position[i]
        known = np.isfinite(last_step[i, 0])
        before.append(last_step[i[known]])
        after.append(last_step[j[known]])
        pairs.append(np.stack([i, j], axis=1))
    links = np.concatenate(pairs) if pairs else np.zeros((0, 2), int)
    v, w = (np.concatenate(x) if x else np.zeros((0, 2)) for x in (before, after))
    return _motion(detections, links, v, w, max_distance_um)


def learn_again(
    detections: Detections, source: np.ndarray, target: np.ndarray, max_distance_um: float
) -> Motion:
    """Motion of a movie whose links (rows to rows of the next frame, no divisions) are known."""
    position = detections.position_um
    before = np.full(len(detections), -1)
    before[target] = source
    asked = np.unique(np.linspace(0, len(source) - 1, min(len(source), LINK_SAMPLE)).astype(int))
    links = np.stack([source[asked], target[asked]], axis=1)
    known = links[before[links[:, 0]] >= 0]
    v = position[known[:, 0]] - position[before[known[:, 0]]]
    w = position[known[:, 1]] - position[known[:, 0]]
    return _motion(detections, links, v, w, max_distance_um)


def _motion(
    detections: Detections, links: np.ndarray, v: np.ndarray, w: np.ndarray, max_distance_um: float
) -> Motion:
    """From links (L, 2), and the steps v before and w after some of their sources."""
    steps = detections.position_um[links[:, 1]] - detections.position_um[links[:, 0]]
    floor_um, ceiling_um = max_distance_um / 30, max_distance_um / 2
    sigma_um = float(np.clip(_spread(steps, ceiling_um), floor_um, ceiling_um))
    persistence, sigma_predicted_um = _persistence(v, w, sigma_um, floor_um)
    look = learn_look(detections.features, links[:, 0], links[:, 1])
    return Motion(sigma_um, sigma_predicted_um, persistence, look)


def _spread(steps: np.ndarray, otherwise: float) -> float:
    """Standard deviation per coordinate from the median length (Rayleigh), outliers aside."""
    if len(steps) < 5:
        return otherwise
    return float(np.sqrt(np.median((steps**2).sum(axis=1)) / (2 * np.log(2))))


def _persistence(
    v: np.ndarray, w: np.ndarray, sigma_um: float, floor_um: float
) -> tuple[float, float]:
    """Share of steps v (K, 2) that the next steps w keep, and the spread of what they do not."""
    if len(v) < 30:
        return 0.0, sigma_um
    length = np.maximum((v**2).sum(axis=1), (w**2).sum(axis=1))
    core = length <= np.percentile(length, 90)  # the longest steps are mostly wrong pairs
    kept = float((v[core] * w[core]).sum() / max((v[core] ** 2).sum(), 1e-12))
    kept = float(np.clip(kept, -0.5, 1.0))
    sigma = _spread(w - kept * v, sigma_um)
    return (kept, max(sigma, floor_um)) if sigma < sigma_um else (0.0, sigma_um)


def step_cost(squared_um2: np.ndarray, sigma_um: np.ndarray) -> np.ndarray:
    """-log density (per µm²) of a step, from a two-Gaussian law with a heavy tail."""
    variance = sigma_um**2
    wide = HEAVY_SCALE**2
    narrow_part = (1 - HEAVY_SHARE) * np.exp(-squared_um2 / (2 * variance))
    wide_part = HEAVY_SHARE / wide * np.exp(-squared_um2 / (2 * variance * wide))
    return np.log(2 * np.pi * variance) - np.log(np.maximum(narrow_part + wide_part, 1e-300))
