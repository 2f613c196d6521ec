"""Split into training, validation and test images.

The split is made by group: images that show the same field (twins in two data sets), or are in
the same well, are on one side. It is a rule (sha256 of seed and group name, within strata of
equal image shape) and is written down as a table, so that a later run, or another program, can
use the same sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.networks.card import Card

SIDES = ("train", "validation", "test")
GOLDEN = 0.6180339887  # its multiples fill 0..1 evenly, however many there are


def sample_split(
    tables: Sequence[pd.DataFrame], held_out: Sequence[tuple[float, float]], seed: int
) -> pd.DataFrame:
    """Add the column `side`; `held_out` are each set's shares of validation and test.

    Within a set, groups are sorted by image shape and then by the hash of their name, and
    sides are dealt along that order, so every size of image is on every side. A group that an
    earlier set has placed stays where it is.
    """
    placed: dict[str, str] = {}
    done = []
    for table, shares in zip(tables, held_out, strict=True):
        twinned = table["group"] != table["file"].map(lambda name: Path(name).stem)
        order = pd.DataFrame(
            {
                "shape": table["shape"],
                "twin": twinned,
                "hash": table["group"].map(
                    lambda group: hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
                ),
            }
        ).sort_values(["shape", "twin", "hash"])
        for rank, group in enumerate(table.loc[order.index, "group"].drop_duplicates()):
            placed.setdefault(group, _side((rank + 0.5) * GOLDEN % 1.0, shares))
        done.append(table.assign(side=table["group"].map(placed)))
    return pd.concat(done, ignore_index=True)


def refuse_empty_sides(pairs: pd.DataFrame) -> None:
    """Raise BadConfig where nothing trains, or nothing validates: then no network can be chosen."""
    counts = {side: int((pairs["side"] == side).sum()) for side in SIDES}
    if not counts["train"] or not counts["validation"]:
        raise BadConfig(
            seen=f"a split of {counts['train']} images to train on and {counts['validation']} to "
            f"validate, from {pairs['group'].nunique()} group(s)",
            wanted="at least one of each",
            do="give more images (of a plate: more wells), or larger shares in held_out",
        )


def read_split(card: Card) -> pd.DataFrame:
    """The recorded split of a card: set, side, file."""
    rows = [(*key.split("/"), file) for key, files in card.extra["split"].items() for file in files]
    return pd.DataFrame(rows, columns=["set", "side", "file"])


def _side(draw: float, shares: tuple[float, float]) -> str:
    if draw < shares[0]:
        return "validation"
    return "test" if draw < sum(shares) else "train"
