"""Two files for one plane: a copy is passed over, and two that differ set their field aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.files.reach import reached

PLACE = ["well", "field", "t", "channel", "z"]
PIECE = 2**20


def settle_doubles(
    planes: pd.DataFrame, same: Callable[[str, str], bool]
) -> tuple[pd.DataFrame, dict[str, str], list[dict[str, Any]]]:
    """Planes of which each place has one, copies, and fields of which some place has two.

    Parameters
    ----------
    planes : sorted by place and path
    same : whether two files, by their paths, are equal byte for byte

    Returns
    -------
    planes : without copies
    copies : path → the file of which it is a copy
    faults : of fields whose files contradict each other; their planes stay in `planes`
    """
    twice = planes[planes.duplicated(PLACE, keep=False)]
    copies: dict[str, str] = {}
    faults: dict[tuple[str, int], dict[str, Any]] = {}
    for _, group in twice.groupby(PLACE, sort=True):
        first, *others = group[["path", "page"]].itertuples(index=False, name=None)
        for path, page in others:
            if page == first[1] and path != first[0] and same(first[0], path):
                copies[path] = first[0]
                continue
            well, field = str(group["well"].iloc[0]), int(group["field"].iloc[0])
            t, channel = group["t"].iloc[0], group["channel"].iloc[0]
            faults.setdefault(
                (well, field),
                {
                    "well": well,
                    "field": field,
                    "file": path,
                    "reason": f"it and {first[0]} are both for frame {t}, {channel}, and differ",
                    "remedy": "move one of them out of the folder, or write a pattern that "
                    "distinguishes them, then run again",
                },
            )
    return planes[~planes["path"].isin(copies)], copies, list(faults.values())


def same_bytes(folder: Path) -> Callable[[str, str], bool]:
    """Whether two files below `folder` are equal byte for byte. Raises Unreachable."""

    def same(one: str, other: str) -> bool:
        a, b = folder / one, folder / other
        try:
            return reached(lambda: _equal(a, b), b)
        except FileNotFoundError:
            return False

    return same


def _equal(a: Path, b: Path) -> bool:
    if a.stat().st_size != b.stat().st_size:
        return False
    with a.open("rb") as left, b.open("rb") as right:
        while True:
            piece = left.read(PIECE)
            if piece != right.read(PIECE):
                return False
            if not piece:
                return True
