"""Score images one by one, then write the outputs of `evaluate`.

images.tsv    one row per image, all scores; a note on those that it cannot have, or that has none
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
from cellpipe.files.publish import published
from cellpipe.metrics.overlap import overlap
from cellpipe.metrics.segmentation import (
    complete,
    judge_labels,
    precision_curves,
    scored,
    summarise,
    worst_images,
)
from cellpipe.metrics.truths import needs_all, of_some_cells, why_markers, why_no_labels

log = logging.getLogger("cellpipe")
PLAIN = ("nuclei", "labels")  # scores of other objects bear their name: cells_ap_0.5
PLACE = ("well", "field", "t", "object", "image")


@dataclass(frozen=True)
class JudgedImage:
    """One image to score: where it is from, and what reads it when it is needed.

    place : the columns that identify the image, of `PLACE`
    n_marked : cells that the truth is known to hold, where that is known; outlines of fewer are of
        some cells only
    partial : why the truth is known to outline some cells only, "" where that is not known
    maybe_markers : whether the true labels may be markers instead of outlines
    absent : why there is nothing to score, "" where there is
    """

    place: Mapping[str, str | int]
    truth: Callable[[], np.ndarray]
    found: Callable[[], np.ndarray]
    pixels: Callable[[], np.ndarray | None] = lambda: None
    n_marked: int | None = None
    partial: str = ""
    maybe_markers: bool = False
    absent: str = ""


def judge_images(
    images: Iterable[JudgedImage], pixel_size_um: float | None, sparse: bool | None = None
) -> pd.DataFrame:
    """A row of scores per image; without any, a table without rows.

    An image that cannot be scored has a row without scores, and a note with the reason. Scores that
    count false objects are empty where the truth outlines some cells only.

    Parameters
    ----------
    sparse : whether the truth outlines some cells only; None: found out, as far as it can be

    Raises
    ------
    CellpipeError
        If there are images and none of them can be scored; it names the first.
    """
    rows: list[dict] = []
    faults: list[CellpipeError] = []
    for image in images:
        try:
            rows.append({**image.place, **_scores(image, pixel_size_um, sparse)})
        except CellpipeError as fault:
            faults.append(
                type(fault)(
                    seen=f"{_said(image.place)}: {fault.seen}", wanted=fault.wanted, do=fault.do
                )
            )
            log.warning("not scored: %s", faults[-1].seen)
            rows.append({**image.place, "note": f"not scored: {fault.seen}"})
    if faults and len(faults) == len(rows):
        raise faults[0]
    # a truth may have tracks only: then there is no image to score
    if not rows:
        return pd.DataFrame(columns=["well", "field", "t", "object", "note"])
    table = pd.DataFrame(rows)
    return table[[*(name for name in table if name != "note"), "note"]]


def _scores(
    image: JudgedImage, pixel_size_um: float | None, sparse: bool | None
) -> dict[str, float | str]:
    """Scores of an image, and a note; raises CellpipeError where it can have none."""
    if image.absent:
        raise CellpipeError(
            seen=image.absent, wanted="a frame with labels", do="see quarantine.tsv"
        )
    truth, found = image.truth(), image.found()
    for of, labels in (("truth", truth), ("result", found)):
        if why := why_no_labels(labels):
            raise CellpipeError(
                seen=f"{of}: {why}",
                wanted="an image in which each object has a number of its own",
                do="label the pieces of the mask, if no two objects touch each other",
            )
    if image.maybe_markers and (why := why_markers(overlap(truth, found))):
        raise CellpipeError(
            seen=why, wanted="outlines of objects", do="add SEG to the truth; tracks are scored"
        )
    scores = judge_labels(truth, found, pixel_size_um)
    why = _why_partial(image, int(scores["n_true"])) if sparse is None else ""
    if sparse:
        why = "the config says that the truth is sparse"
    return {**(of_some_cells(scores) if why else scores), "note": why}


def _why_partial(image: JudgedImage, n_outlined: int) -> str:
    if image.n_marked is not None and n_outlined < image.n_marked:
        return f"outlines of {n_outlined} of {image.n_marked} marked cells"
    return image.partial


def _said(place: Mapping[str, object]) -> str:
    """A place as text: "well B03 field 1 t 0 nuclei", or the name of an image."""
    names = {"object": "", "image": ""}
    return " ".join(f"{names.get(key, key)} {place[key]}".strip() for key in PLACE if key in place)


def score_table(images: pd.DataFrame, others: Mapping[str, float]) -> pd.DataFrame:
    """score, value (mean of the images), pooled; then the scores of `others`, without pooled."""
    rows = []
    for name, own in images.groupby("object", sort=False):
        prefix = "" if name in PLAIN else f"{name}_"
        known = scored(own)
        if len(known):
            summary = summarise(known).items()
            rows += [(f"{prefix}{score}", mean, pooled) for score, (mean, pooled) in summary]
        for count, n in (("n_images", len(known)), ("n_images_not_scored", len(own) - len(known))):
            rows.append((f"{prefix}{count}", float(n), float(n)))
    rows += [(score, value, np.nan) for score, value in others.items()]
    return pd.DataFrame(rows, columns=["score", "value", "pooled"])


def score_notes(images: pd.DataFrame) -> dict[str, str]:
    """For each score of `score_table` that some images cannot have: how many, and why."""
    notes: dict[str, str] = {}
    for name, own in images.groupby("object", sort=False):
        prefix = "" if name in PLAIN else f"{name}_"
        known = scored(own)
        partial = known.drop(complete(known).index)
        if len(partial):
            example = f"{_said(dict(partial.iloc[0]))}: {partial['note'].iloc[0]}"
            left = len(known) - len(partial)
            head = f"mean of {left} of {len(known)} images" if left else "empty"
            note = f"{head}: the truth outlines some cells only ({example})"
            notes |= {f"{prefix}{score}": note for score in known if needs_all(str(score))}
        unscored = own.drop(known.index)
        if len(unscored):
            example = f"{_said(dict(unscored.iloc[0]))}: {unscored['note'].iloc[0]}"
            notes[f"{prefix}n_images_not_scored"] = example
    return notes


def plot_curve(images: pd.DataFrame, path: str | Path) -> None:
    """AP against IoU, a curve per kind of object, as SVG."""
    drawn = [
        precision_curves(own).assign(object=name)
        for name, own in images.groupby("object", sort=False)
    ]
    with published(path) as aside:
        drawn = [curve for curve in drawn if len(curve)]
        if drawn:
            curve = figures.precision_curve(pd.concat(drawn))
            aside.write_bytes(figures.figure_bytes(curve, "svg"))
        else:
            aside.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>\n', encoding="utf-8")


def plot_worst(
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
    """The pictures of `plot_worst`: where each is from, what is wrong in it, and RGB (y, x, 3)."""
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
    for _, own in complete(table.reset_index(drop=True)).groupby("object", sort=False):
        for rank, position in enumerate(worst_images(own, n_worst), start=1):
            row = int(own.index[position])
            place = [str(table[key].iloc[row]) for key in PLACE if key in table]
            yield row, f"{'_'.join([str(rank), *place])}.png"


def _errors(scores: pd.Series) -> str:
    """ "mean F1 0.71, F1@0.5 0.88; of 60: 5 missed, 2 false, 1 split"."""
    counted = [
        f"{scores[f'n_{what}']:.0f} {what}" for what in ("missed", "false", "split", "merged")
    ]
    said = ", ".join(text for text in counted if not text.startswith("0 "))
    head = f"F1@0.5 {scores['f1_0.5']:.2f}, mean F1 {scores['f1_mean']:.2f}"
    return f"{head}; of {scores['n_true']:.0f}: {said}" if said else head
