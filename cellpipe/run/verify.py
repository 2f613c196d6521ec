"""Whether the data agree with receipts and tables: every chunk unchanged, every label there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.image.tiles import Plane, blocks
from cellpipe.plate.plate import Plate
from cellpipe.run.receipts import Receipt

COLUMNS = ["well", "field", "t", "layer", "fault"]
Place = tuple[str, int, int]  # well, field, t
PIXELS, DENOISED, TRACKS = (
    "pixels",
    "denoised",
    "tracks",
)  # layers in addition to those of segmentation


def verify_frames(
    plate: Plate,
    segmented: Iterable[Receipt],
    cells: pd.DataFrame,
    others: Iterable[Receipt] = (),
    denoised: Plate | None = None,
) -> tuple[pd.DataFrame, int]:
    """Check every frame that a receipt calls good, and the labels of every row of `cells`.

    Chunks must be there, whole, and those that the receipt's digests speak of. Images are read by
    region: a frame need not fit into memory.

    Parameters
    ----------
    segmented : receipts of segmentation
    cells : ``well field t label``
    others : receipts of other stages, with the digests of what they stored
    denoised : the plate of the denoised pixels, where they are kept

    Returns
    -------
    faults : DataFrame with ``well field t layer fault``, empty if all is well
    n_frames : frames that were checked
    """
    by_frame = {key: group["label"] for key, group in cells.groupby(["well", "field", "t"])}
    expected = _expected(plate, segmented, others)
    faults: list[dict[str, object]] = []
    for place, layers in expected.items():
        for layer, stated in layers.items():
            of_layer = denoised if layer == DENOISED else plate
            if of_layer is None:
                continue
            with_rows = by_frame.get(place) if layer not in (PIXELS, DENOISED, TRACKS) else None
            for fault in layer_faults(of_layer, place, layer, stated, with_rows):
                faults.append(dict(zip(COLUMNS, (*place, layer, fault), strict=True)))
    return pd.DataFrame(faults, columns=COLUMNS), len(expected)


def _expected(
    plate: Plate, segmented: Iterable[Receipt], others: Iterable[Receipt]
) -> dict[Place, dict[str, str]]:
    """Layers that each frame has, with the digests of its receipts; empty where none is noted."""
    expected: dict[Place, dict[str, str]] = {}
    first = [PIXELS, *(name for name in plate.label_names if name != TRACKS)]
    ours: set[Place] = set()
    for receipt in segmented:
        unit = receipt.unit
        ours |= {(unit.well, unit.field, t) for t in range(unit.t_start, unit.t_stop)}
        for frame in (frame for frame in receipt.frames if frame.status == "ok"):
            place = (receipt.unit.well, receipt.unit.field, frame.t)
            expected.setdefault(place, {}).update({**dict.fromkeys(first, ""), **frame.stored})
    for receipt in others:
        for frame in (frame for frame in receipt.frames if frame.stored):
            place = (receipt.unit.well, receipt.unit.field, frame.t)
            if place in ours:  # a block of tracks reaches over blocks of frames
                expected.setdefault(place, {}).update(frame.stored)
    return expected


def layer_faults(
    plate: Plate, place: Place, layer: str, stated: str, rows: pd.Series | None = None
) -> Iterable[str]:
    """Faults of one layer of one frame, as text.

    Parameters
    ----------
    stated : the digest of a receipt; empty if there is none
    rows : labels that a table states; None: they are not checked
    """
    name = None if layer in (PIXELS, DENOISED) else layer
    try:
        plate.check_frame(*place, name)
        if stated and plate.stored_digest(*place, name) != stated:
            altered = plate.altered_chunks(*place, name)
            yield (
                f"{altered[0]} does not match its checksum"
                if altered
                else "the chunks are whole, but not those that were written (exchanged, or "
                "written by another program)"
            )
            return
        if name and (rows is not None or not stated):
            absent = _absent(plate.flat_labels(*place, name), rows)
            if len(absent):
                yield (
                    f"{len(absent)} label(s) of the cell table are not in it, such as {absent[0]}"
                )
    except CellpipeError as bad:
        yield bad.seen
    except OSError:
        raise  # the disk, not the image
    except Exception as fault:  # metadata that were altered can fail in any way
        yield f"cannot be read ({type(fault).__name__}: {str(fault)[:200]})"


def _absent(labels: Plane, stated: pd.Series | None) -> np.ndarray:
    """Labels in the table that are nowhere in an image; reads all of it in any case."""
    absent = np.zeros(0, np.uint32) if stated is None else np.unique(stated.to_numpy())
    for place in blocks((labels.shape[0], labels.shape[1])):
        absent = absent[~np.isin(absent, labels[place])]  # the image is not sorted for it
    return absent
