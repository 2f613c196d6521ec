"""Names of layouts, for the check of the sheet before any job; reads no image."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cellpipe.errors import BadConfig
from cellpipe.readers import pattern

READERS = (
    "csv",
    "ome-tiff",
    "ome-zarr",
    "nd2",
    "czi",
    "lif",
)  # layouts that are no pattern over file names


def refuse_unknown_layout(layout: str, own_layouts: Iterable[str]) -> None:
    """Raise BadConfig, with the nearest right name, for a layout that there is not."""
    known = [*own_layouts, *READERS, *pattern.BUILT_IN]
    if layout in known:
        return
    near = difflib.get_close_matches(layout, known, n=1)
    raise BadConfig(
        seen=f"the layout '{layout}' in the sheet of plates",
        wanted=f"one of: {', '.join(known)}",
        do=f"did you mean '{near[0]}'?"
        if near
        else "correct it, or describe the layout in 'layouts' in the config",
    )
