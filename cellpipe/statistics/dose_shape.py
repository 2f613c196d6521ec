r"""Does one rising or falling step describe a response at all? Bells, two steps, lack of fit.

    sigmoid   ____/‾‾‾‾     bell   __/‾‾\__     two steps   __/‾‾/‾‾      scatter   . ' . ' .

A logistic through a bell still has an EC50, with a narrow interval, and no meaning. The logistic is
compared with the sum of two (a step up and one down, or two the same way) by an F test, and with
the spread of replicates by the test of lack of fit (Draper & Smith, Applied Regression Analysis,
1998, ch. 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cellpipe.statistics.dose_curve import N_PARAMETERS, rise_of

# Nominal levels of the F test; chosen on simulated sigmoids, flat responses and bells: of sigmoids
# with 5 to 15 % noise 0 to 2 % are called bells, of flat responses 0 to 3 %
BELL_P = 0.02
SECOND_STEP_P = 0.001
LEAST_R_SQUARED = 0.5
ON_SLOPE = 0.03  # doses with less or more than that of the response are on a plateau
NOT_REACHED = 0.25  # of the response: more than that was never seen
REVERSAL = 0.25  # of the response's range: less than that back is no bell
SOME_REVERSAL = 0.1  # more than that is reported, where it is beyond doubt
LACK_OF_FIT_P = 0.001
LACK_OF_FIT_SHARE = 0.05  # of the variance: less than that is not reported
_HILLS = np.log([0.7, 1.5, 4.0, 12.0])
_N_PLACES = 22


def shape_notes(x: NDArray, y: NDArray, ssr: float) -> tuple[str, str]:
    """(why an EC50 has no meaning, what to doubt) of one step through (N,) points; "" for none.

    Parameters
    ----------
    x : log10 doses, -inf for dose 0
    y : responses
    ssr : sum of squared residuals of the logistic
    """
    spread = float(((y - y.mean()) ** 2).sum())
    two = two_steps(x, y, ssr)
    if two and two.p < BELL_P and two.reversal >= REVERSAL and two.beats_constant(spread, y.size):
        return (
            f"the response is not monotonic: it reverses at dose {10**two.turn:.3g} and returns by"
            f" {two.reversal:.0%} of its range",
            "",
        )
    missed = lack_of_fit(x, y, ssr)
    if two and two.p < SECOND_STEP_P and two.reversal >= SOME_REVERSAL:
        return "", (
            f"the response turns at dose {10**two.turn:.3g} and comes back by {two.reversal:.0%} of"
            " its range: the curve does not describe the points beyond"
        )
    if missed and missed[0] < LACK_OF_FIT_P and missed[1] > LACK_OF_FIT_SHARE:
        return "", (
            f"the curve does not describe the points: it leaves {missed[1]:.0%} of their variance"
            f" beyond the spread of replicates (lack of fit, p {missed[0]:.1g})"
        )
    if two and two.p < SECOND_STEP_P and ssr - two.ssr > LACK_OF_FIT_SHARE * spread:
        return "", "the curve does not describe the points: two steps fit better than one"
    if ssr > (1 - LEAST_R_SQUARED) * spread:
        return "", f"the curve explains only {1 - ssr / spread:.0%} of the variation"
    return "", ""


def without_response(dose: ArrayLike, response: ArrayLike) -> str:
    """Which of the highest doses have no response at all (no cells were left); "" if all have."""
    dose, response = np.asarray(dose, float), np.asarray(response, float)
    known = np.isfinite(dose) & np.isfinite(response)
    if not known.any():
        return ""
    above = dose[np.isfinite(dose) & (dose > dose[known].max())]
    if not above.size:
        return ""
    return f"no value at doses of {above.min():.4g} and above ({above.size} wells)"


def step_note(dose: NDArray, rise: NDArray) -> str:
    """A note where no more than one dose is on the slope, of `rise` (N,) 0 to 1 at `dose`."""
    between = np.unique(dose[(rise > ON_SLOPE) & (rise < 1 - ON_SLOPE)])
    below, above = dose[rise <= ON_SLOPE], dose[rise >= 1 - ON_SLOPE]
    if between.size > 1 or not below.size or not above.size:
        return ""
    n = "no dose" if not between.size else "one dose"
    return (
        f"{n} between the plateaus: the slope is not determined, the EC50 is between"
        f" {below.max():.4g} and {above.min():.4g}"
    )


def plateau_note(rise: NDArray) -> str:
    """Names the plateaus that the tested doses do not come near, of `rise` (N,) 0 to 1 at them.

    Such a plateau, and the EC50 halfway to it, is what the logistic makes of the other points.
    """
    missing = [
        f"the {which} plateau ({share:.0%} of the response lies {where} doses)"
        for which, where, share in (
            ("lower", "below the tested", float(rise.min())),
            ("upper", "above the tested", 1 - float(rise.max())),
        )
        if share > NOT_REACHED
    ]
    return f"extrapolated: the doses do not reach {' and '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class TwoSteps:
    """The sum of two logistic steps: residual sum of squares, and response at the tested doses.

    p : of the F test against one step
    reversal : share of the range by which the response comes back, 0 for a monotone one
    turn : log10 dose of the extreme from which it comes back
    """

    ssr: float
    p: float
    reversal: float
    turn: float

    def beats_constant(self, spread: float, n: int) -> bool:
        """Whether two steps describe `n` points better than their mean does."""
        n_parameters = N_PARAMETERS + 2
        f = (spread - self.ssr) / (n_parameters - 1) / (self.ssr / (n - n_parameters))
        return bool(stats.f.sf(f, n_parameters - 1, n - n_parameters) < BELL_P)


def two_steps(x: NDArray, y: NDArray, one_step_ssr: float) -> TwoSteps | None:
    """The best sum of two steps through log10 doses `x` (N,) (-inf: dose 0) and responses `y` (N,).

    None where there are too few points (fewer than two more than parameters) or doses.
    """
    n_parameters = N_PARAMETERS + 2
    tested = np.unique(x[np.isfinite(x)])
    if y.size < n_parameters + 2 or np.unique(x).size < n_parameters:
        return None
    first, second, hills = _grid(float(tested[0]), float(tested[-1]))
    a = _centred(rise_of(x[None], first[:, None], hills[:, None]))  # (G, N)
    b = _centred(rise_of(x[None], second[:, None], hills[:, None]))
    centred = y - y.mean()
    aa, bb, ab = (a * a).sum(1), (b * b).sum(1), (a * b).sum(1)
    ay, by = a @ centred, b @ centred
    determinant = aa * bb - ab**2
    sound = determinant > 1e-9 * aa * bb
    safe = np.where(sound, determinant, 1.0)
    up, down = (ay * bb - by * ab) / safe, (by * aa - ay * ab) / safe
    gained = np.where(sound, up * ay + down * by, 0.0)
    best = int(np.argmax(gained))
    spread = float(centred @ centred)
    ssr = max(spread - float(gained[best]), 1e-12 * spread)
    freedom = y.size - n_parameters
    f = max(one_step_ssr - ssr, 0.0) / 2 / (ssr / freedom)
    curve = up[best] * rise_of(tested, first[best], hills[best])
    curve = curve + down[best] * rise_of(tested, second[best], hills[best])
    if np.isneginf(x).any():
        tested, curve = np.r_[-np.inf, tested], np.r_[0.0, curve]
    reversal, turn = _reversal(tested, curve)
    return TwoSteps(ssr, float(stats.f.sf(f, 2, freedom)), reversal, turn)


def lack_of_fit(x: NDArray, y: NDArray, ssr: float) -> tuple[float, float] | None:
    """(p, share of the variance) of what the curve misses beyond the spread of replicates.

    None with fewer than three degrees of freedom between replicates, or between doses.
    """
    _, group, counts = np.unique(x, return_inverse=True, return_counts=True)
    free_error, free_fit = y.size - counts.size, counts.size - N_PARAMETERS
    if free_error < 3 or free_fit < 1:
        return None
    means = np.bincount(group, y) / counts
    error = float(((y - means[group]) ** 2).sum())
    missed, spread = max(ssr - error, 0.0), float(((y - y.mean()) ** 2).sum())
    if error <= 1e-12 * spread:
        return None  # copies, no replicates
    f = (missed / free_fit) / (error / free_error)
    return float(stats.f.sf(f, free_fit, free_error)), missed / spread


@cache
def _grid(low: float, high: float) -> tuple[NDArray, NDArray, NDArray]:
    """(first, second, ln hill) of the steps tried, each (G,): second is above first."""
    places = np.linspace(low - 0.3, high + 0.3, _N_PLACES)
    i, j = np.triu_indices(_N_PLACES, 1)
    first = np.tile(places[i], _HILLS.size)
    second = np.tile(places[j], _HILLS.size)
    return first, second, np.repeat(_HILLS, i.size)


def _centred(rise: NDArray) -> NDArray:
    return rise - rise.mean(axis=1, keepdims=True)


def _reversal(x: NDArray, curve: NDArray) -> tuple[float, float]:
    """How far a curve comes back from its extreme, as a share of its range, and where it turns."""
    span = float(np.ptp(curve))
    if span == 0:
        return 0.0, float("nan")
    found = (0.0, float("nan"))
    for sign in (1, -1):
        turn = int(np.argmax(sign * curve))
        before, after = (abs(curve[turn] - curve[end]) for end in (0, -1))
        back = float(min(before, after)) / span
        found = max(found, (back, float(x[turn])), key=lambda pair: pair[0])
    return found
