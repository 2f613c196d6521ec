"""Movement of the stage in a movie as a transform: the translation that registers each frame.

    fields.parquet: shifts between frames ──► added up ──► translation of frame t, - what it moved
                                                            ├─ attributes of the image
                                                            └─ `open_plate(…).stage_motion`

NGFF 0.4 and 0.5 allow one translation for a whole image, none for its frames. So it is in
cellpipe's section of the image's attributes, which readers of NGFF pass over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.image.units import Scale

if TYPE_CHECKING:
    import pandas as pd

KEY = "stage_motion"  # in the section "cellpipe" of an image's attributes
SHIFT, JUMP = ("stage_shift_y_um", "stage_shift_x_um"), ("stage_jump_y_um", "stage_jump_x_um")
COLUMNS = ["t", "y_um", "x_um", "jump_y_um", "jump_x_um", "known", "found_by"]


def stage_motion(fields: pd.DataFrame) -> pd.DataFrame:
    """Translations that register the frames of one field with its first one.

    Parameters
    ----------
    fields : rows of one field of ``fields.parquet``, with the names of columns that stages
        compute with: t, `SHIFT`, `JUMP` (against the frame before that holds objects)

    Returns
    -------
    DataFrame
        t; y_um, x_um (float64): to be added to positions of frame t, minus what the stage moved
        since the first frame; jump_y_um, jump_x_um: the part of it that is jumps; known (bool):
        False where the shift of the frame could not be found, so that the last known one stands;
        found_by: "cells", "spots" or ""
    """
    rows = fields.sort_values("t", kind="stable")
    steps = rows[[*SHIFT]].to_numpy(float)
    known = np.isfinite(steps).all(axis=1)
    moved = np.cumsum(np.nan_to_num(steps), axis=0)
    jumped = np.cumsum(np.nan_to_num(rows[[*JUMP]].to_numpy(float)), axis=0)
    found_by = rows["stage_from"].fillna("") if "stage_from" in rows else "cells"
    return rows[["t"]].assign(
        y_um=0.0 - moved[:, 0], x_um=0.0 - moved[:, 1],
        jump_y_um=0.0 - jumped[:, 0], jump_x_um=0.0 - jumped[:, 1],
        known=known, found_by=found_by,
    ).reset_index(drop=True)[COLUMNS]  # fmt: skip


def transforms(fields: pd.DataFrame, scale: Scale) -> dict[tuple[str, int], dict[str, Any]]:
    """(well, field) → what is noted of each movie in which any shift is known.

    `fields` has the names that stages compute with; of an unknown pixel size values are in pixels.
    """
    if not {*SHIFT, *JUMP} <= set(fields):
        return {}
    found = {}
    for (well, field), own in fields.groupby(["well", "field"], sort=False):
        motion = stage_motion(own)
        if motion["known"].sum() > 1:  # of the first frame it is 0 by definition
            found[str(well), int(field)] = _noted(motion, scale)
    return found


def _noted(motion: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    by = [name for name in motion["found_by"].unique() if name]
    return {
        "type": "translation",
        "axes": ["y", "x"],
        "unit": "micrometer" if scale.length_known else "pixel",
        "t": [int(t) for t in motion["t"]],
        "translations": _pairs(motion, "y_um", "x_um"),
        "jump_translations": _pairs(motion, "jump_y_um", "jump_x_um"),
        "unknown_t": [int(t) for t in motion.loc[~motion["known"], "t"]],
        "found_by": " and ".join(by),
    }


def _pairs(motion: pd.DataFrame, *names: str) -> list[list[float]]:
    return [[round(float(v), 4) for v in row] for row in motion[[*names]].to_numpy()]


def in_pixels(motion: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """The table with y_px and x_px too; without µm where the pixel size is unknown."""
    edges: Mapping[str, float] = {"y": scale.y, "x": scale.x}
    table = motion.assign(**{f"{axis}_px": motion[f"{axis}_um"] / edges[axis] for axis in "yx"})
    if scale.length_known:
        return table
    jumps = {f"jump_{axis}_um": f"jump_{axis}_px" for axis in "yx"}
    return table.drop(columns=["y_um", "x_um"]).rename(columns=jumps)
