"""Estimates from the mean squared displacement of an ensemble: D by a line, the exponent by a
power law.

Both are fitted at short lags, a quarter of the longest, each lag weighted by what is known of it
(Michalet, Phys. Rev. E 82:041914, 2010). The offset is free, for it holds the error of position
(+ 4 error²) and the blur of exposure or of a compressed video (-): a line through the origin would
take both for diffusion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.dynamics.msd import ensemble_msd, relative_variance
from cellpipe.dynamics.paths import track_key

LEAST_LAGS = 4  # a power law with an offset has three parameters
N_PARTS = 20  # of the jackknife


class Line(NamedTuple):
    """MSD = 4 D lag + offset: D in µm²/s, offset in µm²."""

    diffusion: float
    offset_um2: float


class PowerLaw(NamedTuple):
    """MSD = 4 D (lag / s)^exponent + offset."""

    diffusion: float
    exponent: float
    offset_um2: float


class Diffusion(NamedTuple):
    """D of an ensemble with its standard error and 95 % interval, µm²/s."""

    diffusion: float
    se: float
    low: float
    high: float
    n_tracks: int


def short_lags(ensemble: pd.DataFrame) -> pd.DataFrame:
    """Rows of one ensemble up to a quarter of its longest lag, at least 4 lags."""
    longest = max(LEAST_LAGS, int(ensemble["lag_frames"].max()) // 4) if len(ensemble) else 0
    return ensemble[(ensemble["lag_frames"] <= longest) & (ensemble["msd_um2"] > 0)]


def fit_line(ensemble: pd.DataFrame) -> Line:
    """Weighted line through the short lags of one ensemble (`ensemble_msd`); NaN below 4 lags."""
    rows = short_lags(ensemble)
    if len(rows) < LEAST_LAGS:
        return Line(np.nan, np.nan)
    lag_s, msd = rows["lag_s"].to_numpy(float), rows["msd_um2"].to_numpy(float)
    weight = 1 / (msd * _relative_error(rows))
    columns = np.stack([4 * lag_s, np.ones(len(rows))], axis=1) * weight[:, None]
    (diffusion, offset), *_ = np.linalg.lstsq(columns, msd * weight, rcond=None)
    return Line(float(diffusion), float(offset))


def fit_power_law(ensemble: pd.DataFrame) -> PowerLaw:
    """Power law through the short lags of one ensemble; NaN below 4 lags.

    Least squares of logarithms; the offset, 4 error², is not negative.
    """
    from scipy.optimize import least_squares  # here, because plates without tracks need none

    rows = short_lags(ensemble)
    if len(rows) < LEAST_LAGS:
        return PowerLaw(np.nan, np.nan, np.nan)
    lag_s, msd = rows["lag_s"].to_numpy(float), rows["msd_um2"].to_numpy(float)
    weight = 1 / _relative_error(rows)

    def off(parameters: np.ndarray) -> np.ndarray:
        log_diffusion, exponent, offset = parameters
        model = 4 * np.exp(log_diffusion) * lag_s**exponent + offset * msd[0]
        return weight * (np.log(model) - np.log(msd))

    start = [np.log(msd[0] / (4 * lag_s[0])), 1.0, 0.1]
    bounds = ([-np.inf, 0, 0], [np.inf, 3, 1])
    log_diffusion, exponent, offset = least_squares(off, start, bounds=bounds, x_scale="jac").x
    return PowerLaw(float(np.exp(log_diffusion)), float(exponent), float(offset * msd[0]))


def ensemble_diffusion(msd: pd.DataFrame) -> Diffusion:
    """D of all tracks together by `fit_line`, from their MSDs (`track_msd`).

    Its error comes from leaving out a twentieth of the tracks in turn (the jackknife): lags of a
    track are not independent, tracks are.
    """
    key = msd.groupby(track_key(msd), observed=True).ngroup().to_numpy()
    n_tracks = int(key.max(initial=-1)) + 1
    whole = fit_line(ensemble_msd(msd)).diffusion
    if n_tracks < N_PARTS:
        return Diffusion(whole, np.nan, np.nan, np.nan, n_tracks)
    left_out = [
        fit_line(ensemble_msd(msd[key % N_PARTS != part])).diffusion for part in range(N_PARTS)
    ]
    se = float(np.std(left_out) * np.sqrt(N_PARTS - 1))
    return Diffusion(whole, se, whole - 1.96 * se, whole + 1.96 * se, n_tracks)


def _relative_error(rows: pd.DataFrame) -> np.ndarray:
    """Relative standard error of an ensemble's MSD at each lag, were its particles free."""
    n_tracks = rows["n_tracks"].to_numpy(float)
    of_one = relative_variance(rows["lag_frames"].to_numpy(), rows["n_pairs"] / n_tracks)
    return np.sqrt(of_one / n_tracks)
