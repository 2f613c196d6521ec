"""What the headers of a plate's files say together: shapes, types, scale, time.

A plate's truth is what most of its files say; one file that says otherwise is the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.layouts.reading import Header

Read = Callable[[str, int], Header]  # header of a plane, by path and page; raises BadImage


def headers_of_fields(
    planes: pd.DataFrame, read: Read
) -> tuple[dict[tuple[str, int], Header], list[dict[str, Any]]]:
    """One header per field, and the fields of which no file can be read.

    One file decides, unless its shape is unlike the rest of the plate: then it may be the fault
    itself, and what most of a few files say holds.
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


def pixel_size(
    headers: Mapping[tuple[str, int], Header], given: float | None
) -> tuple[float | None, dict[tuple[str, int], dict[str, Any]]]:
    """Pixel size of the plate, and faults of the fields that say otherwise."""
    said = {place: header.pixel_size_um for place, header in headers.items()}
    known = [round(size, 6) for size in said.values() if size]
    if given or not known:
        return given, {}
    usual = most_common(known)
    odd = {
        place: {
            "well": place[0],
            "field": place[1],
            "file": "tags",
            "reason": f"a pixel size of {size:g} µm, unlike the rest of the plate ({usual:g} µm)",
            "remedy": "give 'pixel_size_um' under 'ingest' in the config if the tags are wrong",
        }
        for place, size in said.items()
        if size and abs(size - usual) > 0.01 * usual
    }
    return usual, odd


def time_step(
    groups: Mapping[tuple[str, int], pd.DataFrame],
    headers: Mapping[tuple[str, int], Header],
    read: Read,
) -> float | None:
    """Seconds between frames, from the tags of one movie; None where they do not say."""
    place = next((place for place in headers if groups[place]["t"].max() > 0), None)
    if place is None:
        return None
    if headers[place].time_step_s:
        return headers[place].time_step_s
    group = groups[place]
    of_channel = group[group["channel"] == group["channel"].iloc[0]].drop_duplicates("t")
    try:
        first, last = (read(*of_channel.iloc[i][["path", "page"]]) for i in (0, -1))
    except BadImage:
        return None
    if first.acquired_s is None or last.acquired_s is None:
        return None
    step = (last.acquired_s - first.acquired_s) / (
        of_channel["t"].iloc[-1] - of_channel["t"].iloc[0]
    )
    return step if step > 0 else None


def most_common(values: Iterable[Any]) -> Any:
    """The value that occurs most often; of equals, the first."""
    counts = Counter(values)
    return counts.most_common(1)[0][0] if counts else None
