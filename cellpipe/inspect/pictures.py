"""Pictures of an inspected plate: which wells have what, and one field of each channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage, Unreachable
from cellpipe.files.publish import published
from cellpipe.inspect.plate import Inspected
from cellpipe.plate.glance import plane_of_array
from cellpipe.readers import manifest
from cellpipe.readers.pixels.reading import read_plane

FIELD = ["well", "field"]
TRIED = 3  # planes of a channel, if the first cannot be read


def pixels_of_a_field(plate: Inspected) -> tuple[tuple[str, int], dict[str, np.ndarray]]:
    """The middle field of those with most channels, and a plane (Y, X) of each, by its name.

    Channels of which no plane can be read are absent.
    """
    counts = plate.planes.groupby(FIELD, sort=False)["channel"].nunique()
    whole = counts[counts == counts.max()].index
    well, number = whole[len(whole) // 2]
    place = (str(well), int(number))
    found: dict[str, np.ndarray] = {}
    own = plate.planes[(plate.planes["well"] == well) & (plate.planes["field"] == number)]
    for index, channel in enumerate(plate.channels):
        if plate.format.in_place:
            array, axes = plate.arrays[place]
            found[channel.name] = plane_of_array(array, axes, index)
            continue
        plane = _first_that_reads(own[own["channel"] == channel.token], plate.folder)
        if plane is not None:
            found[channel.name] = plane
    return place, found


def edges_um(
    plate: Inspected, place: tuple[str, int], pixels: dict[str, np.ndarray]
) -> dict[str, float]:
    """Edge of a pixel in x of the pictured planes, by channel name; those that are known.

    A field, or a channel of it, may have been taken with another binning or objective than most.
    """
    if plate.pixel_um is None:
        return {}
    if plate.format.in_place:
        edge = plate.edges.get(place)
        return dict.fromkeys(pixels, edge) if edge else {}
    read = manifest.read_header_below(plate.folder)
    own = plate.planes[(plate.planes["well"] == place[0]) & (plate.planes["field"] == place[1])]
    usual = plate.sizes.most_common(1)[0][0] if plate.sizes else None
    found = {}
    for channel in plate.channels:
        rows = own[(own["channel"] == channel.token) & (own["path"] != "")]
        if channel.name not in pixels or rows.empty:
            continue
        try:
            edge = read(str(rows["path"].iat[0]), int(rows["page"].iat[0])).pixel_size_um
        except (BadImage, Unreachable):
            edge = None
        if edge is None and pixels[channel.name].shape[-2:] == usual:
            edge = plate.pixel_um
        if edge is not None:
            found[channel.name] = edge
    return found


def _first_that_reads(planes: pd.DataFrame, folder: Path) -> np.ndarray | None:
    """Of the first time point, the plane in the middle of the stack, or one next to it."""
    planes = planes[(planes["t"] == planes["t"].min()) & (planes["path"] != "")]
    middle = (planes["z"] - planes["z"].median()).abs().sort_values(kind="stable").index
    for row in planes.loc[middle[:TRIED]].itertuples():
        try:
            return read_plane(folder / str(row.path), int(str(row.page)))
        except (BadImage, Unreachable):
            continue
    return None


def shares(plate: Inspected) -> dict[str, dict[str, float]]:
    """Channel name → well → part of its planes that is there, of those that most fields have."""
    planes = plate.planes[plate.planes["path"] != ""]
    n_fields = plate.fields.groupby("well").size()
    found = {}
    for channel in plate.channels:
        own = planes[planes["channel"] == channel.token].drop_duplicates([*FIELD, "t", "z"])
        there = own.groupby("well").size().reindex(n_fields.index, fill_value=0)
        per_field = own.groupby(FIELD).size()
        wanted = n_fields * (int(per_field.mode().max()) if len(per_field) else 1)
        found[channel.name] = {str(w): min(1.0, float(s)) for w, s in (there / wanted).items()}
    return found


def plot(
    plate: Inspected, place: tuple[str, int], pixels: dict[str, np.ndarray], stem: Path
) -> list[Path]:
    """Write STEM-wells.png and STEM-channels.png; returns those that were written."""
    from cellpipe.figures.inspected import field_of_channels, plate_of_planes
    from cellpipe.figures.style import figure_bytes

    stem.parent.mkdir(parents=True, exist_ok=True)
    n_fields = {str(w): int(n) for w, n in plate.fields.groupby("well").size().items()}
    figures = {"wells": plate_of_planes(shares(plate), n_fields)}
    if pixels:
        where = f"well {place[0]}, field {place[1]}"
        figures["channels"] = field_of_channels(pixels, where, edges_um(plate, place, pixels))
    written = []
    for name, figure in figures.items():
        path = stem.with_name(f"{stem.name}-{name}.png")
        with published(path) as aside:
            aside.write_bytes(figure_bytes(figure, "png"))
        written.append(path)
    return written
