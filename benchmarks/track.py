"""Linkers side by side: the same detections, one thread, one table.

    python benchmarks/track.py                      accuracy at three difficulties, then speed
    python benchmarks/track.py --only speed --sizes 1000 50000 --linkers cellpipe trackpy

Every linker is told how far a cell can go and that two frames may be missed, and otherwise
keeps its defaults; laptrack and cellpipe are told that cells divide. Seconds are process CPU
seconds, the least of the repeats, the contenders alternating.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

Edges = set[tuple[int, int]]
Linker = Callable[[pd.DataFrame, float], Edges]
Movie = tuple[pd.DataFrame, Edges, float]  # detections, true links, how far a cell can go
MAX_GAP_FRAMES = 2
SISTERS_APART = 0.5  # daughters just after division, in mean distances between cells
CLOSEST = 0.6  # cells nearer than this push each other away
WARM_UP_FRAMES = 10
GROWTH = 0.02  # log area a frame


@dataclass(frozen=True)
class Difficulty:
    """Distances in units of the mean distance between cells."""

    name: str
    step: float
    persistence: float
    drift: float
    split_rate: float = 0.01
    missed: float = 0.02
    false: float = 0.01
    reach: float = 0.9


DIFFICULTIES = (
    Difficulty("easy", step=0.08, persistence=0.0, drift=0.0),
    Difficulty("middle", step=0.15, persistence=0.5, drift=0.05),
    Difficulty("hard", step=0.22, persistence=0.7, drift=0.15),
)


@dataclass
class Walkers:
    """Living cells: position, step of the last frame, log area, the node that last showed them."""

    position: np.ndarray
    velocity: np.ndarray
    log_area: np.ndarray
    node: np.ndarray

    def advance(self, level: Difficulty, side: float, rng: np.random.Generator) -> None:
        """One frame on: persistent random motion; some divide to both sides; some leave."""
        kick = np.sqrt(1 - level.persistence**2) * level.step
        self.velocity = level.persistence * self.velocity
        self.velocity = self.velocity + rng.normal(0, kick, self.velocity.shape)
        divides = rng.random(len(self.node)) < level.split_rate
        angle = rng.uniform(0, 2 * np.pi, divides.sum())
        to_side = SISTERS_APART / 2 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        self.position = self.position + self.velocity
        sisters = self.position[divides] - to_side
        self.position[divides] += to_side
        self.position = np.r_[self.position, sisters]
        self.velocity = np.r_[self.velocity, self.velocity[divides]]
        self.node = np.r_[self.node, self.node[divides]]
        self.log_area = self.log_area + GROWTH - np.log(2) * divides
        self.log_area = np.r_[self.log_area, self.log_area[divides]]
        self.push_apart()
        stays = ((self.position >= 0) & (self.position <= side)).all(axis=1)
        self.position, self.velocity = self.position[stays], self.velocity[stays]
        self.log_area, self.node = self.log_area[stays], self.node[stays]

    def push_apart(self) -> None:
        """Cells are no ghosts: each of a pair that is too near gives way by half."""
        pairs = cKDTree(self.position).query_pairs(CLOSEST, output_type="ndarray")
        apart = self.position[pairs[:, 1]] - self.position[pairs[:, 0]]
        distance = np.maximum(np.hypot(*apart.T), 1e-6)[:, None]
        push = apart / distance * (CLOSEST - distance) / 4
        np.add.at(self.position, pairs[:, 1], push)
        np.subtract.at(self.position, pairs[:, 0], push)


def draw_points(
    level: Difficulty, n_cells: int, n_frames: int, seed: int
) -> tuple[pd.DataFrame, Edges]:
    """Detections (t, label, y_um, x_um, node; false ones have node < 0) and true links.

    True links bridge the frames in which a cell was missed; a node with two links divides.
    area_um2 comes with 8 % of noise; only linkers that use it can profit.
    """
    rng = np.random.default_rng(seed)
    side = float(np.sqrt(n_cells))
    cells = Walkers(
        rng.uniform(0, side, (n_cells, 2)),
        rng.normal(0, level.step, (n_cells, 2)),
        rng.normal(np.log(0.1), 0.25, n_cells),
        np.full(n_cells, -1),
    )
    for _ in range(WARM_UP_FRAMES):
        cells.push_apart()
    frames, links, n_nodes, n_false = [], [], 0, 0
    for t in range(n_frames):
        if t:
            cells.advance(level, side, rng)
        seen = np.flatnonzero(rng.random(len(cells.node)) >= level.missed)
        node = n_nodes + np.arange(len(seen))
        linked = cells.node[seen] >= 0
        links.append(np.stack([cells.node[seen], node], axis=1)[linked])
        cells.node[seen] = node
        noise = rng.uniform(0, side, (rng.poisson(level.false * len(seen)), 2))
        ids = np.r_[node, -1 - n_false - np.arange(len(noise))]
        n_nodes, n_false = n_nodes + len(seen), n_false + len(noise)
        at = np.r_[cells.position[seen], noise] + level.drift * t * np.array([0.6, 0.8])
        frame = pd.DataFrame({"t": t, "y_um": at[:, 0], "x_um": at[:, 1], "node": ids})
        area = np.r_[cells.log_area[seen], rng.normal(np.log(0.07), 0.5, len(noise))]
        frame["area_um2"] = np.exp(area + rng.normal(0, 0.08, len(area)))
        frame["label"] = rng.permutation(len(frame)) + 1
        frames.append(frame.sort_values("label"))
    edges = {(int(a), int(b)) for a, b in np.concatenate(links)}
    return pd.concat(frames, ignore_index=True), edges


def draw_movies(reach_um: float) -> list[Movie]:
    """The demo's movies: true detections with areas and classes."""
    from cellpipe.simulate import MovieDesign, draw_movie

    design, drawn = MovieDesign(), []
    for well in design.wells:
        movie = draw_movie(design, well)
        cells = movie.objects.reset_index(drop=True)
        cells["node"] = cells.index
        parent = movie.lineage.set_index("track_id")["parent_track_id"]
        truth = pd.DataFrame(
            {"track_id": cells["label"], "parent_track_id": cells["label"].map(parent)}
        )
        drawn.append((cells, linked_edges(cells, truth), reach_um))
    return drawn


def linked_edges(points: pd.DataFrame, linked: pd.DataFrame) -> Edges:
    """Links between nodes that tracks and parents state."""
    rows = points[["node", "t"]].assign(
        track=linked["track_id"].to_numpy(), parent=linked["parent_track_id"].to_numpy()
    )
    rows = rows.sort_values(["track", "t"])
    node, track = rows["node"].to_numpy(), rows["track"].to_numpy()
    same = track[1:] == track[:-1]
    edges = set(zip(node[:-1][same].tolist(), node[1:][same].tolist(), strict=True))
    first = rows.drop_duplicates("track")
    last = rows.drop_duplicates("track", keep="last").set_index("track")["node"]
    first = first[first["parent"].isin(last.index)]
    return edges | set(zip(last[first["parent"]].tolist(), first["node"].tolist(), strict=True))


def divisions(edges: Edges) -> set[tuple[int, frozenset[int]]]:
    """Mothers with their daughters."""
    children: dict[int, set[int]] = {}
    for source, target in edges:
        children.setdefault(source, set()).add(target)
    return {(m, frozenset(d)) for m, d in children.items() if len(d) > 1}


def by_cellpipe(points: pd.DataFrame, reach_um: float) -> Edges:
    from cellpipe.track import link_cells

    linked = link_cells(points, max_distance_um=reach_um, max_gap_frames=MAX_GAP_FRAMES)
    return linked_edges(points, linked)


def by_cellpipe_xy(points: pd.DataFrame, reach_um: float) -> Edges:
    return by_cellpipe(points[["t", "label", "y_um", "x_um", "node"]], reach_um)


def by_trackpy(points: pd.DataFrame, reach_um: float) -> Edges:
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    rows = points.rename(columns={"t": "frame"})
    # without adaptive search trackpy refuses crowds ("subnetwork contains too many points")
    linked = trackpy.link(
        rows,
        search_range=reach_um,
        memory=MAX_GAP_FRAMES,
        pos_columns=["y_um", "x_um"],
        adaptive_stop=reach_um / 10,
        adaptive_step=0.9,
    )
    tracks = pd.DataFrame(
        {"track_id": linked["particle"].reindex(points.index) + 1, "parent_track_id": 0}
    )
    return linked_edges(points, tracks)


def by_laptrack(points: pd.DataFrame, reach_um: float) -> Edges:
    from laptrack import LapTrack

    tracker = LapTrack(
        cutoff=reach_um**2,
        gap_closing_cutoff=reach_um**2,
        splitting_cutoff=reach_um**2,
        gap_closing_max_frame_count=MAX_GAP_FRAMES,
    )
    groups = [points[points["t"] == t] for t in range(int(points["t"].max()) + 1)]
    tree = tracker.predict([g[["y_um", "x_um"]].to_numpy() for g in groups])
    node = [g["node"].to_numpy() for g in groups]
    pairs = [sorted(pair) for pair in tree.edges()]
    return {(int(node[s][i]), int(node[t][j])) for (s, i), (t, j) in pairs}


LINKERS: dict[str, Linker] = {
    "cellpipe": by_cellpipe,
    "cellpipe, positions only": by_cellpipe_xy,
    "laptrack": by_laptrack,
    "trackpy": by_trackpy,
}


def compare(movies: list[Movie], names: list[str], repeats: int) -> pd.DataFrame:
    """Scores summed over movies; CPU seconds of linking alone."""
    rows = []
    seconds = {n: [np.inf] * len(movies) for n in names}
    found: dict[str, list[Edges]] = {n: [set()] * len(movies) for n in names}
    for _ in range(repeats):
        for index, (points, _, reach_um) in enumerate(movies):
            for name in names:
                start = time.process_time()
                found[name][index] = LINKERS[name](points, reach_um)
                spent = time.process_time() - start
                seconds[name][index] = min(seconds[name][index], spent)
    for name in names:
        hits = total = claimed = split_hits = split_total = split_claimed = 0
        for (_, truth, _), edges in zip(movies, found[name], strict=True):
            hits += len(truth & edges)
            total, claimed = total + len(truth), claimed + len(edges)
            true_splits, splits = divisions(truth), divisions(edges)
            split_hits += len(true_splits & splits)
            split_total, split_claimed = split_total + len(true_splits), split_claimed + len(splits)
        rows.append(
            {
                "linker": name,
                "precision": hits / max(claimed, 1),
                "recall": hits / total,
                "division F1": 2 * split_hits / max(split_total + split_claimed, 1),
                "CPU s": sum(seconds[name]),
            }
        )
    return pd.DataFrame(rows).set_index("linker").round(3)


def show(title: str, movies: list[Movie], names: list[str], repeats: int) -> None:
    print(f"\n{title}\n{compare(movies, names, repeats).to_string()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["accuracy", "speed"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--linkers", nargs="*", default=list(LINKERS), choices=list(LINKERS))
    args = parser.parse_args()
    run = {"names": args.linkers, "repeats": args.repeats}
    if args.only != "speed":
        show("The demo's movies (6 wells, 30 frames, true detections)", draw_movies(15.0), **run)
        for level in DIFFICULTIES:
            drawn = [(*draw_points(level, 1000, args.frames, s), level.reach) for s in (1, 2)]
            show(f"Points, {level}", drawn, **run)
    if args.only != "accuracy":
        level = DIFFICULTIES[1]
        for size in args.sizes:
            drawn = [(*draw_points(level, size, args.frames, seed=3), level.reach)]
            show(f"{size} cells a frame, {args.frames} frames, {level.name}", drawn, **run)


if __name__ == "__main__":
    main()
