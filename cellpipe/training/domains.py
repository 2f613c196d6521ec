"""Pairs of cells, bacteria and yeast of many domains, cut from published images.

What a generalist learns from: every set whose licence allows it. A set of several fields is divided
by field, one of a few by columns, with 32 pixels between the sides on neither. Images of one field
(bright field and fluorescence) stand on one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tifffile

from cellpipe.training import label_free
from cellpipe.training.cut_pairs import Pair, refuse_missing_folder, whole, write_pairs
from cellpipe.training.pairs import even_planes

GAP_PX = 32
LEARNED = 0.6  # of the columns of a field that is cut
MOST_PLANES = 8


@dataclass(frozen=True)
class Domain:
    """A published set: its folder, files that test, and files that are no cells.

    tests : parts of file names; none: each file is cut by columns
    only : part of the names of the files that are taken; empty: all
    """

    folder: str
    tests: tuple[str, ...] = ()
    only: str = ""


CELLS = {
    "bacteria-bright-field": Domain(
        "domain-bacteria-bf-fluo-colicoords", ("00003", "00007"), "_bf"
    ),
    "bacteria-fluorescence": Domain(
        "domain-bacteria-bf-fluo-colicoords", ("00003", "00007"), "_fl"
    ),
    "bacteria-phase": Domain("domain-bacteria-phase-omnipose"),
    "epithelium": Domain("domain-epithelium-epitools"),
    "plant-cells": Domain("domain-plant-ovule-cells-3d"),
    "tissue-cells": Domain("domain-tissue-cellbindb", only="mIF"),
    "yeast-bright-field": Domain("domain-yeast-bf-baby", ("testB", "testE")),
}


def pairs(data: Path) -> Iterator[Pair]:
    """Every pair, with the label-free cells of `cellpipe.training.label_free`.

    Raises BadConfig where a folder is missing.
    """
    yield from label_free.pairs(data)
    for of_set, domain in CELLS.items():
        refuse_missing_folder(data, domain.folder, [d.folder for d in CELLS.values()])
        for file in sorted((data / domain.folder / "images").glob("*.tif")):
            if domain.only not in file.stem:
                continue
            pixels = tifffile.imread(file)
            labels = tifffile.imread(data / domain.folder / "labels" / file.name)
            stack = labels.ndim == 3
            for z in even_planes(labels, MOST_PLANES) if stack else [None]:
                name = file.stem if z is None else f"{file.stem}_z{z:02d}"
                plane = (pixels, labels) if z is None else (pixels[z], labels[z])
                if domain.tests:
                    tests = any(part in file.stem for part in domain.tests)
                    yield Pair(
                        of_set, "test" if tests else "train", name, plane[0], whole(plane[1])
                    )
                    continue
                for side, columns in _sides(plane[1].shape[1]).items():
                    cut = tuple(part[:, columns] for part in plane)
                    yield Pair(of_set, side, f"{name}_{side}", cut[0], whole(cut[1]))


def cut(data: Path, out: Path) -> pd.DataFrame:
    """Write the pairs as config/training/cells.yaml reads them; see `write_pairs`."""
    return write_pairs(pairs(data), out)


def _sides(width_px: int) -> dict[str, slice]:
    learned = round(LEARNED * width_px)
    return {"train": slice(0, learned), "test": slice(learned + GAP_PX, None)}
