"""One style for every figure, and bytes that depend on nothing but the figure."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito, Color Universal Design (2008); yellow left out, it is too pale on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#333333")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
CONTROL_COLOURS = {"negative": "#0072B2", "": "#8A8A8A", "positive": "#D55E00"}
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
COLUMN_INCHES = 85 / 25.4  # one column of a journal page

_RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#333333",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
    "svg.hashsalt": "cellpipe",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Plot within this context: common settings, no global state changed."""
    from matplotlib import rc_context

    with rc_context(_RC):
        yield


def new_figure(width: float = COLUMN_INCHES, height: float = COLUMN_INCHES * 0.75) -> Figure:
    """An empty figure without a window system; size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def figure_bytes(figure: Figure, kind: str = "svg") -> bytes:
    """The figure as svg, pdf or png; equal figures give equal bytes (no dates, fixed ids)."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    with house_style(), io.BytesIO() as file:
        if kind == "svg":
            from matplotlib.backends.backend_svg import FigureCanvasSVG

            # the same bytes as by `savefig`, which draws twice: first for the layout alone
            figure.set_dpi(_RC["savefig.dpi"])
            FigureCanvasSVG(figure).print_svg(file, metadata=undated[kind])
        else:
            figure.savefig(file, format=kind, metadata=undated[kind])
        return file.getvalue()


def plain_text(name: object) -> str:
    """A name given by a person, to be shown unchanged.

    "$" does not begin a formula, and what XML cannot hold (control characters) becomes a space.
    """
    text = "".join(sign if sign.isprintable() else " " for sign in str(name))
    return text.replace("$", r"\$")


def spoken(column: str) -> str:
    """ "nuclear_cytoplasmic_ratio_robust_z" -> "nuclear cytoplasmic ratio robust z", for axes."""
    text = re.sub(r"_(um|px)(2?)(?:_(s|frame))?(?=_|$)", _unit, plain_text(column))
    return text.replace("_", " ")


def _unit(found: re.Match[str]) -> str:
    length, square, time = found.groups()
    return (
        f" ({'µm' if length == 'um' else 'px'}{'²' if square else ''}{'/' + time if time else ''})"
    )


def as_text(value: Any) -> str:
    """A cell of a table that was read from a file: nothing is "", and 3.0 was written "3"."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    return str(int(value)) if value == round(value) else str(value)
