"""Files found by a pattern over their names: a regular expression with named groups.

Built-in patterns are for microscopes whose files are named one way everywhere; any other naming
is a pattern in the config. Groups: ``well`` (or ``row`` and ``column``), ``field``, ``channel``,
``t``, ``z``; those that a naming lacks count as one. Names without wells have the group
``position`` instead, whatever it holds: each position becomes a well (see `wells_by_order`).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting.files import (
    CORRECTION,
    LIKE_THE_OTHERS,
    LINK_FOLDER,
    LINK_OUT,
    NO_WELL,
    NOT_NAMED,
    OTHER_LAYOUT,
    THUMBNAIL,
    Files,
    NoPlanes,
    find_files,
    is_correction,
    is_thumbnail,
    whole_name,
)
from cellpipe.readers.layouts.built_in import BUILT_IN, EXAMPLES
from cellpipe.readers.layouts.derived_images import (
    by_timeline,
    parts_as_fields,
    reads_apart,
    with_fast_frames,
    without_derived,
)
from cellpipe.readers.layouts.hyperstacks import expanded
from cellpipe.readers.layouts.numbers import elapsed_min, frames_of, lost_planes, planes_of
from cellpipe.readers.layouts.origins import Origins
from cellpipe.readers.layouts.pattern_groups import compiled, note, well_of, wells_of_positions
from cellpipe.readers.layouts.series import Series
from cellpipe.wells import BadWellName


def list_planes(
    folder: Path, pattern: str, files: Files | None = None, columns: int | None = None
) -> pd.DataFrame:
    """List the planes whose path below `folder` matches `pattern` whole.

    `columns` of the plate place wells that are running numbers (W00013). Images that are passed
    over are noted in `files`, the listing of the folder.

    Raises
    ------
    BadConfig
        If the pattern is no regular expression or lacks the well, or if no file matches.
    """
    expression = compiled(pattern)
    files = files or find_files(folder)
    positions = wells_of_positions(expression, files)
    rows, origins = _matching(expression, files, columns, positions)
    if not rows:
        raise _nothing(files, pattern)
    _name_wells_of_copies(files, expression, columns, positions)
    layout = next((name for name, own in BUILT_IN.items() if own == pattern), None)
    rows, stacks = expanded(rows, files.folder)
    planes = without_derived(with_fast_frames(pd.DataFrame(rows)), files, layout)
    planes, more = parts_as_fields(planes)
    planes, lines = by_timeline(planes)
    frames, notes = frames_of(planes["t"], count=layout not in (None, "incucyte"))
    files.notes += note(positions) + origins.notes() + stacks + more + lines + notes
    files.notes += lost_planes(planes["z"], planes["channel"])
    planes = planes.assign(t=frames, z=planes_of(planes["z"], planes["channel"]))
    planes, apart = reads_apart(planes)
    files.notes += apart
    return planes[["path", "well", "field", "t", "channel", "z", "page"]]


def _matching(
    expression: re.Pattern[str],
    files: Files,
    columns: int | None,
    positions: Mapping[str, str],
) -> tuple[list[dict[str, object]], Origins]:
    """A row for each file that matches; the other images are passed over.

    Raises BadConfig where all that match name no well, or where a number is none.
    """
    rows: list[dict[str, object]] = []
    series, origins = Series(), Origins()
    strange: BadConfig | None = None
    for path in list(files.candidates):
        found = expression.fullmatch(path)
        if not found:
            continue
        groups = found.groupdict()
        try:
            well = well_of(groups, columns, positions)
        except BadWellName as fault:
            strange = strange or fault
            files.pass_over(path, NO_WELL)
            continue
        rows.append(_plane(path, well, groups))
        series.learn(found)
        if not positions:
            origins.learn(path, found.start("well" if groups.get("well") else "row"), well)
    if strange and not rows:
        raise strange
    for path in [path for path in files.images if not expression.fullmatch(path)]:
        _pass_over(path, files, series)
    return rows, origins


def matching(pattern: str, files: Files) -> int:
    """How many files of a listing match a pattern."""
    fits = re.compile(pattern).fullmatch
    return sum(1 for path in files.candidates if fits(path))


def _nothing(files: Files, pattern: str) -> BadConfig:
    others = [*files.images] or [*files.candidates] or files.names
    behind = sum(why in (LINK_OUT, LINK_FOLDER) for why in files.passed_over.values())
    such = f", such as '{others[0]}'" if others else ""
    links = f"; {behind} link(s) lead out of it or to folders" if behind else ""
    kind = BadConfig if behind else NoPlanes  # another layout finds no more behind links
    return kind(
        seen=f"{len(files.names)} file(s) in {files.folder}{such}{links}",
        wanted=_like(pattern),
        do="set 'ingest.follow_links' in the config, if the images are behind those links"
        if behind
        else OTHER_LAYOUT,
    )


def _pass_over(path: str, files: Files, series: Series) -> None:
    """Record why an image that does not match is passed over."""
    if is_thumbnail(path) or is_correction(path):
        files.pass_over(path, THUMBNAIL if is_thumbnail(path) else CORRECTION)
        return
    well = series.well(path)
    files.pass_over(path, NOT_NAMED if well is None else LIKE_THE_OTHERS)
    if well:
        files.wells[path] = well


def _like(pattern: str) -> str:
    """The names that a pattern is for, by an example where there is one."""
    for layout, built_in in BUILT_IN.items():
        if built_in == pattern:
            return f"files named as in the layout {layout}, such as '{EXAMPLES[layout]}'"
    return f"files whose path below the folder matches {pattern}"


def _plane(path: str, well: str, groups: dict[str, str | None]) -> dict[str, object]:
    return {
        "path": path,
        "well": well,
        "field": int(_number(path, "field", groups.get("field") or "1")),
        "t": _time(path, groups.get("t") or ""),
        "channel": groups.get("channel") or "1",
        "z": _number(path, "z", groups.get("z") or "", whole=False),
        "fast": int(groups.get("fast") or 1),
        "part": int(groups.get("part") or 0),
        "line": int(groups.get("line") or 1),
        "named": [axis for axis in ("channel", "z", "t") if groups.get(axis)],
        "read": groups.get("read") or "",
    }


def _time(path: str, text: str) -> float:
    """The number of a time point, or its minutes since the start (00d04h00m)."""
    minutes = elapsed_min(text)
    return _number(path, "t", text) if minutes is None else float(minutes)


def _number(path: str, name: str, text: str, whole: bool = True) -> float:
    """The number that a group holds; NaN for none. Raises BadConfig where it holds another word."""
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (whole and number != int(number)):
        raise BadConfig(
            seen=f"'{text}' as '{name}' of the file {path}",
            wanted="a whole number" if whole else "a number",
            do=rf"let the pattern match digits only, such as (?P<{name}>\d+), or rename the file",
        )
    return number


def _name_wells_of_copies(
    files: Files,
    expression: re.Pattern[str],
    columns: int | None,
    positions: Mapping[str, str],
) -> None:
    """Note the wells of unfinished and old copies, in case a well has no other images."""
    for path in files.passed_over:
        found = expression.fullmatch(whole_name(path))
        if found:
            with contextlib.suppress(BadConfig):
                files.wells[path] = well_of(found.groupdict(), columns, positions)
