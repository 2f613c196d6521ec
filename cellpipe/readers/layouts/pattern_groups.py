"""Groups of the pattern of a layout: which there must be, and the well that they give.

well, or row and column      the well, as the names have it
position                     in names without wells: each becomes a well, in the order of names
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting.files import Files, whole_name
from cellpipe.readers.layouts.built_in import BUILT_IN
from cellpipe.readers.layouts.wells_by_order import OTHER_WELLS, in_words, wells_in_order
from cellpipe.wells import BadWellName, row_name, well_name

GROUPS = {"well", "row", "column", "position", "field", "channel", "t", "z"}


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern of a layout. Raises BadConfig for no regular expression, or wrong groups."""
    try:
        expression = re.compile(pattern)
    except re.error as fault:
        raise BadConfig(
            seen=f"the pattern {pattern} ({fault})",
            wanted="a regular expression with named groups",
            do="correct it in 'layouts' in the config",
        ) from fault
    groups = set(expression.groupindex)
    of_wells = groups & {"well", "row", "column"}
    if not ("well" in groups or {"row", "column"} <= groups or "position" in groups):
        raise BadConfig(
            seen=f"a pattern with the groups {sorted(groups)}",
            wanted="the group 'well', or 'row' and 'column'; without wells, 'position'",
            do="write (?P<well>…) where the file name contains the well, or (?P<position>…) around "
            "what is to become one",
        )
    if "position" in groups and of_wells:
        raise BadConfig(
            seen=f"a pattern with the groups 'position' and {sorted(of_wells)}",
            wanted="'position' in names without wells alone: each position becomes a well",
            do="rename the group 'position' to 'field', if it counts the fields of a well",
        )
    if pattern not in BUILT_IN.values() and groups - GROUPS:
        raise BadConfig(
            seen=f"the group(s) {sorted(groups - GROUPS)} in a pattern",
            wanted=f"groups out of {sorted(GROUPS)}",
            do="rename them, or make them (?:…)",
        )
    return expression


def well_of(
    groups: dict[str, str | None], columns: int | None, positions: Mapping[str, str]
) -> str:
    """Well of a file. Raises BadWellName, or BadConfig for a number that cannot be placed."""
    if "position" in groups:
        position = groups["position"] or ""
        if not position:
            raise BadWellName(
                seen="a name without the group 'position' of the pattern",
                wanted="a position in every name that the pattern matches",
                do="correct it in 'layouts' in the config",
            )
        return positions[position]
    text = groups.get("well") or f"{row_name(groups.get('row') or '')}{groups.get('column')}"
    return well_name(text, columns)


def wells_of_positions(expression: re.Pattern[str], files: Files) -> dict[str, str]:
    """Position → well; empty for a pattern that has wells. Unfinished copies keep their place."""
    if "position" not in expression.groupindex:
        return {}
    paths = [*files.candidates, *filter(None, map(whole_name, files.passed_over))]
    found = (match["position"] for match in map(expression.fullmatch, paths) if match)
    return wells_in_order(filter(None, found))


def note(positions: Mapping[str, str]) -> list[str]:
    """A sentence on which position became which well."""
    if not positions:
        return []
    return [
        "the names hold no wells: each position is taken as a well, in the order of their names "
        f"({in_words(positions)}) ({OTHER_WELLS})"
    ]
