"""Which cell holds each spot, and how many spots each cell holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.image.units import PixelSize, edges


def assign_spots(spots: pd.DataFrame, labels: np.ndarray, pixel_size_um: PixelSize) -> pd.DataFrame:
    """Spots with a column label (uint32): the object (Y, X) under each spot's pixel, 0 if none."""
    place = np.rint(spots[["y_um", "x_um"]].to_numpy() / edges(pixel_size_um)).astype(np.int64)
    y, x = np.clip(place, 0, np.array(labels.shape) - 1).T
    return spots.assign(label=labels[y, x].astype(np.uint32))


def count_spots(spots: pd.DataFrame, labels: np.ndarray) -> pd.Series:
    """Number of assigned spots in each object.

    Parameters
    ----------
    spots : DataFrame with a column label, from ``assign_spots``
    labels : array of any shape
        A label image, or the labels of a table; every label in it is counted, 0 aside.

    Returns
    -------
    Series, int32, named spot_count, indexed by label (uint32), ascending
    """
    every = np.unique(labels)
    every = every[every > 0].astype(np.uint32)
    held = spots["label"].to_numpy()
    held = held[np.isin(held, every)]
    count = np.bincount(np.searchsorted(every, held), minlength=len(every)).astype(np.int32)
    return pd.Series(count, index=pd.Index(every, name="label"), name="spot_count")
