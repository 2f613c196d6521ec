"""What all cells of a field do together from frame to frame: the stage that moved, or drifts.

    frame k          frame k + 1            votes: displacements between all cells of both frames
     ·  ·   ·           ·  ·   ·
       ·  ·     ──►       ·  ·              · :. ·  █ · .        the one that most pairs share
     ·    ·              ·    ·

The common shift between frames is taken out before cells are linked, always. A *jump* is a shift
that does not fit the rest of the movie: the stage slipped, or somebody touched the plate. What is
no jump may be drift of the stage, or cells that migrate together: the cells alone cannot show
which. Drift that no single frame shows is found from many together (`cellpipe.track.drift`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from cellpipe.track.detections import Detections, Pair, from_table
from cellpipe.track.drift import local_drift
from cellpipe.track.motion import mutual_pairs, sample_of

MIN_PAIRS_FOR_DRIFT = 10
MIN_PAIRS_FOR_JUMP = 4
FAR = 4.0  # reaches of a cell within which a jump is always searched; 60 µm by default
ASKED = 50  # cells at least, whose votes are counted
BIN = 0.25  # of a reach, the width of a bin of votes; boxes of 1 and 3 bins are tried
MAX_VOTES = 300_000
CLEAR_VOTES, CLEAR_LEAD = 4.5, 3.0  # standard deviations above chance, and above no shift at all
# Chosen on simulated movies of all difficulties, whose stage drifts by 0.3 to 2.2 µm a frame:
# none of them jumps. 6 deviations are passed once in 10^7 Gaussian steps.
JUMP_DEVIATIONS = 6.0
JUMP_SPREADS = 2.0  # of single cells' steps: what is less than a long step of each misleads nobody
MIN_FRAMES = 8  # pairs of frames from which on a movie shows what is usual
MIN_JUMP_UM = 0.5
SHAKEN = -0.3  # correlation of each shift with the next, below which the stage goes back and forth
MEDIAN_LENGTH = float(np.sqrt(2 * np.log(2)))  # of a Gaussian step in a plane, in deviations


@dataclass(frozen=True)
class Shifts:
    """Common shift of a field between frames; K frames that hold cells.

    t : int array, shape (K,)
    shift_um : float array, shape (K, 2), y and x, against the frame before; 0 for the first, and
        where it is not known
    known : bool array, shape (K,); False where there are too few cells, or frames are too far
        apart, and frames around show no drift
    jumps : bool array, shape (K,)
    jump_um : float array, shape (K, 2), the part of the shift that is a jump; 0 elsewhere
    cell_step_um : float array, shape (K,), median step of single cells relative to it; NaN where
    unknown
    """

    t: np.ndarray
    shift_um: np.ndarray
    known: np.ndarray
    jumps: np.ndarray
    jump_um: np.ndarray
    cell_step_um: np.ndarray

    def moved_um(self, t: np.ndarray, only_jumps: bool = False) -> np.ndarray:
        """Shift (N, 2) of frames t (N,) against the first frame, added up."""
        steps = self.jump_um if only_jumps else self.shift_um
        if len(self.t) == 0:
            return np.zeros((len(t), 2))
        place = np.clip(np.searchsorted(self.t, t, side="right") - 1, 0, None)
        return np.cumsum(steps, axis=0)[place]


def stage_shifts(cells: pd.DataFrame, max_distance_um: float, max_gap_frames: int) -> pd.DataFrame:
    """Common shifts of one field as a table, one row per frame that holds cells.

    Parameters
    ----------
    cells : t, label, y_um, x_um of one field
    max_distance_um, max_gap_frames : as in `link_cells`

    Returns
    -------
    DataFrame
        t (int32), stage_shift_y_um, stage_shift_x_um (against the frame before that holds cells;
        NaN where unknown), stage_jump_y_um, stage_jump_x_um (the part of it that is a jump; 0 for
        none), cell_step_um (median step of single cells relative to it; NaN where unknown)
    """
    detections, _ = from_table(cells[["t", "label", "y_um", "x_um"]], max_gap_frames)
    shifts = common_shifts(detections, max_distance_um)
    columns = {"t": shifts.t.astype(np.int32)}
    seen_um = np.where(shifts.known[:, None], shifts.shift_um, np.nan)
    for name, values in (("shift", seen_um), ("jump", shifts.jump_um)):
        columns |= {f"stage_{name}_{axis}_um": values[:, i] for i, axis in enumerate("yx")}
    return pd.DataFrame({**columns, "cell_step_um": shifts.cell_step_um})


def common_shifts(detections: Detections, max_distance_um: float) -> Shifts:
    """Shifts between frames that follow each other, and which of them are jumps."""
    t, first = np.unique(detections.t, return_index=True)
    number = {int(row): k for k, row in enumerate(first)}
    seen_um, error_um = np.zeros((len(t), 2)), np.full((len(t), 2), np.inf)
    spread_um, n_frames = np.zeros(len(t)), np.zeros(len(t), int)
    n_pairs, enough = np.zeros(len(t), int), np.zeros(len(t), bool)
    for pair in detections.pairs():
        k = number[pair.b.start]
        seen = _shift(detections.position_um, pair, max_distance_um)
        seen_um[k], error_um[k], spread_um[k] = seen.median_um, seen.error_um, seen.spread_um
        n_frames[k], n_pairs[k], enough[k] = pair.n, seen.n_pairs, seen.enough
    frames_seen = np.where(n_pairs > 0, n_frames, 0)
    jumps, usual_um = find_jumps(seen_um, spread_um, frames_seen, max_distance_um)
    usual_error_um = _usual_errors(error_um, n_pairs)
    drift_um = local_drift(seen_um, usual_error_um, n_frames, jumps) * n_frames[:, None]
    certain = enough & (np.abs(seen_um) > 3 * error_um).any(axis=1)
    jumps &= certain
    differs = enough & (np.abs(seen_um - drift_um) > 3 * error_um).any(axis=1)
    shift_um = np.where((differs | jumps)[:, None], seen_um, drift_um)
    known = (n_pairs > 0) | drift_um.any(axis=1)
    known[:1] = True
    jump_um = np.where(jumps[:, None], shift_um - usual_um * n_frames[:, None], 0.0)
    step_um = np.where(enough & (spread_um > 0), MEDIAN_LENGTH * spread_um, np.nan)
    return Shifts(t, shift_um, known, jumps, jump_um, step_um)


def find_jumps(
    shift_um: np.ndarray, spread_um: np.ndarray, n_frames: np.ndarray, max_distance_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts that do not fit the movie's own, bool (K,); and its usual shift per frame, (2,).

    In a movie of few frames nothing is usual: there only a shift that no cell could go counts.
    Where the stage goes back and forth, every shift is a jump, with what cells do together in it.

    Parameters
    ----------
    shift_um : (K, 2) ; spread_um : (K,), of single cells' steps about it, per coordinate
    n_frames : (K,), frames since the frame before; 0 where there is no shift
    """
    known = n_frames > 0
    if not known.any():
        return np.zeros(len(shift_um), bool), np.zeros(2)
    frames = np.maximum(n_frames, 1)[:, None]
    usual_um = np.zeros(2)
    if known.sum() >= MIN_FRAMES:
        if _shaken(shift_um[known], spread_um[known]):
            return known & shift_um.any(axis=1), usual_um  # too few cells to find any in it
        usual_um = np.median((shift_um / frames)[known], axis=0)
    excess = np.hypot(*(shift_um - usual_um * frames).T)
    jumps = known & (excess > max_distance_um * frames[:, 0])
    if known.sum() >= MIN_FRAMES:
        usual = np.median(excess[known] / np.sqrt(frames[known, 0])) / MEDIAN_LENGTH
        limit = np.maximum(JUMP_DEVIATIONS * usual * frames[:, 0], JUMP_SPREADS * spread_um)
        jumps |= known & (excess > np.maximum(limit, MIN_JUMP_UM))
    return jumps, usual_um


def _shaken(shift_um: np.ndarray, spread_um: np.ndarray) -> bool:
    """Whether all cells go back and forth together, farther than each by itself: the stage does.

    Positions with an error each give shifts (K, 2) of which each undoes half of the one before;
    drift, and cells that migrate, continue unchanged.
    """
    away_um = shift_um - shift_um.mean(axis=0)
    far = np.median(np.hypot(*away_um.T)) > max(JUMP_SPREADS * np.median(spread_um), MIN_JUMP_UM)
    undone = (away_um[1:] * away_um[:-1]).sum() / max((away_um**2).sum(), 1e-12)
    return bool(far and undone < SHAKEN)


class _Seen(NamedTuple):
    """What the cells of two frames show.

    median_um : (2,), the median step of mutual neighbours, from where the cells clearly are
    error_um : (2,), of it; infinite where there is none
    spread_um : of single cells about it, mean of both axes
    n_pairs : of cells; 0 for too few
    enough : whether there are so many that the frame shows a shift by itself
    """

    median_um: np.ndarray
    error_um: np.ndarray
    spread_um: float
    n_pairs: int
    enough: bool


UNSEEN = _Seen(np.zeros(2), np.full(2, np.inf), 0.0, 0, False)


def _shift(position_um: np.ndarray, pair: Pair, max_distance_um: float) -> _Seen:
    """The shift between two frames."""
    a, b = position_um[pair.a], position_um[pair.b]
    reach_um = max_distance_um * float(np.sqrt(pair.n))
    if min(len(a), len(b)) < MIN_PAIRS_FOR_JUMP:
        return UNSEEN
    voted = _clearly_voted(a, b, reach_um)
    asked = sample_of(len(a))
    # a faint lead of one place is chance: it shifted frames of crowded movies
    shift = np.zeros(2) if voted is None else voted
    for _ in range(2):
        i, j = mutual_pairs(a + shift, b, reach_um, asked)
        if len(i) < MIN_PAIRS_FOR_JUMP:
            return UNSEEN
        shift = np.median(b[j] - a[i], axis=0)
    residual = b[j] - a[i] - shift
    spread = 1.48 * np.median(np.abs(residual), axis=0)
    enough = voted is not None or len(i) >= MIN_PAIRS_FOR_DRIFT
    error = 1.25 * spread / np.sqrt(len(i))
    return _Seen(shift, error, float(spread.mean()), len(i), enough)


def _usual_errors(error_um: np.ndarray, n_pairs: np.ndarray) -> np.ndarray:
    """Errors (K, 2) of which none is less than usual for its number of cells: by a few cells that
    happen to agree, one frame would decide alone."""
    there = n_pairs > 0
    if not there.any():
        return error_um
    of_one = error_um * np.sqrt(np.maximum(n_pairs, 1))[:, None]
    usual = np.median(of_one[there], axis=0)
    return np.maximum(of_one, usual) / np.sqrt(np.maximum(n_pairs, 1))[:, None]


def _clearly_voted(a: np.ndarray, b: np.ndarray, reach_um: float) -> np.ndarray | None:
    """A shift that far more pairs share than rest; None for none.

    It is searched up to `FAR` reaches, and farther, over the whole field, where cells are not too
    many for it.

    Cells that move as they usually do vote for places about zero, however crowded they are; after
    a jump these votes are about another place, and at zero only those of chance are left.
    """
    extent = np.maximum(np.minimum(np.ptp(a, axis=0), np.ptp(b, axis=0)), reach_um)
    density = len(b) / float(extent.prod())
    farthest_um = float(np.sqrt(MAX_VOTES / (ASKED * density))) / 2
    far_um = float(min(max(FAR * reach_um, farthest_um), extent.max()))
    width = BIN * reach_um
    half = int(np.ceil(far_um / width))
    n_asked = int(np.clip(MAX_VOTES / (density * (2 * far_um) ** 2), ASKED, len(a)))
    asked = np.unique(np.linspace(0, len(a) - 1, n_asked).astype(int))
    near = cKDTree(b).query_ball_point(a[asked], far_um)
    i = np.repeat(asked, [len(those) for those in near])
    if len(i) == 0:
        return None
    d = b[np.concatenate([np.asarray(those, int) for those in near])] - a[i]
    edges = (np.arange(2 * half + 2) - half - 0.5) * width
    votes, _, _ = np.histogram2d(d[:, 0], d[:, 1], bins=(edges, edges))
    best = (0.0, 0, 0, 1)
    rest = 0.0
    for box in (1, 3):
        sums = uniform_filter(votes, box, mode="constant") * box**2
        chance = sums.mean()
        clear = (sums - chance) / np.sqrt(chance + 1)
        rest = max(rest, float(clear[half - 1 : half + 2, half - 1 : half + 2].max()))
        y, x = np.unravel_index(clear.argmax(), clear.shape)
        best = max(best, (float(clear[y, x]), int(y), int(x), box))
    height, y, x, box = best
    if height < CLEAR_VOTES or height < rest + CLEAR_LEAD:
        return None
    centre = np.array([y - half, x - half]) * width
    inside = (np.abs(d - centre) <= box * width / 2).all(axis=1)
    return np.asarray(np.median(d[inside], axis=0))
