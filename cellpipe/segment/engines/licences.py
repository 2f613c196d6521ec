"""The licence of another project's weights: who states it, and whether it allows commercial use.

In this order: the config (`segment.nuclei.licence`), the description in the model's own package
(rdf.yaml), a text file next to the weights (`<weights>.licence`, or LICENSE in their folder). Where
nobody states one it is "not stated": no licence is assumed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

NOT_STATED = "not stated"
OWN_TEXT = (".licence", ".license", ".licence.txt", ".license.txt")  # after the name of the weights
TEXT = re.compile(r"licen[cs]e(\.(txt|md|rst))?", re.IGNORECASE)
SPDX = re.compile(r"SPDX-License-Identifier:\s*(\S.*\S|\S)")
RESTRICTED = re.compile(
    r"(?<![a-z])nc(?![a-z])|(?<![a-z])ncgl|non[ -]{0,2}commercial(?!ly)|research (use )?only"
    r"|only for (academic|research)|academic (use|research)"
    r"|(not|no|without|prohibit\w*|excluding) (be )?(used )?(for )?(any )?commercial"
    r"|commercial (use|purposes?) (is|are|or \w+ (is|are)) (not|prohibited|forbidden|excluded)",
    re.IGNORECASE,
)


class Licence(NamedTuple):
    """name : SPDX identifier, or the words in which it is stated; `NOT_STATED`
    source : where it is stated; "" where it is not"""

    name: str
    source: str


def licence_of(path: Path, described: Mapping[str, Any], asserted: str | None = None) -> Licence:
    """The licence of weights.

    Parameters
    ----------
    path : their file, folder or package
    described : what the description in the package states, with the key ``license``; {} for none
    asserted : what the user states in the config; both are named where they differ
    """
    found = _of_files(path, described)
    if asserted is None:
        return found
    other = found.source and found.name != asserted
    return Licence(asserted, f"the config; {found.source}: {found.name}" if other else "the config")


def non_commercial(words: str) -> bool:
    """Whether the name of a licence, or words about it, restrict use to non-commercial one."""
    return RESTRICTED.search(words) is not None


def is_licence(name: str) -> bool:
    """Whether a file of this name holds the text of a licence."""
    return TEXT.fullmatch(name) is not None


def restriction(licence: str, source: str, trained_on: str) -> str:
    """What stands against commercial use of weights, as a sentence; "" where nothing is known to.

    Parameters
    ----------
    licence, source : as in `Licence`; what the user states in the config is taken for settled
    trained_on : words about the training images, with their licences
    """
    if non_commercial(licence):
        where = f", stated by {source}" if source else ""
        return f"licence {licence}{where}"
    if not source.startswith("the config") and non_commercial(trained_on):
        return f"licence {licence}; trained on: {trained_on}"
    return ""


def _of_files(path: Path, described: Mapping[str, Any]) -> Licence:
    if described.get("license"):
        return Licence(str(described["license"]), "rdf.yaml")
    for name, text in _texts(path):
        return Licence(_named(text, name), name)
    return Licence(NOT_STATED, "")


def _texts(path: Path) -> Iterable[tuple[str, str]]:
    """Texts of licences that belong to weights, by name; the one that is theirs alone first."""
    for ending in OWN_TEXT:
        own = path.with_name(path.name + ending)
        if own.is_file():
            yield own.name, own.read_text(encoding="utf-8", errors="replace")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(filter(is_licence, archive.namelist())):
                yield name, archive.read(name).decode("utf-8", errors="replace")
    folder = path if path.is_dir() else path.parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and is_licence(file.name):
            yield file.name, file.read_text(encoding="utf-8", errors="replace")


def _named(text: str, file: str) -> str:
    """The name of a licence by its text: an SPDX identifier, or the title, its first line.

    With the words of the text that restrict its use, where the title has none.
    """
    if marked := SPDX.search(text):
        return marked[1]
    lines = (line.strip(" \t#*=-") for line in text.splitlines())
    title = next((line for line in lines if line), "")
    if not title or title.lower().startswith("copyright"):  # such a text has no title
        title = f"the text in {file}"
    title = title[:80]
    restricted = RESTRICTED.search(" ".join(text.split()))
    if restricted and not non_commercial(title):
        return f"{title} (its text: “{restricted[0]}”)"
    return title
