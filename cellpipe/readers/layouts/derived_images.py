"""Images of one place that names distinguish: made by the instrument of others, reads, fast frames.

ZStep_2/P_B03_w1.tif        P_B03_w1.tif                          its projection: left out
B3_01_1_1_DAPI_001.tif      B3_-1_1_1_Stitched[DAPI …]_001.tif    put together of it: left out
B3_01_1_1_DAPI_001.tif      B3_02_1_1_DAPI_001.tif                two reads: two channels
r02c03f01p01-ch1sk1fk1fl1   …sk1fk2fl1                            two time points
B3ROI1_01_1_1_DAPI_-1.tif   B3ROI2_01_1_1_DAPI_-1.tif             two regions: two fields
P_B03_T0001F001L01A01…      P_B04_T0002F001L02A01…                two timelines: each from its first
"""

from __future__ import annotations

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting.doubles import PLACE
from cellpipe.readers.accounting.files import DERIVED, PROJECTION, Files

# layouts whose stacks count from 1, so that plane 0 is the projection
_FROM_ONE = ("imagexpress", "cq1")


def without_derived(planes: pd.DataFrame, files: Files, layout: str | None) -> pd.DataFrame:
    """The planes that the instrument took, without those that it made of others of them.

    Where a channel of a field has a stack and its projection, the stack counts alone: the
    projection is the file whose path has no z (IN Cell; ImageXpress puts it next to the ZStep
    folders), that has z 0 where stacks count from 1, or that has a folder of its own (HCS.ai).
    Where fields were also put together (Cytation: reads below 0; HCS.ai: montages), the fields
    count alone. What there is no other image of is taken.
    """
    made = planes["read"].str.startswith("-") | (planes["read"] == "_montage")
    planes = _left_out(planes, made & ~made.all(), files, DERIVED)
    stacked = planes["z"].notna() & ~((planes["z"] == 0) & (layout in _FROM_ONE))
    if (planes["read"] == "_z_stack").any():
        stacked = planes["read"] == "_z_stack"
    place = ["well", "field", "t", "channel"]
    keys = [planes[name].fillna(-1) if name == "t" else planes[name] for name in place]
    has_stack = stacked.groupby(keys).transform("any")
    return _left_out(planes, ~stacked & has_stack, files, PROJECTION)


def _left_out(planes: pd.DataFrame, out: pd.Series, files: Files, why: str) -> pd.DataFrame:
    for path in planes["path"][out]:
        files.pass_over(path, why)
    return planes[~out].reset_index(drop=True)


def with_fast_frames(planes: pd.DataFrame) -> pd.DataFrame:
    """The planes, of which time points within a time point (`fast`, from 1) are of their own."""
    most = int(planes["fast"].max())
    if most == 1:
        return planes
    return planes.assign(t=(planes["t"].fillna(1) - 1) * most + planes["fast"])


def parts_as_fields(planes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The planes, whose fields are the regions or crops (`part`, from 1) of what names count.

    A field has the number of its region where regions have one field each, or the other way round;
    otherwise the pairs are counted, the same in each well. The second are sentences on them.

    Raises BadConfig where only some images are of a region: they show other ground, and may have
    another magnification.
    """
    cut = planes["part"] > 0
    if not cut.any():
        return planes, []
    if not cut.all():
        raise BadConfig(
            seen=f"{int(cut.sum())} image(s) of a region or crop, such as "
            f"'{planes['path'][cut].iloc[0]}', and {int((~cut).sum())} of whole fields, such as "
            f"'{planes['path'][~cut].iloc[0]}'",
            wanted="images of one kind: the others show other ground of the well",
            do="move one kind into a folder of its own, or list the images in a manifest.csv",
        )
    pairs = planes[["field", "part"]]
    several = pairs.nunique() > 1
    if not several.all():
        own = pairs["field"] if several["field"] else pairs["part"]
        return planes.assign(field=own), []
    number = pairs.apply(tuple, axis=1).rank(method="dense").astype("int64")
    of_last, last = pairs.loc[number.idxmax()]
    note = (
        f"regions or crops of fields are fields of their own, numbered 1 to {number.max()} in the "
        f"order of field and region: region {last} of field {of_last} is {number.max()}"
    )
    return planes.assign(field=number), [note]


def by_timeline(planes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The planes, whose time points count from the first of their timeline, where wells have one.

    CellVoyager counts time points through all timelines (`line`) of a protocol, so that wells of
    the second one begin late. Where a well has several, its time points stay as they are. The
    second are sentences on them.
    """
    if planes["line"].nunique() < 2:
        return planes, []
    several = planes.groupby("well")["line"].nunique() > 1
    if several.any():
        note = (
            f"{int(several.sum())} well(s), such as {several.idxmax()}, were taken in several "
            "timelines: time points are those of the names (T), however long the pause between "
            "timelines was"
        )
        return planes, [note]
    first = planes.groupby("line")["t"].transform("min")
    late = planes["line"][first > 1]
    words = (
        f"timeline(s) {', '.join(map(str, sorted(set(late))))} of the protocol begin later, in "
        "wells of their own: their time points are counted from the first of each"
    )
    return planes.assign(t=planes["t"] - first + 1), [words] if len(late) else []


def reads_apart(planes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The planes, whose channel has the `read` in its token where it occurs in several of a place.

    The second are sentences on them.
    """
    twice = planes.duplicated(PLACE, keep=False) & (planes["read"] != "")
    both = planes[twice].groupby("channel")["read"].nunique()
    several = sorted(both[both > 1].index)
    if not several:
        return planes, []
    again = planes["channel"].isin(several)
    token = planes["channel"].where(~again, planes["channel"] + " (read " + planes["read"] + ")")
    names = ", ".join(f"'{name}'" for name in several)
    note = (
        f"channel(s) {names} were taken in several reads, and are a channel of each: if the reads "
        "have another magnification, write the ones that belong together into 'channels'"
    )
    return planes.assign(channel=token), [note]
