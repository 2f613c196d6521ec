"""Mean squared displacement of each track and of many, at every lag.

Of one track, over all pairs of its frames that are a lag apart (also across gaps):

    MSD(lag) = mean of |r(t + lag) - r(t)|²  =  4 D lag^alpha + 4 error²

Qian, Sheetz & Elson, Biophys. J. 60:910, 1991. The sums over pairs are correlations, so they are
taken by FFT (Calandrini et al., École thém. Soc. Fr. Neutron. 12:201, 2011): all lags of a track of
T frames cost T log T.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from cellpipe.dynamics.paths import sorted_tracks, telling, track_key

GRID_POINTS = 2**21  # of the arrays that hold many tracks at once: 16 MB each


def track_msd(
    points: pd.DataFrame, time_step_s: float, max_lag_frames: int | None = None
) -> pd.DataFrame:
    """Mean squared displacement of every track.

    Parameters
    ----------
    points : DataFrame
        t, y_um, x_um, track_id and, where present, plate, well and field. At most one row per
        track and frame; frames may be missing.
    time_step_s : float
        Seconds between frames.
    max_lag_frames : int, optional
        The longest lag; without it up to the length of each track.

    Returns
    -------
    DataFrame, in order of track and lag
        Place columns, track_id, lag_frames (int32), lag_s, n_pairs (int32; pairs of frames that
        many frames apart in which the track was seen), msd_um2. Lags without a pair are left out.
    """
    rows, track = telling(*sorted_tracks(points))
    t, at = rows["t"].to_numpy(int), rows[["y_um", "x_um"]].to_numpy(float)
    of, lag, n_pairs, msd = msd_of_tracks(t, at, track, max_lag_frames)
    first = np.flatnonzero(np.diff(track, prepend=-1))
    table = rows[track_key(rows)].iloc[first[of]].reset_index(drop=True)
    return table.assign(
        lag_frames=lag.astype(np.int32),
        lag_s=lag * float(time_step_s),
        n_pairs=n_pairs.astype(np.int32),
        msd_um2=msd,
    )


def msd_of_tracks(
    t: np.ndarray, at: np.ndarray, track: np.ndarray, max_lag_frames: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`track_msd` on arrays: t (N,), at (N, 2), track (N,), sorted by track (0 … K-1) and t.

    Returns
    -------
    track, lag, n_pairs (int) and MSD (float64), one row per track and lag
    """
    pieces = list(_pieces(t, at, track, max_lag_frames))
    if not pieces:
        none = np.zeros(0, int)
        return none, none, none, np.zeros(0)
    of, lag, n_pairs, msd = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.lexsort((lag, of))
    return of[order], lag[order], n_pairs[order], msd[order]


def _pieces(
    t: np.ndarray, at: np.ndarray, track: np.ndarray, max_lag_frames: int | None
) -> Iterator[tuple[np.ndarray, ...]]:
    """Batches of tracks of about one length; the longest first."""
    first = np.flatnonzero(np.diff(track, prepend=-1))
    size = np.bincount(track, minlength=len(first))
    frame = t - np.repeat(t[first], size)
    length = frame[first + size - 1] + 1
    # far from the origin, squares would lose the digits that a small step needs
    centre = [np.bincount(track, a, len(first)) / size for a in at.T]
    at = at - np.stack(centre, axis=1)[track]
    order = np.argsort(length, kind="stable")
    order = order[length[order] > 1]
    while len(order):
        longest = int(length[order[-1]])
        n = max(1, GRID_POINTS // longest)
        batch, order = order[-n:], order[:-n]
        place = np.full(len(first), -1)
        place[batch] = np.arange(len(batch))
        own = place[track] >= 0
        grid = np.zeros((3, len(batch), longest))  # seen, y, x
        grid[:, place[track[own]], frame[own]] = np.stack([np.ones(own.sum()), *at[own].T])
        n_pairs, msd = _correlated(*grid)
        n_lags = longest if max_lag_frames is None else min(longest, max_lag_frames + 1)
        row, lag = np.nonzero(n_pairs[:, 1:n_lags])
        lag += 1
        yield batch[row], lag, n_pairs[row, lag], msd[row, lag]


def _correlated(seen: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs, and mean squared displacement, (K, T) by lag; y and x are 0 where not seen."""
    from scipy import fft  # here, because reports and figures pool what was measured

    n_frames = seen.shape[1]
    n_fft = fft.next_fast_len(2 * n_frames, real=True)
    at_seen, at_y, at_x, at_square = (fft.rfft(a, n_fft, axis=1) for a in (seen, y, x, y**2 + x**2))
    n_pairs = np.rint(fft.irfft(np.abs(at_seen) ** 2, n_fft, axis=1)[:, :n_frames]).astype(int)
    # sum of |r(t + lag) - r(t)|² = sum of both squares - twice the product
    squares = 2 * (at_seen.conj() * at_square).real
    products = np.abs(at_y) ** 2 + np.abs(at_x) ** 2
    total = fft.irfft(squares - 2 * products, n_fft, axis=1)[:, :n_frames]
    return n_pairs, np.maximum(total, 0) / np.maximum(n_pairs, 1)


def ensemble_msd(msd: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Mean squared displacement over tracks; every pair of frames counts alike.

    Parameters
    ----------
    msd : DataFrame
        From `track_msd`.
    by : names of columns
        One ensemble for each of their values (a condition, a well).

    Returns
    -------
    DataFrame
        The columns `by`, lag_frames, lag_s, msd_um2, se_um2 (standard error from the spread
        between tracks, since lags within a track are not independent; NaN for one track),
        n_tracks, n_pairs.
    """
    key = [*by, "lag_frames"]
    rows = msd.assign(total=msd["n_pairs"] * msd["msd_um2"])
    groups = rows.groupby(key, sort=True, observed=True)
    out = groups.agg(
        lag_s=("lag_s", "first"),
        n_tracks=("lag_s", "size"),
        n_pairs=("n_pairs", "sum"),
        total=("total", "sum"),
    )
    out.insert(1, "msd_um2", out.pop("total") / out["n_pairs"])
    mean = out["msd_um2"].reindex(pd.MultiIndex.from_frame(rows[key]) if by else rows["lag_frames"])
    off = (rows["total"] - rows["n_pairs"] * mean.to_numpy()) ** 2
    spread = off.groupby([rows[name] for name in key], observed=True).sum()
    many = out["n_tracks"].where(out["n_tracks"] > 1)
    out.insert(2, "se_um2", np.sqrt(spread * many / (many - 1)) / out["n_pairs"])
    return out.reset_index()


def pool_msd(ensembles: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Join ensembles (`ensemble_msd`) of parts, such as wells, into those of `by`; same columns."""
    n = ensembles["n_pairs"]
    rows = ensembles.assign(
        total=n * ensembles["msd_um2"], variance=(n * ensembles["se_um2"].fillna(0)) ** 2
    )
    out = rows.groupby([*by, "lag_frames"], sort=True, observed=True).agg(
        lag_s=("lag_s", "first"),
        n_tracks=("n_tracks", "sum"),
        n_pairs=("n_pairs", "sum"),
        total=("total", "sum"),
        variance=("variance", "sum"),
    )
    out.insert(1, "msd_um2", out.pop("total") / out["n_pairs"])
    out.insert(2, "se_um2", np.sqrt(out.pop("variance")) / out["n_pairs"])
    return out.reset_index()


def relative_variance(lag: np.ndarray, n_pairs: np.ndarray) -> np.ndarray:
    """Variance of a free particle's MSD (in a plane, exact positions) over its square.

    Qian et al. 1991: pairs of one track overlap, so long lags hold little that is new.
    """
    k, n = lag.astype(float), n_pairs.astype(float)
    short = (4 * k**2 * n + 2 * n + k - k**3) / (6 * k * n**2)
    long = 1 + (n**3 - 4 * k * n**2 + 4 * k - n) / (6 * k**2 * n)
    return np.where(k <= n, short, long)


def log_of_mean(msd: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """log of the true MSD from a measured one, which scatters like a gamma variable.

    The mean of a logarithm is below the logarithm of the mean, the more so at long lags; without
    this, free particles would seem to be hindered.
    """
    from scipy.special import digamma

    shape = 1 / variance
    return np.log(msd) - digamma(shape) + np.log(shape)
