"""How cells of this movie move, learned from the movie itself.

Nearest neighbours that choose each other in consecutive frames are right often enough to estimate
the stage's drift, the typical step, its persistence, and how far the appearance of one cell changes
from frame to frame; a first pass of links estimates it better. So one set of defaults serves slow
and fast, sparse and crowded movies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.detections import Detections
from cellpipe.track.look import Law, learn_look

SAMPLE = 2000  # cells of a frame that are used
LINK_SAMPLE = 200_000  # links of a movie that are used
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
        Gain for one cell from the difference of two detections' features.
    frames : int
        Frames that a step takes: 1, or more where most frames are lost in between.

    Steps are a first-order autoregression: v' = persistence v + noise. So a cell that was last seen
    n steps ago is expected `carry(n)` times its last step away, within `sigma(n)`.
    """

    sigma_um: float
    sigma_predicted_um: float
    persistence: float
    look: Law
    frames: int = 1

    def steps(self, n_frames: np.ndarray) -> np.ndarray:
        """Steps that a number of frames makes, int array, 1 or more."""
        return np.maximum(np.rint(np.asarray(n_frames) / self.frames), 1).astype(int)

    def carry(self, n_steps: np.ndarray) -> np.ndarray:
        """How often a cell's last step is its expected way after `n_steps` more."""
        longest = int(np.max(n_steps, initial=1))
        return np.cumsum(self.persistence ** np.arange(1, longest + 1))[n_steps - 1]

    def sigma(self, n_steps: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Standard deviation (µm, per coordinate) of the place after `n_steps`.

        About the expected place where the step before is `known`, else about the last one.
        """
        longest = int(np.max(n_steps, initial=1))
        power = self.persistence ** np.arange(longest)
        about_expected = self.sigma_predicted_um * np.sqrt(np.cumsum(np.cumsum(power) ** 2))
        # variance of a sum of n correlated steps: n + 2 sum of (n - k) persistence^k
        k = np.arange(1, longest + 1)
        lags = np.cumsum(np.r_[0.0, np.cumsum(power[1:])])
        about_last = self.sigma_um * np.sqrt(k + 2 * lags[:longest])
        return np.where(known, about_expected[n_steps - 1], about_last[n_steps - 1])


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


def sample_of(n: int) -> np.ndarray:
    """Some of n cells, evenly: enough for a median, and no more however large the frame."""
    return np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(int)) if n else np.zeros(0, int)


def learn(detections: Detections, max_distance_um: float) -> Motion:
    """Motion of a movie whose drift is already taken out."""
    position = detections.position_um
    last_step = np.full((len(detections), 2), np.nan)
    pairs, before, after = [], [], []
    found, found_in = np.zeros(0, int), 0
    usual = _usual_frames(detections)
    for a, b, n in detections.pairs():
        if n != usual:  # longer steps, across lost frames, teach nothing of the usual one
            continue
        # cells just found are used again: two steps of one cell show its persistence
        known_here = found if a.start == found_in else np.zeros(0, int)
        asked = np.union1d(known_here, sample_of(a.stop - a.start))
        i, found = mutual_pairs(position[a], position[b], max_distance_um, asked)
        i, j = i + a.start, found + b.start
        found, found_in = found[:SAMPLE], b.start
        last_step[j] = position[j] - position[i]
        known = np.isfinite(last_step[i, 0])
        before.append(last_step[i[known]])
        after.append(last_step[j[known]])
        pairs.append(np.stack([i, j], axis=1))
    links = np.concatenate(pairs) if pairs else np.zeros((0, 2), int)
    v, w = (np.concatenate(x) if x else np.zeros((0, 2)) for x in (before, after))
    return _motion(detections, links, v, w, max_distance_um)


def _usual_frames(detections: Detections) -> int:
    """Frames from one that holds cells to the next, most often; the fewer, of two alike."""
    steps, times = np.unique([n for _, _, n in detections.pairs()] or [1], return_counts=True)
    return int(steps[times.argmax()])


def learn_again(
    detections: Detections, source: np.ndarray, target: np.ndarray, max_distance_um: float
) -> Motion:
    """Motion of a movie whose links (rows to rows of the next frame, no divisions) are known."""
    position, t = detections.position_um, detections.t
    usual = t[target] - t[source] == _usual_frames(detections)
    source, target = source[usual], target[usual]
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
    frames = _usual_frames(detections)
    return Motion(sigma_um, sigma_predicted_um, persistence, look, frames)


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
