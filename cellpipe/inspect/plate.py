"""What is in a plate, from its listing, what the microscope recorded, and a few headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.errors import BadConfig, BadImage, Unreachable
from cellpipe.image.units import Scale
from cellpipe.inspect.channels import Channel, told_apart
from cellpipe.inspect.find import Found
from cellpipe.inspect.known import (
    Known,
    Positions,
    light,
    objective,
    pixel_size,
    places,
    recorded_places,
    time_step,
    z_step,
)
from cellpipe.inspect.sample import Sample, read_sample, unlike_sizes
from cellpipe.inspect.split import beginnings
from cellpipe.readers import formats, in_place, manifest
from cellpipe.readers.accounting import account, sparse
from cellpipe.readers.accounting.doubles import PLACE
from cellpipe.readers.accounting.files import NO_WELL, NOT_NAMED
from cellpipe.readers.accounting.holes import (
    depths_in_words,
    expected_frames,
    missing_fields,
    missing_planes,
    own_depths,
    stack_sizes,
    wells_within,
)
from cellpipe.readers.formats import Format
from cellpipe.readers.layouts import ome_zarr, zarr_positions
from cellpipe.readers.pixels import colours
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.readers.units.scales import plate_scale, scale_of_source
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.plan import recorded_of_plate, unlike_the_plan
from cellpipe.wells import row_and_column

NAMED_IN = {"ome-tiff": "OME-XML", "load-data": "the table", "csv": "the manifest"}
IN_COLOUR = (
    "the images are in colour: each is taken as the channels red, green and blue"
    " ('ingest.colour_images: channels')"
)


@dataclass
class Inspected:
    """What is in a plate.

    planes : ``path well field t channel z page bytes``, one row per plane of a file; of a plate
        in place ``path well field t channel z`` with the image's path and one row per frame
    sizes : (rows, columns) → images of the sample
    dtypes : dtype → images of the sample
    frames : number of time points; planes_z : planes of a stack, by channel token
    pattern : of the file names, where it was derived from them; "" for a format that is known
    placed : (well, field) → centre (y, x) in µm, as far as they were read
    holes, missing : planes and fields that most others have (see `accounting.holes`)
    doubles : planes for whose place there is another; double : two of them
    unreadable : path → why, of the sample
    sampled : files whose headers were read
    n_bytes : of the files that hold planes
    pixel_um : edge of a pixel in x; None where it is unknown
    arrays : of a plate in place: (well, field) → path of a small level and its axes
    edges : of a plate in place: (well, field) → edge of a pixel of that level in x, as far as known
    in_colour : whether its images are in colour, and taken as three channels
    """

    folder: Path
    format: Format
    planes: pd.DataFrame
    channels: list[Channel]
    frames: int
    planes_z: dict[str, int]
    sizes: Counter[tuple[int, int]]
    dtypes: Counter[str]
    pixel_size: Known
    z_step: Known
    time_step: Known
    objective: Known
    positions: Known
    light: Known = field(default_factory=Known)
    pattern: str = ""
    placed: Positions = field(default_factory=dict)
    holes: list[dict[str, Any]] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    doubles: int = 0
    double: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    sampled: int = 0
    n_bytes: int = 0
    files: dict[str, Any] = field(default_factory=dict)
    in_colour: bool = False
    notes: list[str] = field(default_factory=list)
    not_taken: dict[str, Any] = field(default_factory=dict)
    pixel_um: float | None = None
    arrays: dict[tuple[str, int], tuple[Path, str]] = field(default_factory=dict)
    edges: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def wells(self) -> list[str]:
        """Wells, row by row."""
        return sorted(self.planes["well"].unique(), key=lambda w: (len(w), row_and_column(w)))

    @property
    def fields(self) -> pd.DataFrame:
        """``well field``, one row per field."""
        return self.planes[["well", "field"]].drop_duplicates()


def inspect_plate(found: Found) -> Inspected:
    """What is in a plate that `find_plates` found. Raises BadConfig where it holds no image."""
    if found.planes is None:
        return _in_place(found)
    folder = found.folder
    planes, in_colour = _with_colours(found.planes, folder)
    sample = read_sample(planes, folder, manifest.read_header_below(folder))
    vendor = recorded_of_plate(planes, folder)
    headers = {
        (str(planes["well"].iat[row]), int(planes["field"].iat[row])): header
        for row, header in sample.headers.items()
    }
    scale, odd = plate_scale(headers, None)
    n_t, n_z = expected_frames(planes), stack_sizes(planes)
    own = own_depths(planes, n_z) if formats.states_planes(found.format.name) else {}
    tokens, n_frames = sorted(set(planes["channel"])), max(n_t.values(), default=1)
    there = planes[planes["path"] != ""]
    absent, lacking = sparse.not_taken(there, tokens), sparse.lacking(there, tokens)
    channels = _channels(planes, vendor, sample, NAMED_IN.get(found.format.name, "file names"))
    twice = planes[(planes["path"] != "") & planes.duplicated(PLACE, keep=False)]
    step, late = time_step(planes, headers, folder)
    positions, placed = places(planes, folder, vendor, sample)
    over = account.passed_over(found.files, planes, there, {})
    names = set(found.files.names)
    used = set(there["path"]) & names
    return Inspected(
        folder=folder,
        format=found.format,
        planes=planes,
        channels=channels,
        frames=n_frames,
        planes_z=n_z,
        sizes=Counter(header.shape for header in sample.headers.values()),
        dtypes=Counter(header.dtype for header in sample.headers.values()),
        pixel_size=pixel_size(scale),
        pixel_um=scale["pixel_size_x_um"],
        z_step=z_step(scale, vendor, max(n_z.values(), default=1)),
        time_step=step,
        objective=objective(vendor, sample),
        positions=positions,
        light=light(planes, folder),
        placed=placed,
        pattern=found.pattern,
        holes=missing_planes(there, tokens, n_t, n_z, absent, lacking, own),
        missing=missing_fields(planes),
        doubles=int(twice.duplicated(PLACE).sum()),
        double=tuple(twice.sort_values([*PLACE, "path"])["path"][:2]),
        unreadable=sample.unreadable,
        sampled=len(sample.headers) + len(sample.unreadable),
        n_bytes=int(there.drop_duplicates("path")["bytes"].clip(lower=0).sum()),
        files=account.account(len(names), used, used, over),
        notes=[
            *found.hints,
            *found.files.notes,
            *unlike_sizes(planes, sample),
            *_few_are_named(over, len(used), found.format.name),
            *(
                f"channel '{channel.name}' {sparse.in_words(absent[channel.token], n_frames)}"
                for channel in channels
                if channel.token in absent
            ),
            *(
                f"channel '{channel.name}' {_lacking(lacking[channel.token], planes)}"
                for channel in channels
                if channel.token in lacking
            ),
            *depths_in_words(own, n_z),
            *wells_within(set(planes["well"])),
            *late,
            *(f"{fault['well']} field {fault['field']}: {fault['reason']}" for fault in odd[:3]),
            *_other_size(scale),
            *dict.fromkeys(h.pixel_note for h in sample.headers.values() if h.pixel_note),
            *unlike_the_plan(planes, vendor, found.files.names),
            *_empty(there),
            *_plates_in_one(twice, found.format),
            *_no_planes(there, folder),
            *([IN_COLOUR] if in_colour else []),
        ],
        in_colour=in_colour,
        not_taken={**absent, **lacking},
    )


def _with_colours(planes: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, bool]:
    """The planes, those of colour images as three channels, and whether there are any.

    The first image of a channel stands for the others.
    """
    first = planes[planes["path"] != ""].drop_duplicates("channel").itertuples()
    if any(_in_colour(folder / str(row.path), int(str(row.page))) for row in first):
        return manifest.with_colours(planes, "channels"), True
    return planes.reset_index(drop=True), False


def _in_colour(path: Path, page: int) -> bool:
    try:
        return colours.in_colour(path, page)
    except Unreachable:  # listed among those that cannot be read
        return False


def _no_planes(there: pd.DataFrame, folder: Path) -> list[str]:
    """Sentences on the first image of a channel whose header can be read, and not its pixels."""
    faults: dict[str, str] = {}
    for row in there.drop_duplicates("channel").itertuples():
        try:
            read_plane(folder / str(row.path), int(str(row.page)))
        except (BadImage, Unreachable) as fault:
            faults.setdefault(fault.do, fault.seen)
    return [f"{seen}: {do}" for do, seen in faults.items()]


def _channels(
    planes: pd.DataFrame, vendor: VendorMetadata | None, sample: Sample, named_in: str
) -> list[Channel]:
    """Channels by the names that the microscope gave them: recorded, in the tags, in file names.

    named_in : where the tokens are
    """
    own: dict[str, tuple[str, str]] = {}
    for row, acquired in sample.acquired.items():
        if acquired.channel:
            token = str(planes["channel"].iat[row])
            own.setdefault(token, (acquired.channel, acquired.source))
    channels = []
    for token in sorted(set(planes["channel"])):
        name = vendor.channels.get(token, "") if vendor else ""
        if name and vendor:
            channels.append(Channel(token, name, vendor.channels_source))
        elif token in own:
            channels.append(Channel(token, *own[token]))
        else:
            channels.append(Channel(token, token, named_in))
    return told_apart(channels)


def _other_size(scale: Mapping[str, Any]) -> list[str]:
    """A sentence on a pixel size that was seen where another one is taken."""
    seen = scale["pixel_size_seen"]
    return [f"pixel size: {seen}"] if seen and scale["pixel_size_known"] else []


def _plates_in_one(twice: pd.DataFrame, own: Format) -> list[str]:
    """A sentence where files for one place have names of several plates."""
    names = beginnings(twice["path"].tolist(), own)
    if len(names) < 2:
        return []
    shown = ", ".join(f"'{name}'" for name in names[:4]) + (" …" if len(names) > 4 else "")
    return [
        f"the names of doubles begin with {shown}: if these are {len(names)} plates, put each into "
        "a folder of its own"
    ]


def _empty(planes: pd.DataFrame) -> list[str]:
    """A sentence on files of no bytes."""
    empty = planes["path"][planes["bytes"] == 0].unique()
    return [f"{len(empty)} file(s) of 0 bytes, such as '{empty[0]}'"] if len(empty) else []


def _in_place(found: Found) -> Inspected:
    """The same of an OME-Zarr plate."""
    source = ome_zarr.describe_source(found.folder)
    labels = in_place.common_channels(source)
    scale, odd = scale_of_source(source["fields"], None)
    fields, without = zarr_positions.with_positions(source["fields"], Scale.from_dict(scale))
    positions, placed = recorded_places(fields)
    rows = [
        (f["source_path"], f["well"], f["field"], t, channel, 0, 0)
        for f in source["fields"]
        for t in range(f["n_t"])
        for channel in f["channels"]
    ]
    columns = ["path", "well", "field", "t", "channel", "z", "page"]
    planes = pd.DataFrame(rows, columns=columns)
    depth = max(f["n_z"] for f in source["fields"])
    step_s = next((f["time_step_s"] for f in source["fields"] if f["time_step_s"]), None)
    faults = [*source["faults"], *odd]
    if planes.empty:
        raise BadConfig(
            seen=f"no image in {found.folder}", wanted="a plate with images", do="fetch it again"
        )
    return Inspected(
        folder=found.folder,
        format=found.format,
        planes=planes,
        channels=[Channel(label, label, _named_in(label)) for label in labels],
        frames=max(f["n_t"] for f in source["fields"]),
        planes_z=dict.fromkeys(labels, depth),
        sizes=Counter((f["shape"][-2], f["shape"][-1]) for f in source["fields"]),
        dtypes=Counter(f["dtype"] for f in source["fields"]),
        pixel_size=pixel_size(scale),
        pixel_um=scale["pixel_size_x_um"],
        z_step=z_step(scale, None, depth),
        time_step=Known(f"{step_s:g} s", "NGFF metadata") if step_s else Known(),
        objective=Known(),
        positions=positions,
        placed=placed,
        missing=missing_fields(planes),
        sampled=len(source["fields"]),
        arrays={
            (f["well"], f["field"]): (found.folder / f["source_path"] / _small(f)[0], f["axes"])
            for f in source["fields"]
        },
        edges={
            (f["well"], f["field"]): f["pixel_size_um"] * _small(f)[1]
            for f in source["fields"]
            if f["pixel_size_um"]
        },
        notes=[
            *found.hints,
            *source["notes"],
            *without,
            *(f"{f['well']} field {f['field']}: {f['reason']}" for f in faults[:5]),
            *([f"{len(faults) - 5} more images cannot be used"] if len(faults) > 5 else []),
        ],
    )


def _lacking(wells: Sequence[str], planes: pd.DataFrame) -> str:
    return sparse.lacking_in_words(wells, planes["well"].nunique())


def _few_are_named(over: pd.DataFrame, n_used: int, layout: str) -> list[str]:
    """A sentence where most images of a folder have names of no plate: its format is in doubt."""
    others = int(over["reason"].isin([NOT_NAMED, NO_WELL]).sum())
    if others <= n_used:
        return []
    return [
        f"{n_used} of {n_used + others} images have names of the format {layout}: make sure that "
        "they are of a plate, or list the images that are in a manifest.csv"
    ]


def _named_in(label: str) -> str:
    return "no name recorded" if re.fullmatch(r"channel_\d+", label) else "omero.channels"


def _small(described: Mapping[str, Any]) -> tuple[str, float]:
    """The level of an image that is large enough for a picture of it, and how coarse it is."""
    first = described["scales"][0][-1]
    coarse = [scale[-1] / first for scale in described["scales"]]
    large = [k for k, by in enumerate(coarse) if described["shape"][-1] / by >= 300]
    chosen = large[-1] if large else 0
    return str(described["levels"][chosen]), coarse[chosen]
