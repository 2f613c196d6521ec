"""What a folder of images holds, before anything is computed: a plate, and a field per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.figures.style import COLUMN_INCHES, house_style, new_figure, plain_text
from cellpipe.figures.thumbnails import shrink
from cellpipe.wells import plate_shape, row_column, row_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHOLE, PART, NONE = "#009E73", "#E69F00", "#CFCFCF"  # the first two: Okabe & Ito
SIDE_PX = 420  # of a picture of a field
PER_ROW = 4


def plate_of_planes(
    shares: Mapping[str, Mapping[str, float]], n_fields: Mapping[str, int]
) -> Figure:
    """Which wells have what: a plate per channel, or one where all channels are alike.

    shares : channel → well → part of its planes that is there, 0 to 1
    n_fields : fields of each well, written into it
    """
    alike = len({tuple(sorted(own.items())) for own in shares.values()}) == 1
    panels = {"all channels": next(iter(shares.values()))} if alike else dict(shares)
    n_rows, n_columns = plate_shape(n_fields)
    across = 1 if len(panels) == 1 else 2
    down = -(-len(panels) // across)
    width = COLUMN_INCHES * (1.6 if across == 1 else 2.2)
    height = width / across * n_rows / n_columns * 0.95 + 0.35
    with house_style():
        figure = new_figure(width, height * down + 0.35)
        # the layout takes titles above numbers for lower than they are
        figure.set_layout_engine("constrained", h_pad=0.13)
        grid = figure.subplots(down, across, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (channel, own) in zip(grid.flat, panels.items(), strict=False):
            _wells(axes, own, n_fields, (n_rows, n_columns))
            axes.set_title(plain_text(channel), y=1.0, pad=16)  # above the numbers of columns
        _legend(figure, [share for own in panels.values() for share in own.values()])
    return figure


def _wells(
    axes: Axes, own: Mapping[str, float], n_fields: Mapping[str, int], shape: tuple[int, int]
) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = shape
    small = columns > 24
    for well, n in n_fields.items():
        row, column = row_column(well)
        share = own.get(well, 0.0)
        colour = WHOLE if share >= 1 else PART if share > 0 else NONE
        axes.add_patch(
            Rectangle((column - 1.46, row - 1.46), 0.92, 0.92, facecolor=colour, edgecolor="none")
        )
        if not small and share > 0:
            size = 6 if columns <= 12 else 4
            axes.text(column - 1, row - 1, str(n), ha="center", va="center", size=size, color="w")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    every = 4 if small else 1
    axes.set_xticks(range(0, columns, every), [str(c + 1) for c in range(0, columns, every)])
    axes.set_yticks(range(0, rows, every), [row_name(r + 1) for r in range(0, rows, every)])
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    y, x = np.divmod(np.arange(rows * columns), columns)
    axes.plot(x, y, "o", ms=1, color="#D0D0D0", zorder=0)
    axes.spines[:].set_visible(False)


def _legend(figure: Figure, shares: Sequence[float]) -> None:
    from matplotlib.patches import Patch

    marks = [Patch(color=WHOLE, label="all planes (number: fields)")]
    if any(0 < share < 1 for share in shares):
        marks.append(Patch(color=PART, label="planes are missing"))
    if any(share == 0 for share in shares):
        marks.append(Patch(color=NONE, label="not of this channel"))
    figure.legend(handles=marks, loc="outside lower center", ncols=3)


def field_of_channels(
    planes: Mapping[str, np.ndarray], where: str, pixel_size_um: Mapping[str, float]
) -> Figure:
    """One field, a picture per channel, from its 0.5 to its 99.8 percentile, which are named.

    planes : channel → pixels (Y, X); where : the field
    pixel_size_um : channel → edge of its pixels in x, for a bar; those that are known
    """
    across = min(len(planes), PER_ROW)
    down = -(-len(planes) // across)
    side = 1.9
    with house_style():
        figure = new_figure(side * across, (side + 0.35) * down + 0.25)
        grid = figure.subplots(down, across, squeeze=False)
        for axes in grid.flat[len(planes) :]:
            axes.set_visible(False)
        for axes, (channel, pixels) in zip(grid.flat, planes.items(), strict=False):
            small = shrink(pixels, SIDE_PX)
            low, high = (float(v) for v in np.percentile(small, (0.5, 99.8)))
            axes.imshow(small, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(f"{_grey(low)} to {_grey(high)}", labelpad=2)
            axes.set_title(plain_text(channel))
            if edge := pixel_size_um.get(channel):
                _bar(axes, small.shape, edge * pixels.shape[1] / small.shape[1])
        figure.suptitle(plain_text(where), x=0.01, ha="left", fontsize=7)
    return figure


def _grey(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


def _bar(axes: Axes, shape: tuple[int, ...], pixel_um: float) -> None:
    """A bar of a round length, about a fifth of the width."""
    width_um = shape[1] * pixel_um
    rounds = [step * 10.0**power for power in range(-1, 5) for step in (1, 2, 5)]
    length = max((r for r in rounds if r <= width_um / 4), default=rounds[0])
    right, bottom = 0.96 * shape[1], 0.94 * shape[0]
    axes.plot([right - length / pixel_um, right], [bottom, bottom], "-", color="white", lw=2)
    axes.text(
        right - length / pixel_um / 2, bottom - 0.03 * shape[0], f"{length:g} µm",
        color="white", ha="center", va="bottom", size=6,
    )  # fmt: skip
