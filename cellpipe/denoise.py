"""Less noise in one plane, by one of five methods behind one call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.segment import check_plane

if TYPE_CHECKING:
    from cellpipe.models.load import Network

Method = Literal["off", "gaussian", "median", "nlm", "learned"]
METHODS = ("off", "gaussian", "median", "nlm", "learned")


def denoise(
    pixels: np.ndarray,
    *,
    method: Method = "off",
    sigma_px: float = 1.0,
    strength: float = 1.0,
    network: Network | None = None,
    tile_px: int = 2048,
) -> np.ndarray:
    """One plane with less noise, on the same intensity scale.

    Parameters
    ----------
    pixels : (Y, X), any integer or float type
    method : "off"; "gaussian" and "median" of width `sigma_px`; "nlm", non-local means with the
        noise estimated from the image; "learned", weights of `network`, else the shipped "denoise"
    strength : 0 leaves the image as it is, 1 is the full method

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
        from cellpipe.models.infer import network_denoised

        smooth = network_denoised(image, network or _shipped_denoiser(), tile_px=tile_px)
    return image + np.float32(strength) * (smooth - image)


def _non_local_means(image: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    from cellpipe.quality import noise_sigma

    sigma = noise_sigma(image)
    if sigma == 0:
        return image
    # h = 0.8 sigma is what fast mode asks for; the image is scaled so that its range is one
    span = float(image.max() - image.min())
    smooth = denoise_nl_means(
        (image - image.min()) / span, patch_size=5, patch_distance=6,
        h=0.8 * sigma / span, sigma=sigma / span, fast_mode=True,
    )  # fmt: skip
    return (smooth * span + image.min()).astype(np.float32)


@lru_cache(maxsize=1)
def _shipped_denoiser() -> Network:
    from cellpipe.models.load import load_network

    return load_network("denoise")
