"""Incucyte: the time of an image since the start is in its name, P_B3_1_00d04h00m.tif.

The time step of a plate is that between the images of one field. Nothing else is recorded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from cellpipe.readers.layouts.built_in import BUILT_IN
from cellpipe.readers.layouts.numbers import elapsed_min
from cellpipe.readers.units.times import usual_step_s
from cellpipe.readers.vendor.metadata import VendorMetadata

_NAME = re.compile(BUILT_IN["incucyte"])


def recorded(path: Path) -> VendorMetadata | None:
    """The time step of a field by the names next to an image; None for another kind of names."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    start, stop = path.name[: found.start("t")], path.name[found.end("t") :]
    step_s = _step_s(str(path.parent), start, stop)
    return VendorMetadata("names of files", step_s=step_s, time_source="names of files (00d00h00m)")


@lru_cache(maxsize=4096)
def _step_s(folder: str, start: str, stop: str) -> float | None:
    names = (p.name for p in Path(folder).glob(f"*{stop}") if p.name.startswith(start))
    minutes = sorted(
        minute
        for name in names
        if (minute := elapsed_min(name[len(start) : len(name) - len(stop)])) is not None
    )
    return usual_step_s({n: 60.0 * minute for n, minute in enumerate(minutes)})
