"""What the tables state is looked for: every chunk, every label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out

from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import Frame, Receipt
from cellpipe.run.verify import verify_frames

LABELS = np.zeros((64, 64), np.uint32)
LABELS[5:20, 5:20] = 1
LABELS[30:40, 30:40] = 70_000


@pytest.fixture
def filled(tmp_path):
    """Two wells with two nuclei each; what the receipts and the cell table say of them."""
    plate = laid_out(
        tmp_path,
        inspected({"B02": [(1, 1, 1, 64, 64)], "B03": [(1, 1, 1, 64, 64)]}),
        labels=["nuclei", "cells", "tracks"],
    )
    receipts = []
    for well in ("B02", "B03"):
        plate.write_plane(well, 1, 0, 0, 0, np.full((64, 64), 9, np.uint16))
        for name in ("nuclei", "cells"):
            plate.write_labels(well, 1, 0, name, LABELS)
        receipts.append(Receipt(Unit(well, 1, 0, 1), "k", "f", (Frame(0),)))
    cells = pd.DataFrame(
        [(well, 1, 0, label) for well in ("B02", "B03") for label in (1, 70_000)],
        columns=["well", "field", "t", "label"],
    ).astype({"label": "uint32"})
    return plate, receipts, cells


def found(faults: pd.DataFrame) -> list[tuple[str, str]]:
    return list(faults[["well", "layer"]].itertuples(index=False, name=None))


def test_a_whole_plate_has_no_fault(filled):
    faults, n_frames = verify_frames(*filled)
    assert (len(faults), n_frames) == (0, 2)


@pytest.mark.parametrize(
    ("chunk", "layer"),
    [("0/c/0/0/0/0/0", "pixels"), ("labels/nuclei/0/c/0/0/0/0", "nuclei"),
     ("labels/cells/0/c/0/0/0/0", "cells")],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["missing", "cut short", "empty"])
def test_a_lost_or_torn_chunk_is_found(filled, chunk, layer, damage):
    path = filled[0].path / "B/03/1" / chunk
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut short" else b"")
    assert found(verify_frames(*filled)[0]) == [("B03", layer)]


def test_a_label_of_the_table_that_is_not_in_the_plate_is_found(filled):
    plate, receipts, cells = filled
    other = cells.assign(label=cells["label"].replace({70_000: 70_001}))
    faults, _ = verify_frames(plate, receipts, other.iloc[:2])
    assert found(faults) == [("B02", "nuclei"), ("B02", "cells")]
    assert "70001" in faults["fault"][0]


def test_quarantined_frames_are_not_looked_for(filled):
    plate, receipts, cells = filled
    plate.erase_frame("B03", 1, 0)
    bad = replace(receipts[1], frames=(Frame(0, "quarantined", "torn", "copy"),))
    faults, n_frames = verify_frames(plate, [receipts[0], bad], cells[cells["well"] == "B02"])
    assert (len(faults), n_frames) == (0, 1)
