"""Less noise in one plane, by one of five methods behind one call."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.image.axes import Image
from cellpipe.image.checks import check_axes, check_plane
from cellpipe.image.tiles import Place, Plane

if TYPE_CHECKING:
    from cellpipe.networks.load import Network

Method = Literal["off", "gaussian", "median", "nlm", "learned"]
Smoothing = Callable[[np.ndarray], np.ndarray]  # of a block (Y, X), float32
HALO_PX = 128  # what the farthest seeing method, the network, takes into account
METHODS = ("off", "gaussian", "median", "nlm", "learned")


def denoise(
    pixels: Plane,
    *,
    method: Method = "off",
    sigma_px: float = 1.0,
    strength: float = 1.0,
    network: Network | None = None,
    tile_px: int = 2048,
) -> Plane:
    """One plane with less noise, on the same intensity scale.

    Parameters
    ----------
    pixels : (Y, X), any integer or float type
    method : "off"; "gaussian" and "median" of width `sigma_px`; "nlm", non-local means with the
        noise estimated from the image; "learned", weights of `network`, else the shipped "denoise"
    strength : 0 leaves the image unchanged, 1 is the full method

    Returns
    -------
    float32 (Y, X); "off" returns `pixels` itself, in its own type. Of an image of several blocks,
    each is the same as in the whole image, but that "nlm" estimates the noise of each.

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
    check_axes(pixels)
    image = Image.of(pixels, "yx")
    smoothing: Smoothing
    if method == "gaussian":
        smoothing = partial(ndimage.gaussian_filter, sigma=sigma_px)
    elif method == "median":
        smoothing = partial(ndimage.median_filter, size=2 * max(1, round(sigma_px)) + 1)
    elif method == "nlm":
        smoothing = _non_local_means
    else:
        smoothing = _by_network(image, network, tile_px)

    def denoised(place: Place) -> np.ndarray:
        block = image[place]
        check_plane(block)
        grey = block.astype(np.float32)
        if strength == 0 or not grey.max() > grey.min():
            return grey
        return grey + np.float32(strength) * (smoothing(grey) - grey)

    return image.by_block(denoised, np.float32, HALO_PX)


def _by_network(image: Image, network: Network | None, tile_px: int) -> Smoothing:
    """Denoising of a block by a network, on the grey scale of the whole image."""
    from cellpipe.networks.infer import grey_limits, network_denoised

    limits = None if image.one_block else grey_limits(image)  # those of one block are its own
    return partial(
        network_denoised, network=network or _shipped_denoiser(), tile_px=tile_px, limits=limits
    )


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
