"""Linkers behind one interface: detections and a reach in, tracks and seconds out."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from track_scores import Tracks

MAX_GAP_FRAMES = 2
POSITIONS = ["t", "label", "y_um", "x_um"]
BTRACK_SECONDS = 120  # that it gets for a movie
PIXEL_UM = 0.65  # btrack's configuration is written for pixels of about this size


@dataclass(frozen=True)
class Btrack:
    """An interpreter that has btrack, and btrack's own cell_config.json."""

    python: Path
    config: Path


def by_cellpipe(points: pd.DataFrame, reach_um: float) -> Tracks:
    """Positions, areas and intensities, as every measured field has them."""
    return _by_cellpipe(points[[*POSITIONS, "area_um2", "dna_mean"]], reach_um)


def by_cellpipe_mitosis(points: pd.DataFrame, reach_um: float) -> Tracks:
    """The same with a classifier's word on mitosis."""
    return _by_cellpipe(points[[*POSITIONS, "area_um2", "dna_mean", "class"]], reach_um)


def by_cellpipe_positions(points: pd.DataFrame, reach_um: float) -> Tracks:
    """What the other linkers know, and no more."""
    return _by_cellpipe(points[POSITIONS], reach_um)


def _by_cellpipe(points: pd.DataFrame, reach_um: float) -> Tracks:
    from cellpipe.track import link_cells

    return link_cells(points, max_distance_um=reach_um, max_gap_frames=MAX_GAP_FRAMES)


def by_nearest(points: pd.DataFrame, reach_um: float) -> Tracks:
    """The floor: the nearest cell of the next frame, the shortest steps first."""
    t, position = points["t"].to_numpy(), points[["y_um", "x_um"]].to_numpy()
    pairs = [np.zeros((0, 2), int)]
    for k in range(int(t.max())):
        a, b = np.flatnonzero(t == k), np.flatnonzero(t == k + 1)
        if len(a) == 0 or len(b) == 0:
            continue
        distance, j = cKDTree(position[b]).query(position[a], distance_upper_bound=reach_um)
        order = np.argsort(distance)
        order = order[np.isfinite(distance[order])]
        first = np.unique(j[order], return_index=True)[1]
        pairs.append(np.stack([a[order[first]], b[j[order[first]]]], axis=1))
    return _named(points, np.concatenate(pairs))


def by_trackpy(points: pd.DataFrame, reach_um: float) -> Tracks:
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    # without adaptive search trackpy refuses crowds ("subnetwork contains too many points")
    linked = trackpy.link(
        points[POSITIONS].rename(columns={"t": "frame"}),
        search_range=reach_um,
        memory=MAX_GAP_FRAMES,
        pos_columns=["y_um", "x_um"],
        adaptive_stop=reach_um / 10,
        adaptive_step=0.9,
    )
    track = linked["particle"].reindex(points.index).to_numpy() + 1
    return pd.DataFrame({"track_id": track, "parent_track_id": 0}, index=points.index)


def by_laptrack(points: pd.DataFrame, reach_um: float) -> Tracks:
    from laptrack import LapTrack

    tracker = LapTrack(
        cutoff=reach_um**2,
        gap_closing_cutoff=reach_um**2,
        splitting_cutoff=reach_um**2,
        gap_closing_max_frame_count=MAX_GAP_FRAMES,
    )
    rows = [np.flatnonzero(points["t"] == t) for t in range(int(points["t"].max()) + 1)]
    position = points[["y_um", "x_um"]].to_numpy()
    tree = tracker.predict([position[r] for r in rows])
    pairs = [sorted(pair) for pair in tree.edges()]
    return _named(points, np.array([(rows[s][i], rows[t][j]) for (s, i), (t, j) in pairs]))


def by_btrack(points: pd.DataFrame, reach_um: float, btrack: Btrack) -> tuple[Tracks, float]:
    """In btrack's own environment; its seconds are told by the child process.

    Raises subprocess.TimeoutExpired where it does not finish.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "given.npz", Path(folder) / "answer.npz"
        position_px = points[["y_um", "x_um"]].to_numpy() / PIXEL_UM
        np.savez(given, t=points["t"].to_numpy(), position_px=position_px)
        child = Path(__file__).with_name("track_btrack.py")
        reach_px, gap = str(reach_um / PIXEL_UM), str(MAX_GAP_FRAMES)
        command = [btrack.python, child, btrack.config, given, answer, reach_px, gap]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ,
            timeout=BTRACK_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"btrack: {done.stderr[-2000:]}")
        with np.load(answer) as told:
            tracks = pd.DataFrame(
                {"track_id": told["track"], "parent_track_id": told["parent"]}, index=points.index
            )
            return tracks, float(told["cpu_s"])


def by_truth(points: pd.DataFrame, reach_um: float) -> Tracks:
    """The ceiling: what perfect linking scores on these detections."""
    tracks = points[["track_id", "parent_track_id"]].copy()
    false = tracks["track_id"] == 0
    tracks.loc[false, "track_id"] = tracks["track_id"].max() + 1 + np.arange(false.sum())
    return tracks


def _named(points: pd.DataFrame, pairs: np.ndarray) -> Tracks:
    """Tracks and parents of links between rows."""
    from cellpipe.track.cells import name_tracks

    order = np.lexsort((points["label"].to_numpy(), points["t"].to_numpy()))
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    source, target = place[pairs.reshape(-1, 2).T]
    track, parent = name_tracks(source, target, len(order))
    return pd.DataFrame(
        {"track_id": track[place], "parent_track_id": parent[place]}, index=points.index
    )


LINKERS: dict[str, Callable[..., Tracks]] = {
    "cellpipe": by_cellpipe,
    "cellpipe, mitosis classified": by_cellpipe_mitosis,
    "cellpipe, positions only": by_cellpipe_positions,
    "laptrack": by_laptrack,
    "trackpy": by_trackpy,
    "btrack": by_btrack,  # type: ignore[dict-item]
    "nearest neighbour": by_nearest,
    "the truth": by_truth,
}


def run(
    name: str, points: pd.DataFrame, reach_um: float, btrack: Btrack | None
) -> tuple[Tracks, float]:
    """Tracks, and the CPU seconds of linking alone (imports were made before)."""
    if name == "btrack":
        assert btrack is not None
        return by_btrack(points, reach_um, btrack)
    start = time.process_time()
    tracks = LINKERS[name](points, reach_um)
    return tracks, time.process_time() - start
