"""Images of one place that names distinguish: made by the instrument of others, reads, fast frames.

ZStep_2/P_B03_w1.tif        P_B03_w1.tif                          its projection: left out
B3_01_1_1_DAPI_001.tif      B3_-1_1_1_Stitched[DAPI …]_001.tif    put together of it: left out
B3_01_1_1_DAPI_001.tif      B3_02_1_1_DAPI_001.tif                two reads: two channels
r02c03f01p01-ch1sk1fk1fl1   …sk1fk2fl1                            two time points
"""

from __future__ import annotations

import pandas as pd

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
