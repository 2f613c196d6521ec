"""Outlines of labelled objects."""

from __future__ import annotations

import numpy as np


def outlines(labels: np.ndarray) -> np.ndarray:
    """(Y, X) True on pixels of an object with a 4-neighbour that is not of it."""
    inside = np.pad(labels, 1, mode="edge")
    centre = inside[1:-1, 1:-1]
    differs = np.zeros(centre.shape, bool)
    for other in (inside[:-2, 1:-1], inside[2:, 1:-1], inside[1:-1, :-2], inside[1:-1, 2:]):
        differs |= other != centre
    return differs & (centre > 0)
