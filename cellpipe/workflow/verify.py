"""Whether what the tables state is there: every chunk, every label."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.plate import Plate
from cellpipe.tiles import Plane, blocks
from cellpipe.workflow.receipts import Receipt

COLUMNS = ["well", "field", "t", "layer", "fault"]


def verify_frames(
    plate: Plate, segmented: Iterable[Receipt], cells: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Check every frame that a receipt calls good, and the labels of every row of `cells`.

    Images are read by region: a frame need not fit into memory.

    Returns
    -------
    faults : DataFrame with ``well field t layer fault``, empty if all is well
    n_frames : frames that were checked
    """
    by_frame = {key: group["label"] for key, group in cells.groupby(["well", "field", "t"])}
    faults: list[dict[str, object]] = []
    n_frames = 0
    for receipt in segmented:
        for t in receipt.good_frames:
            place = (receipt.unit.well, receipt.unit.field, t)
            n_frames += 1
            for layer, fault in _frame_faults(plate, place, by_frame.get(place)):
                faults.append(dict(zip(COLUMNS, (*place, layer, fault), strict=True)))
    return pd.DataFrame(faults, columns=COLUMNS), n_frames


def _frame_faults(
    plate: Plate, place: tuple[str, int, int], stated: pd.Series | None
) -> Iterable[tuple[str, str]]:
    try:
        plate.check_frame(*place)
    except BadImage as bad:
        yield "pixels", bad.seen
    for name in (name for name in plate.label_names if name != "tracks"):
        try:
            plate.check_frame(*place, name)
            absent = _absent(plate.open_labels(*place, name), stated)
        except BadImage as bad:
            yield name, bad.seen
            continue
        if len(absent):
            yield (
                name,
                f"{len(absent)} label(s) of the cell table are not in it, such as {absent[0]}",
            )


def _absent(labels: Plane, stated: pd.Series | None) -> np.ndarray:
    """Labels that are stated, but stand nowhere in an image; reads all of it in any case."""
    absent = np.zeros(0, np.uint32) if stated is None else stated.to_numpy()
    for place in blocks((labels.shape[0], labels.shape[1])):
        absent = np.setdiff1d(absent, labels[place])
    return absent
