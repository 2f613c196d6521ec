"""Where a track may begin and end: anywhere with a small chance, at the border with a large one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

from cellpipe.track.detections import MIN_CELLS, Detections

P_INSIDE = 0.02  # missed, died, or divided unseen, in a frame
P_BORDER = 0.1  # at the most: a cell at the border may as well turn back
P_JUMPED = 0.9  # a cell whose place the view reaches, or leaves, by a jump of the stage


@dataclass(frozen=True)
class Chances:
    """What an end and a start cost, in nats: float arrays, shape (N,).

    A start is weighed as a density, per µm²: somewhere in the field.
    """

    end: np.ndarray
    start: np.ndarray


def chances(detections: Detections, sigma_um: float, max_distance_um: float) -> Chances:
    """Ends and starts of every detection of a movie whose cells step by `sigma_um`."""
    p = np.full(len(detections), P_INSIDE)
    n_frames = max(len(np.unique(detections.t)), 1)
    if len(detections) >= MIN_CELLS * n_frames:
        # half the cells at the border itself step outwards
        crosses = 0.5 * erfc(detections.border_um / (np.sqrt(2) * sigma_um))
        p = np.maximum(p, np.minimum(crosses, P_BORDER))
    end = p if detections.went_out is None else np.where(detections.went_out, P_JUMPED, p)
    start = p if detections.came_in is None else np.where(detections.came_in, P_JUMPED, p)
    density = detections.density_per_um2(max_distance_um)
    return Chances(-np.log(end), -np.log(start * density))
