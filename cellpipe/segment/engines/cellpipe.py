"""Our own networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cellpipe.image.tiles import Plane
from cellpipe.networks.found import Found
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import Network, load_network, torch_device


@dataclass(frozen=True)
class CellpipeEngine:
    """A network of ours as an engine; `options` are those of `find_objects`."""

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
        found = self.find(
            pixels,
            pixel_size_um,
            diameter_um=diameter_um,
            probability_threshold=probability_threshold,
            tile_px=tile_px,
        )
        return np.asarray(found.labels), found.probability

    def find(
        self,
        pixels: Plane,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> Found:
        """See `cellpipe.segment.engines.BlockEngine`."""
        return find_objects(
            pixels,
            self.network,
            diameter_px=None if diameter_um is None else diameter_um / pixel_size_um,
            probability_threshold=0.5 if probability_threshold is None else probability_threshold,
            tile_px=tile_px,
            **self.options,
        )


def load(
    weights: str = "nuclei", *, device: str = "cpu", threads: int | None = None, **options: Any
) -> CellpipeEngine:
    """The network of shipped weights, or of a .safetensors file with its card next to it."""
    torch_device(device, threads)
    return CellpipeEngine(load_network(weights, device), options)
