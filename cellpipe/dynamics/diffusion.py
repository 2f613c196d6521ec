"""How particles move: diffusion coefficient, anomalous exponent, confinement, in µm and s.

    steps r(t+1) - r(t)  ──►  D, error of position      from their squares and their covariance
    MSD at short lags    ──►  exponent alpha             1 free, < 1 held back, 2 driven
    spread of positions  ──►  confinement                is it smaller than D would make it?

D comes from the covariance of steps (Vestergaard, Blainey & Flyvbjerg, Phys. Rev. E 89:022726,
2014), which is unbiased, near to the best possible where the error of position is small, and free
of the choice of lags that a line through MSDs requires (Michalet, Phys. Rev. E 82:041914, 2010).
Here it is freed of a constant drift of each track as well, so that what is carried along, or walks,
does not seem to diffuse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.dynamics.msd import log_of_mean, msd_of_tracks, relative_variance
from cellpipe.dynamics.paths import sorted_tracks, telling, track_key

LEAST_STEPS = 5  # below, D of one track is not informative: its standard error is above D
LEAST_FRAMES_OF_EXPONENT = 10
LEAST_SHARE_OF_MOTION = 0.2  # of an MSD; where the error of position makes up more, it is left out
CONFINED_P = 0.01
LEAST_CROWD = 20  # particles whose mean step is taken for drift


def motion_table(points: pd.DataFrame, time_step_s: float) -> pd.DataFrame:
    """Motion of every track.

    Parameters
    ----------
    points : DataFrame
        t, y_um, x_um, track_id and, where present, plate, well and field.
    time_step_s : float
        Seconds between frames.

    Returns
    -------
    DataFrame, in order of place and track_id
        Place columns, track_id and

        diffusion_um2_s : D in a plane; unbiased, so that of a particle at rest it may be negative
        diffusion_se_um2_s : its standard error
        localisation_error_um : standard deviation of a position about the particle, per axis
            (of long exposures, less the blur that motion makes)
        msd_exponent : slope of log MSD over log lag, without the field's localisation error
        gyration_radius_um : root mean square distance of positions from their centre
        confinement_p : how often a free particle of this D would keep within so small a space;
            D is taken as exact, so short tracks seem confined too often
        confinement_radius_um : radius of a disc evenly filled with such positions; NaN where
            confinement_p is 0.01 or more

        NaN where the track is too short: D below 5 steps between neighbouring frames, the
        exponent below 10 frames.
    """
    rows, track = telling(*sorted_tracks(points))
    key = track_key(rows)
    first = np.flatnonzero(np.diff(track, prepend=-1))
    last = np.flatnonzero(np.diff(track, append=len(first)))
    tracks = rows[key].iloc[first].reset_index(drop=True)
    t, at = rows["t"].to_numpy(int), rows[["y_um", "x_um"]].to_numpy(float)
    diffusion, error2, se = _diffusion(_step_moments(t, at, track, len(first)), time_step_s)
    tracks["diffusion_um2_s"], tracks["diffusion_se_um2_s"] = diffusion, se
    tracks["localisation_error_um"] = np.sqrt(np.maximum(error2, 0))
    shared = _shared_error2(tracks[key[:-1]], error2)
    n_frames = t[last] - t[first] + 1
    tracks["msd_exponent"] = _exponents(t, at, track, n_frames, shared)
    spread2 = _spread2(at, track, len(first))
    tracks["gyration_radius_um"] = np.sqrt(spread2)
    space2 = np.maximum(spread2 - 2 * shared, 0)
    p = free_probability(space2, diffusion, (n_frames - 1) * time_step_s)
    tracks["confinement_p"] = p
    tracks["confinement_radius_um"] = np.where(p < CONFINED_P, np.sqrt(2 * space2), np.nan)
    return tracks.astype({"track_id": np.int64})


def subtract_drift(points: pd.DataFrame) -> pd.DataFrame:
    """`points` of one field without what all particles do together: stage drift, flow.

    The mean step of all tracks between neighbouring frames, added up over time, is taken from every
    position. Of n particles it takes 1/n of their own motion too, so frames in which fewer than
    20 take a step are left unchanged.
    """
    rows, track = sorted_tracks(points)
    t, at = rows["t"].to_numpy(int), rows[["y_um", "x_um"]].to_numpy(float)
    next_frame = (np.diff(track) == 0) & (np.diff(t) == 1)
    n_frames = int(points["t"].max()) + 1 if len(points) else 0
    after, step = t[1:][next_frame], np.diff(at, axis=0)[next_frame]
    n = np.bincount(after, minlength=n_frames)
    mean = np.stack([np.bincount(after, s, n_frames) / np.maximum(n, 1) for s in step.T], axis=1)
    drift = np.cumsum(np.where(n[:, None] >= LEAST_CROWD, mean, 0), axis=0)
    out = points.copy()
    out[["y_um", "x_um"]] = points[["y_um", "x_um"]].to_numpy(float) - drift[points["t"]]
    return out


def free_probability(
    spread2_um2: np.ndarray, diffusion_um2_s: np.ndarray, duration_s: np.ndarray
) -> np.ndarray:
    """How often a free particle spreads as little as that, or less.

    Parameters
    ----------
    spread2_um2 : array
        Mean squared distance of a track's positions from their centre.
    diffusion_um2_s, duration_s : arrays

    Returns
    -------
    array, 0 … 1; NaN where D is not above 0

    Of Brownian motion in a plane, spread² / (2 D duration) is the sum of chi²(2) / (k pi)² over
    k = 1, 2, … (Karhunen-Loève), four times Watson's U² (Biometrika 48:109, 1961): its
    distribution is Kolmogorov's.
    """
    from scipy.special import kolmogorov

    moved = np.where(diffusion_um2_s > 0, 2 * diffusion_um2_s * duration_s, np.nan)
    return 1 - kolmogorov(np.pi / 2 * np.sqrt(spread2_um2 / moved))


class _Steps(NamedTuple):
    """Per track: estimates from its steps between neighbouring frames, per axis."""

    n: np.ndarray  # steps
    n_both: np.ndarray  # steps with a step before them
    square: np.ndarray  # mean square of a step
    covariance: np.ndarray  # mean product of a step with the one before
    drift2: np.ndarray  # square of the mean step from the first to the last position
    span: np.ndarray  # frames from the first to the last position


def _step_moments(t: np.ndarray, at: np.ndarray, track: np.ndarray, n_tracks: int) -> _Steps:
    size = np.bincount(track, minlength=n_tracks)
    last = np.cumsum(size) - 1
    first = last - size + 1
    step, same = np.diff(at, axis=0), np.diff(track) == 0
    single = same & (np.diff(t) == 1)
    both = single[1:] & single[:-1]
    of_single, of_both = track[1:][single], track[2:][both]
    n, n_both = (np.bincount(of, minlength=n_tracks) for of in (of_single, of_both))
    square = np.bincount(of_single, (step[single] ** 2).mean(axis=1), n_tracks)
    product = np.bincount(of_both, (step[1:] * step[:-1])[both].mean(axis=1), n_tracks)
    span = np.maximum(t[last] - t[first], 1)
    drift2 = ((at[last] - at[first]) ** 2).mean(axis=1) / span**2
    return _Steps(
        n, n_both, square / np.maximum(n, 1), product / np.maximum(n_both, 1), drift2, span
    )


def _diffusion(steps: _Steps, time_step_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D, squared error of position, standard error of D; NaN for short tracks.

    With s the squared error, v the drift per frame, T the frames from first to last, per axis

        E square     = 2 D dt + 2 s + v²        E drift² = v² + 2 D dt / T + 2 s / T²
        E covariance = -s + v²

    so two differences give D and s without bias, also across gaps.
    """
    n, span = steps.n, steps.span.astype(float)
    enough = (n >= LEAST_STEPS) & (steps.n_both >= LEAST_STEPS - 1)
    a, b = steps.square - steps.drift2, steps.covariance - steps.drift2
    a_move, a_error = 2 * (1 - 1 / span), 2 * (1 - 1 / span**2)
    b_move, b_error = -2 / span, -(1 + 2 / span**2)
    determinant = np.where(enough, a_move * b_error - a_error * b_move, np.nan)
    move = (a * b_error - a_error * b) / determinant  # D dt
    error2 = (a_move * b - a * b_move) / determinant
    d, u = np.maximum(move, 0), np.maximum(error2, 0)
    # Vestergaard's variance in two dimensions; a drift that is fitted costs about three steps
    free = np.maximum(n - 3.0, 1)
    variance = ((6 * d**2 + 4 * d * u + 2 * u**2) / free + 4 * (d + u) ** 2 / free**2) / 2
    return move / time_step_s, error2, np.sqrt(variance) / time_step_s


def _shared_error2(place: pd.DataFrame, error2: np.ndarray) -> np.ndarray:
    """Median squared error of position of each track's field, not below 0; 0 where unknown.

    One track estimates it badly, and it is the microscope's rather than the particle's.
    """
    field = [place[name] for name in place] or [pd.Series(0, place.index)]
    median = pd.Series(error2, place.index).groupby(field, observed=True).transform("median")
    return median.fillna(0).clip(lower=0).to_numpy(float)


def _exponents(
    t: np.ndarray, at: np.ndarray, track: np.ndarray, n_frames: np.ndarray, error2: np.ndarray
) -> np.ndarray:
    """Slope of log MSD over log lag, up to a quarter of each track (at least 3 lags).

    Weighted by what is known of each MSD: pairs over lag.
    """
    longest = np.maximum(3, n_frames // 4)
    of, lag, n_pairs, msd = msd_of_tracks(t, at, track, int(longest.max(initial=0)))
    motion = msd - 4 * error2[of]
    good = (lag <= longest[of]) & (n_frames[of] >= LEAST_FRAMES_OF_EXPONENT)
    good &= (motion > LEAST_SHARE_OF_MOTION * msd) & (msd > 0)
    of, lag, n_pairs, motion = of[good], lag[good], n_pairs[good], motion[good]
    variance = relative_variance(lag, n_pairs)
    return _slopes(of, np.log(lag), log_of_mean(motion, variance), 1 / variance, len(n_frames))


def _slopes(of: np.ndarray, x: np.ndarray, y: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    """Slope of a weighted line through the points of each group; NaN below 3 points."""
    total = np.bincount(of, weight, n)
    some = np.where(np.bincount(of, minlength=n) >= 3, total, np.nan)
    mean_x, mean_y = (np.bincount(of, weight * a, n) / some for a in (x, y))
    dx, dy = x - mean_x[of], y - mean_y[of]
    spread = np.where(np.isnan(some), np.nan, np.bincount(of, weight * dx**2, n))
    return np.bincount(of, weight * dx * dy, n) / spread


def _spread2(at: np.ndarray, track: np.ndarray, n_tracks: int) -> np.ndarray:
    """Mean squared distance of positions from their centre, per track."""
    n = np.maximum(np.bincount(track, minlength=n_tracks), 1)
    centre = np.stack([np.bincount(track, a, n_tracks) / n for a in at.T], axis=1)
    return np.bincount(track, ((at - centre[track]) ** 2).sum(axis=1), n_tracks) / n
