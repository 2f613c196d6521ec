"""A trial, not part of cellpipe: does a network that judges candidate links track better?

    python benchmarks/track_learned.py

Two small networks (one for links, one for divisions) learn from drawn movies of many densities,
speeds and errors whether a candidate is true. After the two passes of `cellpipe.track` all frames
are linked once more, each candidate by the mean of its gain and the network's log-odds. Judged on
drawn movies of two difficulties (seeds from 1000 on; neither the benchmark's nor the training's)
and, where CELLPIPE_DATA names the folder of real images, on two real movies: T98G cells with silver
identities, and HeLa cells as another tracker linked them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skimage.io import imread
from torch import Tensor, nn
from track import IMPERFECT, REACH_STEPS, WHOLE, reach_um, show
from track_clues import Around, division_clues, link_clues
from track_scores import links as links_between
from track_scores import score, summed

from cellpipe.formats.ctc import read_ctc
from cellpipe.simulate import DIFFICULTIES, Difficulty, Errors, detect
from cellpipe.track.cells import add_events, linked_frames, name_tracks
from cellpipe.track.detections import Detections, from_table
from cellpipe.track.frames import Choices, Links, choices, choose, gone_at_once

MAX_GAP_FRAMES = 2
KNOWN = (["area_um2", "dna_mean"], ["area_um2"], [])  # what a movie's table may hold
DETECTED = {"every cell detected": WHOLE, "2.5 % missed, 1 % false": IMPERFECT}
SEEDS = (1001, 1002)
TRAINING_SEEDS = 5000  # from here on


def drawn_to_learn(k: int) -> tuple[pd.DataFrame, float]:
    """A movie of its own density, speed, habits and errors, and how far its cells may go."""
    rng = np.random.default_rng(TRAINING_SEEDS + k)
    level = Difficulty(
        "learn",
        rng.uniform(800, 2200),
        step=rng.uniform(0.02, 0.4),
        persistence_frames=np.exp(rng.uniform(np.log(0.5), np.log(6))),
        cycle_frames=rng.uniform(40, 120),
        deaths_per_frame=rng.uniform(0, 0.006),
        drift=rng.uniform(0, 0.15),
    )
    errors = Errors(
        missed=rng.uniform(0, 0.05) * (rng.random() < 0.6),
        false=rng.uniform(0, 0.03) * (rng.random() < 0.6),
        position_um=rng.uniform(0.1, 1.5),
        log_area=rng.uniform(0.03, 0.35),
        log_intensity=rng.uniform(0.02, 0.15),
    )
    design = level.design(seed=TRAINING_SEEDS + k, n_frames=24, shape=(560, 560))
    return detect(design, "A01", errors), max(15.0, REACH_STEPS * level.step_um)


def pairs_of_frames(detections: Detections, links: Links) -> list[tuple[slice, slice, np.ndarray]]:
    gone = gone_at_once(detections, links)
    pairs = itertools.pairwise(detections.frames())
    return [(a, b, gone) for a, b in pairs if a.stop > a.start and b.stop > b.start]


def examples(points: pd.DataFrame, reach: float, known: list[str]) -> list[np.ndarray]:
    """Clues and truth of all candidate links, and of all candidate divisions, of a movie."""
    detections, order = from_table(points[["t", "label", "y_um", "x_um", *known]])
    before = true_before(points.iloc[order])
    n_after = np.bincount(before[before >= 0], minlength=len(detections))
    detections, laws, links = linked_frames(detections, reach, divisions=True)
    around = Around(detections, links)
    found = []
    for a, b, gone in pairs_of_frames(detections, links):
        c = choices(detections, laws, links, a, b, gone, reach)
        right = (before[c.j] == c.i) & (n_after[c.i] == 1)
        divides = (before[c.s] == c.m) & (before[c.r] == c.m)
        told = [f(detections, laws, links, around, c) for f in (link_clues, division_clues)]
        found.append((told[0], right, told[1], divides))
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def true_before(rows: pd.DataFrame) -> np.ndarray:
    """Row (N,) that each row comes from in the frame before, in truth; -1 for none."""
    rows = rows.reset_index(drop=True)
    pairs = np.array(sorted(links_between(rows, rows[["track_id", "parent_track_id"]])))
    t, track = rows["t"].to_numpy(), rows["track_id"].to_numpy()
    source, target = pairs.reshape(-1, 2).T
    true = (track[source] > 0) & (track[target] > 0) & (t[target] == t[source] + 1)
    before = np.full(len(rows), -1)
    before[target[true]] = source[true]
    return before


class Judge(nn.Module):
    """Log-odds (N,) of clues (N, F), scaled by what it learned from."""

    def __init__(self, clues: np.ndarray) -> None:
        super().__init__()
        self.mean = torch.from_numpy(clues.mean(axis=0))
        self.scale = torch.from_numpy(clues.std(axis=0) + 1e-3)
        f = clues.shape[1]
        self.layers = nn.Sequential(
            nn.Linear(f, 48), nn.SiLU(), nn.Linear(48, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, clues: Tensor) -> Tensor:
        return self.layers((clues - self.mean) / self.scale)[:, 0]

    @torch.no_grad()
    def log_odds(self, clues: np.ndarray) -> np.ndarray:
        return self(torch.from_numpy(clues)).double().numpy()


def taught(clues: np.ndarray, truth: np.ndarray, epochs: int = 8, batch: int = 2048) -> Judge:
    torch.manual_seed(0)
    judge, generator = Judge(clues), torch.Generator().manual_seed(0)
    x, y = torch.from_numpy(clues), torch.from_numpy(truth.astype(np.float32))
    steps = max(epochs * len(x) // batch, 100)
    optimizer = torch.optim.AdamW(judge.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (batch,), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(judge(x[some]), y[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge


def relinked(
    points: pd.DataFrame, reach: float, judges: tuple[Judge, Judge] | None, share: float
) -> pd.DataFrame:
    """Tracks of a movie; `share` is how much of a gain the judges say. None: cellpipe.track."""
    detections, order = from_table(points)
    detections, laws, links = linked_frames(detections, reach, divisions=True)
    if judges is not None:
        around, new = Around(detections, links), Links.none(len(detections))
        for a, b, gone in pairs_of_frames(detections, links):
            c = choices(detections, laws, links, a, b, gone, reach)
            told = [f(detections, laws, links, around, c) for f in (link_clues, division_clues)]
            gain, worth = (
                share * judge.log_odds(clues) + (1 - share) * g
                for judge, clues, g in zip(judges, told, (c.gain, c.worth), strict=True)
            )
            choose(only_gains(replace(c, gain=gain, worth=worth)), new)
        links = new
    add_events(detections, laws, links, reach, MAX_GAP_FRAMES)
    track, parent = name_tracks(*links.pairs(), len(detections))
    tracks = pd.DataFrame({"track_id": track, "parent_track_id": parent}, points.index[order])
    return tracks.loc[points.index]


def only_gains(c: Choices) -> Choices:
    kept = c.worth > 0
    return replace(c, m=c.m[kept], s=c.s[kept], r=c.r[kept], worth=c.worth[kept])


def real_movies(data: Path) -> dict[str, pd.DataFrame]:
    """Tables of two real movies, with the tracks that they come with; pixel sizes are assumed."""
    t98g = sorted((data / "tracking-t98g-phase/labels_tracked_ids").glob("*.png"))
    hela = read_ctc(data / "tracking-formats/ctc-Fluo-N2DL-HeLa-01_RES")
    parent = hela.tracks.set_index("track_id")["parent_track_id"]
    tables = {
        "T98G": [objects(imread(path), t, 0.5) for t, path in enumerate(t98g)],
        "HeLa": [objects(labels, t, 0.645) for t, labels in hela.labels()],
    }
    movies = {name: pd.concat(tables[name], ignore_index=True) for name in tables}
    movies["T98G"]["parent_track_id"] = 0
    movies["HeLa"]["parent_track_id"] = movies["HeLa"]["track_id"].map(parent)
    return movies


def objects(labels: np.ndarray, t: int, pixel_um: float) -> pd.DataFrame:
    y, x = np.nonzero(labels)
    track, inverse, n_px = np.unique(labels[y, x], return_inverse=True, return_counts=True)
    return pd.DataFrame(
        {
            "t": t,
            "label": np.arange(1, len(track) + 1),
            "y_um": pixel_um * np.bincount(inverse, y) / n_px,
            "x_um": pixel_um * np.bincount(inverse, x) / n_px,
            "area_um2": n_px * pixel_um**2,
            "track_id": track.astype(np.int64),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--movies", type=int, default=100, help="drawn movies to learn from")
    parser.add_argument("--share", type=float, default=0.5, help="of the judges in each gain")
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts = []
    for k in range(args.movies):
        points, reach = drawn_to_learn(k)
        parts += [examples(points, reach, KNOWN[(k + n) % len(KNOWN)]) for n in range(2)]
    x, right, z, divides = (np.concatenate(part) for part in zip(*parts, strict=True))
    print(f"{args.movies} movies, {len(x)} candidate links, {len(z)} candidate divisions")
    judges = taught(x, right), taught(z, divides)
    features = ["t", "label", "y_um", "x_um", "area_um2"]
    for level in (DIFFICULTIES["middle"], DIFFICULTIES["hard"]):
        for title, errors in (
            ("every cell detected", WHOLE),
            ("2.5 % missed, 1 % false", IMPERFECT),
        ):
            movies = [detect(level.design(seed=seed), "A01", errors) for seed in SEEDS]
            rows = {}
            for name, judge in (("statistics", None), ("learned", judges)):
                known = [m[[*features, "dna_mean"]] for m in movies]
                found = [relinked(m, reach_um(level), judge, args.share) for m in known]
                rows[name] = summed([score(m, f) for m, f in zip(movies, found, strict=True)])
            show(f"{level.name}: {title}; {len(SEEDS)} seeds", pd.DataFrame(rows).T)
    if os.environ.get("CELLPIPE_DATA"):
        for movie, points in real_movies(Path(os.environ["CELLPIPE_DATA"])).items():
            truth, rows = links_between(points, points), {}
            for name, judge in (("statistics", None), ("learned", judges)):
                claimed = links_between(points, relinked(points[features], 15.0, judge, args.share))
                hits = len(truth & claimed)
                rows[name] = {"precision": hits / len(claimed), "recall": hits / len(truth)}
            show(f"{movie}: links", pd.DataFrame(rows).T)


if __name__ == "__main__":
    main()
