"""The light of a plate: a picture of each channel with numbers, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from cellpipe.correct.light import ChannelLight
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.plate_view import N_SHADES, shades
from cellpipe.report.wording import number, percent

TILES = 24  # along the longer edge
NUMBERS = 3  # along each edge
GROUND = "the background has a pattern of its own, which is taken off"
WIDTH = 240
SCALE = (0.5, 1.5)  # of all pictures, so that they can be compared; beyond it the last colour


@dataclass(frozen=True)
class LightPicture:
    """One channel: its light as a picture, Markup("") where it is unknown, and a caption."""

    channel: str
    state: str
    picture: Markup


def light_pictures(content: ReportContent) -> list[LightPicture]:
    """The light of each channel, in the order of the channels."""
    if content.light is None:
        return []
    return [
        LightPicture(
            own.channel,
            "corrected" if own.applied else "not corrected",
            _picture(own, content.field_shape) if own.known else Markup(""),
        )
        for own in content.light.channels.values()
    ]


def light_table(content: ReportContent) -> Table | None:
    """Per channel: whether it is corrected and why, how strong, from how many fields."""
    if content.light is None:
        return None
    rows = [
        [
            own.channel,
            "yes" if own.applied else "no",
            "; ".join(filter(None, [own.why, own.source, GROUND * bool(len(own.dark_field))])),
            number(own.ratio, 2) if own.known else "–",
            percent(own.explained) if np.isfinite(own.explained) else "–",
            f"{number(own.dark_level)}{'' if own.dark_seen else ' (assumed)'}"
            if own.known
            else "–",
            str(own.n_fields) if own.n_fields else "–",
        ]
        for own in content.light.channels.values()
    ]
    columns = ["channel", "corrected", "why", "brightest / darkest", "explained", "dark level"]
    return Table([*columns, "fields"], rows, [False, False, False, True, True, True, True])


def _picture(own: ChannelLight, shape: tuple[int, int]) -> Markup:
    """The light in coloured tiles; means of nine parts of the field as numbers."""
    longer = max(shape)
    n_rows, n_columns = (max(4, round(TILES * edge / longer)) for edge in shape)
    light, colours = own.light((n_rows, n_columns)), shades("viridis")
    side = WIDTH / n_columns
    parts = []
    for y in range(n_rows):
        for x in range(n_columns):
            share = np.clip((light[y, x] - SCALE[0]) / (SCALE[1] - SCALE[0]), 0, 1)
            fill = colours[int(share * (N_SHADES - 1))]
            # a little larger, or the page would show through between tiles
            parts.append(
                f'<rect x="{x * side:.1f}" y="{y * side:.1f}" width="{side + 0.4:.1f}"'
                f' height="{side + 0.4:.1f}" fill="{fill}"/>'
            )
    height = side * n_rows
    means = own.light((4 * NUMBERS, 4 * NUMBERS))
    means = means.reshape(NUMBERS, 4, NUMBERS, 4).mean((1, 3))
    for i, row in enumerate(means):
        for j, value in enumerate(row):
            ink = "#000" if value > np.mean(SCALE) else "#fff"
            across, down = (j + 0.5) * WIDTH / NUMBERS, (i + 0.5) * height / NUMBERS + 5
            parts.append(
                f'<text x="{across:.0f}" y="{down:.0f}" text-anchor="middle" font-size="14"'
                f' style="fill:{ink}">{value:.2f}</text>'
            )
    label = f"light of {own.channel}, brightest to darkest place {own.ratio:.2f}"
    return Markup(
        '<svg class="light" viewBox="0 0 {0} {1:.0f}" width="{0}" height="{1:.0f}" role="img"'
        ' aria-label="{2}">{3}</svg>'
    ).format(WIDTH, height, label, Markup("".join(parts)))
