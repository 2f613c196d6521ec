"""Images that are named like those of a plate, though the layout does not match them.

    taken      AS_09125_B02f98d0.tif
    not taken  AS_09125_B02f100d0.tif, AS_09125_B04f98d0 (2).tif
    neither    overview.tif

A layout that catches most files of a series and loses the rest gives a plate that seems complete.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cellpipe.errors import BadConfig
from cellpipe.wells import row_name, well_name

MAX_KINDS = 40  # of names that a plate's files can have; folders with numbers count as one
_WELL = r"[A-Za-z]{1,2}[ _-]*\d{1,2}"
_WILD = {"well": _WELL, "row": r"[A-Za-z]{1,2}|\d+", "column": r"\d+", "channel": r"[^/]+?"}
_WILD["position"] = r".+?"


class Series:
    """Names that a layout takes, with their numbers left open."""

    def __init__(self) -> None:
        self._kinds: dict[str, re.Pattern[str]] = {}
        self._wells: set[str] = set()

    def learn(self, found: re.Match[str]) -> None:
        """Take in one path that the layout matches."""
        if len(self._kinds) >= MAX_KINDS:
            return
        kind = _kind(found)
        if kind not in self._kinds:
            self._kinds[kind] = re.compile(kind, re.IGNORECASE)

    def well(self, path: str) -> str | None:
        """The well of a path that is like the others ("" if it has none); None if it is not."""
        for kind in self._kinds.values():
            found = kind.match(path)
            if found:
                return _well(found.groupdict())
        return None


def _kind(found: re.Match[str]) -> str:
    """The path up to the last number that the layout reads, numbers and wells left open."""
    path, kind, at = found.string, "", 0
    spans = {name: found.span(name) for name, text in found.groupdict().items() if text}
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if start < at:  # groups within groups
            continue
        kind += _opened(path[at:start]) + f"(?P<{name}>{_WILD.get(name, r'[0-9]+')})"
        at = stop
    return kind


@lru_cache(maxsize=4096)
def _opened(text: str) -> str:
    return re.sub(r"\d+", r"\\d+", re.escape(text))


def _well(groups: dict[str, str | None]) -> str:
    text = groups.get("well") or f"{row_name(groups.get('row') or '')}{groups.get('column')}"
    try:
        return well_name(text)
    except BadConfig:
        return ""
