"""Numbers in tables written by people: decimal commas, thousands separators, exponents.

text       mark "."   mark ","
0,1        -          0.1        one reading only: it shows which mark the table uses
1.234,5    -          1234.5     likewise
1 234      1234       1234       the same with either mark
1,234      1234       1.234      two readings: decided by other numbers of the table, or refused
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite

MARKS = (".", ",")
_SPACES = "\u00a0\u202f\u2007\u2009"  # no-break, narrow no-break, figure, thin
_PLAIN = str.maketrans({**dict.fromkeys(_SPACES, " "), "\u2212": "-", "\u2019": "'"})


def _form(mark: str) -> re.Pattern[str]:
    other = "," if mark == "." else "."
    m, o = re.escape(mark), re.escape(other)
    grouped = rf"[1-9][0-9]{{0,2}}(?P<group>[{o}' ])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
    whole = rf"(?:{grouped}|[0-9]+)"
    return re.compile(rf"[+-]?(?:{whole}(?:{m}[0-9]*)?|{m}[0-9]+)(?:[eE][+-]?[0-9]+)?")


_FORMS = {mark: _form(mark) for mark in MARKS}


def readings(text: str) -> dict[str, float]:
    """Values of a text by decimal mark, "." or ","; empty for what is no (finite) number."""
    text = text.translate(_PLAIN).strip()
    found = {}
    for mark, form in _FORMS.items():
        if form.fullmatch(text):
            other = "," if mark == "." else "."
            plain = re.sub(rf"[{re.escape(other)}' ]", "", text).replace(mark, ".")
            if isfinite(value := float(plain)):
                found[mark] = value
    return found


class Doubtful(Exception):
    """A number that can be read in two ways; the argument is its text."""


def decimal_mark(texts: Iterable[str], separator: str) -> str:
    """The decimal mark of numbers of one table; "." where none of them has a mark.

    Parameters
    ----------
    texts : numbers, each with at least one reading
    separator : between the columns of the table. A semicolon is what spreadsheets write where
        the comma is the decimal mark; within a table with commas it can hardly be one.

    Raises
    ------
    Doubtful
        Numbers of both kinds ("0,5" and "0.5"), or numbers such as "1.000" that may be a
        thousand or one, and nothing in the table that decides it.
    """
    sure: dict[str, str] = {}
    open_to_both: list[str] = []
    for text in texts:
        found = readings(text)
        if len(found) == 1:
            sure.setdefault(next(iter(found)), text)
        elif found["."] != found[","]:
            open_to_both.append(text)
    if len(sure) == 2:
        raise Doubtful(sure[","])
    if sure:
        return next(iter(sure))
    commas = [text for text in open_to_both if "," in text]
    dots = [text for text in open_to_both if "." in text]
    if not open_to_both:
        return "."
    if commas:
        if separator == ";" and not dots:
            return ","
        raise Doubtful(commas[0])
    # 12.250 is a position as programs write it, 1.000 next to 250 more likely a thousand
    if separator == ";" or (separator != "," and all(text.endswith("0") for text in dots)):
        raise Doubtful(dots[0])
    return "."
