"""How good tracks are, by the libraries that the field compares itself with.

SEG, DET, TRA, LNK and the biological measures come from py-ctcmetrics, the reference Python
implementation of the Cell Tracking Challenge (Maška et al., Nature Methods 20:1010, 2023);
divisions with a tolerance in time come from traccuracy. Both read CTC folders, so that is what
is compared here.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.formats.ctc import read_ctc

# what is scored, in the order of a table that people read
CTC_SCORES = (
    "SEG", "DET", "TRA", "LNK", "OP_CTB", "OP_CLB(0)", "OP_CLB(1)",
    "CT", "TF", "BC(0)", "BC(1)", "CCA", "CHOTA", "IDF1",
)  # fmt: skip
_ASKED = ("Valid", "DET", "TRA", "LNK", "CT", "TF", "BC", "CCA", "CHOTA", "IDF1", "BIO", "OP_CLB")
FRAME_TOLERANCES = (0, 1)
MIN_IOU = 0.5  # an object found, as in AP@0.5


def score_tracking(truth_folder: str | Path, result_folder: str | Path) -> dict[str, float]:
    """Score one movie's tracks against the truth.

    Parameters
    ----------
    truth_folder : path
        Holds TRA/man_track.txt with man_trackTTT.tif and, for SEG, SEG/man_segTTT.tif.
    result_folder : path
        Holds res_track.txt with maskTTT.tif.

    Returns
    -------
    dict of float
        `CTC_SCORES` (0 … 1, 1 is perfect), then division_precision, division_recall and
        division_f1, each with suffix _0 and _1: the frames by which a division may be early or
        late. NaN where a score has no meaning (no divisions, no SEG folder). A result without
        any track scores 0.

    Raises
    ------
    BadImage
        If a folder cannot be read.
    CellpipeError
        If the truth is empty, the frames differ in number, or the result breaks the format's
        rules.
    """
    truth, result = Path(truth_folder), Path(result_folder)
    true_movie, movie = read_ctc(truth / "TRA"), read_ctc(result)
    if len(true_movie.tracks) == 0:
        raise CellpipeError(
            seen=f"no tracks in {truth}", wanted="a truth with cells", do="leave this movie out"
        )
    if len(true_movie.frames) != len(movie.frames):
        raise CellpipeError(
            seen=f"{len(movie.frames)} frames in {result}",
            wanted=f"{len(true_movie.frames)}, as in {truth}",
            do="export every frame of the movie",
        )
    has_outlines = any((truth / "SEG").glob("man_seg*.tif"))
    if len(movie.tracks) == 0:
        return _nothing_found(true_movie.tracks, has_outlines)
    return _ctc_scores(truth, result, has_outlines) | _division_scores(truth, result)


def _ctc_scores(truth: Path, result: Path, has_outlines: bool) -> dict[str, float]:
    from ctc_metrics.scripts.evaluate import evaluate_sequence

    asked = [*_ASKED, "SEG", "OP_CTB"] if has_outlines else list(_ASKED)
    with _quiet(), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        scores = evaluate_sequence(str(result), str(truth), asked, threads=1)
    if not scores["Valid"]:
        reasons = [str(w.message) for w in heard if w.category is UserWarning]
        raise CellpipeError(
            seen=f"{result}: {reasons[0] if reasons else 'not valid'}",
            wanted="tracks that follow the rules of the Cell Tracking Challenge",
            do="export the tracks again",
        )
    return {name: _number(scores.get(name)) for name in CTC_SCORES}


def _division_scores(truth: Path, result: Path) -> dict[str, float]:
    from traccuracy import run_metrics
    from traccuracy.loaders import load_ctc_data
    from traccuracy.matchers import IOUMatcher
    from traccuracy.metrics import DivisionMetrics

    with _quiet(), warnings.catch_warnings():
        # without divisions, or without a match, it warns and answers NaN: so do we
        warnings.simplefilter("ignore")
        graphs = [load_ctc_data(str(folder)) for folder in (truth / "TRA", result)]
        matcher = IOUMatcher(iou_threshold=MIN_IOU, one_to_one=True)
        metric = DivisionMetrics(max_frame_buffer=max(FRAME_TOLERANCES))
        answers, _ = run_metrics(*graphs, matcher, [metric])
    scores = {}
    for frames in FRAME_TOLERANCES:
        answer = answers[0]["results"][f"Frame Buffer {frames}"]
        for name, theirs in _DIVISION_NAMES.items():
            scores[f"{name}_{frames}"] = _number(answer[theirs])
        if answer["Total GT Divisions"] and not answer["True Positive Divisions"]:
            scores[f"division_f1_{frames}"] = 0.0  # it answers NaN, but there was what to find
    return scores


_DIVISION_NAMES = {
    "division_precision": "Division Precision",
    "division_recall": "Division Recall",
    "division_f1": "Division F1",
}


def _nothing_found(true_tracks: pd.DataFrame, has_outlines: bool) -> dict[str, float]:
    """No library scores an empty result: nothing found is nothing right."""
    daughters = true_tracks.loc[true_tracks["parent_track_id"] > 0, "parent_track_id"]
    scores = dict.fromkeys(CTC_SCORES, 0.0)
    if not has_outlines:
        scores |= dict.fromkeys(("SEG", "OP_CTB"), np.nan)
    of_divisions = 0.0 if daughters.duplicated().any() else np.nan
    names = [f"{name}_{frames}" for frames in FRAME_TOLERANCES for name in _DIVISION_NAMES]
    return scores | dict.fromkeys(names, of_divisions)


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Progress bars and prints of the libraries say nothing that the scores do not."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
