"""Less noise in one plane, by one of five methods behind one call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.image.normalise import SAMPLE_PX
from cellpipe.image.tiles import Plane, blocks, every_nth, widened
from cellpipe.segment.nuclei import check_plane

if TYPE_CHECKING:
    from cellpipe.networks.load import Network

Method = Literal["off", "gaussian", "median", "nlm", "learned"]
HALO_PX = 128  # what the farthest seeing method, the network, takes into account
METHODS = ("off", "gaussian", "median", "nlm", "learned")


def denoise(
    pixels: np.ndarray,
    *,
    method: Method = "off",
    sigma_px: float = 1.0,
    strength: float = 1.0,
    network: Network | None = None,
    tile_px: int = 2048,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """One plane with less noise, on the same intensity scale.

    Parameters
    ----------
    pixels : (Y, X), any integer or float type
    method : "off"; "gaussian" and "median" of width `sigma_px`; "nlm", non-local means with the
        noise estimated from the image; "learned", weights of `network`, else the shipped "denoise"
    strength : 0 leaves the image as it is, 1 is the full method
    limits : for "learned", the grey values that become 0 and 1; None takes them from the plane

    Returns
    -------
    float32 (Y, X); "off" returns `pixels` itself, in its own type

    Raises
    ------
    BadImage : not a plane, NaN or infinite pixels
    BadConfig : no such method, or a strength outside 0-1

    Sources: non-local means, Buades et al. 2011, doi:10.5201/ipol.2011.bcm_nlm; a network on a
    half-resolution grid, Zhang et al. 2018 (FFDNet), arXiv:1710.04026.
    """
    if method not in METHODS or not 0 <= strength <= 1:
        raise BadConfig(
            seen=f"method {method!r}, strength {strength}",
            wanted=f"one of {', '.join(METHODS)}, and a strength between 0 and 1",
            do="correct the section denoise",
        )
    if method == "off":
        return pixels
    check_plane(pixels)
    image = pixels.astype(np.float32)
    if strength == 0 or not image.max() > image.min():
        return image
    if method == "gaussian":
        smooth = ndimage.gaussian_filter(image, sigma_px)
    elif method == "median":
        smooth = ndimage.median_filter(image, size=2 * max(1, round(sigma_px)) + 1)
    elif method == "nlm":
        smooth = _non_local_means(image)
    else:
        from cellpipe.networks.infer import network_denoised

        weights = network or _shipped_denoiser()
        smooth = network_denoised(image, weights, tile_px=tile_px, limits=limits)
    return image + np.float32(strength) * (smooth - image)


def denoise_by_region(
    plane: Plane, into: Plane, *, method: Method = "off", block_px: int = 1792, **options: Any
) -> None:
    """`denoise` for a plane (Y, X) that is read by slices, into another, float32.

    Every block is the same as in the whole plane, but that "nlm" estimates the noise of each.
    """
    limits = None
    if method == "learned":
        from cellpipe.networks.infer import grey_limits

        step = max(1, int(np.sqrt(plane.shape[0] * plane.shape[1] / SAMPLE_PX)))
        limits = grey_limits(every_nth(plane, step))
    for place in blocks(plane.shape, block_px):
        outer, inner = widened(place, HALO_PX, plane.shape)
        seen = np.asarray(plane[outer])
        into[place] = denoise(seen, method=method, limits=limits, **options)[inner]


def _non_local_means(image: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    from cellpipe.image.quality import noise_model

    gain, offset = noise_model(image)
    stable = stabilised(image, gain, offset)
    if stable is None:
        return image
    smooth = denoise_nl_means(
        stable, patch_size=5, patch_distance=6, h=0.8, sigma=1.0, fast_mode=True
    )
    return restored(smooth, gain, offset).astype(np.float32)


def stabilised(image: np.ndarray, gain: float, offset: float) -> np.ndarray | None:
    """The image on a scale where noise of variance gain × intensity + offset has sigma 1.

    None if there is no noise. Anscombe 1948, generalised by Starck et al. 1998.
    """
    if gain > 0:
        return 2 / gain * np.sqrt(np.clip(gain * image + 0.375 * gain**2 + offset, 0, None))
    return image / np.sqrt(offset) if offset > 0 else None


def restored(stable: np.ndarray, gain: float, offset: float) -> np.ndarray:
    """Back from `stabilised`; the quarter makes the mean of noisy pixels come out right."""
    if gain > 0:
        return gain / 4 * stable**2 - (0.375 - 0.25) * gain - offset / gain
    return stable * np.sqrt(offset)


@lru_cache(maxsize=1)
def _shipped_denoiser() -> Network:
    from cellpipe.networks.load import load_network

    return load_network("denoise")
