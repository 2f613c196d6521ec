"""Classes of blood cells on smears: kinds of classifiers on measurements, by images held out.

CELLPIPE_DATA=path/to/data python studies/classes/blood.py [--out folder]

Cells are found by the network `cells` in the green channel and measured in all three (set
cell_painting). Sets: class-points-rbc12 (red cells by shape; a point each, 10 is "uncategorised"
and left out) and class-bccd-blood (red cells, white cells, platelets; a box each, which is given to
the object of the greatest overlap). Groups are images: none has cells in training and in the test.
"""

from __future__ import annotations

import argparse
import os
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
from skimage.io import imread

from cellpipe.classify.cells import MODELS, choose_model, feature_columns, judge_novelty
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.complete import Complete
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei

CHANNELS = ("red", "green", "blue")
UNCATEGORISED = "10"
LEAST_OVERLAP = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="keeps the measured cells here")
    options = parser.parse_args()
    data = Path(os.environ["CELLPIPE_DATA"])
    for name, read in (("class-points-rbc12", points), ("class-bccd-blood", boxes)):
        cells = cells_of(data / name, read, options.out)
        known = cells[cells["class"].ne("")]
        lost = cells.attrs.get("lost", 0)
        print(f"\n{name}: {len(known)} cells with a class, {lost} marks without a cell")
        started = time.process_time()
        features = known[feature_columns(known.drop(columns=["class"]))]
        chosen = choose_model(features, known["class"], known["image"], kinds=tuple(MODELS))
        print(chosen.table.to_string(index=False, float_format="%.3f"))
        judged = chosen.judged
        print(
            f"the choice: balanced accuracy {judged.balanced_accuracy:.3f}, calibration error"
            f" {judged.calibration_error:.3f}, {time.process_time() - started:.0f} CPU s"
        )
        novel = judge_novelty(features, known["class"], known["image"])
        table = judged.classes.assign(novelty_auroc=judged.classes["class"].map(novel.auroc))
        print(table.to_string(index=False, float_format="%.3f"))
        print(f"an unseen class: mean AUROC {table['novelty_auroc'].mean():.3f}")


def cells_of(folder: Path, read, out: Path | None) -> pd.DataFrame:
    """Measured objects of a set, with `image` and `class` ("" for those without a mark)."""
    kept = out / f"{folder.name}.parquet" if out else None
    if kept is not None and kept.exists():
        return pd.read_parquet(kept)
    engine = load_engine("cellpipe", "cells", threads=1)
    parts, lost = [], 0
    marks = read(folder)
    for path in sorted((folder / "images").iterdir()):
        if path.name not in marks:
            continue
        colours = imread(path)[..., :3]
        labels = np.asarray(segment_nuclei(colours[..., 1], 1.0, engine=engine).labels)
        pixels = np.ascontiguousarray(np.moveaxis(colours, 2, 0))
        table = measure_cells(labels, None, pixels, CHANNELS, 1.0, complete=Complete(255.0))
        classes = marks[path.name](labels)
        lost += classes.pop("lost")
        table["class"] = table["label"].map(classes).fillna("")
        parts.append(table.assign(image=path.name))
    cells = pd.concat(parts, ignore_index=True)
    cells.attrs["lost"] = lost
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        cells.to_parquet(kept)
    return cells


def points(folder: Path):
    """image → (labels → class by label) of points: the object that a point lies in."""
    table = pd.read_csv(folder / "points.tsv", sep="\t", dtype={"class": "str"})
    table = table[table["class"].ne(UNCATEGORISED)]

    def of_image(own: pd.DataFrame):
        def classes(labels: np.ndarray) -> dict:
            y = own["y_px"].round().astype(int).clip(0, labels.shape[0] - 1)
            x = own["x_px"].round().astype(int).clip(0, labels.shape[1] - 1)
            at = labels[y, x]
            return _by_label(at, own["class"].to_numpy(str))

        return classes

    return {str(image): of_image(own) for image, own in table.groupby("image")}


def boxes(folder: Path):
    """image → (labels → class by label) of boxes: the object that overlaps a box most."""
    made = {}
    for path in sorted((folder / "annotations").glob("*.xml")):
        root = ElementTree.parse(path).getroot()
        given = [
            (str(one.findtext("name")), *(int(one.findtext(f"bndbox/{side}", "0")) for side in
             ("ymin", "xmin", "ymax", "xmax")))
            for one in root.findall("object")
        ]  # fmt: skip
        made[f"{path.stem}.jpg"] = _of_boxes(given)
    return made


def _of_boxes(given: list[tuple]):
    def classes(labels: np.ndarray) -> dict:
        areas = np.bincount(labels.ravel())
        at = []
        for _, top, left, bottom, right in given:
            inside = np.bincount(labels[top:bottom, left:right].ravel(), minlength=len(areas))
            box = (bottom - top) * (right - left)
            overlap = inside / np.maximum(areas + box - inside, 1)
            overlap[0] = 0
            best = int(overlap.argmax())
            at.append(best if overlap[best] >= LEAST_OVERLAP else 0)
        return _by_label(np.array(at, int), np.array([name for name, *_ in given]))

    return classes


def _by_label(at: np.ndarray, classes: np.ndarray) -> dict:
    """Label → class, without objects that bear marks of two classes; `lost` marks."""
    found: dict = {}
    for label, name in zip(at, classes, strict=True):
        found.setdefault(int(label), set()).add(str(name))
    kept = {label: next(iter(n)) for label, n in found.items() if label and len(n) == 1}
    return {**kept, "lost": int(len(at) - np.isin(at, list(kept)).sum())}


if __name__ == "__main__":
    main()
