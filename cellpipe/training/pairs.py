"""Pairs of images and labels from folders, and who trains, validates and tests.

The split is drawn by group: images that show the same field (twins in two data sets) stand on
one side. It is a rule (sha256 of seed and group name, within strata of equal image shape) and is
written down as a table, so that a later run, or another program, can use the same sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig

SIDES = ("train", "validation", "test")


@dataclass(frozen=True)
class PairSet:
    """A folder of images and a folder of labels with the same file stems.

    manifest : table with a column `file`; `keep` selects rows by column value; `group_column`
    names the twin of an image in another set.
    """

    name: str
    images: str
    labels: str
    licence: str
    manifest: str | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    group_column: str | None = None
    held_out: tuple[float, float] = (0.15, 0.15)  # shares of validation and test


def list_pairs(pair_set: PairSet, root: Path) -> pd.DataFrame:
    """Table of pairs: set, file, image and label (paths), group, stratum."""
    if pair_set.manifest is None:
        table = pd.DataFrame({"file": sorted(p.name for p in (root / pair_set.images).iterdir())})
    else:
        table = pd.read_csv(root / pair_set.manifest)
    for column, value in pair_set.keep.items():
        table = table[table[column] == value]
    stems = table["file"].map(lambda name: Path(name).stem)
    group = stems
    if pair_set.group_column:
        twin = table[pair_set.group_column]
        group = twin.where(twin.map(lambda v: isinstance(v, str)), table["file"])
        group = group.map(lambda name: Path(name).stem)
    labels = [root / pair_set.labels / f"{stem}.png" for stem in stems]
    missing = [path.name for path in labels if not path.exists()]
    if missing or table.empty:
        raise BadConfig(
            seen=f"set {pair_set.name}: {len(table)} images, {len(missing)} without labels "
            f"{missing[:3]}",
            wanted="one label image (PNG, same stem) per image",
            do="correct images, labels or keep in the training config",
        )
    return pd.DataFrame(
        {
            "set": pair_set.name,
            "file": table["file"].to_numpy(),
            "image": [root / pair_set.images / name for name in table["file"]],
            "label": labels,
            "group": group.to_numpy(),
        }
    )


def draw_split(
    tables: Sequence[pd.DataFrame], held_out: Sequence[tuple[float, float]], seed: int
) -> pd.DataFrame:
    """Add the column `side`; `held_out` are each set's shares of validation and test.

    Within a set, images are sorted by image shape and then by the hash of their group, and
    sides are dealt along that order, so every size of image is on every side. A group that an
    earlier set has placed stays where it is.
    """
    placed: dict[str, str] = {}
    done = []
    for table, shares in zip(tables, held_out, strict=True):
        shapes = [iio.improps(path).shape for path in table["label"]]
        twinned = table["group"] != table["file"].map(lambda name: Path(name).stem)
        order = pd.DataFrame(
            {
                "shape": shapes,
                "twin": twinned,
                "hash": table["group"].map(
                    lambda group: hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
                ),
            }
        ).sort_values(["shape", "twin", "hash"])
        for rank, index in enumerate(order.index):
            group = table.loc[index, "group"]
            placed.setdefault(group, _side((rank + 0.5) * 0.6180339887 % 1.0, shares))
        done.append(table.assign(side=table["group"].map(placed)))
    return pd.concat(done, ignore_index=True)


def _side(draw: float, shares: tuple[float, float]) -> str:
    if draw < shares[0]:
        return "validation"
    return "test" if draw < sum(shares) else "train"


def read_pair(image: Path, label: Path) -> tuple[np.ndarray, np.ndarray]:
    """One image (Y, X) and its labels (Y, X) uint32, relabelled 1..n."""
    pixels, labels = iio.imread(image), iio.imread(label)
    if pixels.ndim != 2 or pixels.shape != labels.shape:
        raise BadConfig(
            seen=f"{image.name} of shape {pixels.shape}, labels of shape {labels.shape}",
            wanted="a grey image and labels of the same shape",
            do="leave the pair out, or convert it to one channel",
        )
    _, compact = np.unique(labels, return_inverse=True)
    labels = compact.reshape(labels.shape).astype(np.uint32)
    return pixels, labels
