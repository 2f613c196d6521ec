"""Figures that tell a usable image from a useless one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cellpipe.image.axes import Image
from cellpipe.image.levels import noise_sigma
from cellpipe.image.saturation import MANY, top_of
from cellpipe.image.tiles import Plane

SAMPLES_PER_AXIS = 8
SAMPLE_PX = 1 << 20  # of an image of several blocks


def image_quality(pixels: Plane) -> dict[str, float | str | bytes]:
    """QC figures of one plane (Y, X).

    focus : energy of fine detail (Laplacian, less its noise) over the image's variance; sharper
        is higher, and 0 for a flat image
    saturated_fraction : share of pixels at the end of the camera's scale, see
        `cellpipe.image.saturation`
    background, noise_sigma : 5th percentile, and the noise by Immerkær's mask, doi:10.1006/
        cviu.1996.0060
    signal_to_noise : (99.8th percentile - background) / noise_sigma
    flag : "" or "flat", "saturated", "dim"
    digest, sample : by which `movie_quality` knows a frame that was seen before

    Of an image of several blocks, percentiles are those of an even sample, noise is the median of
    the blocks' and detail their mean; the digest is another one than that of the plane in memory.
    """
    image = Image.of(pixels, "yx")
    shares, means, variances, noise, detail, digests = [], [], [], [], [], []
    for place in image.blocks():
        block = image[place]
        grey = block.astype(np.float32)
        shares.append(block.size)
        means.append(float(grey.mean()))
        variances.append(float(grey.var()))
        noise.append(noise_sigma(grey))
        detail.append(_detail(grey))
        digests.append(pixel_digest(block))
    step = 2 if image.one_block else max(2, image.sample_step(SAMPLE_PX))
    seen = image.sample(step).astype(np.float32)
    background, top = (float(v) for v in np.percentile(seen, (5, 99.8)))
    between = np.average((np.array(means) - np.average(means, weights=shares)) ** 2, weights=shares)
    return _figures(
        background=background,
        top=top,
        saturated=top_of(image).saturated,
        noise=float(np.median(noise)),
        variance=float(np.average(variances, weights=shares) + between),
        detail=float(np.average(detail, weights=shares)),
        digest=digests[0] if image.one_block else _digest_of(digests),
        sample=sample_pixels(image.whole() if image.one_block else seen),
    )


def _figures(
    *,
    background: float,
    top: float,
    saturated: float,
    noise: float,
    variance: float,
    detail: float,
    digest: str,
    sample: np.ndarray,
) -> dict[str, float | str | bytes]:
    to_noise = (max(top, background) - background) / noise if noise > 0 else 0.0
    flat = not variance > 0
    flag = "flat" if flat else "saturated" if saturated > MANY else "dim" if to_noise < 5 else ""
    return {
        "focus": 0.0 if flat else max(detail - 0.05 * noise**2, 0.0) / variance,
        "saturated_fraction": saturated,
        "background": background,
        "noise_sigma": noise,
        "signal_to_noise": to_noise,
        "flag": flag,
        "digest": digest,
        "sample": sample.tobytes(),
    }


def _detail(image: np.ndarray) -> float:
    padded = np.pad(ndimage.gaussian_filter(image, 1.0), 1, mode="edge")
    beside = padded[1:-1, :-2] + padded[1:-1, 2:] + padded[:-2, 1:-1] + padded[2:, 1:-1]
    return float((beside - 4 * padded[1:-1, 1:-1]).var())


def pixel_digest(pixels: np.ndarray) -> str:
    """16 hexadecimal digits that two planes share if their pixels are the same."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:16]


def _digest_of(digests: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def sample_pixels(image: np.ndarray) -> np.ndarray:
    """Pixels on a grid of 8 × 8 over a plane (Y, X), float32, shape (64,)."""
    places = [
        ((np.arange(SAMPLES_PER_AXIS) + 0.5) * size / SAMPLES_PER_AXIS).astype(int)
        for size in image.shape
    ]
    return image[np.ix_(*places)].astype("<f4").ravel()


def noise_model(image: np.ndarray, block_px: int = 8) -> tuple[float, float]:
    """Gain and offset of noise whose variance is gain × intensity + offset.

    A line through mean and noise variance of blocks, sorted by mean; bright blocks with edges
    are kept from bending it by medians. Foi et al. 2008, doi:10.1109/TIP.2008.2001399, in brief.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    rows, columns = (n // block_px * block_px for n in image.shape)
    if rows == 0 or columns == 0:
        return 0.0, noise_sigma(image) ** 2
    response = ndimage.convolve(image.astype(np.float32), mask)[:rows, :columns] ** 2
    shape = (rows // block_px, block_px, columns // block_px, block_px)
    variance = response.reshape(shape).mean((1, 3)).ravel()
    mean = image[:rows, :columns].reshape(shape).mean((1, 3)).ravel()
    groups = np.array_split(np.argsort(mean, kind="stable"), min(16, len(mean)))
    x = np.array([np.median(mean[group]) for group in groups])
    y = np.array([np.median(variance[group]) for group in groups])
    if np.ptp(x) == 0:
        return 0.0, float(y.mean())
    # relative errors count: the dim end decides about the offset
    gain, offset = np.polyfit(x, y, 1, w=1 / np.maximum(y, 1e-3 * y.max() + 1e-12))
    return (float(gain), float(offset)) if gain > 0 else (0.0, float(np.median(y)))
