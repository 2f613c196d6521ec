"""Geometry and appearance of a division: daughters on either side of their mother, alike,
condensed.

The geometry starts from what is true of most cells (daughters part by about a diameter, their
midpoint is where the mother was) and is learned again from the divisions that a first pass found,
as is the appearance of mothers and daughters compared with the rest of the population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellpipe.track.detections import Detections
from cellpipe.track.look import Law, learn_law, population
from cellpipe.track.motion import Motion, step_cost

P_DIVISION = 0.01  # a cell divides in a frame, before the movie is known
PRIOR_LINKS = 500  # links to which this first guess is equivalent
PRIOR_DIVISIONS = 10.0  # divisions to which the first guess of a geometry is equivalent
MIN_DIVISIONS = 20  # from which on appearance is learned
STILL = 0.5  # a cell in mitosis is round and goes half as far as others
APART_SPREAD = 0.4  # of the logarithm of the daughters' distance in diameters
SISTER_SPREAD = 0.25  # log area ratio of sisters, standard deviation
SHARE_MEAN, SHARE_SPREAD = 0.1, 0.4  # log of (sisters' area / mother's): she may be condensed
MITOSIS_SEEN, MITOSIS_MISSED = np.log(0.8 / 0.03), np.log(0.2 / 0.97)
BLINK_PENALTY = 3.0  # nats against a daughter that is gone in the next frame: debris, mostly


@dataclass(frozen=True)
class Division:
    """Laws of a division; lengths in µm.

    nats : -log of the share of cells that divide in a frame
    reach_um : the farthest that a daughter is from her mother
    middle_sigma_um : per coordinate, of the daughters' midpoint about the mother
    log_apart, log_apart_spread : of the natural logarithm of the daughters' distance in µm
    family, sisters : appearance of mother and daughters' mean (2F features), of the daughters'
        difference (F); None before they are learned
    """

    nats: float
    reach_um: float
    middle_sigma_um: float
    log_apart: float
    log_apart_spread: float
    area_spread: float
    centre: np.ndarray
    family: Law | None = None
    sisters: Law | None = None

    def cost(
        self,
        detections: Detections,
        m: np.ndarray,
        s: np.ndarray,
        r: np.ndarray,
        missed: int = 0,
    ) -> np.ndarray:
        """-log density (per µm⁴) of mothers m dividing into s and r, `missed` frames between."""
        position = detections.position_um
        middle = (position[s] + position[r]) / 2 - position[m]
        apart = position[s] - position[r]
        sigma_um = self.middle_sigma_um * np.sqrt(1.0 + missed)
        cost = step_cost((middle**2).sum(axis=1), np.full(len(m), sigma_um))
        distance = np.maximum(np.hypot(apart[:, 0], apart[:, 1]), 1e-3)
        spread = self.log_apart_spread * np.sqrt(1.0 + missed)
        z = (np.log(distance) - self.log_apart) / spread
        # either sister may be named first: half the plane is enough
        cost += z**2 / 2 + np.log(np.sqrt(2 * np.pi) * spread * distance) + np.log(np.pi * distance)
        return cost + self.nats - self.looks(detections, m, s, r) - _mitosis(detections, m, s, r)

    def looks(
        self, detections: Detections, m: np.ndarray, s: np.ndarray, r: np.ndarray
    ) -> np.ndarray:
        """What areas and intensities speak for a division, in nats."""
        if self.family is None or self.sisters is None:
            return self._areas(detections, m, s, r)
        # of these rows only: all of a long movie's, for every frame, would take its square
        mother, one, other = (detections.features[rows] - self.centre for rows in (m, s, r))
        together = np.concatenate([mother, (one + other) / 2], axis=1)
        return self.family.nats(together) + self.sisters.nats(one - other)

    def _areas(
        self, detections: Detections, m: np.ndarray, s: np.ndarray, r: np.ndarray
    ) -> np.ndarray:
        """Sisters are alike and together about their mother; against two unrelated cells."""
        if detections.area_um2 is None:
            return np.zeros(len(m))
        mother, one, other = (
            np.log(np.maximum(detections.area_um2[rows], 1e-6)) for rows in (m, s, r)
        )
        difference = one - other
        share = np.logaddexp(one, other) - mother
        strangers = float(np.hypot(np.sqrt(2) * self.area_spread, SISTER_SPREAD))
        cost = _nats(difference, SISTER_SPREAD) - _nats(difference, strangers)
        cost += _nats(share - SHARE_MEAN, SHARE_SPREAD) - _nats(share - np.log(2), SHARE_SPREAD)
        return -cost


def _nats(deviation: np.ndarray, sigma: float) -> np.ndarray:
    # beyond three sigma a wrong outline is likelier than an impossible cell
    return np.minimum(deviation**2 / (2 * sigma**2), 4.5) + np.log(sigma)


def _mitosis(detections: Detections, m: np.ndarray, s: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Gain from the classifier of mother and daughters."""
    if detections.mitotic is None:
        return np.zeros(len(m))
    seen = detections.mitotic[m] | detections.mitotic[s] | detections.mitotic[r]
    return np.asarray(np.where(seen, MITOSIS_SEEN, MITOSIS_MISSED))


def guess(detections: Detections, motion: Motion, max_distance_um: float) -> Division:
    """Before any division is known."""
    density = detections.density_per_um2(max_distance_um)
    spread, thrown_um = 0.1, 0.0
    if detections.area_um2 is not None:
        typical = max(float(np.median(detections.area_um2)), 1e-6)
        diameter_um = 2 * float(np.sqrt(typical / np.pi))
        log_area = np.log(np.maximum(detections.area_um2, 1e-6) / typical)
        spread = max(1.48 * float(np.median(np.abs(log_area))), 0.1)
        # a daughter starts next to her mother's middle, and takes her step from there
        thrown_um = diameter_um / 2
    else:  # half the distance between cells is all that is known of their size
        diameter_um = float(max(0.5 / np.sqrt(density), 2 * motion.sigma_um))
    return Division(
        nats=-float(np.log(P_DIVISION)),
        reach_um=max_distance_um + thrown_um,
        middle_sigma_um=float(np.hypot(STILL * motion.sigma_um, 0.1 * diameter_um)),
        log_apart=float(np.log(diameter_um)),
        log_apart_spread=APART_SPREAD,
        area_spread=spread,
        centre=np.zeros(detections.features.shape[1]),
    )


def learn_division(
    detections: Detections,
    prior: Division,
    links: int,
    m: np.ndarray,
    s: np.ndarray,
    r: np.ndarray,
) -> Division:
    """From the divisions of mothers m into s and r that an earlier pass found among `links`."""
    n = len(m)
    position = detections.position_um
    rate = (n + P_DIVISION * PRIOR_LINKS) / (links + PRIOR_LINKS)
    middle = (position[s] + position[r]) / 2 - position[m]
    apart = np.log(np.maximum(np.hypot(*(position[s] - position[r]).T), 1e-3))
    share = n / (n + PRIOR_DIVISIONS)
    typical = float(np.median(apart)) if n else prior.log_apart
    wide = 1.48 * float(np.median(np.abs(apart - typical))) if n else 0.0
    squared = float(np.median((middle**2).sum(axis=1))) / (2 * np.log(2)) if n else 0.0
    family, sisters, centre = prior.family, prior.sisters, prior.centre
    if n >= MIN_DIVISIONS and detections.features.shape[1]:
        centre, spread = population(detections.features)
        family, sisters = _learn_looks(detections.features - centre, spread, m, s, r)
    return Division(
        nats=-float(np.log(np.clip(rate, P_DIVISION, 0.1))),
        reach_um=prior.reach_um,
        middle_sigma_um=float(
            np.sqrt((1 - share) * prior.middle_sigma_um**2 + share * max(squared, 0.01))
        ),
        log_apart=(1 - share) * prior.log_apart + share * typical,
        log_apart_spread=float(
            np.sqrt((1 - share) * prior.log_apart_spread**2 + share * max(wide, 0.1) ** 2)
        ),
        area_spread=prior.area_spread,
        centre=centre,
        family=family,
        sisters=sisters,
    )


def _learn_looks(
    f: np.ndarray, spread: np.ndarray, m: np.ndarray, s: np.ndarray, r: np.ndarray
) -> tuple[Law, Law]:
    n_features = f.shape[1]
    nothing = np.zeros(n_features)
    together = np.concatenate([f[m], (f[s] + f[r]) / 2], axis=1)
    strangers = np.zeros((2 * n_features, 2 * n_features))
    strangers[:n_features, :n_features] = spread
    strangers[n_features:, n_features:] = spread / 2
    family = learn_law(together, np.median(together, axis=0), np.zeros(2 * n_features), strangers)
    sisters = learn_law(f[s] - f[r], nothing, nothing, 2 * spread)
    return family, sisters
