"""Units of lengths and times: those that files name, and those that a plate's numbers are in.

Where the size of a pixel is unknown, lengths are in pixels; where the time between frames is
unknown, times are in frames. Stages compute with ``_um`` and ``_s`` all the same (a pixel is then
1 "µm", a frame 1 "s"); `published` gives the columns of a finished table their true names, and
`computed` takes them back:

    scale known    area_um2   y_um   median_speed_um_s       lag_s
    unknown        area_px2   y_px   median_speed_px_frame   lag_frames
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    import pandas as pd

PixelSize = float | tuple[float, float]  # edge of a square pixel, or edges in y and x

_METRES = {"": 1.0, "kilo": 1e3, "centi": 1e-2, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9,
           "pico": 1e-12}  # fmt: skip
_UM: dict[str, float] = {
    **{f"{p}{m}": 1e6 * v for p, v in _METRES.items() for m in ("meter", "metre")},
    **{"m": 1e6, "km": 1e9, "cm": 1e4, "mm": 1e3, "µm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6},
    **{"micron": 1.0, "mu": 1.0, "micrometers": 1.0, "å": 1e-4, "angstrom": 1e-4},
    **{"inch": 25400.0, "inches": 25400.0, "in": 25400.0, '"': 25400.0},
}
_S: dict[str, float] = {
    **{"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3},
    **{"µs": 1e-6, "us": 1e-6, "microsecond": 1e-6, "ns": 1e-9, "nanosecond": 1e-9},
    **{"min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0},
    **{"d": 86400.0, "day": 86400.0},
}


def micrometres(unit: Any) -> float | None:
    """Micrometres in a unit of length as files write it; None where it is none ("pixel", "")."""
    return _factor(unit, _UM)


def seconds(unit: Any) -> float | None:
    """Seconds in a unit of time as files write it; None where it is none ("frame", "")."""
    return _factor(unit, _S)


def _factor(unit: Any, table: Mapping[str, float]) -> float | None:
    if not isinstance(unit, str):
        return None
    text = _folded(unit)
    return table.get(text, table.get(text.removesuffix("s")))


@lru_cache(maxsize=256)  # an index has one for each of a hundred thousand numbers
def _folded(unit: str) -> str:
    # micro sign, Greek mu, both as ImageJ escapes them
    text = re.sub(r"\\u00b5|\\u03bc|μ", "µ", unit.strip(), flags=re.IGNORECASE).casefold()
    return text.replace("μ", "µ")  # casefold makes a Greek mu of the micro sign


@dataclass(frozen=True)
class Scale:
    """Size of a pixel and time between frames of a plate, as far as they are known.

    y, x : edges of a pixel, µm; where unknown, in units of the shorter edge (1 if square)
    length_known : whether y and x are in µm
    step : time between frames, s; 1 where unknown
    time_known : whether step is in s
    """

    y: float = 1.0
    x: float = 1.0
    length_known: bool = False
    step: float = 1.0
    time_known: bool = False

    @staticmethod
    def from_dict(described: Mapping[str, Any]) -> Scale:
        """From an inspection or a layout; a scale that is absent or null is unknown."""
        size = described.get("pixel_size_um")
        y = described.get("pixel_size_y_um") or size
        x = described.get("pixel_size_x_um") or size
        edges = (y, x) if y and x else described.get("pixel_edges_px") or (1.0, 1.0)
        step = described.get("time_step_s")
        return Scale(float(edges[0]), float(edges[1]), bool(y and x), step or 1.0, bool(step))

    @property
    def square(self) -> bool:
        return is_square(self.y, self.x)

    @property
    def pixel_size(self) -> PixelSize:
        """Edge of a pixel; (y, x) where pixels are not square."""
        return self.x if self.square else (self.y, self.x)

    @property
    def length(self) -> str:
        return "µm" if self.length_known else "px"

    @property
    def time(self) -> str:
        return "s" if self.time_known else "frame"

    def column(self, name: str) -> str:
        """Name under which a column is published: its unit is the true one."""
        if not self.length_known and name not in IN_UM:
            name = re.sub(rf"_um(2?)(?=_s{_END}|{_END})", r"_px\1", name)
        if not self.time_known:
            name = re.sub(rf"(_(?:um|px)2?)_s(?={_END})", r"\1_frame", name)
            name = re.sub(rf"({_TIMES}|lag)_s(?={_END})", r"\1_frames", name)
        return name

    def computed_column(self, name: str) -> str:
        """The name with which stages compute; the reverse of `column`."""
        if not self.time_known:
            name = re.sub(rf"(_(?:um|px)2?)_frame(?={_END})", r"\1_s", name)
            name = re.sub(rf"({_TIMES})_frames(?={_END})", r"\1_s", name)
        if not self.length_known:
            name = re.sub(rf"_px(2?)(?=_s{_END}|{_END})", r"_um\1", name)
        return name

    def published(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with the true names of its columns."""
        if not self.time_known and {"lag_s", "lag_frames"} <= set(table):
            table = table.drop(columns="lag_s")  # lag_frames is the same
        return table.rename(columns={str(name): self.column(str(name)) for name in table})

    def computed(self, table: pd.DataFrame) -> pd.DataFrame:
        """A published table with the names with which stages compute."""
        import pandas as pd

        names = [self.computed_column(str(name)) for name in table]
        if names != list(table):
            table = table.copy(deep=False)  # a table of cells may be a large part of the memory
            table.columns = pd.Index(names)
        if not self.time_known and "lag_frames" in table and "lag_s" not in table:
            after = table.columns.get_loc("lag_frames") + 1
            table.insert(after, "lag_s", table["lag_frames"].astype("float64"))
        return table


IN_UM = ("field_centre_y_um", "field_centre_x_um")  # of the stage, whatever a pixel measures
_END = r"(?:_normalised|_robust_z|_se)*$"
_TIMES = r"lifetime|cycle_time|time"  # lag_frames is next to lag_s in any case


KNOWN = Scale(1.0, 1.0, True, 1.0, True)  # lengths in µm, times in s


def is_square(y: float, x: float) -> bool:
    """Whether edges differ by less than anybody could measure."""
    return math.isclose(y, x, rel_tol=1e-3)


def in_words(y: float, x: float) -> str:
    """Size of a pixel: "0.65 µm", or "1 × 0.5 µm (y × x)"."""
    return f"{x:g} µm" if is_square(y, x) else f"{y:g} × {x:g} µm (y × x)"


def edges(size: PixelSize) -> tuple[float, float]:
    """Edges of a pixel in y and x."""
    return size if isinstance(size, tuple) else (size, size)


def square_edge(size: PixelSize, what: str) -> float:
    """Edge of a square pixel. Raises BadConfig, naming `what`, where pixels are not square."""
    if not isinstance(size, tuple):
        return size
    raise BadConfig(
        seen=f"pixels of {size[0]:g} × {size[1]:g} (y × x) for {what}",
        wanted=f"square pixels: {what} cannot work with others",
        do="resample the images to square pixels, or do without it",
    )


_words: ContextVar[Scale | None] = ContextVar("_words", default=None)


@contextmanager
def words_of(scale: Scale) -> Iterator[None]:
    """Within it, labels of figures and reports name the units of `scale`."""
    token = _words.set(scale)
    try:
        yield
    finally:
        _words.reset(token)


def label(text: str) -> str:
    """A label, written with µm and s, with the units of the plate: "MSD (µm²/s)" → "(px²/frame)".

    Only text of our own: what users wrote stays as they wrote it.
    """
    scale = _words.get() or KNOWN
    if not scale.length_known:
        text = text.replace("µm", "px")
    if not scale.time_known:
        text = re.sub(r"/(?:s|min|h)\b", "/frame", text)
        text = re.sub(r"\((?:s|min|h)\)", "(frames)", text)
    return text


def time_is_known() -> bool:
    """Whether labels may speak of seconds."""
    return (_words.get() or KNOWN).time_known
