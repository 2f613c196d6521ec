"""The view of an image for a network: one grey scale and one scale in space, region by region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellpipe.image.normalise import Limits, normalise_channels
from cellpipe.image.object_levels import Levels
from cellpipe.image.rescale import resize
from cellpipe.image.tiles import Channel, Place, Plane
from cellpipe.networks.calibration import FEATURES, object_features
from cellpipe.networks.diameter import scaled_shape
from cellpipe.networks.instances import labels_from_maps
from cellpipe.networks.load import Network
from cellpipe.networks.outlines import trimmed
from cellpipe.networks.predict import Precision, averaged_maps, image_maps

LOG_AREA, CONTRAST = FEATURES.index("log_area"), FEATURES.index("contrast")


@dataclass(frozen=True)
class Look:
    """What stays the same from region to region.

    limits : the grey values that become 0 and 1, of each channel
    levels : of the first channel; without them, one exposure has to show all objects
    scale : above 1, the image is enlarged for the network. Its maps are scaled back before objects
        are separated: labels scaled back would have rough outlines.
    augment : whether maps are averaged over the eight turns and mirrorings of a region
    """

    network: Network
    limits: Sequence[Limits]
    scale: float = 1.0
    probability_threshold: float = 0.5
    precision: Precision = "float32"
    augment: bool = False
    levels: Levels | None = None

    def objects(self, image: Plane, place: Place) -> tuple[np.ndarray, np.ndarray]:
        """Labels (Y, X) of a region of an image (C, Y, X), and their `object_features` (n, F)."""
        seen = normalise_channels(np.asarray(image[:, *place]), self.limits)
        maps = self._maps(seen) if self.scale == 1 else self._rescaled_maps(image, place)
        labels = labels_from_maps(maps, probability_threshold=self.probability_threshold)
        features = object_features(labels, maps, seen[0])
        if self.levels is not None:  # else contrasts are not those of objects
            share = min(max(self.probability_threshold, 1e-6), 1 - 1e-6)
            trimmed(labels, maps[0], features[:, CONTRAST], float(np.log(share / (1 - share))))
        features[:, LOG_AREA] += 2 * np.log(self.scale)
        return labels, features

    def _maps(self, seen: np.ndarray) -> np.ndarray:
        draw = averaged_maps if self.augment else image_maps
        return draw(self.network.module, seen, precision=self.precision)

    def _rescaled_maps(self, image: Plane, place: Place) -> np.ndarray:
        """Maps (outputs, Y, X) of a region, predicted at the network's scale; the same for a pixel
        whatever the region, but for what a halo has to hold."""
        shape = (image.shape[1], image.shape[2])
        size = scaled_shape(shape, self.scale)
        stride = self.network.module.config.stride_px
        y, x = (
            _there(cut, new / old, new, stride)
            for cut, new, old in zip(place, size, shape, strict=True)
        )
        seen = [resize(Channel(image, c), size, (y, x)) for c in range(image.shape[0])]
        maps = self._maps(normalise_channels(np.stack(seen), self.limits))
        return np.stack(
            [resize(_Part(predicted, (y, x), size), shape, place) for predicted in maps]
        )


def _there(cut: slice, scale: float, size: int, stride: int) -> slice:
    """A range at another scale and the margin for interpolation, from a whole stride."""
    beside = 2 * max(scale, 1.0) + 2
    start = max(0, int(cut.start * scale - beside)) // stride * stride
    return slice(start, min(size, int(np.ceil(cut.stop * scale + beside))))


class _Part:
    """A region of a plane, read by the plane's coordinates."""

    def __init__(self, region: np.ndarray, place: Place, shape: tuple[int, int]) -> None:
        self.region, self.place, self.shape, self.dtype = region, place, shape, region.dtype

    def __getitem__(self, place: Any) -> np.ndarray:
        y, x = (
            slice(cut.start - own.start, cut.stop - own.start)
            for cut, own in zip(place, self.place, strict=True)
        )
        return self.region[y, x]

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("a region of maps is only read")
