"""Colour images as grey planes, as 'ingest.colour_images' chooses.

    refuse      a colour image is a fault of its field: which of its planes is meant is not known
    channels    three channels, "red", "green" and "blue"; "w1 red" … where names have channels
    red, green, blue, grey    one plane; grey is the luminance 0.299 R + 0.587 G + 0.114 B of ITU-R
                              BT.601, rounded

The choice is in the manifest: the page of a plane is then the number of its component, below that
of the only plane of a file. Grey images that were stored as colours have three equal components.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.readers import ONLY

COMPONENTS = {"red": -2, "green": -3, "blue": -4, "grey": -5}  # pages
CHANNELS = ("red", "green", "blue")
_LUMINANCE = (0.299, 0.587, 0.114)


def split(planes: pd.DataFrame, choice: str, containers: frozenset[str]) -> pd.DataFrame:
    """The planes of a plate with the chosen component in place of the only plane of each file.

    containers : paths of files that hold many planes, whose colours are channels already
    """
    if choice == "refuse":
        return planes
    only = (planes["page"] == ONLY) & (planes["path"] != "") & ~planes["path"].isin(containers)
    if choice != "channels":
        return planes.assign(page=planes["page"].mask(only, COMPONENTS[choice]))
    alone = set(planes["channel"]) == {"1"}  # the layout's names have no channels
    parts = [planes[~only]]
    for colour in CHANNELS:
        own = planes[only]
        token = colour if alone else own["channel"] + f" {colour}"
        parts.append(own.assign(channel=token, page=COMPONENTS[colour]))
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def in_colour(path: Path, page: int) -> bool:
    """Whether the only plane of a file is a colour image, which is not read as a grey one."""
    from cellpipe.readers.pixels.reading import read_plane

    if page != ONLY:
        return False
    try:
        read_plane(path, page)
    except BadImage:
        try:
            read_plane(path, COMPONENTS["red"])
        except BadImage:  # damaged, or of another kind
            return False
        return True
    return False


def is_colour(pixels: np.ndarray) -> bool:
    """Whether the last axis is one of three or four components (the fourth is opacity)."""
    return pixels.ndim == 3 and pixels.shape[-1] in (3, 4)


def component(pixels: np.ndarray, page: int) -> np.ndarray:
    """(Y, X) the component of colours (Y, X, 3 or 4) that a page means, in the same dtype."""
    if page != COMPONENTS["grey"]:
        return pixels[..., COMPONENTS["red"] - page]
    grey = pixels[..., :3] @ np.array(_LUMINANCE)
    return grey.astype(pixels.dtype) if pixels.dtype.kind == "f" else (
        np.rint(grey).astype(pixels.dtype)
    )  # fmt: skip
