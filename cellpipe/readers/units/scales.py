"""The scale of a plate: size of a pixel, step in z, time between frames, each with its source.

Config first, then what the metadata of most fields hold; what neither gives is unknown, and stays
unknown: no number takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.image.units import in_words, is_square
from cellpipe.readers.pixels.headers import Read, most_common
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.units.objective import contradiction
from cellpipe.readers.units.tags import TOLERANCE
from cellpipe.readers.units.times import uneven, usual_step_s

UNKNOWN = "unknown"
NGFF = "NGFF metadata"
Place = tuple[str, int]
Given = float | Sequence[float] | None  # a size, or sizes in y and x, from the config


def plate_scale(
    headers: Mapping[Place, Header], given: Given
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Scale of a plate in space, and faults of the fields whose metadata hold another.

    Returns
    -------
    scale : dict
        pixel_size_um (None where unknown, or where pixels are not square), pixel_size_y_um,
        pixel_size_x_um (None where unknown), pixel_size_known, pixel_size_source,
        pixel_size_seen (a value in the metadata that was not used, as text), z_step_um,
        z_step_source
    faults : as those of an inspection
    """
    sized = {p: h for p, h in headers.items() if h.pixel_size_um}
    refused = {p: _refused(header) for p, header in sized.items()}
    held = {p: h for p, h in sized.items() if not refused[p]}
    sizes = {p: _size(header) for p, header in held.items()}
    rounded = {p: (round(y, 6), round(x, 6)) for p, (y, x) in sizes.items()}
    usual = most_common(rounded.values())
    of = held[next(p for p in rounded if rounded[p] == usual)] if usual else None
    doubts = [why for why in refused.values() if why]
    doubts += [header.scale_doubt for header in headers.values() if header.scale_doubt]
    seen, faults = most_common(doubts) or "", []
    if given is not None:
        y, x = _edges(given)
        source = "config"
        if of and not _alike(usual, (y, x)):
            seen = f"{in_words(*usual)} in {of.scale_source}, unlike the config"
        elif why := _against_objective((y, x), headers.values()):
            seen = f"{why}, unlike the config"
    elif of:
        y, x = usual
        source = of.scale_source
        faults = [_odd(p, own, usual) for p, own in rounded.items() if not _alike(own, usual)]
        seen = most_common(h.scale_contradiction for h in held.values()) or ""
        seen = seen or next(filter(None, refused.values()), "")
    else:
        return {**described_size(None, None), "pixel_size_seen": seen, **_z_step(headers)}, []
    scale = described_size(y, x, source)
    return {**scale, "pixel_size_seen": seen, **_z_step(headers)}, faults


def _size(header: Header) -> tuple[float, float]:
    """Edges of a pixel, of a header that has them."""
    x = header.pixel_size_um or 0.0
    return header.pixel_size_y_um or x, x


def _refused(header: Header) -> str:
    """Why the size in a header is not believed, with its source; "" if it is."""
    why = contradiction(_size(header), header.objective, scanned=header.scanned)
    return f"{header.scale_source} has {why}" if why else ""


def _against_objective(size: tuple[float, float], headers: Iterable[Header]) -> str:
    """Why the size in the config cannot be that of a plate's objective; "" if it can."""
    recorded = most_common((h.objective, h.scanned) for h in headers if h.objective)
    return contradiction(size, recorded[0], scanned=recorded[1]) if recorded else ""


def described_size(y: float | None, x: float | None, source: str = UNKNOWN) -> dict[str, Any]:
    """Size of a pixel as an inspection describes it."""
    known = bool(y and x)
    square = known and is_square(float(y or 0), float(x or 0))
    return {
        "pixel_size_um": float(x) if x and square else None,
        "pixel_size_y_um": float(y) if y and known else None,
        "pixel_size_x_um": float(x) if x and known else None,
        "pixel_size_known": known,
        "pixel_size_source": source if known else UNKNOWN,
    }


def described_step(step_s: float | None, source: str) -> dict[str, Any]:
    """Time between frames as an inspection describes it."""
    return {
        "time_step_s": float(step_s) if step_s else None,
        "time_step_known": bool(step_s),
        "time_step_source": source if step_s else UNKNOWN,
    }


def relative_edges(scale: Sequence[float]) -> list[float]:
    """Edges of a pixel in y and x in units of the shorter one; [1, 1] for square pixels."""
    y, x = scale
    return [1.0, 1.0] if is_square(y, x) else [y / min(y, x), x / min(y, x)]


def _edges(given: float | Sequence[float]) -> tuple[float, float]:
    return (given, given) if isinstance(given, int | float) else (given[0], given[1])


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= TOLERANCE * b for a, b in zip(one, other, strict=True))


def _odd(place: Place, own: tuple[float, float], usual: tuple[float, float]) -> dict[str, Any]:
    return {
        "well": place[0],
        "field": place[1],
        "file": "tags",
        "reason": f"a pixel size of {in_words(*own)}, unlike the rest of the plate "
        f"({in_words(*usual)})",
        "remedy": "set 'ingest.pixel_size_um' in the config if the tags are wrong",
    }


def _z_step(headers: Mapping[Place, Header]) -> dict[str, Any]:
    steps = [round(h.z_step_um, 6) for h in headers.values() if h.z_step_um]
    usual = most_common(steps)
    of = next((h for h in headers.values() if h.z_step_um and round(h.z_step_um, 6) == usual), None)
    source = _z_source(of) if of else UNKNOWN
    return {"z_step_um": usual, "z_step_source": source}


def _z_source(header: Header) -> str:
    """Where the step in z is: in the place of the sizes, but for its own name."""
    of_sizes = header.scale_source.replace("SizeX", "SizeZ")
    return header.z_source or of_sizes.replace("ImageWidthMicrons", "ZStackStepSizeMicrons")


def scale_of_source(
    fields: Sequence[Mapping[str, Any]], given: Given
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Scale of an OME-Zarr plate, and faults of the images that hold another."""
    edges = relative_edges(most_common(tuple(field["pixel_scale"]) for field in fields))
    headers = {
        (field["well"], field["field"]): Header(
            (field["shape"][-2], field["shape"][-1]),
            field["dtype"],
            pixel_size_um=field["pixel_size_um"],
            pixel_size_y_um=field["pixel_size_y_um"],
            z_step_um=field["z_step_um"],
            scale_source=NGFF,
            scale_doubt="" if field["pixel_size_um"] else _without_unit(field["pixel_scale"]),
        )
        for field in fields
    }
    scale, odd = plate_scale(headers, given)
    if not scale["pixel_size_known"]:
        scale["pixel_edges_px"] = edges
    elif (
        isinstance(given, int | float)
        and edges[0] != edges[1]
        and "unlike" not in scale["pixel_size_seen"]
    ):
        scale["pixel_size_seen"] += f", pixels of {edges[0]:g} : {edges[1]:g}, unlike the config"
    return scale, odd


def _without_unit(scale: Sequence[float]) -> str:
    y, x = scale
    return f"an NGFF scale of {y:g} × {x:g} (y × x) without a unit of length"


def time_step(
    groups: Mapping[Place, pd.DataFrame],
    headers: Mapping[Place, Header],
    read: Read,
    given: float | None,
) -> tuple[dict[str, Any], list[str]]:
    """Time between frames of a plate, and a note where the frames of its movie are uneven in time.

    The config's, else from the tags of one movie: the median, as a movie may have been paused.
    """
    if given:
        return described_step(given, "config"), []
    place = next((place for place in headers if groups[place]["t"].max() > 0), None)
    if place is None:
        return described_step(None, UNKNOWN), []
    header = headers[place]
    if header.time_step_s:
        return described_step(header.time_step_s, header.time_source), []
    group = groups[place]
    # the first channel of those that were taken most often
    often = group.groupby("channel", sort=False)["t"].nunique().idxmax()
    of_channel = group[group["channel"] == often].drop_duplicates("t")
    times_s = _acquired_s(of_channel, read)
    writer = "BioTek" if header.scale_source.startswith("BioTek") else "MetaSeries"
    source = f"{writer} acquisition times of {of_channel['path'].iloc[0]}"
    note = uneven(times_s, f"well {place[0]} field {place[1]}")
    return described_step(usual_step_s(times_s), source), [note] if note else []


def _acquired_s(frames: pd.DataFrame, read: Read) -> dict[int, float]:
    """When the frames of one movie were taken, as far as their files hold it (s)."""
    times_s: dict[int, float] = {}
    for t, path, page in frames[["t", "path", "page"]].itertuples(index=False):
        try:
            at_s = read(path, int(page)).acquired_s
        except BadImage:
            continue
        if at_s is None:  # files of this kind hold none
            return {}
        times_s[int(t)] = at_s
    return times_s
