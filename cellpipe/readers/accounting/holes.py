"""What a plate should have and has not: fields, frames, channels and planes that are missing.

B02  f1 f2 f3     t 0 1 2 3 4
B03  f1    f3     t 0 1     4     field 2 of B03, and frames 2 and 3, are holes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.wells import row_and_column, row_name, row_number

COMMON = 0.5  # what more than this part of the wells has, every well should have
FIELD = ["well", "field"]
WHOLE_BLOCK = 0.8  # wells with images, of the block that they span
SHOWN = 8
Depths = Mapping[tuple[str, int, str], int]  # (well, field, channel) → planes in z
NONE_OWN: Depths = {}
NONE_ABSENT: Mapping[str, Collection[int]] = {}
NONE_LACKING: Mapping[str, Collection[str]] = {}


def expected_frames(planes: pd.DataFrame) -> dict[tuple[str, int], int]:
    """Frames that each field should have: those that most fields of the plate have, or its own."""
    own = planes.groupby(FIELD)["t"].max() + 1
    counts = own.value_counts()
    usual = int(counts[counts == counts.max()].index.max()) if len(counts) else 1
    return {(str(w), int(f)): max(int(n), usual) for (w, f), n in own.items()}


def missing_planes(
    planes: pd.DataFrame,
    channels: Sequence[str],
    n_t: Mapping[tuple[str, int], int],
    n_z: Mapping[str, int],
    absent: Mapping[str, Collection[int]] = NONE_ABSENT,
    lacking: Mapping[str, Collection[str]] = NONE_LACKING,
    own: Depths = NONE_OWN,
) -> list[dict[str, Any]]:
    """Frames of a channel that a field lacks, and those that lack planes of the stack ("z").

    Parameters
    ----------
    planes : of the wanted channels: ``well field t channel z``
    n_t : frames that each field should have; n_z : planes of each channel, see `stack_sizes`
    absent : frames at which a channel was not taken, see `sparse.not_taken`: they are no holes
    own : planes of the stacks of fields whose metadata state others, see `own_depths`
    lacking : wells without any image of a channel, see `sparse.lacking`: named once, no holes
    """
    found = planes.groupby([*FIELD, "t", "channel"], sort=False)["z"].agg(["nunique"])["nunique"]
    wanted = pd.MultiIndex.from_tuples(
        [
            (well, field, t, channel)
            for (well, field), frames in n_t.items()
            for t in range(frames)
            for channel in channels
            if t not in absent.get(channel, ()) and well not in lacking.get(channel, ())
        ],
        names=found.index.names,
    )
    holes = [
        {"well": str(w), "field": int(f), "t": int(t), "channel": str(c)}
        for w, f, t, c in wanted.difference(found.index, sort=False)
    ]
    depth = found.index.get_level_values("channel").map(dict(n_z)).to_numpy()
    if own:
        places = found.index.droplevel("t")
        depth = np.array([own.get(place, n) for place, n in zip(places, depth, strict=True)])
    thin = found[found.to_numpy() < depth].index
    holes += _thin(planes, thin)
    return sorted(holes, key=lambda h: (h["well"], h["field"], h["t"], h["channel"]))


def _thin(planes: pd.DataFrame, places: pd.MultiIndex) -> list[dict[str, Any]]:
    """Holes of frames that lack planes which most frames of their channel have."""
    if not len(places):
        return []
    usual = {}
    for channel, own in planes.groupby("channel"):
        counts = own["z"].value_counts()
        usual[channel] = set(
            counts[counts > COMMON * len(own.drop_duplicates([*FIELD, "t"]))].index
        )
    at = planes.set_index([*FIELD, "t", "channel"])["z"]
    there = at[at.index.isin(places)].groupby(level=[0, 1, 2, 3]).agg(set)
    return [
        {"well": str(w), "field": int(f), "t": int(t), "channel": str(c),
         "z": sorted(int(z) for z in usual[c] - there[w, f, t, c])}
        for w, f, t, c in places
    ]  # fmt: skip


def missing_fields(planes: pd.DataFrame) -> list[dict[str, Any]]:
    """Faults for fields that most wells have and a well lacks."""
    places = planes.drop_duplicates(FIELD)
    wells = places.groupby("well")["field"].agg(set)
    counts = places["field"].value_counts()
    common = set(counts[counts > COMMON * len(wells)].index)
    return [
        {
            "well": str(well),
            "field": int(field),
            "file": "folder",
            "status": "missing",
            "reason": f"there is no image of field {field}, which most wells have",
            "remedy": "copy its files from the microscope, then run again",
        }
        for well, own in wells.items()
        for field in sorted(common - own)
    ]


def wells_within(wells: Collection[str]) -> list[str]:
    """Sentence on wells without images within a block of wells that is all but whole."""
    places = {row_and_column(well) for well in wells}
    rows = [row_number(row) for row, _ in places]
    columns = [column for _, column in places]
    block = {
        (row_name(row), column)
        for row in range(min(rows), max(rows) + 1)
        for column in range(min(columns), max(columns) + 1)
    }
    lost = sorted(block - places, key=lambda place: (row_number(place[0]), place[1]))
    if not lost or len(places) < WHOLE_BLOCK * len(block):
        return []
    names = ", ".join(f"{row}{column:02d}" for row, column in lost[:SHOWN])
    more = " …" if len(lost) > SHOWN else ""
    return [f"{len(places)} of {len(block)} wells of a block have images; not {names}{more}"]


def other_sizes(shapes: Mapping[tuple[str, int], Sequence[int]]) -> list[str]:
    """Sentence on fields whose images have other sizes than most: cropped, or binned pixels.

    shapes : (well, field) → rows and columns
    """
    counts = Counter(tuple(shape) for shape in shapes.values())
    if len(counts) < 2:
        return []
    usual = counts.most_common(1)[0][0]
    odd = {place: shape for place, shape in shapes.items() if tuple(shape) != usual}
    named = [f"{w} field {f} ({y} × {x})" for (w, f), (y, x) in sorted(odd.items())]
    return [
        f"{len(odd)} field(s) of another size than the rest ({usual[0]} × {usual[1]}): "
        + ", ".join(named[:SHOWN])
        + (" …" if len(named) > SHOWN else "")
        + "; if they were binned or enlarged, their pixels are not as large as the others', and "
        "areas and distances in them are wrong"
    ]


def refuse_uneven_stacks(n_z: Mapping[str, int]) -> list[str]:
    """Channels of one plane among stacks, which are repeated in every z of a stored stack.

    Raises BadConfig where channels have stacks of different depths: they cannot be stored.
    """
    depths = {channel: n for channel, n in n_z.items() if n > 1}
    if len(set(depths.values())) > 1:
        raise BadConfig(
            seen="stacks of " + ", ".join(f"{n} planes ({c})" for c, n in sorted(depths.items())),
            wanted="stacks of one depth in a field, for 'project.keep_stack: true': "
            "an image of OME-Zarr has one depth",
            do="set 'project.keep_stack' to false, or leave a channel out",
        )
    return sorted(channel for channel, n in n_z.items() if depths and n == 1)


def refuse_absent_plane(n_z: Mapping[str, int], options: Mapping[str, Any]) -> None:
    """Raise BadConfig where `project.plane` is more than a stack has; `n_z` by channel."""
    if options["method"] != "plane":
        return
    for channel, depth in sorted(n_z.items()):
        if 1 < depth < options["plane"]:
            raise BadConfig(
                seen=f"'project.plane: {options['plane']}', and stacks of {depth} planes of "
                f"channel '{channel}'",
                wanted=f"a number from 1 to {depth}",
                do="correct 'project.plane'",
            )


def own_depths(counted: pd.DataFrame, n_z: Mapping[str, int]) -> dict[tuple[str, int, str], int]:
    """Planes of the stacks of fields that have another depth than most, by their metadata.

    A single plane among stacks, or a stack among single planes, is of another acquisition: it has
    no depth of its own, and is a hole, or refused.

    counted : planes that metadata count, whether files hold them or not: ``well field channel z``
    """
    depths = counted.groupby(["well", "field", "channel"])["z"].nunique()
    return {
        (str(well), int(field), str(channel)): int(n)
        for (well, field, channel), n in depths.items()
        if n > 1 < n_z.get(channel, 1) and n != n_z[channel]
    }


def depths_in_words(own: Depths, n_z: Mapping[str, int]) -> list[str]:
    """A sentence where stacks have several depths."""
    if not own:
        return []
    well, field, channel = min(own)
    fields = len({(w, f) for w, f, _ in own})
    return [
        f"stacks of {fields} field(s) have another number of planes than most, such as "
        f"{own[well, field, channel]} of channel '{channel}' in {well} field {field} (most: "
        f"{n_z[channel]}): each is projected from its own planes, and the maximum of more planes "
        "is brighter"
    ]


def stack_sizes(planes: pd.DataFrame) -> dict[str, int]:
    """Planes in z that each channel has in most frames of a plate: one missing is then noticed.

    `planes` has the columns ``well field t channel z`` (see `inspection.inspect_planes`).
    """
    sizes = planes.groupby(["channel", "well", "field", "t"])["z"].nunique()
    return {str(channel): int(n.mode().max()) for channel, n in sizes.groupby("channel")}
