"""One table of spots, whatever engine finds them.

Engines count in standard deviations of the noise that their own filters leave nearby, so one
threshold means the same on a dim and on a bright channel, inside a cell and outside. ``learned``
also gives each spot a probability. What they propose is a spot where its light falls off on every
side (`evidence`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpipe.detect.blobs import locate_by_log
from cellpipe.detect.centroids import locate_by_trackpy
from cellpipe.detect.filters import DIAMETER_TO_SIGMA
from cellpipe.detect.limits import refuse_diameter, refuse_wide
from cellpipe.detect.noise import least_height
from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    from cellpipe.networks.load import Network

COLUMNS = ("y_um", "x_um", "intensity", "sigma_um", "signal_to_noise")
ENGINES = ("learned", "log", "trackpy")


def detect_spots(
    pixels: np.ndarray,
    *,
    pixel_size_um: float,
    diameter_um: float,
    engine: str = "learned",
    threshold: float | None = None,
    false_per_mpx: float = 0.3,
    probability_threshold: float = 0.38,
    min_roundness: float = 0.2,
    polarity: str = "bright",
    network: Network | None = None,
) -> pd.DataFrame:
    """Find spots of about one size, to a fraction of a pixel.

    Parameters
    ----------
    pixels : array, shape (Y, X)
    pixel_size_um : float
    diameter_um : float
        Of a spot as it appears in the image: 2.8 times the sigma of its Gaussian.
    engine : "learned", "log" or "trackpy"
        Of false spots, ``log`` and ``trackpy`` control the rate that noise makes, by
        `false_per_mpx`. ``learned`` controls none by an option: it is measured, on simulated fields
        without a spot (studies/spots).
    threshold : float or None
        Least height of a spot in standard deviations of the noise nearby. None: what
        `false_per_mpx` allows (5.2 for spots of 4 pixels); for ``learned``, whose probability
        rejects what is no spot, 4, and 2 near spots of high probability and similar height
        (`learned.least_heights`).
    false_per_mpx : float
        How many spots noise alone may make in a million pixels, where no threshold is given. Used
        by ``log`` and ``trackpy``.
    probability_threshold : float
        Least probability of a spot. Used by ``learned``.
    min_roundness : float
        0 takes every peak; 1 only peaks that fall off alike in all directions. Keeps out edges
        and fibres. Used by ``log``.
    polarity : "bright" or "dark"
        Whether spots are brighter than their surroundings, or darker, as beads in bright field.
    network : for ``learned``, weights of kind "spots"; None: the shipped ones

    Returns
    -------
    DataFrame, one row per spot, float64
        y_um x_um (origin in the centre of the top-left pixel); intensity, the height over the
        local background in counts (of dark spots, the depth below it); sigma_um, the width of the
        spot's Gaussian; signal_to_noise, the height in the unit of ``threshold``; of ``learned``
        also probability. Sorted by y, then x.

    Raises
    ------
    BadConfig
        If the engine is unknown, or the diameter is beyond what pixels, engine or image can show.
    CellpipeError
        If the network is not one for spots.
    """
    if engine not in ENGINES:
        raise BadConfig(
            seen=f"detect.engine = {engine!r}",
            wanted=f"one of {', '.join(ENGINES)}",
            do="name one of them in config.yaml",
        )
    refuse_diameter(engine, diameter_um, pixel_size_um)
    refuse_wide(diameter_um, pixel_size_um, pixels.shape)
    sigma_px = diameter_um / pixel_size_um / DIAMETER_TO_SIGMA
    # filters take what is beyond the image for 0, and leak some of a large offset
    image = pixels.astype(np.float64) - np.median(pixels)
    image *= {"bright": 1, "dark": -1}[polarity]
    columns = list(COLUMNS)
    least = least_height(sigma_px, false_per_mpx) if threshold is None else threshold
    if engine == "log":
        spots = locate_by_log(image, sigma_px, least, min_roundness)
    elif engine == "trackpy":
        spots = locate_by_trackpy(image, sigma_px, least)
    else:
        from cellpipe.detect.learned import locate_by_network, shipped_network  # torch

        found_by = network or shipped_network()
        spots = locate_by_network(image, sigma_px, threshold, probability_threshold, found_by)
        columns.append("probability")
    spots = spots[np.lexsort((spots[:, 1], spots[:, 0]))]
    table = pd.DataFrame(spots, columns=columns)
    table[["y_um", "x_um", "sigma_um"]] *= pixel_size_um
    return table
