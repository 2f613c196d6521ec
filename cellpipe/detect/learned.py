"""Spots as a network predicts them: a heat map of their positions, and the offset to each centre.

A heat map with offsets to subpixel centres: Eichenberger et al., Nucleic Acids Res. 49:7292, 2021
(deepBlink); Dominguez Mantes et al., Nat. Methods 22:1495, 2025 (Spotiflow). The input of the
network is the image in units of its noise nearby, independent of camera and exposure time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cellpipe.detect.blobs import looks_like_spots, measures
from cellpipe.detect.evidence import Tests
from cellpipe.detect.filters import DIAMETER_TO_SIGMA, Answer, blob_answer, peaks
from cellpipe.image.rescale import resize
from cellpipe.networks.diameter import scaled_shape, working_scale
from cellpipe.networks.infer import check_kind, tiled_maps
from cellpipe.networks.load import Network, load_network

OUTPUTS = ("heat", "offset_y", "offset_x")
GROUND_SIGMAS = 4  # light that changes over more than this is background
SCALE = "heights over the ground in units of the noise of spots nearby, arcsinh"  # for the card
TILE_PX = 2048
SURE = 0.7  # noise and rims of smooth cells have not been seen to be so probable
NEAR_DIAMETERS = 3  # probable spots so near are neighbours: the two may touch, and many are a crowd
# Noise of bright light over that nearby: from here on, neighbours may be grain of one bright object
RAISED = 2.0
# Least heights in deviations of noise, where none is given; the probability does the rest.
# Among spots of its like, the spots themselves are most of what passes for noise.
ALONE, AMONG_LIKE = 4.0, 2.0
LIKE = 0.35  # of the typical height of probable spots: much lower ones are grain between them
# The network itself rejects most rims: less is required than of the other engines' places.
TESTS = Tests(least_fall=1.5, least_roundness=0.15, narrowest=0.8)
TESTS_OF_SURE = Tests(least_fall=1.5, least_roundness=-np.inf, narrowest=0.0, widest=np.inf)
TESTS_NEAR = TESTS._replace(least_roundness=-np.inf, narrowest=0.4, touching=True)
TESTS_OF_SURE_NEAR = TESTS_OF_SURE._replace(touching=True)
PROBABILITY = 0.38  # least probability of a spot, where nothing else is given


@lru_cache(maxsize=1)
def shipped_network() -> Network:
    return load_network("spots")


def locate_by_network(
    image: np.ndarray,
    sigma_px: float,
    threshold: float | None,
    probability_threshold: float,
    network: Network,
) -> np.ndarray:
    """y, x, `measures` and probability of each spot, (S, 6).

    The network alone would take blots of correlated noise for spots: `threshold` keeps those out.
    None: `ALONE` and `AMONG_LIKE`.
    Images whose spots are smaller or larger than those in training are rescaled.
    """
    check_kind(network, "spots")
    answer = blob_answer(image, sigma_px)
    if answer is None:
        return np.zeros((0, 6))
    scale = working_scale(DIAMETER_TO_SIGMA * sigma_px, network.card.diameter_px)
    shape = scaled_shape(image.shape, scale)
    if shape == image.shape:
        seen = in_noise_units(image, answer, sigma_px)
    else:
        seen = _rescaled(image, shape, sigma_px)
    maps = tiled_maps(seen, network, TILE_PX)
    sigma_there = sigma_px * shape[0] / image.shape[0]
    # spots of high probability show where crowds are, also with a higher threshold
    spots = spots_from_maps(maps, sigma_there, min(probability_threshold, SURE))
    at = (spots[:, :2] + 0.5) * np.divide(image.shape, shape) - 0.5
    y, x = np.clip(np.rint(at), 0, np.array(image.shape) - 1).astype(np.intp).T
    found = np.column_stack([at, measures(answer, y, x, sigma_px), spots[:, 2]])
    sure = spots[:, 2] >= SURE
    near = neighbours(at, sure, sigma_px) > 0
    near &= answer.noise[y, x] < RAISED * answer.roughness[y, x]
    good = spots[:, 2] >= probability_threshold
    good &= found[:, 4] >= (least_heights(found, sure, near) if threshold is None else threshold)
    for kind, tests in (
        (~sure & ~near, TESTS),
        (sure & ~near, TESTS_OF_SURE),
        (~sure & near, TESTS_NEAR),
        (sure & near, TESTS_OF_SURE_NEAR),
    ):
        asked = good & kind
        good[asked] = looks_like_spots(image, answer, y[asked], x[asked], sigma_px, tests)
    return found[good]


def neighbours(at: np.ndarray, sure: np.ndarray, sigma_px: float) -> np.ndarray:
    """Number of probable neighbours of each, int (S,). at: (S, 2) in pixels; sure: bool (S,)."""
    if not sure.any():
        return np.zeros(len(at), np.intp)
    reach_px = NEAR_DIAMETERS * DIAMETER_TO_SIGMA * sigma_px
    near = cKDTree(at[sure]).query_ball_point(at, reach_px, return_length=True)
    return np.asarray(near - sure, np.intp)


def least_heights(found: np.ndarray, sure: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Deviations of noise that each place must be high, (S,).

    found : (S, 6), height in column 2, in deviations of noise in column 4
    sure, near : bool (S,), whether a place has a high probability, and whether such ones are near
    it
    """
    typical = found[sure & (found[:, 4] >= ALONE), 2]
    like = near & (found[:, 2] >= LIKE * np.median(typical)) if len(typical) else near & False
    return np.where(like, AMONG_LIKE, ALONE)


def _rescaled(image: np.ndarray, shape: tuple[int, int], sigma_px: float) -> np.ndarray:
    """The input of the network for a rescaled image."""
    small = resize(image, shape).astype(np.float64)
    sigma_there = sigma_px * shape[0] / image.shape[0]
    answer = blob_answer(small, sigma_there)
    if answer is None:
        return np.zeros(shape, np.float32)
    return in_noise_units(small, answer, sigma_there)


def in_noise_units(image: np.ndarray, answer: Answer, sigma_px: float) -> np.ndarray:
    """An image (Y, X) as the network takes it, float32: 1 is the noise of a spot's height.

    Bright spots are compressed: arcsinh is linear for the dim, a logarithm for the bright.
    """
    ground = ndimage.gaussian_filter(image, GROUND_SIGMAS * sigma_px, mode="nearest")
    # a Gaussian of height 1 answers the filter with 1/2
    return np.arcsinh((image - ground) / (2 * answer.roughness)).astype(np.float32)


def spots_from_maps(
    maps: np.ndarray, sigma_px: float, probability_threshold: float = PROBABILITY
) -> np.ndarray:
    """y, x and probability of each spot, (S, 3), from the maps of `OUTPUTS` (3, Y, X).

    The probability is the heat at the peak. Within one radius there is one spot.
    """
    heat = 1 / (1 + np.exp(-maps[0].astype(np.float64)))
    radius_px = max(1, round(DIAMETER_TO_SIGMA * sigma_px / 2))
    y, x = peaks(heat, radius_px, probability_threshold, border_px=0)
    shift = np.clip(maps[1:, y, x], -1.5, 1.5)
    return np.stack([y + shift[0], x + shift[1], heat[y, x]], axis=1)
