"""A pattern derived from file names of no known microscope, where they name wells.

    day1/B03_site2_GFP.tif     B03    site2   GFP
    day1/B04_site1_DAPI.tif    well   field   words that differ: the channel

    day1/(?P<well>[A-P]\\d{1,2})_site(?P<field>\\d+)_(?P<channel>[^/]+?)

A number belongs to the word before it (s, site, t, z, w …). A number without such a word is the
field if there is no other, or nothing where the well determines it. Names that can be read in
another way give no pattern; what is derived is reported, and written into the config.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cellpipe.readers.accounting.files import Files, is_thumbnail, suffix

WORDS = {
    **dict.fromkeys(
        ("s", "site", "f", "field", "fld", "fov", "xy", "pos", "position", "p"), "field"
    ),
    **dict.fromkeys(("t", "time", "timepoint", "tp", "frame"), "t"),
    **dict.fromkeys(("z", "slice", "plane", "zstep"), "z"),
    **dict.fromkeys(("w", "c", "ch", "channel", "wavelength", "wv"), "channel"),
}
COVER = 0.9  # of the images, that the pattern must match
MOST_CHANNELS = 12
_SEPARATOR = re.compile(r"([/_\-. ()\[\]]+)")
_RUNS = re.compile(r"[A-Za-z]+|\d+")
_WELL = re.compile(r"[A-P]\d{1,2}")


@dataclass
class Names:
    """Names of one structure, cut into chunks: `columns[i]` holds the i-th chunk of each."""

    columns: list[list[str]]
    separators: list[str]
    found: dict[str, str] = field(default_factory=dict)  # group → expression, for each once


def derive_pattern(files: Files) -> str | None:
    """A pattern (see `layouts.pattern`) for the images of a listing; None where there is none."""
    images = [path for path in files.images if not is_thumbnail(path)]
    stems = [path[: len(path) - len(suffix(path))] for path in images]
    names = of_one_structure(stems)
    if names is None:
        return None
    parts = _parts(names)
    if parts is None:
        return None
    text = "".join(part + sep for part, sep in zip(parts, [*names.separators, ""], strict=True))
    endings = "|".join(sorted({re.escape(suffix(path)) for path in images}))
    pattern = rf"{text}(?i:{endings})"
    expression = re.compile(pattern)
    places = [m.groupdict() for m in map(expression.fullmatch, images) if m]
    alike = Counter(tuple(sorted(place.items())) for place in places)
    enough = len(places) >= COVER * len(images) and max(alike.values()) == 1
    return pattern if enough else None


def of_one_structure(stems: Sequence[str]) -> Names | None:
    """The names with the separators that most have."""
    cut = [_SEPARATOR.split(stem) for stem in stems]
    shapes = Counter(tuple(chunks[1::2]) for chunks in cut)
    if not shapes:
        return None
    shape, n = shapes.most_common(1)[0]
    if n < COVER * len(stems):
        return None
    same = [chunks[::2] for chunks in cut if tuple(chunks[1::2]) == shape]
    columns = [list(column) for column in zip(*same, strict=True)]
    return Names(columns, [re.escape(separator) for separator in shape])


def _parts(names: Names) -> list[str] | None:
    """An expression for each chunk; None where the well is not found, or a chunk is not clear."""
    wells = _well_columns(names)
    if wells is None:
        return None
    parts: list[str | None] = [None] * len(names.columns)
    for index, part in wells.items():
        parts[index] = part
    well = list(zip(*(names.columns[index] for index in wells), strict=True))
    open_columns = []
    for index, values in enumerate(names.columns):
        if parts[index] is not None:
            continue
        before = names.columns[index - 1] if index else []
        parts[index] = _constant(values) or _numbered(values, before, names)
        if parts[index] is None:
            open_columns.append(index)
    for index in open_columns:
        parts[index] = _left_open(names.columns[index], well, names)
        if parts[index] is None:
            return None
    return [str(part) for part in parts]


def _well_columns(names: Names) -> dict[int, str] | None:
    """The chunk of the well, or of its row and column, with their expressions."""
    whole = [i for i, values in enumerate(names.columns) if is_well(values, names, i)]
    if len(whole) == 1:
        return {whole[0]: r"(?P<well>[A-P]\d{1,2})"}
    rows = [
        i
        for i, (row, column) in enumerate(zip(names.columns, names.columns[1:], strict=False))
        if all(re.fullmatch("[A-P]", v) for v in row) and all(v.isdigit() for v in column)
    ]
    if whole or len(rows) != 1:
        return None
    return {rows[0]: "(?P<row>[A-P])", rows[0] + 1: r"(?P<column>\d{1,2})"}


def is_well(values: Sequence[str], names: Names, index: int) -> bool:
    """Whether a chunk names wells. F1 and C2 alone may be a field and a channel."""
    if not all(_WELL.fullmatch(value) for value in values):
        return False
    letters = {value[0] for value in values}
    padded = all(len(value) == 3 for value in values)
    called = index > 0 and all(word.lower() == "well" for word in names.columns[index - 1])
    return len(letters) > 1 or padded or called or letters.isdisjoint("CFP")


def _constant(values: Sequence[str]) -> str | None:
    return re.escape(values[0]) if len(set(values)) == 1 else None


def _numbered(values: Sequence[str], before: Sequence[str], names: Names) -> str | None:
    """Numbers after words: "s1", "xy01t003", or "site" and "1" as chunks of their own."""
    runs = [_RUNS.findall(value) for value in values]
    if any("".join(own) != value for own, value in zip(runs, values, strict=True)):
        return None
    if len({tuple("0" if run.isdigit() else run for run in own) for own in runs}) != 1:
        return None
    word = before[0].lower() if len(set(before)) == 1 else ""
    text = ""
    for column in zip(*runs, strict=True):
        if not column[0].isdigit():
            word = column[0].lower()
            text += re.escape(column[0])
        elif len(set(column)) == 1:
            text += column[0]
        elif word in WORDS and WORDS[word] not in names.found:
            names.found[WORDS[word]] = word
            text += rf"(?P<{WORDS[word]}>\d+)"
        else:
            return None
    return text


def _left_open(values: Sequence[str], well: Sequence[tuple[str, ...]], names: Names) -> str | None:
    """A chunk that no word explains: determined by the well, a channel by words, or the field."""
    if len(set(zip(values, well, strict=True))) == len(set(well)):
        return r"[^/]*?"
    numbers = all(value.isdigit() for value in values)
    if not numbers and "channel" not in names.found and len(set(values)) <= MOST_CHANNELS:
        names.found["channel"] = "words"
        return r"(?P<channel>[^/]+?)"
    if numbers and "field" not in names.found:
        names.found["field"] = "numbers"
        return r"(?P<field>\d+)"
    return None
