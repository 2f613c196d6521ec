"""A network taught by a few corrected crops of a kind that it does not know.

CELLPIPE_DATA=path/to/data python studies/domains/corrections.py [--initial nuclei]
    [--domains nuclei-histology …] [--crops 1 4 10] [--plain] [--marks] --work folder
    [--out table.tsv]

Crops of 256 pixels are cut from the first images of a domain, and learned from as the recipe
config/training/corrections.yaml says. Scored are the other images of the domain, and a sample of
the test sides of DSB 2018 and BBBC039: what the network knew. --plain learns from the same crops
without what keeps that: no simulated fields, no share of the initial weights.
--marks learns from points, boxes and scribbles instead of the outlines of the most crops; they
are made from the outlines: centres, boxes, a cross in every object and lines far from all.
AP@0.5 at the scale that is found; CPU seconds of the training, one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import imageio.v3 as iio
import numpy as np
import pandas as pd
import tifffile
import torch
from domains import DOMAINS, Image, images
from judging import changes, judge, program
from scipy import ndimage

from cellpipe.config.reading import read_yaml
from cellpipe.networks.card import load_card
from cellpipe.training.pairs import PairSet, compact
from cellpipe.training.plan import Plan, read_plan
from cellpipe.training.run import train
from cellpipe.training.weak import BACKGROUND, Truth

RECIPE = Path(__file__).parents[2] / "config/training/corrections.yaml"
CROP_PX = 256
LEAST_OBJECTS = 3
KNOWN = ("nuclei-fluorescence", "nuclei-u2os")
SAMPLE = 12  # images of each known domain


def halves(pictures: list[Image]) -> tuple[list[Image], list[Image]]:
    """Images that crops are cut from, and the others, which show other fields."""
    first = max(1, len(pictures) * 2 // 5)
    fields = {field for image in pictures[:first] for field in image.fields}
    return pictures[:first], [image for image in pictures if fields.isdisjoint(image.fields)]


TRUTHS: tuple[Truth, ...] = ("points", "boxes", "scribbles")
ARM_PX = 3  # longest arm of a cross, from its middle
FAR_PX = 4  # of the lines on the background, from objects


def write_marks(truths: list[np.ndarray], folder: Path) -> float:
    """Points, boxes and scribbles of label images; the median diameter of their objects."""
    rows, diameters = [], []
    (folder / "scribbles").mkdir()
    for number, truth in enumerate(truths):
        scribbles = np.zeros(truth.shape, np.uint16)
        for k, (y, x) in enumerate(ndimage.find_objects(truth), 1):
            own = truth == k
            diameters.append(2 * np.sqrt(own.sum() / np.pi))
            centre = np.array(ndimage.center_of_mass(own))
            box = {"top": y.start, "left": x.start, "bottom": y.stop, "right": x.stop}
            rows.append({"file": f"{number}.tif", "y": centre[0], "x": centre[1], **box})
            row, column = centre.round().astype(int)
            down, across = (slice(max(0, at - ARM_PX), at + ARM_PX + 1) for at in (row, column))
            for arm in ((down, column), (row, across)):
                scribbles[arm][own[arm]] = k + BACKGROUND
        far = ndimage.distance_transform_edt(truth == 0) > FAR_PX
        lines = np.zeros(truth.shape, bool)
        lines[::24] = True
        scribbles[far & lines] = BACKGROUND
        iio.imwrite(folder / f"scribbles/{number}.png", scribbles)
    table = pd.DataFrame(rows)
    table[["file", "y", "x"]].to_csv(folder / "points.csv", index=False)
    table[["file", "top", "left", "bottom", "right"]].to_csv(folder / "boxes.csv", index=False)
    return float(np.median(diameters))


def by_marks(plan: Plan, truth: Truth, diameter_px: float) -> Plan:
    """The same training from marks instead of outlines."""
    (outlined,) = plan.sets
    assert isinstance(outlined, PairSet)
    labels = "corrected/scribbles" if truth == "scribbles" else f"corrected/{truth}.csv"
    given = diameter_px if truth == "points" else None
    return replace(plan, sets=(replace(outlined, labels=labels, truth=truth, diameter_px=given),))


def cut(pictures: list[Image], folder: Path, most: int) -> list[np.ndarray]:
    """Write crops with objects, in turns from all images; their labels."""
    crops = [list(_crops(image)) for image in pictures]
    taken = [
        (k, image[k]) for k in range(max(map(len, crops))) for image in crops if k < len(image)
    ]
    for part in ("images", "labels"):
        (folder / "corrected" / part).mkdir(parents=True)
    for number, (_, (pixels, truth)) in enumerate(taken[:most]):
        tifffile.imwrite(folder / f"corrected/images/{number}.tif", pixels)
        iio.imwrite(folder / f"corrected/labels/{number}.png", truth.astype(np.uint16))
    return [truth for _, (_, truth) in taken[:most]]


def _crops(image: Image) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for y in range(0, max(1, image.truth.shape[0] - CROP_PX // 2), CROP_PX):
        for x in range(0, max(1, image.truth.shape[1] - CROP_PX // 2), CROP_PX):
            place = slice(y, y + CROP_PX), slice(x, x + CROP_PX)
            truth = compact(image.truth[place])
            if truth.max() >= min(LEAST_OBJECTS, image.truth.max()):
                found.append((image.pixels[place], truth))
    return found


def plan_of(initial: str, plain: bool) -> Plan:
    plan = read_plan({**read_yaml(RECIPE, "training config"), "initial": initial})
    assert isinstance(plan, Plan)
    card = load_card(initial)
    objects = "cells" if initial.startswith("cells") else "nuclei"
    plan = replace(plan, simulation=replace(plan.simulation, objects=objects))
    if not isinstance(card.normalisation, dict):
        other = read_yaml(RECIPE, "training config")
        del other["normalisation"]
        grey = read_plan({**other, "initial": initial})
        assert isinstance(grey, Plan)
        plan = replace(plan, normalisation=grey.normalisation)
    if plain:
        # a few simulated fields remain, since a training needs some that validate
        own = replace(plan.simulation, share=1e-9)
        plan = replace(plan, simulation=own, schedule=replace(plan.schedule, initial_share=0.0))
    return plan


def ap50(weights: str, pictures: list[Image]) -> float:
    return float(judge(program(weights), pictures, changes()["unchanged"])[0]["ap50"].mean())


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    data, rows = Path(os.environ["CELLPIPE_DATA"]), []
    pictures = {
        d.name: list(images(d, data)) for d in DOMAINS if d.name in (*KNOWN, *options.domains)
    }
    known = [image for name in KNOWN for image in pictures[name][::2][:SAMPLE]]
    for name in options.domains:
        learned, judged = halves(pictures[name])
        row = {"domain": name, "training": "none", "crops": 0, "images": len(judged)}
        rows.append(
            {**row, "ap50": ap50(options.initial, judged), "known": ap50(options.initial, known)}
        )
        most = max(options.crops)
        asked: list[tuple[str, int]] = [("corrections", n) for n in options.crops]
        asked += [("plain", most)] * options.plain
        asked += [(truth, most) for truth in TRUTHS] * options.marks
        for training, most in asked:
            folder = options.work / f"{name}-{most}-{training}"
            crops = cut(learned, folder, most)
            plan = plan_of(options.initial, training == "plain")
            if training in TRUTHS:
                diameter_px = write_marks(crops, folder / "corrected")
                plan = by_marks(plan, cast(Truth, training), diameter_px)
            started, weights = time.process_time(), folder / "corrections.safetensors"
            train(plan, folder, weights, folder / "run")
            row = {**row, "training": training, "crops": len(crops)}
            row["cpu_s"] = time.process_time() - started
            scores = {"ap50": ap50(str(weights), judged), "known": ap50(str(weights), known)}
            rows.append({**row, **scores})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, float_format="%.3f"), flush=True)
    table = pd.DataFrame(rows)
    if options.out:
        table.to_csv(options.out, sep="\t", index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.3f", na_rep=""))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--initial", default="nuclei")
    parser.add_argument(
        "--domains", nargs="*", default=["nuclei-histology", "nuclei-bright-field", "nuclei-tissue"]
    )
    parser.add_argument("--crops", nargs="*", type=int, default=[1, 4, 10])
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--marks", action="store_true")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
