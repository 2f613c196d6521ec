"""The few files of a plate whose headers are read, and what they hold.

    all planes    ● · · · · ○ · · · · ○ · · · · ●      ● first and last, ○ spread evenly, of
                            ▲ the largest, ▼ smallest     each channel; and files of odd sizes

A plate has a million files: those of another size on disk are the ones that may be damaged, or of
another kind; the others stand for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage, Unreachable
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.vendor.acquisition import Acquisition, read_acquisition

PLANES = 40  # of all channels
ODD = 3  # smallest and largest files
POSITIONS = 24  # fields of one well whose position is read from their tags


@dataclass
class Sample:
    """Headers and tags of a few planes.

    headers : row of the planes → header
    acquired : row of the planes → tags
    unreadable : path → why
    """

    headers: dict[int, Header] = field(default_factory=dict)
    acquired: dict[int, Acquisition] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def read_sample(planes: pd.DataFrame, folder: Path, read: Callable[[str, int], Header]) -> Sample:
    """Read the headers of a sample of `planes` (index 0 … N - 1; see `cellpipe.readers`).

    Raises Unreachable where no file of the sample can be reached: the disk is at fault then.
    """
    sample, away = Sample(), None
    for row in chosen(planes):
        path, page = str(planes["path"].iat[row]), int(planes["page"].iat[row])
        try:
            sample.headers[row] = read(path, page)
        except BadImage as fault:
            sample.unreadable[path] = fault.seen
            continue
        except Unreachable as fault:  # of another account, say
            sample.unreadable[path], away = fault.seen, fault
            continue
        sample.acquired[row] = read_acquisition(folder / path, page)
    if away is not None and not sample.headers:
        raise away
    return sample


def unlike_sizes(planes: pd.DataFrame, sample: Sample) -> list[str]:
    """A sentence where channels have images of different sizes, as of cameras that were binned."""
    by_channel: dict[str, Counter[tuple[int, int]]] = {}
    for row, header in sample.headers.items():
        by_channel.setdefault(str(planes["channel"].iat[row]), Counter())[header.shape] += 1
    usual = {channel: shapes.most_common(1)[0][0] for channel, shapes in by_channel.items()}
    if len(set(usual.values())) < 2:
        return []
    words = ", ".join(f"'{channel}' {y} × {x}" for channel, (y, x) in sorted(usual.items()))
    return [
        f"channels have images of different sizes ({words}): a field needs one size, and those "
        "with images of another one are quarantined. Leave one of the channels out of the config"
    ]


def chosen(planes: pd.DataFrame) -> list[int]:
    """Rows of the sample: spread over each channel, and the smallest and largest files."""
    there = np.flatnonzero((planes["path"] != "").to_numpy())
    if not len(there):
        return []
    channels = planes["channel"].to_numpy()[there]
    tokens = sorted(set(channels))
    each = max(2, PLANES // len(tokens))
    rows: set[int] = set()
    for token in tokens:
        own = there[channels == token]
        rows.update(int(row) for row in own[np.linspace(0, len(own) - 1, each).round().astype(int)])
    by_size = there[np.argsort(planes["bytes"].to_numpy()[there], kind="stable")]
    rows.update(int(row) for row in (*by_size[:ODD], *by_size[-ODD:]))
    return sorted(rows)


def positions_of_one_well(
    planes: pd.DataFrame, folder: Path
) -> tuple[dict[tuple[str, int], tuple[float, float]], Acquisition]:
    """Positions (y, x) in µm of the fields of the first well, by the tags of a file of each."""
    well = planes["well"].iat[0] if len(planes) else ""
    there = (planes["path"] != "") & (planes["bytes"] > 0)
    own = planes[(planes["well"] == well) & there].drop_duplicates("field")
    found: dict[tuple[str, int], tuple[float, float]] = {}
    about = Acquisition()
    for row in own[:POSITIONS].itertuples():
        acquired, number = read_acquisition(folder / str(row.path), int(str(row.page))), row.field
        if acquired.position is None:
            break
        found[str(well), int(str(number))] = acquired.position
        about = acquired
    return found, about
