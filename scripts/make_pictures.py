"""Make the pictures of README.md from the results of the demo: a report, a plate and a movie.

    python scripts/make_pictures.py --results results --out docs/pictures

`make pictures` runs the demo first. Headless Chromium renders the report.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import cellpipe
from cellpipe.figures.style import PALETTE, house_style
from cellpipe.figures.thumbnails import thumbnail_with_outlines
from cellpipe.plate.opened import OpenPlate

MAX_BYTES = 300_000
REPORT_PX = (1200, 1000)
CROP_PX = 256
BLUE, GREEN = (0.15, 0.25, 0.9), (0.1, 0.8, 0.2)
WELLS, MOVIE_WELL = ("B02", "B05", "B06", "B09"), "B02"
FRAMES = (0, 9, 19, 29)


def report_picture(page: Path) -> Image.Image:
    """The top of a report, as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("seen: no chromium on PATH; wanted: a browser that renders the report; "
                 "what to do: install chromium")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "report.png")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        flags += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=3000"]
        flags += [f"--window-size={REPORT_PX[0]},{REPORT_PX[1]}", f"--screenshot={shot}"]
        subprocess.run(
            [browser, *flags, page.resolve().as_uri()], check=True, capture_output=True, timeout=120
        )
        return Image.open(shot).convert("RGB")


def plate_picture(plate: OpenPlate) -> Image.Image:
    """The first field of some wells, with the outlines of nuclei."""
    wells = plate.wells.set_index("well")
    with house_style():
        figure, panels = _panels()
        for axes, name in zip(panels, WELLS, strict=True):
            image = plate.image(name, 1)
            planes = [image.channel(c)[0, 0, :CROP_PX, :CROP_PX].compute() for c in plate.channels]
            labels = plate.labels(name, 1, "nuclei").data[0, 0, :CROP_PX, :CROP_PX].compute()
            limits = [(110.0, 1600.0), (110.0, 3000.0)]
            axes.imshow(_enlarged(planes[:2], labels, [BLUE, GREEN], limits))
            row = wells.loc[name]
            kind = f"{row['control']} control" if row["control"] else f"dose {row['dose']:g}"
            axes.set_title(f"{name}, {kind}")
            axes.set_xlabel(f"translocation {row['translocation']:.2f}")
        return _rendered(figure)


def movie_picture(plate: OpenPlate) -> Image.Image:
    """Some frames of a movie, with the path of each cell so far; one colour per family."""
    field = (plate.table("cells")["well"] == MOVIE_WELL) & (plate.table("cells")["field"] == 1)
    cells = plate.table("cells")[field & (plate.table("cells")["track_id"] > 0)]
    founders = _founders(plate.table("tracks").query("well == @MOVIE_WELL and field == 1"))
    image, labels = plate.image(MOVIE_WELL, 1), plate.labels(MOVIE_WELL, 1, "nuclei")
    pixel_um, step_s = image.scale["x"], image.scale["t"]
    with house_style():
        figure, panels = _panels()
        for axes, t in zip(panels, FRAMES, strict=True):
            pixels = image.data[t, 0, 0, :CROP_PX, :CROP_PX].compute()
            outlined = labels.data[t, 0, :CROP_PX, :CROP_PX].compute()
            axes.imshow(_enlarged([pixels], outlined, [(1.0, 1.0, 1.0)], None))
            for track, path in cells[cells["t"] <= t].sort_values("t").groupby("track_id"):
                colour = PALETTE[founders[track] % (len(PALETTE) - 1)]
                at = 2 * path[["x_um", "y_um"]].to_numpy() / pixel_um
                axes.plot(*at.T, color=colour, linewidth=1.2)
                if path["t"].iloc[-1] == t:
                    axes.plot(*at[-1], "o", color=colour, markersize=2.5)
            axes.set(xlim=(0, 2 * CROP_PX), ylim=(2 * CROP_PX, 0))
            axes.set_title(f"{t * step_s / 60:.0f} min")
        return _rendered(figure)


def _founders(tracks: pd.DataFrame) -> dict[int, int]:
    """The first ancestor of each track."""
    parent = dict(zip(tracks["track_id"], tracks["parent_track_id"], strict=True))
    founder = {track: track for track in parent}
    while any(parent.get(root, 0) for root in founder.values()):
        founder = {track: parent.get(root, 0) or root for track, root in founder.items()}
    return founder


def _panels() -> tuple[Figure, list[Axes]]:
    """A row of four panels without ticks."""
    figure = Figure(figsize=(9.6, 2.85), layout="constrained", dpi=100)
    panels = list(figure.subplots(1, 4))
    for axes in panels:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure, panels


def _enlarged(planes, labels, colours, limits) -> np.ndarray:  # type: ignore[no-untyped-def]
    """An RGB picture with outlines at twice the resolution, so that outlines are thin."""
    stack = np.stack([np.kron(plane, np.ones((2, 2))) for plane in planes])
    large = np.kron(labels, np.ones((2, 2), labels.dtype))
    return thumbnail_with_outlines(
        stack, large, colours=colours, limits=limits, size_px=2 * CROP_PX, outline=(1.0, 0.9, 0.2)
    )


def _rendered(figure: Figure) -> Image.Image:
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=120)
        return Image.open(file).convert("RGB")


def write_small(picture: Image.Image, path: Path) -> None:
    """A PNG of at most `MAX_BYTES`, with as many grey levels per colour as that allows."""
    for step in (1, 2, 4, 8, 16):
        levels = [round(value / step) * step for value in range(256)]
        picture.point([min(level, 255) for level in levels] * 3).save(path, optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            break
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, required=True, help="results of `make demo`")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    plate = cellpipe.open_plate(options.results / "demo-plate")
    movie = cellpipe.open_plate(options.results / "demo-movie")
    write_small(report_picture(plate.path / "report.html"), options.out / "report.png")
    write_small(plate_picture(plate), options.out / "plate.png")
    write_small(movie_picture(movie), options.out / "movie.png")


if __name__ == "__main__":
    main()
