"""Sizes, times, positions and objective of a plate, each with where it was read, or unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.correct.decide import FEWEST_FIELDS
from cellpipe.errors import BadImage
from cellpipe.image.units import in_words
from cellpipe.inspect.sample import Sample, positions_of_one_well
from cellpipe.readers import manifest
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.units.scales import UNKNOWN
from cellpipe.readers.units.scales import time_step as step_of_movie
from cellpipe.readers.vendor.light_profiles import read_profiles
from cellpipe.readers.vendor.metadata import VendorMetadata

FRAMES_READ = 24  # of a movie, whose times are in each file
Place = tuple[str, int]
Positions = dict[Place, tuple[float, float]]  # (well, field) → y, x in µm


@dataclass(frozen=True)
class Known:
    """A value as text, and where it was read."""

    value: str = UNKNOWN
    source: str = ""

    @property
    def known(self) -> bool:
        return self.value != UNKNOWN


def pixel_size(scale: Mapping[str, Any]) -> Known:
    if scale["pixel_size_known"]:
        words = in_words(scale["pixel_size_y_um"], scale["pixel_size_x_um"])
        return Known(words, scale["pixel_size_source"])
    return Known(
        source=f"not taken: {scale['pixel_size_seen']}" if scale["pixel_size_seen"] else ""
    )


def z_step(scale: Mapping[str, Any], vendor: VendorMetadata | None, depth: int) -> Known:
    if scale["z_step_um"]:
        return Known(f"{scale['z_step_um']:g} µm", scale["z_step_source"])
    if vendor is not None and vendor.z_um:
        return Known(f"{vendor.z_um:g} µm", vendor.z_source)
    return Known(source="" if depth > 1 else "one plane")


def time_step(
    planes: pd.DataFrame, headers: Mapping[Place, Header], folder: Path
) -> tuple[Known, list[str]]:
    """Time between frames, from a few frames of one movie."""
    if planes["t"].max() < 1:
        return Known(source="one time point"), []
    early = planes[(planes["t"] < FRAMES_READ) & (planes["path"] != "")]
    groups = {(str(w), int(f)): own for (w, f), own in early.groupby(["well", "field"])}
    there = {place: header for place, header in headers.items() if place in groups}
    try:
        step, late = step_of_movie(groups, there, manifest.read_header_below(folder), None)
    except BadImage:
        return Known(), []
    if not step["time_step_known"]:
        return Known(), []
    return Known(f"{step['time_step_s']:g} s", step["time_step_source"]), late


def objective(vendor: VendorMetadata | None, sample: Sample) -> Known:
    """The objective, as the microscope recorded it."""
    if vendor is not None and vendor.objective:
        return Known(vendor.objective, vendor.objective_source)
    own = next((a for a in sample.acquired.values() if a.objective), None)
    return Known(own.objective, own.source) if own else Known()


def places(
    planes: pd.DataFrame, folder: Path, vendor: VendorMetadata | None, sample: Sample
) -> tuple[Known, Positions]:
    """Where fields lie; of those whose files hold it themselves, in one well."""
    if vendor is not None and vendor.positions:
        there = set(_place_of(planes))
        placed = {place: at for place, at in vendor.positions.items() if place in there}
        return Known(_placed(len(placed), vendor.origin), vendor.positions_source), placed
    if any(acquired.position for acquired in sample.acquired.values()):
        placed, about = positions_of_one_well(planes, folder)
        if placed:
            well = next(iter(placed))[0]
            words = f"in each file, relative to the {about.origin}: read in {len(placed)} of {well}"
            return Known(words, about.position_source or about.source), placed
    return Known(), {}


def light(planes: pd.DataFrame, folder: Path) -> Known:
    """Profiles of the light over the field that the instrument recorded; unknown where it did not.

    With few fields they cannot be checked against the images, which is said here already.
    """
    there = planes[planes["path"] != ""]
    found = read_profiles(folder, dict(there.groupby("channel")["path"].first()))
    if not found.by_channel:
        return Known(f"{UNKNOWN}: {found.words}") if found.words else Known()
    n, of = len(found.by_channel), planes["channel"].nunique()
    words = f"profiles of {n} of {of} channel{'s' * (of != 1)}, for 'correct.method' auto or vendor"
    n_fields = len(there[["well", "field"]].drop_duplicates())
    if n_fields < FEWEST_FIELDS:
        words += (
            f"; not to be checked in {n_fields} field{'s' * (n_fields != 1)} (at least "
            f"{FEWEST_FIELDS}), nor whether the export was corrected already"
        )
    return Known(words, next(iter(found.by_channel.values())).source)


def recorded_places(fields: Sequence[Mapping[str, Any]]) -> tuple[Known, Positions]:
    """The same of described fields whose ``centre`` is known, as those of a plate in place are."""
    centres = {(str(f["well"]), int(f["field"])): f["centre"] for f in fields if "centre" in f}
    if not centres:
        return Known(), {}
    first = next(iter(centres.values()))
    placed = {place: (centre["y_um"], centre["x_um"]) for place, centre in centres.items()}
    return Known(_placed(len(placed), first["origin"]), first["source"]), placed


def spacing(placed: Positions, shape: tuple[int, int], um: float | None) -> str:
    """How far the fields of a well lie from each other, next to their size; "" where unknown.

    It shows whether fields overlap, and a pixel size that is not that of the sample.
    """
    well = next(iter(placed), ("", 0))[0]
    own = list(dict.fromkeys(at for place, at in placed.items() if place[0] == well))
    if len(own) < 2 or not um:
        return ""
    apart = min(
        max(abs(one[0] - other[0]), abs(one[1] - other[1]))
        for n, one in enumerate(own)
        for other in own[:n]
    )
    return (
        f"{shape[0] * um:,.4g} × {shape[1] * um:,.4g} µm (y × x), neighbours of {well} "
        f"{apart:,.4g} µm apart"
    )


def _place_of(planes: pd.DataFrame) -> list[Place]:
    places = planes[["well", "field"]].drop_duplicates()
    return [(str(w), int(f)) for w, f in places.itertuples(index=False)]


def _placed(n: int, origin: str) -> str:
    return f"of {n:,} field{'s' * (n != 1)}, relative to the {origin}"
