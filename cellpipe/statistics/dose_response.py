"""Dose-response curves: a four-parameter logistic in log dose, and the certainty of its EC50.

          top  |              ______
               |            /
               |          /   <- slope: hill
       bottom  |________/
               0 ... ec50 ........... dose (log)

Given EC50 and slope the two plateaus enter linearly, so only two parameters are searched
(variable projection: Golub & Pereyra, SIAM J. Numer. Anal. 10, 1973) and no starting value
depends on the scale of dose or response. The interval is the profile-likelihood one (Bates &
Watts, Nonlinear Regression Analysis, 1988, ch. 6): it may be lopsided, or open at one end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from cellpipe.errors import BadConfig
from cellpipe.statistics.dose_curve import N_PARAMETERS, DoseResponse, log_dose, rise_of
from cellpipe.statistics.dose_shape import plateau_note, shape_notes, step_note, without_response

LOG_HILLS = np.linspace(math.log(0.1), math.log(20.0), 41)  # slopes outside look like steps
NO_NOISE = 1e-9  # of the variance: curves that miss no more than that fit alike
_NEVER = float("nan")


def fit_dose_response(
    dose: ArrayLike,
    response: ArrayLike,
    *,
    confidence: float = 0.95,
    extrapolate_decades: float = 1.0,
) -> DoseResponse:
    """Fit response = bottom + (top - bottom) / (1 + (ec50 / dose)^hill).

    Parameters
    ----------
    dose, response : array, shape (N,)
        One pair per well; pairs with a NaN are left out, dose 0 is the untreated control.
    confidence : float
        Of the interval (ec50_low, ec50_high).
    extrapolate_decades : float
        How far outside the tested doses an EC50 is still believed.

    Returns
    -------
    DoseResponse
        Never an exception for data that do not determine a curve: NaN and a note. A response
        that is not monotone has no EC50; one that the curve describes badly has one, with a note.

    Raises
    ------
    BadConfig
        A dose is negative.
    """
    fit = _fitted(*_paired(dose, response), confidence, extrapolate_decades)
    notes = [fit.note, without_response(dose, response)]
    return replace(fit, note="; ".join(note for note in notes if note))


def _fitted(
    dose: NDArray, response: NDArray, confidence: float, extrapolate_decades: float
) -> DoseResponse:
    tau, p = monotonic_test(dose, response)
    fit = DoseResponse(monotonic_tau=tau, monotonic_p=p, n_points=dose.size)
    refusal = _why_not(dose, response)
    if refusal:
        return replace(fit, note=refusal)
    x = log_dose(dose)
    log10_ec50, log_hill = _best(x, response)
    bottom, top, ssr = _plateaus(x, response, log10_ec50, log_hill)
    spread = float(((response - response.mean()) ** 2).sum())
    fit = replace(fit, r_squared=1 - ssr / spread)
    bell, doubt = shape_notes(x, response, ssr)
    if bell:
        return replace(fit, note=bell)  # the EC50 of one step has no meaning
    if not _beats_a_constant(ssr, spread, dose.size):
        return replace(fit, note="no response to dose beyond the noise")
    tested = x[np.isfinite(x)]
    reach = (tested.min() - extrapolate_decades, tested.max() + extrapolate_decades)
    if not reach[0] < log10_ec50 < reach[1]:
        return replace(fit, note="EC50 is outside the tested doses")
    low, high = _profile_interval(x, response, log10_ec50, ssr, confidence)
    fit = replace(fit, ec50=10**log10_ec50, ec50_low=10**low, ec50_high=10**high)
    shape = {"hill": math.exp(log_hill), "top": top, "bottom": bottom}
    rise = rise_of(x, log10_ec50, log_hill)
    notes = [_open_ends(low, high) or plateau_note(rise), doubt, step_note(dose, rise)]
    return replace(fit, **shape, note="; ".join(note for note in notes if note))


def fitted_responses(dose: NDArray, response: NDArray) -> NDArray:
    """Response (N,) of the best curve at `dose` (N,), whether it describes the points or not."""
    x = log_dose(dose)
    log10_ec50, log_hill = _best(x, response)
    bottom, top, _ = _plateaus(x, response, log10_ec50, log_hill)
    return bottom + (top - bottom) * rise_of(x, log10_ec50, log_hill)


def monotonic_test(dose: ArrayLike, response: ArrayLike) -> tuple[float, float]:
    """Kendall's τ-b of response against dose and its two-sided p (Mann 1945, Kendall 1975).

    NaN, NaN with fewer than three pairs or when either never changes.
    """
    dose, response = _paired(dose, response)
    if dose.size < 3 or np.ptp(dose) == 0 or np.ptp(response) == 0:
        return _NEVER, _NEVER
    tau, p = stats.kendalltau(dose, response)
    return float(tau), float(p)


def _paired(dose: ArrayLike, response: ArrayLike) -> tuple[NDArray, NDArray]:
    dose, response = np.asarray(dose, float), np.asarray(response, float)
    if dose.shape != response.shape or dose.ndim != 1:
        raise ValueError(f"dose {dose.shape} and response {response.shape} must both be (N,)")
    kept = np.isfinite(dose) & np.isfinite(response)
    if (dose[kept] < 0).any():
        raise BadConfig(
            seen=f"dose {dose[kept].min():g}",
            wanted="doses of 0 (untreated) or more",
            do="correct the dose column of the plate map; write doses, not their logarithms",
        )
    return dose[kept], response[kept]


def _why_not(dose: NDArray, response: NDArray) -> str:
    if dose.size <= N_PARAMETERS:
        return f"{dose.size} points cannot determine {N_PARAMETERS} parameters"
    if np.unique(dose[dose > 0]).size < 3:
        return "fewer than three different doses above 0"
    if np.ptp(response) <= 1e-12 * np.abs(response).max():
        return "the response never changes"
    return ""


def _plateaus(x: NDArray, y: NDArray, log10_ec50: float, log_hill: float) -> tuple:
    """Least-squares bottom and top for a given shape, and the sum of squared residuals."""
    rise = rise_of(x, log10_ec50, log_hill)
    centred = rise - rise.mean()
    power = float(centred @ centred)
    gain = float(centred @ y) / power if power > 1e-15 else 0.0
    bottom = float(y.mean() - gain * rise.mean())
    residual = y - bottom - gain * rise
    return bottom, bottom + gain, float(residual @ residual)


def _ssr_over_hills(x: NDArray, y: NDArray, log10_ec50: float, log_hills: NDArray) -> NDArray:
    """Sum of squared residuals (H,) at one EC50 for many slopes (H,)."""
    rise = rise_of(x[None, :], log10_ec50, log_hills[:, None])  # (H, N)
    centred = rise - rise.mean(axis=1, keepdims=True)
    power = np.maximum((centred**2).sum(axis=1), 1e-15)
    spread = ((y - y.mean()) ** 2).sum()
    return spread - (centred @ y) ** 2 / power


def _best(x: NDArray, y: NDArray) -> tuple[float, float]:
    """(log10 EC50, ln hill) of the least squares: a grid, then refined."""
    tested = x[np.isfinite(x)]
    bounds_e = (tested.min() - 3, tested.max() + 3)
    log_ec50s = np.linspace(*bounds_e, 121)
    table = np.stack([_ssr_over_hills(x, y, e, LOG_HILLS) for e in log_ec50s])  # (E, H)
    at_e, at_h = np.unravel_index(np.argmin(table), table.shape)

    def residual(shape: NDArray) -> NDArray:
        bottom, top, _ = _plateaus(x, y, shape[0], shape[1])
        return (y - bottom - (top - bottom) * rise_of(x, shape[0], shape[1])) / np.ptp(y)

    start = np.array([log_ec50s[at_e], LOG_HILLS[at_h]])
    bounds = np.array([bounds_e, LOG_HILLS[[0, -1]]]).T
    start = np.clip(start, bounds[0] + 1e-6, bounds[1] - 1e-6)
    fit = optimize.least_squares(residual, start, bounds=(bounds[0], bounds[1]), xtol=1e-12)
    return float(fit.x[0]), float(fit.x[1])


def _beats_a_constant(ssr: float, spread: float, n: int) -> bool:
    """F test of the curve against one constant: a flat response has no EC50 to speak of."""
    if ssr <= 1e-12 * spread:
        return True
    f = ((spread - ssr) / (N_PARAMETERS - 1)) / (ssr / (n - N_PARAMETERS))
    return bool(stats.f.sf(f, N_PARAMETERS - 1, n - N_PARAMETERS) < 0.05)


def _profile_interval(
    x: NDArray, y: NDArray, centre: float, ssr: float, confidence: float
) -> tuple[float, float]:
    """Where the profile of log10 EC50 crosses the t-based threshold; NaN where it never does."""
    freedom = y.size - N_PARAMETERS
    spread = float(((y - y.mean()) ** 2).sum())
    ssr = max(ssr, NO_NOISE * spread)  # counts may fit without any, at more than one EC50
    limit = ssr * (1 + stats.t.ppf((1 + confidence) / 2, freedom) ** 2 / freedom)

    def excess(log10_ec50: float) -> float:
        coarse = _ssr_over_hills(x, y, log10_ec50, LOG_HILLS)
        i = int(np.argmin(coarse))
        near = (LOG_HILLS[max(i - 1, 0)], LOG_HILLS[min(i + 1, LOG_HILLS.size - 1)])
        fine = optimize.minimize_scalar(
            lambda h: _plateaus(x, y, log10_ec50, h)[2], bounds=near, method="bounded"
        )
        return min(float(fine.fun), float(coarse[i])) - limit

    tested = x[np.isfinite(x)]
    return _crossing(excess, centre, tested.min() - 2), _crossing(excess, centre, tested.max() + 2)


def _crossing(excess: Callable[[float], float], centre: float, end: float) -> float:
    """First root of `excess` on the way from `centre` (where it is negative) to `end`."""
    before = centre
    for here in np.linspace(centre, end, 60)[1:]:
        if excess(here) > 0:
            return float(optimize.brentq(excess, before, here, xtol=1e-6))
        before = here
    return _NEVER


def _open_ends(low: float, high: float) -> str:
    missing = [name for name, end in (("below", low), ("above", high)) if math.isnan(end)]
    return f"EC50 is not bounded {' or '.join(missing)}" if missing else ""
