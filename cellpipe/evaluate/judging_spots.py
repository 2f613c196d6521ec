"""Score the spots of a plate: frames that the truth lists, each against the spots found in it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from cellpipe.metrics.points import point_scores

FRAME = ["well", "field", "t"]
SCORES = ("precision", "recall", "f1")


def judge_spots(
    found: pd.DataFrame,
    true: pd.DataFrame,
    frames: Collection[tuple[str, int, int]],
    tolerance_um: float,
) -> tuple[dict[str, float], dict[str, str]]:
    """Mean scores of the frames, and notes on those that are empty, or not of all frames.

    Parameters
    ----------
    found, true : DataFrame
        well, field, t, y_um, x_um. A row of `true` without a position means that the frame has no
        spot. Frames that `true` does not list are not scored.
    frames : (well, field, t) of the plate's frames that were searched
    tolerance_um : how far from a true spot a found one may be

    Returns
    -------
    scores : spots_precision, spots_recall, spots_f1; and spots_n_frames, the frames scored
    notes : score → words
    """
    here = dict(tuple(found.groupby(FRAME))) if len(found) else {}
    rows, absent, n_true, n_found = [], [], 0, 0
    for place, own in true.groupby(FRAME):
        if place not in frames:
            absent.append(f"{place[0]} field {place[1]} t {place[2]}")
            continue
        truth, spots = _places(own), _places(here.get(place, found.iloc[:0]))
        n_true, n_found = n_true + len(truth), n_found + len(spots)
        rows.append(point_scores(truth, spots, tolerance_um))
    table = pd.DataFrame(rows, columns=list(SCORES), dtype=float)
    scores = {f"spots_{name}": float(table[name].mean()) for name in SCORES}
    notes = {name: _why(name, n_true, n_found, len(rows)) for name in scores}
    for name in SCORES:
        known = int(table[name].notna().sum())
        if 0 < known < len(table):
            notes[f"spots_{name}"] = f"mean of {known} of {len(table)} frames; the others have none"
    scores["spots_n_frames"] = float(len(rows))
    left = len(frames) - len(rows)
    of_frames = [f"{left} frames of the plate are not in spots.tsv"] if left > 0 else []
    if absent:
        of_frames.append(
            f"{len(absent)} frames of spots.tsv are not on the plate, or were not searched "
            f"(the first: {absent[0]})"
        )
    notes["spots_n_frames"] = "; ".join(of_frames)
    return scores, {name: note for name, note in notes.items() if note}


def _places(rows: pd.DataFrame) -> np.ndarray:
    at = rows[["y_um", "x_um"]].to_numpy(float).reshape(-1, 2)
    return np.asarray(at[np.isfinite(at).all(axis=1)])


def _why(name: str, n_true: int, n_found: int, n_frames: int) -> str:
    """Why a score has no value, as far as the numbers of spots show."""
    if not n_frames:
        return "no frame of the truth is on the plate"
    if not n_true and not n_found:
        return "the truth has no spots, and none were found"
    if name == "spots_precision" and not n_found:
        return "no spots were found"
    if name == "spots_recall" and not n_true:
        return "the truth has no spots"
    return ""
