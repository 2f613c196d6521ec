"""A common shift that single frames are too noisy to show, and many frames together do.

    frame          1     2     3     4     5   …
    shift, µm     .5±.7 .1±.7 .4±.7 .2±.7 .3±.7      of each frame no shift is certain;
    together             .30 ± .07                   of 90 they are: 27 µm over the movie

A stage that drifts slowly moves by less in a frame than cells do, and by far more than they do in a
movie. So shifts of all frames are taken together; of fewer, where these clearly show another drift.
"""

from __future__ import annotations

import numpy as np

FEWEST = 8  # frames that are taken together
CERTAIN = 4.0  # errors: windows of several lengths, about each frame, are tried


def local_drift(
    shift_um: np.ndarray, error_um: np.ndarray, n_frames: np.ndarray, left_out: np.ndarray
) -> np.ndarray:
    """Drift per frame about each frame, (K, 2); 0 where frames together show none.

    Parameters
    ----------
    shift_um : (K, 2), against the frame before
    error_um : (K, 2), standard errors; not finite where there is no shift
    n_frames : (K,), frames since the frame before
    left_out : (K,) bool, such as jumps
    """
    drift = np.zeros(shift_um.shape)
    usable = np.isfinite(error_um).all(axis=1) & (n_frames > 0) & ~left_out
    if usable.sum() < FEWEST:
        return drift
    frames = np.where(usable, n_frames, 1)[:, None]
    weight = np.where(usable[:, None], (frames / np.maximum(error_um, 1e-3)) ** 2, 0.0)
    rate = np.where(usable[:, None], shift_um / frames, 0.0)
    sums = [
        np.concatenate([np.zeros((1, 2)), np.cumsum(of, axis=0)])
        for of in (weight, weight * rate, weight * rate**2, np.repeat(usable[:, None], 2, axis=1))
    ]
    k, half = np.arange(len(shift_um)), max(len(shift_um), FEWEST)
    while half >= FEWEST // 2:
        low, high = np.maximum(k - half, 0), np.minimum(k + half + 1, len(k))
        w, first, second, n = (of[high] - of[low] for of in sums)
        w = np.maximum(w, 1e-12)
        mean = first / w
        # what shifts differ by, where that is more than their errors: a stage that moves unevenly
        uneven = np.maximum(second / w - mean**2, 0) / np.maximum(n - 1, 1)
        error = np.sqrt(np.maximum(1 / w, uneven))
        other = (n[:, 0] >= FEWEST) & (np.abs(mean - drift) > CERTAIN * error).any(axis=1)
        drift[other] = mean[other]
        half //= 2
    return drift
