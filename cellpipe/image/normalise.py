"""Images brought to the grey scale of a network's training, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from cellpipe.image.axes import Image
from cellpipe.image.object_levels import Levels, object_levels
from cellpipe.image.tiles import Plane

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.8
SAMPLE_PX = 1 << 18  # percentiles of a large image are read from an even sample of its pixels
NOISE_SPAN = 5.2  # standard deviations between the 1st and the 99.8th percentile of normal noise
ROUNDING = 4.0  # steps of float32 that smoothing a flat image may be off
BRIGHTEST = 4.0  # bright debris must not set the scale of the network

Limits = tuple[float, float]  # the grey values that become 0 and 1

DESCRIPTION = (
    f"percentiles {LOW_PERCENTILE} and {HIGH_PERCENTILE} of the image to 0 and 1, "
    f"cut at -1 and {BRIGHTEST}"
)


def intensity_range(
    pixels: Plane, percentiles: tuple[float, float] = (LOW_PERCENTILE, HIGH_PERCENTILE)
) -> Limits:
    """Two percentiles (1 and 99.8) of an image (Y, X), from at most about 2^18 pixels."""
    low, high = np.percentile(even_sample(pixels), percentiles)
    return float(low), float(high)


def even_sample(pixels: Plane) -> np.ndarray:
    """Every n-th pixel of an image (Y, X) in y and x, at most about 2^18 of them."""
    image = Image.of(pixels, "yx")
    return image.sample(image.sample_step(SAMPLE_PX))


def normalise(pixels: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """(pixels - low) / (high - low) as float32 (Y, X), cut at 4; a flat image becomes zeros."""
    low, high = limits or intensity_range(pixels)
    if not high > low:
        return np.zeros(pixels.shape, np.float32)
    scaled = (pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, -1.0, BRIGHTEST)


def object_range(pixels: Plane, seen: Levels, low_percentile: float = LOW_PERCENTILE) -> Limits:
    """A low percentile of an image (Y, X), and the bright end of its objects.

    Neither noise nor uneven background is stretched to the scale of objects where there are few or
    none. `seen` are the levels of the image. Of a flat image both are the same: its levels differ
    by rounding alone.
    """
    low = float(np.percentile(even_sample(pixels), low_percentile))
    span = (
        seen.background + seen.object - low,
        seen.background_top - low,
        NOISE_SPAN * seen.noise,
    )
    widest = max(span)
    rounding = ROUNDING * float(np.spacing(np.float32(abs(low) + abs(widest))))
    return low, low + widest if widest > rounding else low


@dataclass(frozen=True)
class GreyScale:
    """How a network's images are brought to about 0 to 1, each channel by itself.

    method : "percentiles" brings two percentiles to 0 and 1; "objects" the first of them to 0 and
        the bright end of the objects to 1, however few they are; "mean_std" one standard deviation
        below the mean, and three above it (nearly the same for images that are mostly background)
    per : "image" takes the limits from each image; "data" fits them once to the training images,
        for grey values that are comparable between images, and keeps them in the card
    fitted : the limits of each channel, once they are fitted
    """

    method: Literal["percentiles", "objects", "mean_std"] = "percentiles"
    per: Literal["image", "data"] = "image"
    percentiles: tuple[float, float] = (LOW_PERCENTILE, HIGH_PERCENTILE)
    fitted: tuple[Limits, ...] | None = None

    @classmethod
    def of_card(cls, normalisation: str | Mapping[str, Any]) -> GreyScale:
        """From a card, where words stand for the usual scale and a mapping for another one."""
        if isinstance(normalisation, str):
            return cls()
        fitted = normalisation["fitted"]
        return cls(
            method=normalisation["method"],
            per=normalisation["per"],
            percentiles=tuple(normalisation["percentiles"]),
            fitted=None if fitted is None else tuple((low, high) for low, high in fitted),
        )

    @property
    def of_objects(self) -> bool:
        """Whether each image's own objects give the scale."""
        return self.method == "objects" and self.fitted is None

    def for_card(self) -> str | dict[str, Any]:
        return DESCRIPTION if self == GreyScale() else asdict(self)

    def limits(self, planes: Plane) -> list[Limits]:
        """The limits of each channel of an image (C, Y, X)."""
        if self.fitted is not None:
            return list(self.fitted)
        image = Image.of(planes, "cyx")
        return [self._limits_of(image.channel(c)) for c in range(image.shape[0])]

    def bring(self, planes: np.ndarray) -> np.ndarray:
        """An image (C, Y, X) on this scale, float32."""
        return normalise_channels(planes, self.limits(planes))

    def fit(self, images: Sequence[np.ndarray]) -> GreyScale:
        """The same scale with limits from all pixels of the images (C, Y, X), if it is per data."""
        if self.per == "image":
            return self
        channels = range(len(images[0]))
        pooled = [np.concatenate([even_sample(i[c]).ravel() for i in images]) for c in channels]
        return replace(self, fitted=tuple(self._limits_of(sample[None]) for sample in pooled))

    def _limits_of(self, plane: Plane) -> Limits:
        if self.method == "percentiles":
            return intensity_range(plane, self.percentiles)
        if self.method == "objects":
            return object_range(plane, object_levels(plane), self.percentiles[0])
        image = Image.of(plane, "yx")
        seen = image.whole() if image.one_block else even_sample(image)
        mean, std = float(np.mean(seen, dtype=float)), float(np.std(seen, dtype=float))
        return mean - std, mean + 3 * std


def normalise_channels(planes: np.ndarray, limits: Sequence[Limits]) -> np.ndarray:
    """Each channel of an image (C, Y, X) by its own limits; float32."""
    pairs = zip(planes, limits, strict=True)
    return np.stack([normalise(plane, own) for plane, own in pairs])
