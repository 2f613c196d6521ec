"""The common metadata in the headers of a plate's files: shapes, types, scale, time.

The values of most files are those of the plate; a file that differs is the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.readers.pixels.reading import Header

Read = Callable[[str, int], Header]  # header of a plane, by path and page; raises BadImage


def headers_of_fields(
    planes: pd.DataFrame, read: Read
) -> tuple[dict[tuple[str, int], Header], list[dict[str, Any]]]:
    """One header per field, and the fields of which no file can be read.

    One file decides, unless its shape is unlike the rest of the plate: then it may be the fault
    itself, and the values of most of a few files are used.
    """
    headers: dict[tuple[str, int], Header] = {}
    faults: list[dict[str, Any]] = []
    for (well, field), group in planes.groupby(["well", "field"], sort=True):
        place = (str(well), int(field))
        found, fault = _readable(group, read, 1)
        if found:
            headers[place] = found[0]
        else:
            faults.append({"well": place[0], "field": place[1], **fault})
    usual = most_common(header.shape for header in headers.values())
    for place in [place for place, header in headers.items() if header.shape != usual]:
        group = planes[(planes["well"] == place[0]) & (planes["field"] == place[1])]
        several, _ = _readable(group, read, 5)
        shape = most_common(header.shape for header in several)
        headers[place] = next(header for header in several if header.shape == shape)
    return headers, faults


def _readable(group: pd.DataFrame, read: Read, n: int) -> tuple[list[Header], dict[str, str]]:
    """Headers of the first `n` planes that can be read, and the first fault."""
    found: list[Header] = []
    fault: dict[str, str] = {}
    for path, page in zip(group["path"], group["page"], strict=True):
        if len(found) == n:
            break
        try:
            found.append(read(path, int(page)))
        except BadImage as bad:
            fault = fault or {"file": path, "reason": bad.seen, "remedy": bad.do}
    return found, fault


def dtypes_of_channels(planes: pd.DataFrame, read: Read, n: int = 5) -> dict[str, str]:
    """What a plane of each channel is stored as, by most of `n` files spread over the plate."""
    dtypes = {}
    for channel, group in planes.groupby("channel"):
        found, _ = _readable(group.iloc[:: max(1, len(group) // n)], read, n)
        if found:
            kind = most_common(header.dtype for header in found)
            own = np.dtype("uint8" if kind == "bool" else kind)
            dtypes[str(channel)] = own.newbyteorder("=").name
    return dtypes


def most_common(values: Iterable[Any]) -> Any:
    """The value that occurs most often; of equals, the first."""
    counts = Counter(values)
    return counts.most_common(1)[0][0] if counts else None
