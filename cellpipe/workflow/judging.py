"""Judge images one by one, then write what `evaluate` leaves behind.

images.tsv    one row per image, all scores
scores.tsv    score, mean of the images (value), all images as one (pooled)
ap.svg        AP against IoU
worst/        the worst images, outlines of truth and result: 1_B03_1_0.png, the worst first
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe import figures
from cellpipe.errors import CellpipeError
from cellpipe.metrics.segmentation import (
    judge_labels,
    precision_curves,
    summarise,
    worst_images,
)
from cellpipe.workflow.publish import published

log = logging.getLogger("cellpipe")
PLAIN = ("nuclei", "labels")  # scores of other objects bear their name: cells_ap_0.5
PLACE = ("well", "field", "t", "object", "image")


@dataclass(frozen=True)
class JudgedImage:
    """One image to judge: where it is from, and what reads it when it is needed.

    place : the columns that say which image it is, of `PLACE`
    """

    place: Mapping[str, str | int]
    truth: Callable[[], np.ndarray]
    found: Callable[[], np.ndarray]
    pixels: Callable[[], np.ndarray | None] = lambda: None


def judge_images(images: Iterable[JudgedImage], pixel_size_um: float | None) -> pd.DataFrame:
    """A row of scores per image; without any, a table without rows.

    Raises CellpipeError that names the image.
    """
    rows = []
    for image in images:
        try:
            scores = judge_labels(image.truth(), image.found(), pixel_size_um)
        except CellpipeError as fault:
            raise type(fault)(
                seen=f"{_said(image.place)}: {fault.seen}", wanted=fault.wanted, do=fault.do
            ) from fault
        rows.append({**image.place, **scores})
    # a truth may know tracks only: then there is no image to judge
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["well", "field", "t", "object"])


def _said(place: Mapping[str, object]) -> str:
    """A place for people: "well B03 field 1 t 0 nuclei", or the name of an image."""
    names = {"object": "", "image": ""}
    return " ".join(f"{names.get(key, key)} {place[key]}".strip() for key in PLACE if key in place)


def score_table(images: pd.DataFrame, others: Mapping[str, float]) -> pd.DataFrame:
    """score, value (mean of the images), pooled; then the scores of `others`, without pooled."""
    rows = []
    for name, own in images.groupby("object", sort=False):
        prefix = "" if name in PLAIN else f"{name}_"
        summary = summarise(own).items()
        rows += [(f"{prefix}{score}", mean, pooled) for score, (mean, pooled) in summary]
    rows += [(score, value, np.nan) for score, value in others.items()]
    return pd.DataFrame(rows, columns=["score", "value", "pooled"])


def draw_curve(images: pd.DataFrame, path: str | Path) -> None:
    """AP against IoU, a curve per kind of object, as SVG."""
    drawn = [
        precision_curves(own).assign(object=name)
        for name, own in images.groupby("object", sort=False)
    ]
    with published(path) as aside:
        if drawn:
            curve = figures.precision_curve(pd.concat(drawn))
            aside.write_bytes(figures.figure_bytes(curve, "svg"))
        else:
            aside.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>\n', encoding="utf-8")


def draw_worst(
    images: Sequence[JudgedImage], table: pd.DataFrame, folder: str | Path, n_worst: int
) -> None:
    """Pictures of the `n_worst` images of each kind of object, in a folder of their own."""
    from PIL import Image

    with published(folder) as aside:
        aside.mkdir()
        for row, name in _worst(table, n_worst):
            image = images[row]
            picture = figures.picture_of_errors(image.pixels(), image.truth(), image.found())
            Image.fromarray(picture).save(aside / name)


def gallery(table: pd.DataFrame, folder: str | Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """The pictures of `draw_worst`: where each is from, what is wrong in it, and RGB (y, x, 3)."""
    from PIL import Image

    for row, name in _worst(table, len(table)):
        path = Path(folder, name)
        if path.is_file():
            scores = table.iloc[row]
            known = [key for key in PLACE if key in table and (key != "t" or table["t"].any())]
            place = {key: scores[key] for key in known}
            with Image.open(path) as picture:
                yield _said(place), _errors(scores), np.asarray(picture)


def _worst(table: pd.DataFrame, n_worst: int) -> Iterator[tuple[int, str]]:
    """(row of the table, file name) of the worst images of each kind of object."""
    for _, own in table.reset_index(drop=True).groupby("object", sort=False):
        for rank, position in enumerate(worst_images(own, n_worst), start=1):
            row = int(own.index[position])
            place = [str(table[key].iloc[row]) for key in PLACE if key in table]
            yield row, f"{'_'.join([str(rank), *place])}.png"


def _errors(scores: pd.Series) -> str:
    """ "mean F1 0.71, F1@0.5 0.88; of 60: 5 missed, 2 false, 1 split"."""
    counted = [f"{scores[f'n_{what}']} {what}" for what in ("missed", "false", "split", "merged")]
    said = ", ".join(text for text in counted if not text.startswith("0 "))
    head = f"F1@0.5 {scores['f1_0.5']:.2f}, mean F1 {scores['f1_mean']:.2f}"
    return f"{head}; of {scores['n_true']}: {said}" if said else head
