"""Files of several plates or runs in one folder, by their names and folders.

PlateA_B02_s1.tif  PlateA_B03_s1.tif        two names, each with wells of its own: two plates
PlateB_C02_s1.tif  PlateB_C03_s1.tif        that would silently be taken for one
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cellpipe.wells import row_and_column

SHOWN = 4
_OF_WELLS = re.compile(r"(?i)(?:row|col(?:umn)?|well)s?[ _-]*\w*|[A-P]{1,2}|[A-P]\d{1,2}")


class Origins:
    """Wells by the beginning of the file name, and by the first folder, of every file."""

    def __init__(self) -> None:
        self._by_name: dict[str, set[str]] = {}
        self._by_folder: dict[str, set[str]] = {}

    def learn(self, path: str, at: int, well: str) -> None:
        """Add a file whose path contains its well from character `at` on."""
        start = path.rfind("/") + 1
        self._by_name.setdefault(path[start : max(at, start)], set()).add(well)
        folder = path.partition("/")[0] if start else ""
        if not _OF_WELLS.fullmatch(folder):
            self._by_folder.setdefault(folder, set()).add(well)

    def notes(self) -> list[str]:
        """A sentence where names, or folders, divide the wells as several plates would."""
        for what, groups in (("begin with", self._by_name), ("lie in", self._by_folder)):
            if _divides(groups):
                return [_sentence(what, groups)]
        return []


def _divides(groups: Mapping[str, set[str]]) -> bool:
    """Whether every well is of one group alone, and two groups or more have several wells."""
    several = [wells for wells in groups.values() if len(wells) > 1]
    n_wells = len(set().union(*groups.values()))
    return len(several) > 1 and sum(map(len, groups.values())) == n_wells


def _sentence(what: str, groups: Mapping[str, set[str]]) -> str:
    parts = []
    for name, wells in sorted(groups.items())[:SHOWN]:
        first, *_, last = sorted(wells, key=row_and_column) * 2
        parts.append(f"'{name}' ({len(wells)} wells, {first} to {last})")
    more = " …" if len(groups) > SHOWN else ""
    return (
        f"files of different wells {what} {', '.join(parts)}{more}, and are taken for one plate: "
        "if they are several, give each a row of its own in the sheet of plates"
    )
