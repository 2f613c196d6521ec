"""How good tracks are, by the libraries that the field compares itself with.

SEG, DET, TRA, LNK and the biological measures come from py-ctcmetrics, the reference Python
implementation of the Cell Tracking Challenge (Maška et al., Nature Methods 20:1010, 2023);
divisions with a tolerance in time come from traccuracy. Both count a true cell as found by the
one object that covers more than half of it, so a truth may be outlines or mere markers. What
is compared are CTC folders.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.metrics.divisions import DIVISION_NAMES, FRAME_TOLERANCES, division_scores
from cellpipe.metrics.libraries import number, quiet
from cellpipe.metrics.track_matches import match_frames, outlined_frames
from cellpipe.readers.truth.ctc import MAX_LABEL, Movie, read_ctc, read_mask
from cellpipe.readers.truth.ctc_rules import check_masks

# what is scored, in the order of the table
CTC_SCORES = (
    "SEG", "DET", "TRA", "LNK", "OP_CTB", "OP_CLB(0)", "OP_CLB(1)",
    "CT", "TF", "BC(0)", "BC(1)", "BC(2)", "BC(3)", "CCA", "CHOTA", "IDF1",
)  # fmt: skip
_ASKED = (
    "DET", "TRA", "LNK", "CT", "TF", "BC", "CCA", "BIO", "OP_CLB",
    "SEG", "OP_CTB",
)  # fmt: skip
_COLUMNS = ["track_id", "t_start", "t_end", "parent_track_id"]


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
        late. NaN where a score has no meaning (`why_empty` gives the reason). A result without any
        track scores 0.

    Raises
    ------
    BadImage
        If a folder cannot be read, or the truth breaks the format's rules.
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
    true_shape, shape = (read_mask(m.frames[0]).shape for m in (true_movie, movie))
    if shape != true_shape:
        raise CellpipeError(
            seen=f"masks of {shape[0]} × {shape[1]} pixels in {result}",
            wanted=f"{true_shape[0]} × {true_shape[1]}, as in {truth}",
            do="give the truth of the whole field, at the size of its images",
        )
    _refuse_high_labels(true_movie, movie)
    check_masks(true_movie)
    has_outlines = any((truth / "SEG").glob("man_seg*.tif"))
    if len(movie.tracks) == 0:
        return _nothing_found(true_movie.tracks, has_outlines)
    loaded = _matched(true_movie, movie, truth, result)
    scores = _ctc_scores(*loaded, has_outlines, _has_links(true_movie.tracks))
    return scores | division_scores(true_movie, movie, loaded[2])


def why_empty(scores: Mapping[str, float]) -> dict[str, str]:
    """For each score that is NaN, the reason as text."""
    reasons = {
        "SEG": "the truth has no outlines (SEG)",
        "OP_CTB": "the truth has no outlines (SEG)",
        "LNK": "the truth has no links",
        "OP_CLB": "the truth has no links",
        "BC": "the truth has no divisions",
        "CCA": "the truth has no cell from birth to division",
        "division_precision": "no divisions were found",
        "division_recall": "the truth has no divisions",
        "division_f1": "the truth has no divisions",
    }
    return {
        name: reasons.get(re.sub(r"\(\d\)$|_\d$", "", name), "not computed for this truth")
        for name, value in scores.items()
        if np.isnan(value)
    }


def _refuse_high_labels(true_movie: Movie, movie: Movie) -> None:
    """py-ctcmetrics adds the labels of truth and result in 16 bits; past that they would wrap."""
    highest = [int(m.tracks["track_id"].max()) for m in (true_movie, movie) if len(m.tracks)]
    if sum(highest) + 1 > MAX_LABEL:
        raise CellpipeError(
            seen=f"labels up to {' and '.join(map(str, highest))} in truth and result",
            wanted=f"together at most {MAX_LABEL - 1}, as the masks are 16 bit",
            do="number the tracks from 1, or score fewer frames",
        )


def _matched(
    true_movie: Movie, movie: Movie, truth: Path, result: Path
) -> tuple[np.ndarray, np.ndarray, dict[str, list], dict[str, list]]:
    """Tables of result and truth, and the matches of TRA and of SEG, frame by frame."""
    from ctc_metrics.metrics import valid

    tracks, true_tracks = (m.tracks[_COLUMNS].to_numpy() for m in (movie, true_movie))
    matched = match_frames(zip(true_movie.frames, movie.frames, strict=True))
    outlines = match_frames(outlined_frames(truth, movie.frames))
    with quiet(), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        follows_rules = valid(movie.frames, tracks, matched["labels_comp"])
    if not follows_rules:
        reasons = [str(w.message) for w in heard if w.category is UserWarning]
        raise CellpipeError(
            seen=f"{result}: {reasons[0] if reasons else 'not valid'}",
            wanted="tracks that follow the rules of the Cell Tracking Challenge",
            do="export the tracks again",
        )
    if len(true_movie.frames) == 1:  # the library wants a second frame; it may be empty
        for of_frames in matched.values():
            of_frames.append([])
    return tracks, true_tracks, matched, outlines


def _ctc_scores(
    tracks: np.ndarray,
    true_tracks: np.ndarray,
    matched: dict[str, list],
    outlines: dict[str, list],
    has_outlines: bool,
    has_links: bool,
) -> dict[str, float]:
    from ctc_metrics.scripts.evaluate import calculate_metrics

    unasked = set() if has_outlines else {"SEG", "OP_CTB"}
    if not has_links:  # 0 / 0 in the library
        unasked |= {"LNK", "OP_CLB"}
    asked = [name for name in _ASKED if name not in unasked]
    with quiet():
        scores = calculate_metrics(tracks, true_tracks, matched, outlines, asked, True)
        scores |= _identity_scores(matched)
    return {name: number(scores.get(name)) for name in CTC_SCORES}


def _identity_scores(matched: Mapping[str, Any]) -> dict[str, float]:
    """CHOTA and IDF1, which the library computes on frames as arrays of whole numbers only.

    `calculate_metrics` hands them lists, and fails on the first frame without cells.
    """
    from ctc_metrics.metrics import chota, idf1

    kinds = ("labels_ref", "labels_comp", "mapped_ref", "mapped_comp")
    frames = [[np.asarray(f, np.int64) for f in matched[f"{kind}_merged"]] for kind in kinds]
    tracks = [matched["ref_tracks_merged"], matched["comp_tracks_merged"]]
    return {**chota(*tracks, *frames), **idf1(*frames)}


def _has_links(tracks: pd.DataFrame) -> bool:
    return bool((tracks["t_end"] > tracks["t_start"]).any() or tracks["parent_track_id"].any())


def _nothing_found(true_tracks: pd.DataFrame, has_outlines: bool) -> dict[str, float]:
    """No library scores an empty result: nothing found is nothing right."""
    daughters = true_tracks.loc[true_tracks["parent_track_id"] > 0, "parent_track_id"]
    scores = dict.fromkeys(CTC_SCORES, 0.0)
    if not has_outlines:
        scores |= dict.fromkeys(("SEG", "OP_CTB"), np.nan)
    if not _has_links(true_tracks):
        scores |= dict.fromkeys(("LNK", "OP_CLB(0)", "OP_CLB(1)"), np.nan)
    divides = daughters[daughters.duplicated()]
    of_divisions = 0.0 if len(divides) else np.nan
    scores |= dict.fromkeys((n for n in CTC_SCORES if n.startswith("BC(")), of_divisions)
    born = true_tracks["parent_track_id"].isin(divides)
    if not (born & true_tracks["track_id"].isin(divides)).any():
        scores["CCA"] = np.nan
    names = [f"{name}_{frames}" for frames in FRAME_TOLERANCES for name in DIVISION_NAMES]
    scores |= dict.fromkeys(names, of_divisions)
    return scores | {name: np.nan for name in names if "precision" in name}
