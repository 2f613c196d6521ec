"""Numbers and names in the format of the report."""

from __future__ import annotations

import math
from typing import Any

from cellpipe.image import units

NOTHING = "–"
UNITS = {
    f"_{length}{square}{per}": f" ({shown}{'²' if square else ''}{per.replace('_', '/')})"
    for length, shown in (("um", "µm"), ("px", "px"))
    for square in ("2", "")
    for per in ("_s", "_frame", "")
}


def number(value: Any, digits: int = 3) -> str:
    """`digits` significant digits, thousands apart, a true minus; "–" for what is not known."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return NOTHING
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 6 or size < -4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{power}".replace("-", "−")
    text = f"{value:,.{max(digits - 1 - size, 0)}f}"
    return text.replace("-", "−")


def count(value: Any) -> str:
    """A whole number with thousands apart: 12,345."""
    try:
        return f"{round(value):,}"
    except (TypeError, ValueError, OverflowError):
        return NOTHING


def percent(value: Any) -> str:
    """0.974 → "97.4 %"."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return NOTHING
    return f"{100 * value:.1f} %" if math.isfinite(value) else NOTHING


def p_value(value: Any) -> str:
    """A p value to two digits; "< 0.0001" below that."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return NOTHING
    if not math.isfinite(value):
        return NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def duration(seconds: Any) -> str:
    """73.4 → "1 min 13 s"; 4000 → "1 h 07 min"."""
    try:
        seconds = float(seconds)
    except (TypeError, ValueError):
        return NOTHING
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def spoken(column: Any) -> str:
    """A column's name as text: "cell_area_um2" → "cell area (µm²)"."""
    text = str(column)
    for suffix, said in (
        ("_normalised", " % of control"),
        ("_robust_z", " robust z"),
        ("_b_score", " B-score"),
        ("_corrected", " corrected for position"),
        *UNITS.items(),
    ):
        if text.endswith(suffix):
            text = spoken(text.removesuffix(suffix)) + units.label(said)
            break
    return text.removeprefix("n_").replace("_", " ")


def plural(n: int, one: str, many: str = "") -> str:
    """ "1 field", "2 fields"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"
