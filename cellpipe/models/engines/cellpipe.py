"""Our own networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cellpipe.models.infer import network_labels
from cellpipe.models.load import Network, load_network, torch_device
from cellpipe.scratch import MakePlane
from cellpipe.tiles import Plane


@dataclass(frozen=True)
class CellpipeEngine:
    """A network of ours as an engine; `options` are those of `network_labels`."""

    network: Network
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self,
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        labels, objects = network_labels(
            pixels,
            self.network,
            diameter_px=None if diameter_um is None else diameter_um / pixel_size_um,
            probability_threshold=0.5 if probability_threshold is None else probability_threshold,
            tile_px=tile_px,
            **self.options,
        )
        return np.asarray(labels), objects

    def by_region(
        self,
        pixels: Plane,
        pixel_size_um: float,
        *,
        into: Plane,
        scratch: MakePlane,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> np.ndarray:
        """Like a call, for an image (C, Y, X) that is read by slices, into labels (Y, X) of zeros.

        Returns the probabilities (n,); `scratch` makes what has to be kept at another scale.
        """
        return network_labels(
            pixels,
            self.network,
            diameter_px=None if diameter_um is None else diameter_um / pixel_size_um,
            probability_threshold=0.5 if probability_threshold is None else probability_threshold,
            tile_px=tile_px,
            into=into,
            scratch=scratch,
            **self.options,
        )[1]


def load(
    weights: str = "nuclei", *, device: str = "cpu", threads: int | None = None, **options: Any
) -> CellpipeEngine:
    """The network of shipped weights, or of a .safetensors file with its card beside it."""
    torch_device(device, threads)
    return CellpipeEngine(load_network(weights, device), options)
