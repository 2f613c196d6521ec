"""The plate as the page shows it: tiles that a selector colours, and a contact sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from cellpipe.figures.plates import colour_limits
from cellpipe.profiles.counts import RAW_COUNTS
from cellpipe.report.wording import count, number, spoken
from cellpipe.wells import plate_shape, row_column, row_name

if TYPE_CHECKING:
    import pandas as pd

MAX_PICTURE_BYTES = 4_000_000  # of all thumbnails together, before base64
N_SHADES = 64


@dataclass(frozen=True)
class PlateView:
    """tiles: the picture; data: what the selector and the hover need, as JSON-able values."""

    tiles: Markup
    data: dict[str, Any]
    choices: list[tuple[str, str]]


def plate_view(wells: pd.DataFrame, columns: Sequence[str]) -> PlateView:
    """Tiles of all wells, coloured by the first of `columns`; the others wait for the selector."""
    layers = [_layer(wells, column) for column in columns]
    maps = {name: shades(name) for name in ("viridis", "RdBu_r")}
    data = {
        "wells": [str(well) for well in wells["well"]],
        "said": [describe_well(well) for _, well in wells.iterrows()],
        "layers": layers,
        "shades": maps,
    }
    choices = [(str(i), layer["label"]) for i, layer in enumerate(layers)]
    return PlateView(_tiles(wells, layers[0] if layers else None, maps), data, choices)


def describe_well(well: Any) -> str:
    """ "wortmannin, dose 15.6" or "negative control"."""
    said = [str(well.get("condition") or "")]
    dose = well.get("dose")
    if dose is not None and np.isfinite(float(dose)):
        said.append(f"dose {number(dose)}")
    if well.get("control") in ("negative", "positive"):
        said.append(f"{well['control']} control")
    if is_hit(well):
        said.append("hit")
    elif well.get("control", "") == "" and well.get("hit_reason"):
        said.append(f"cannot be judged: {well['hit_reason']}")
    return ", ".join(part for part in said if part)


def is_hit(well: Any) -> bool:
    """Whether a well was judged, and is a hit."""
    return str(well.get("hit")) == "True"  # neither pd.NA nor NaN has a truth value


def shades(name: str) -> list[str]:
    """A colour map as `N_SHADES` hexadecimal colours, low to high."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, N_SHADES))]


def _layer(wells: pd.DataFrame, column: str) -> dict[str, Any]:
    values = wells[column].astype(float).to_numpy()
    low, high, colours = colour_limits(values, diverging=column.endswith(("_robust_z", "_b_score")))
    whole = np.issubdtype(wells[column].dtype, np.integer) or column in RAW_COUNTS
    return {
        "label": spoken(column),
        "values": [float(f"{v:.4g}") if np.isfinite(v) else None for v in values],
        "text": [(count if whole else number)(v) for v in values],
        "low": low,
        "high": high,
        "ends": [number(low), number(high)],
        "shades": colours,
    }


def _tiles(wells: pd.DataFrame, layer: dict[str, Any] | None, maps: Mapping[str, list]) -> Markup:
    n_rows, n_columns = plate_shape(wells["well"])
    side, gap, margin = 40, 4, 30
    width, height = (margin + n * (side + gap) for n in (n_columns, n_rows))
    parts = [_empty_plate(n_rows, n_columns, side, gap, margin)]
    for i, (_, well) in enumerate(wells.iterrows()):
        if not well.get("n_fields", 1):
            continue  # not imaged: the empty plate shows through
        row, column = row_column(well["well"])
        x, y = (margin + (k - 1) * (side + gap) for k in (column, row))
        fill = _fill(layer, i, maps)
        mark = {"negative": "−", "positive": "+"}.get(well.get("control"), "")
        if not mark and well.get("hit_reason"):
            mark = "?"
        hit = f'<circle cx="{x + side - 8}" cy="{y + 8}" r="3.5"/>' if is_hit(well) else ""
        said = ", ".join(filter(None, [str(well["well"]), describe_well(well)]))
        parts.append(
            f'<g class="well" data-i="{i}" tabindex="0" role="img" aria-label="{escape(said)}">'
            f'<rect x="{x}" y="{y}" width="{side}" height="{side}" rx="5" {fill}/>'
            f'{hit}<text x="{x + side / 2}" y="{y + side / 2 + 5}">{mark}</text>'
            f"<title>{escape(said)}</title></g>"
        )
    return Markup(
        f'<svg class="plate" viewBox="0 0 {width} {height}" role="group"'
        f' style="max-width:{1.4 * width:.0f}px"'
        f' aria-label="Plate of {n_rows} rows and {n_columns} columns">'
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><line x1="0" x2="0" y1="0" y2="6"/></pattern></defs>'
        f"{''.join(parts)}</svg>"
    )


def _fill(layer: dict[str, Any] | None, i: int, maps: Mapping[str, list]) -> str:
    value = layer["values"][i] if layer else None
    if layer is None or value is None:
        return 'fill="url(#hatch)"'
    share = (value - layer["low"]) / (layer["high"] - layer["low"])
    return f'fill="{maps[layer["shades"]][round(float(np.clip(share, 0, 1)) * (N_SHADES - 1))]}"'


def _empty_plate(n_rows: int, n_columns: int, side: int, gap: int, margin: int) -> str:
    def at(k: int) -> int:
        return margin + k * (side + gap)

    parts = [
        f'<text class="name" x="{at(c) + side / 2}" y="{margin - 9}">{c + 1}</text>'
        for c in range(n_columns)
    ]
    for r in range(n_rows):
        parts.append(
            f'<text class="name" x="12" y="{at(r) + side / 2 + 5}">{row_name(r + 1)}</text>'
        )
        parts += [
            f'<rect class="none" x="{at(c)}" y="{at(r)}" width="{side}" height="{side}" rx="5"/>'
            for c in range(n_columns)
        ]
    return "".join(parts)


@dataclass(frozen=True)
class Picture:
    """A thumbnail in its place; row and column count from 1 within the sheet, `uri` holds it."""

    well: str
    row: int
    column: int
    uri: str
    said: str


def contact_sheet(
    thumbnails: Mapping[str, NDArray], wells: pd.DataFrame | None
) -> tuple[list[Picture], list[str], list[int]]:
    """(pictures, row names, column numbers): the plate without rows and columns that lack any."""
    said = {}
    if wells is not None:
        said = {str(well["well"]): describe_well(well) for _, well in wells.iterrows()}
    names = sorted(thumbnails, key=row_column)
    rows = sorted({row_column(name)[0] for name in names})
    columns = sorted({row_column(name)[1] for name in names})
    uris = as_uris([thumbnails[name] for name in names])
    pictures = [
        Picture(
            name,
            rows.index(row_column(name)[0]) + 1,
            columns.index(row_column(name)[1]) + 1,
            uri,
            said.get(name, ""),
        )
        for name, uri in zip(names, uris, strict=True)
    ]
    return pictures, [row_name(row) for row in rows], columns


def as_uris(pictures: Sequence[NDArray]) -> list[str]:
    """Pictures as WebP data; all are made smaller until they fit the page's budget."""
    encoded = [_webp(picture) for picture in pictures]
    while sum(map(len, encoded)) > MAX_PICTURE_BYTES:
        pictures = [picture[::2, ::2] for picture in pictures]
        encoded = [_webp(picture) for picture in pictures]
    return [f"data:image/webp;base64,{base64.b64encode(data).decode()}" for data in encoded]


def _webp(picture: NDArray) -> bytes:
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(np.ascontiguousarray(picture)).save(
            file, "WEBP", quality=84, method=2
        )  # half the time of 4, 2 % more bytes
        return file.getvalue()
