"""Scores of linked detections: py-ctcmetrics' LNK and CT, traccuracy's divisions.

The libraries compare masks; here every detection matches itself, so that linking alone is judged.
Truth and result are cut where a detection is missing, as the Cell Tracking Challenge's format
asks: linking everything as the truth does scores 1, but for CT, in which each false detection
counts as a track too many.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

Tracks = pd.DataFrame  # track_id and parent_track_id of every detection; 0: none
DIVISION_FRAMES = 1


def score(points: pd.DataFrame, found: Tracks) -> dict[str, float]:
    """Counts and scores of one movie; `points` holds the truth beside t."""
    from ctc_metrics.metrics import ct, lnk
    from ctc_metrics.utils.representations import count_acyclic_graph_correction_operations

    t = points["t"].to_numpy()
    truth = Pieces(t, points["track_id"].to_numpy(), points["parent_track_id"].to_numpy())
    result = Pieces(t, found["track_id"].to_numpy(), found["parent_track_id"].to_numpy())
    frames = [np.flatnonzero(t == k) for k in range(t.max() + 1)]
    real = truth.of > 0
    # it wants the labels of a frame sorted, as np.unique gives them
    labels_true = [np.sort(truth.of[f[real[f]]]) for f in frames]
    labels_found = [np.sort(result.of[f]) for f in frames]
    of_true = [f[real[f]][np.argsort(truth.of[f[real[f]]])] for f in frames]
    mapped = [result.of[rows] for rows in of_true]
    work = count_acyclic_graph_correction_operations(
        truth.table, result.table, labels_true, labels_found, labels_true, mapped
    )
    complete = ct(result.table, truth.table, labels_true, labels_true, mapped)
    return {"LNK": lnk(**work), "CT": complete} | _divisions(points, found)


class Pieces:
    """Tracks cut at gaps: the piece `of` every detection, and the challenge's `table` of them."""

    def __init__(self, t: np.ndarray, track: np.ndarray, parent: np.ndarray) -> None:
        order = np.lexsort((t, track))
        order = order[track[order] > 0]
        starts = np.diff(track[order], prepend=0) != 0
        gaps = (np.diff(t[order], prepend=0) > 1) & ~starts
        name = np.cumsum(starts | gaps)
        self.of = np.zeros(len(t), np.int64)
        self.of[order] = name
        first = np.flatnonzero(starts | gaps)
        last = np.r_[first[1:], len(order)] - 1
        last_of = dict(zip(track[order][last].tolist(), name[last].tolist(), strict=True))
        mother = np.array([last_of.get(p, 0) for p in parent[order][first].tolist()], np.int64)
        mother = np.where(gaps[first], name[first] - 1, mother)
        self.table = np.stack([name[first], t[order][first], t[order][last], mother], axis=1)


def links(points: pd.DataFrame, tracks: Tracks) -> set[tuple[int, int]]:
    """Pairs of rows that tracks and parents link, gaps bridged."""
    from cellpipe.track.lineage import links_of

    nodes = pd.DataFrame(
        {name: tracks[name].to_numpy() for name in ("track_id", "parent_track_id")}
    )
    source, target = links_of(nodes.assign(t=points["t"].to_numpy()))
    return set(zip(source.tolist(), target.tolist(), strict=True))


def _divisions(points: pd.DataFrame, found: Tracks) -> dict[str, float]:
    from traccuracy import TrackingGraph
    from traccuracy.matchers import Matched
    from traccuracy.metrics import DivisionMetrics

    t = points["t"].to_numpy()
    real = np.flatnonzero(points["track_id"].to_numpy() > 0)
    graphs = [
        TrackingGraph(_graph(t, rows, links(points, tracks)), label_key=None, location_keys="y")
        for rows, tracks in ((real, points), (np.arange(len(t)), found))
    ]
    # node 0 is not allowed
    matched = Matched(*graphs, [(int(n) + 1, int(n) + 1) for n in real], {"name": "same row"})
    metric = DivisionMetrics(max_frame_buffer=DIVISION_FRAMES)
    answers = metric.compute(matched, relax_skips_gt=True, relax_skips_pred=True).results
    scores = {}
    for frames in range(DIVISION_FRAMES + 1):
        answer = answers[f"Frame Buffer {frames}"]
        right = answer["True Positive Divisions"] + answer.get("True Positive Skip Divisions", 0)
        scores[f"div_right_{frames}"] = float(right)
    scores["div_true"] = float(answers["Frame Buffer 0"]["Total GT Divisions"])
    scores["div_found"] = float(answers["Frame Buffer 0"]["Total Predicted Divisions"])
    return scores


def _graph(t: np.ndarray, rows: np.ndarray, edges: set[tuple[int, int]]) -> nx.DiGraph[Any]:
    graph = nx.DiGraph()
    graph.add_nodes_from((int(r) + 1, {"t": int(t[r]), "y": 0.0}) for r in rows)
    graph.add_edges_from((a + 1, b + 1) for a, b in edges)
    return graph


def summed(scores: list[dict[str, float]]) -> dict[str, float]:
    """One line of a table: LNK and CT averaged over movies, divisions counted over all."""
    table = pd.DataFrame(scores)
    claimed = max(table["div_true"].sum() + table["div_found"].sum(), 1)
    line = {"LNK": table["LNK"].mean(), "CT": table["CT"].mean()}
    for frames in range(DIVISION_FRAMES + 1):
        line[f"div F1 ±{frames}"] = 2 * table[f"div_right_{frames}"].sum() / claimed
    return line
