"""Fields of a plate that are out of focus, compared with the other fields of the plate.

Cells that are out of focus are missed, merged and measured too large, and the image by itself may
look like one of other cells. Among the fields of the same plate it is conspicuous: whatever was
done to the wells, how sharp their nuclei are (`cellpipe.segment.sharpness`) hardly changes. Frames
of a movie are compared with each other by `cellpipe.quality.movie_quality`; here, movies as wholes
are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST_FIELDS = 4  # that show cells: of three, none is the odd one
BLURRED = np.log(2.6)  # healthy fields of real plates stay within a factor of 1.6
DEVIATIONS = 5.0  # of plates whose fields differ by themselves
MOST = np.log(12.0)  # that much is blurred on any plate
LEAST_NOISE = 2.0  # grey values, of the plate: less is of the steps between grey values
NOISELESS = 10.0  # times less noise than most fields of the plate
FLAG = "out of focus"
SMOOTHED = "without noise"


def name_blurred(fields: pd.DataFrame) -> pd.DataFrame:
    """Fields with `focus_flag`: "out of focus" where their objects are far less sharp than most,
    "without noise" where the camera's noise is missing: other software smoothed or blanked them.

    fields : one row per well, field and t, with `sharpness` (NaN for empty fields, which are not
        evaluated by it) and `noise_sigma`
    """
    if not {"sharpness", "noise_sigma"} <= set(fields):
        return fields
    place = [fields["well"], fields["field"]]
    log = np.log(fields["sharpness"].where(fields["sharpness"] > 0))
    columns = {"log": log, "noise": fields["noise_sigma"]}
    of_fields = pd.DataFrame(columns).groupby(place).median()
    flags = {
        FLAG: _blurred(of_fields["log"].to_numpy(float)),
        SMOOTHED: _without_noise(of_fields["noise"].to_numpy(float)),
    }
    words = pd.DataFrame({flag: np.where(here, flag, "") for flag, here in flags.items()})
    said = ["; ".join(filter(None, row)) for row in words.itertuples(index=False)]
    of_place = dict(zip(of_fields.index, said, strict=True))
    keys = zip(*place, strict=True)
    return fields.assign(focus_flag=[of_place.get(key, "") for key in keys])


def _blurred(log: np.ndarray) -> np.ndarray:
    """Which of the logarithms of sharpness (N,) are far below their median, bool (N,)."""
    known = log[np.isfinite(log)]
    if len(known) < LEAST_FIELDS:
        return np.zeros(len(log), bool)
    middle = float(np.median(known))
    usual = 1.4826 * float(np.median(np.abs(known - middle)))
    below = np.where(np.isfinite(log), middle - log, 0.0)
    return below > min(max(BLURRED, DEVIATIONS * usual), MOST)


def _without_noise(noise: np.ndarray) -> np.ndarray:
    """Which of the deviations of noise (N,) are far below their median, bool (N,)."""
    known = noise[np.isfinite(noise)]
    if len(known) < LEAST_FIELDS or np.median(known) < LEAST_NOISE:
        return np.zeros(len(noise), bool)
    return noise < float(np.median(known)) / NOISELESS
