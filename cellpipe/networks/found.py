"""What any segmentation finds in an image, whichever engine it was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellpipe.image.object_levels import Shown
from cellpipe.image.tiles import Plane
from cellpipe.networks.expected import Expected


class Found(NamedTuple):
    """What an engine finds.

    labels : uint32 (Y, X), values 1..n
    probability : float32 (n,), mean foreground probability of label i + 1
    object_probability : float32 (n,), of being a real object, calibrated on held-out images
    least_probability : what is less probably real is better dropped, where that is known
    known_px : diameters of the objects that the engine was trained on, at the scale of the image;
        where it finds objects of any size, or they are unknown, None
    shown : what the first channel shows, where the engine computed that
    expected : how good it is, predicted; NaN where the engine cannot tell
    distance : from the images that the engine learned from, see `networks.expected.Familiar`; NaN
        where it cannot tell
    scale : at which the engine saw the image: below 1 it was reduced; NaN where that is not known

    Probabilities that an engine does not give are NaN.
    """

    labels: Plane
    probability: np.ndarray
    object_probability: np.ndarray
    least_probability: float | None = None
    known_px: tuple[float, float] | None = None
    shown: Shown | None = None
    expected: Expected = Expected()
    scale: float = float("nan")
    distance: float = float("nan")

    def probable(self, least: float | None = None) -> np.ndarray:
        """Objects that are at least so probably real, bool (n,); None: `least_probability`."""
        least = self.least_probability if least is None else least
        return self.object_probability >= least if least else np.ones(len(self.probability), bool)
