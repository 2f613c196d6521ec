"""Score the tracks of movies one by one, and summarise them.

movies.tsv    one row per movie whose true tracks are known, all scores; or a note with the reason
              it could not be scored
scores.tsv    score, mean of the movies; an empty one has a note with the reason
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.evaluate.true_movies import as_ctc, find_true_movie
from cellpipe.metrics.tracks import score_tracking, why_empty
from cellpipe.readers.truth.ctc import read_ctc

log = logging.getLogger("cellpipe")
PLACE = ["well", "field"]
NO_RESULT = "not scored: the tracks could not be written as CTC, see not_made/export_ctc.json"


class Movie(NamedTuple):
    """A movie of the plate: its place, its frames, and their shape in pixels."""

    well: str
    field: int
    n_frames: int
    shape: tuple[int, int]


def judge_movies(
    truth: Path, ctc: Path, movies: Iterable[Movie], pixel_size_um: float
) -> pd.DataFrame:
    """A row of scores per movie whose truth is known: well, field, then `score_tracking`.

    A movie without a folder of tracks has no scores, and a reason in the column `note`.

    Parameters
    ----------
    truth : folder with B03_1_GT, B03_1.geff or B03_1.xml
    ctc : folder with our tracks, B03_1_RES

    Raises
    ------
    CellpipeError
        If there are true movies and none of them can be scored, as truth and movie do not belong
        together; it names the first.
    """
    rows: list[dict] = []
    faults: list[CellpipeError] = []
    for movie in movies:
        name = f"{movie.well}_{movie.field}"
        place = {"well": movie.well, "field": movie.field}
        try:
            source = find_true_movie(truth, name)
            if source is None:
                continue
            if not (ctc / f"{name}_RES").is_dir():  # the export was refused, not the tracks
                rows.append({**place, "note": NO_RESULT})
                continue
            with tempfile.TemporaryDirectory() as aside:
                folder = as_ctc(
                    source,
                    Path(aside, f"{name}_GT"),
                    n_frames=movie.n_frames,
                    shape=movie.shape,
                    pixel_size_um=pixel_size_um,
                )
                result = _as_long_as(folder, ctc / f"{name}_RES", Path(aside, f"{name}_RES"))
                rows.append({**place, **score_tracking(folder, result)})
        except CellpipeError as fault:
            seen = f"movie {name}: {fault.seen}"
            faults.append(type(fault)(seen=seen, wanted=fault.wanted, do=fault.do))
            log.warning("not scored: %s", seen)
            rows.append({**place, "note": f"not scored: {fault.seen}"})
    if faults and len(faults) == len(rows):
        raise faults[0]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=PLACE)


def _as_long_as(truth: Path, result: Path, aside: Path) -> Path:
    """The result without frames after the truth's last, if no cell was found in them.

    A field that was imaged for a shorter time than the plate has frames without files at its end:
    its truth has none of these.
    """
    movie, n_true = read_ctc(result), len(read_ctc(truth).frames)
    ends = movie.tracks["t_end"].max() if len(movie.tracks) else -1
    if not 0 < n_true < len(movie.frames) or ends >= n_true:
        return result
    aside.mkdir()
    for path in [*movie.frames[:n_true], result / "res_track.txt"]:
        shutil.copy2(path, aside / path.name)
    return aside


def summarise_movies(movies: pd.DataFrame) -> tuple[dict[str, float], dict[str, str]]:
    """Mean of each score over the movies that have it, and notes on those that not all have."""
    known = movies[movies["note"].isna()] if "note" in movies else movies
    own = known.drop(columns=[*PLACE, "note"], errors="ignore").astype(float)
    scores = {str(name): float(value) for name, value in own.mean().items()} if len(own) else {}
    notes = why_empty(scores)
    for name in scores:
        n_known = int(np.isfinite(own[name]).sum())
        if 0 < n_known < len(movies):
            notes[name] = f"mean of {n_known} of {len(movies)} movies; the others have none"
    return scores, notes
