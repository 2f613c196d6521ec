"""Which objects of a result match which true cells, frame by frame, as CTC scores count them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.metrics.overlap import overlap
from cellpipe.readers.truth.ctc import read_mask

# what py-ctcmetrics computes its scores from, each a list with an entry per frame
KINDS = ("labels_ref", "labels_comp", "mapped_ref", "mapped_comp", "ious")


def match_frames(pairs: Iterable[tuple[Path, Path]]) -> dict[str, list[list]]:
    """Match the labels of pairs of masks (truth, result), in the form of py-ctcmetrics.

    A true cell is matched with the object that covers more than half of it (AOGM: Matula et al.,
    PLoS ONE 10:e0144959, 2015), so several cells may match one object. Pixels are counted here:
    py-ctcmetrics 1.3 goes through them one at a time, and takes the first label for the
    background where a frame has none.

    Returns
    -------
    dict of lists, an entry per pair
        labels_ref, labels_comp : labels that occur, int
        mapped_ref, mapped_comp : labels of the pairs that match, int
        ious : intersection over union of those pairs, float
    """
    frames = [_match(read_mask(truth), read_mask(result)) for truth, result in pairs]
    return {kind: [frame[k] for frame in frames] for k, kind in enumerate(KINDS)}


def outlined_frames(truth: Path, frames: list[Path]) -> list[tuple[Path, Path]]:
    """Frames whose true outlines are known (SEG/man_segTTT.tif), each with the result's mask."""
    pairs = []
    for outlines in sorted((truth / "SEG").glob("man_seg*.tif")):
        number = re.fullmatch(r"man_seg_?(\d+)", outlines.stem)
        if number is None:
            raise BadImage(
                seen=str(outlines),
                wanted="outlines of one frame of a flat movie, named like man_seg007.tif",
                do="rename the file, or leave it out",
            )
        if int(number[1]) >= len(frames):
            raise CellpipeError(
                seen=f"{outlines}, and {len(frames)} frames",
                wanted="outlines of frames of the movie, counted from 0",
                do="leave that file out, or give the whole movie",
            )
        pairs.append((outlines, frames[int(number[1])]))
    return pairs


def _match(truth: np.ndarray, found: np.ndarray) -> tuple[list, list, list, list, list]:
    """The entries of `KINDS` for one frame."""
    both = overlap(truth, found)
    shared = both.shared.tocoo()
    row, column = shared.coords
    covers = 2 * shared.data > both.truth_px[row]
    order = np.lexsort((column[covers], row[covers]))
    row, column = row[covers][order], column[covers][order]
    common = shared.data[covers][order]
    iou = common / (both.truth_px[row] + both.predicted_px[column] - common)
    return (
        both.truth.tolist(),
        both.predicted.tolist(),
        both.truth[row].tolist(),
        both.predicted[column].tolist(),
        iou.tolist(),
    )
