"""Probabilities of a frame's objects, as segmentation notes them and measurement takes them up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

OF_OBJECTS = ("foreground_probability", "object_probability")


def with_probabilities(rows: pd.DataFrame, figures: Mapping[str, bytes]) -> pd.DataFrame:
    """Rows of a frame's objects with the probabilities that segmentation noted of them."""
    places = rows["label"].to_numpy(np.int64) - 1
    columns = {name: np.frombuffer(figures[name], "<f4")[places] for name in OF_OBJECTS}
    return rows.assign(**columns)
