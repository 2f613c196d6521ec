"""A pattern derived from file names that hold no wells, but positions: each becomes a well.

    dish 1/img_001_DAPI.tif   folders that differ: each is a position, numbers in it are fields
    01_POS002_D.TIF           a number after a word for a place (pos, site, xy, slide, dish …)
    img_0001_DAPI.tif         else the one number that no word explains
    control.tif  drug.tif     else each file, where no part of its name recurs in another

Numbers after words for time, z or channel are these; the channel is a part that takes the same
words at each position. Names in which a well may be hidden, or that can be read in another way,
give no pattern, nor do masks. How names were read is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from cellpipe.inspect.channels import is_stain
from cellpipe.inspect.derived import COVER, MOST_CHANNELS, WORDS, Names, is_well, of_one_structure
from cellpipe.readers.accounting.files import Files, is_thumbnail, suffix

PLACES = {"slide", "dish", "chamber", "coverslip", "sample", "specimen", "scene", "series"}
SURE = {*PLACES, "pos", "position", "site", "field", "fov", "xy"}  # one of them is a position too
HALF = 0.5  # of the pairs of a position and a channel, that must be there
_RUNS = re.compile(r"[A-Za-z]+|\d+")
_WELL = re.compile(r"[A-P](?:0[1-9]|1\d|2[0-4])")
_MASK = re.compile(r"(?i)(?:^|[^a-z])(?:masks?|labels?|seg(?:mentation)?s?|trk|outlines?)(?![a-z])")


class Derived(NamedTuple):
    """A pattern, and how it reads names, as a part of a sentence.

    loose : the position is a number that no word explains, and may count something else
    """

    pattern: str
    how: str
    loose: bool = False


@dataclass
class _Part:
    """A run of letters or digits that all names have at one place, or a whole chunk that differs.

    kind : "text" (constant letters), "number", "open" (words that differ)
    group : what it was found to be
    """

    column: int
    kind: str
    values: list[str]
    word: str = ""  # of a number: the letters before it, in small letters
    group: str = ""

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    @property
    def expression(self) -> str:
        if not self.differs and (not self.group or self.kind == "text"):
            body = re.escape(self.values[0])
        else:
            body = r"\d+" if self.kind == "number" else "[^/]+?"
        return f"(?P<{self.group}>{body})" if self.group else body


@dataclass
class _Reading:
    """The parts of names; `folders` columns are folders. `span`: columns of the position."""

    names: Names
    parts: list[_Part]
    folders: int
    span: tuple[int, int] | None = None
    how: str = ""
    groups: set[str] = field(default_factory=set)
    counts_time: bool = False
    loose: bool = False

    def take(self, part: _Part, group: str) -> bool:
        """Name a part; False where another has that name."""
        if group in self.groups:
            return False
        self.groups.add(group)
        part.group = group
        return True

    def open(self, kind: str = "", *, inside: bool = True) -> list[_Part]:
        """Parts that differ and are not explained, of one kind; in names alone if not `inside`."""
        return [
            p
            for p in self.parts
            if p.differs
            and not p.group
            and kind in ("", p.kind)
            and (inside or p.column >= self.folders)
        ]


def derive_positions(files: Files, counts_time: bool = False) -> Derived | None:
    """A pattern with the group ``position`` for the images of a listing; None where none is clear.

    It is for the images at the depth of folders where more than half of them are.

    counts_time : a number that no word explains counts time points
    """
    images = [path for path in files.images if not is_thumbnail(path)]
    if not images or any(map(_MASK.search, images)):
        return None
    depth, n = Counter(path.count("/") for path in images).most_common(1)[0]
    if n <= HALF * len(images):
        return None
    images = [path for path in images if path.count("/") == depth]
    names = of_one_structure([path[: len(path) - len(suffix(path))] for path in images])
    if names is None or _may_hold_wells(names):
        return None
    reading = _Reading(names, _parts(names), _folders(names), counts_time=counts_time)
    text = _of_reading(reading)
    if text is None:
        return None
    endings = "|".join(sorted({re.escape(suffix(path)) for path in images}))
    pattern = rf"{text}(?i:{endings})"
    places = [m.groupdict() for m in map(re.compile(pattern).fullmatch, images) if m]
    alike = Counter(tuple(sorted(place.items())) for place in places)
    if len(places) < COVER * len(images) or max(alike.values()) > 1:
        return None
    return Derived(pattern, reading.how, reading.loose)


def _may_hold_wells(names: Names) -> bool:
    return any(
        is_well(values, names, index) or any(map(_WELL.fullmatch, values))
        for index, values in enumerate(names.columns)
    )


def _folders(names: Names) -> int:
    """How many columns are of folders."""
    slashes = [i for i, separator in enumerate(names.separators) if "/" in separator]
    return slashes[-1] + 1 if slashes else 0


def _parts(names: Names) -> list[_Part]:
    parts: list[_Part] = []
    for index, values in enumerate(names.columns):
        runs = [_RUNS.findall(value) for value in values]
        whole = all("".join(own) == value for own, value in zip(runs, values, strict=True))
        alike = len({tuple("0" if r.isdecimal() else r for r in own) for own in runs}) == 1
        if not (whole and alike):
            kind = "open" if len(set(values)) > 1 else "text"
            parts.append(_Part(index, kind, list(values)))
            continue
        before = names.columns[index - 1] if index else []
        word = before[0].lower() if len(set(before)) == 1 else ""
        for column in zip(*runs, strict=True):
            if column[0].isdecimal():
                parts.append(_Part(index, "number", list(column), word))
            else:
                word = column[0].lower()
                parts.append(_Part(index, "text", list(column)))
    return parts


def _of_reading(reading: _Reading) -> str | None:
    """The expression of names without their ending; None where they are not clear."""
    for part in reading.open("number"):
        group = WORDS.get(part.word, "field")
        if group != "field" and not reading.take(part, group):
            return None
    _stains_of_folders(reading)
    clear = _by_folders(reading) if _folders_differ(reading) else _by_names(reading)
    if not clear or not _rest(reading):
        return None
    return _joined(reading)


def _stains_of_folders(reading: _Reading) -> None:
    """Folders named by stains (DAPI/, GFP/) are channels."""
    for part in reading.open("open"):
        if part.column < reading.folders and all(map(is_stain, part.values)):
            reading.take(part, "channel")


def _folders_differ(reading: _Reading) -> bool:
    return any(part.column < reading.folders for part in reading.open())


def _by_folders(reading: _Reading) -> bool:
    columns = [part.column for part in reading.open() if part.column < reading.folders]
    slashes = [i for i, sep in enumerate(reading.names.separators) if "/" in sep]
    first = max((i + 1 for i in slashes if i < min(columns)), default=0)  # whole folder names
    last = min(i for i in slashes if i >= max(columns))
    if any(part.group for part in reading.parts if first <= part.column <= last):
        return False
    reading.span = first, last
    reading.how = (
        "each folder of images is a position, and numbers that no word explains are fields"
    )
    numbers = reading.open("number", inside=False)
    return len(numbers) < 2 and all(reading.take(part, "field") for part in numbers)


def _by_names(reading: _Reading) -> bool:
    """The position by a word, by the one number left, or the whole name."""
    numbers = [part for part in reading.parts if part.kind == "number" and not part.group]
    worded = [p for p in numbers if p.word in PLACES or WORDS.get(p.word) == "field"]
    chosen = [p for p in worded if p.differs] or [p for p in worded if p.word in SURE]
    chosen.sort(key=lambda part: part.word not in PLACES)
    if chosen:
        reading.take(chosen[0], "position")
        reading.how = f"the number after '{chosen[0].word}' is the position"
    elif (loose := reading.open("number")) and reading.counts_time:
        clear = len(loose) == 1 and reading.take(loose[0], "t") and _one_position(reading)
        reading.how = "a number that no word explains counts the time points of one position"
        return clear
    elif loose:
        reading.loose = reading.take(loose[0], "position")
        reading.how = (
            "a number that no word explains is the position (if it counts time points or planes, "
            "the group must be t or z)"
        )
    elif reading.groups or not reading.open():
        return _one_position(reading)
    else:
        return _each_file(reading)
    at = next(part for part in reading.parts if part.group == "position")
    others = [part for part in reading.open("number") if not _follows(part, at)]
    most = (
        1 if chosen else 0
    )  # of two numbers that no word explains, none is known to be the position
    return len(others) <= most and all(reading.take(part, "field") for part in others)


def _one_position(reading: _Reading) -> bool:
    """Names that differ in time, z or channel alone, or one file: the first word they share."""
    if len(reading.names.columns[0]) == 1:
        return _each_file(reading)
    shared = [p for p in reading.parts if not p.differs and p.column >= reading.folders]
    shared.sort(key=lambda part: (WORDS.get(part.word) != "field", part.kind == "number"))
    reading.how = "all images are of one position"
    return bool(shared) and reading.take(shared[0], "position")


def _each_file(reading: _Reading) -> bool:
    """Each file is a position, unless a part that differs recurs: it may be a channel."""
    counts = [Counter(part.values) for part in reading.open()]
    if any(max(values.values()) > 1 for values in counts):
        return False
    reading.span = reading.folders, len(reading.names.columns) - 1
    reading.how = "each file is a position, of one channel"
    return True


def _rest(reading: _Reading) -> bool:
    """Whether words that differ are a channel, or follow the position."""
    position = _values_of_position(reading)
    for part in reading.open("open", inside=False):
        if reading.span and reading.span[0] <= part.column <= reading.span[1]:
            continue
        pairs = len(set(zip(position, part.values, strict=True)))
        n_positions, n_words = len(set(position)), len(set(part.values))
        if pairs == n_positions > 1:
            continue  # such as a time or date of each position
        full = pairs >= HALF * n_positions * n_words
        if n_words > MOST_CHANNELS or not full or not reading.take(part, "channel"):
            return False
    return True


def _values_of_position(reading: _Reading) -> list[tuple[str, ...]]:
    if reading.span is None:
        return [(v,) for p in reading.parts if p.group == "position" for v in p.values]
    first, last = reading.span
    return list(zip(*reading.names.columns[first : last + 1], strict=True))


def _follows(part: _Part, other: _Part) -> bool:
    """Whether a part is determined by another."""
    return len(set(zip(part.values, other.values, strict=True))) == len(set(other.values))


def _joined(reading: _Reading) -> str:
    """Parts and separators as one expression; the word before a numbered position is in it."""
    columns: Sequence[list[_Part]] = [
        [part for part in reading.parts if part.column == index]
        for index in range(len(reading.names.columns))
    ]
    texts = ["".join(part.expression for part in own) for own in columns]
    for index, own in enumerate(columns):
        for word, number in pairwise(own):
            if word.kind == "text" and not word.group and number.group == "position":
                inner = number.expression.removeprefix("(?P<position>").removesuffix(")")
                found = word.expression + number.expression
                texts[index] = texts[index].replace(
                    found, f"(?P<position>{word.expression}{inner})"
                )
    if reading.span is not None:
        first, last = reading.span
        texts[first] = "(?P<position>" + texts[first]
        texts[last] += ")"
    return "".join(
        text + separator
        for text, separator in zip(texts, [*reading.names.separators, ""], strict=True)
    )
