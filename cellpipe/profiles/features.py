"""Features of cells that are read when they are summarised, some at a time.

    cells.parquet   well field t …  area  dna_mean │ texture_1  texture_2  …  zernike_9_9
                    kept in memory: what stages   │ read in parts: profiles alone ask for them
                    and warnings look at          │

800,000 cells of 600 features take 2 GB, and a median by well of all of them at
once takes eight times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 40  # features
FEW = 200  # features of a plate: as many are kept in memory
LEVELS = "_texture_sum_average_"  # which a warning looks at (`quality.textures`)


class Features:
    """Features of the cells of a plate by name, in table order; those not in memory are read.

    Parameters
    ----------
    names : all features
    read : names → table of these columns, a row per row of cells.parquet
    """

    def __init__(
        self, names: Sequence[str], read: Callable[[Sequence[str]], pd.DataFrame] | None = None
    ) -> None:
        self.names = list(names)
        self.empty: list[str] = []  # of those that were read, without a value of any cell
        self._read = read

    def in_parts(self, cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Tables of some features each, with the rows of `cells`.

        cells : the table in memory, of which rows may have been left out; its index numbers the
            rows of the file
        """
        for start in range(0, len(self.names), AT_ONCE):
            part = self.names[start : start + AT_ONCE]
            absent = [name for name in part if name not in cells]
            table = cells[[name for name in part if name in cells]]
            if absent:
                assert self._read is not None
                more = self._read(absent).loc[cells.index]
                self.empty += [name for name in absent if more[name].isna().all()]
                table = table.join(more)
            yield table[part]


def kept_in_memory(
    columns: Sequence[str], features: Sequence[str], standard: Sequence[str], asked: Sequence[str]
) -> list[str]:
    """Columns of cells that stages and warnings look at: all but features that profiles alone ask
    for. Of few features, all.

    Parameters
    ----------
    columns : of cells.parquet; features : those of them that are features
    standard : columns of the set of measurements `standard`
    asked : readouts
    """
    if len(features) <= FEW:
        return list(columns)
    spare = {*features} - {*standard, *asked}
    return [name for name in columns if name not in spare or LEVELS in name]
