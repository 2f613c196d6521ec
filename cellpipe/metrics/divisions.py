"""Divisions with a tolerance in time, as traccuracy counts them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cellpipe.metrics.libraries import number, quiet
from cellpipe.readers.truth.ctc import Movie

if TYPE_CHECKING:
    from traccuracy import TrackingGraph

FRAME_TOLERANCES = (0, 1)
DIVISION_NAMES = {
    "division_precision": "Division Precision",
    "division_recall": "Division Recall",
    "division_f1": "Division F1",
}


def division_scores(
    true_movie: Movie, movie: Movie, matched_frames: Mapping[str, list]
) -> dict[str, float]:
    """Divisions as traccuracy 0.4.3 counts them; one into three daughters is never right to it."""
    with _uncompiled():
        from traccuracy.matchers._matched import Matched
        from traccuracy.metrics import DivisionMetrics

    (true_graph, true_nodes), (graph, nodes) = _graph(true_movie), _graph(movie)
    pairs = [
        (true_nodes[t, true_label], nodes[t, label])
        for t, true_label, label in _one_to_one(matched_frames)
    ]
    with quiet(), warnings.catch_warnings():
        # without divisions, or without a match, it warns and answers NaN: so do we
        warnings.simplefilter("ignore")
        matched = Matched(true_graph, graph, pairs, {"matching type": "one-to-one"})
        metric = DivisionMetrics(max_frame_buffer=max(FRAME_TOLERANCES))
        answers = metric.compute(matched).to_dict()["results"]
    scores = {}
    for frames in FRAME_TOLERANCES:
        answer = answers[f"Frame Buffer {frames}"]
        for name, theirs in DIVISION_NAMES.items():
            scores[f"{name}_{frames}"] = number(answer[theirs])
        if answer["Total GT Divisions"] and not answer["True Positive Divisions"]:
            scores[f"division_f1_{frames}"] = 0.0  # it answers NaN, but there was what to find
    return scores


def _graph(movie: Movie) -> tuple[TrackingGraph, dict[tuple[int, int], int]]:
    """A movie's tracks as a graph of its objects, and the node of each (t, label).

    Built from the table alone: `load_ctc_data` of traccuracy holds all masks in memory.
    """
    import networkx as nx
    from traccuracy import TrackingGraph

    graph: nx.DiGraph = nx.DiGraph()
    nodes: dict[tuple[int, int], int] = {}
    rows = list(movie.tracks.itertuples(index=False))
    for row in rows:
        for t in range(row.t_start, row.t_end + 1):
            nodes[t, row.track_id] = len(nodes) + 1
            graph.add_node(len(nodes), t=t, segmentation_id=row.track_id)
            if t > row.t_start:
                graph.add_edge(len(nodes) - 1, len(nodes))
    end = {row.track_id: row.t_end for row in rows}
    for row in rows:
        if row.parent_track_id:
            mother = nodes[end[row.parent_track_id], row.parent_track_id]
            graph.add_edge(mother, nodes[row.t_start, row.track_id])
    return TrackingGraph(graph), nodes


def _one_to_one(matched: Mapping[str, list]) -> Iterator[tuple[int, int, int]]:
    """(t, true label, label); an object that covers two cells matches none."""
    for t, pairs in enumerate(zip(matched["mapped_ref"], matched["mapped_comp"], strict=True)):
        for true_label, label in zip(*pairs, strict=True):
            if pairs[1].count(label) == 1:
                yield t, int(true_label), int(label)


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """Importing traccuracy compiles, for seconds, overlaps of boxes that are not used here."""
    import numba

    config: Any = numba.config
    before = config.DISABLE_JIT
    config.DISABLE_JIT = 1
    try:
        yield
    finally:
        config.DISABLE_JIT = before
