"""The floor that a run is compared with: which frames it takes, and that every stage is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_plate import inspected, laid_out

from cellpipe.config.sheets import checked_config
from cellpipe.errors import CellpipeError
from cellpipe.plate.plate import Plate
from cellpipe.run import bare

SCHEMAS = Path(__file__).parent.parent / "config/schemas"


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    """Four wells of one field with one bright disc; of a fifth nothing was written."""
    shape = (1, 1, 1, 64, 64)
    wells = ["B02", "B03", "B04", "B05"]
    plate = laid_out(tmp_path, inspected({well: [shape] for well in [*wells, "B06"]}))
    y, x = np.mgrid[:64, :64]
    disc = np.where(np.hypot(y - 32, x - 32) < 12, 2000, 100).astype(np.uint16)
    for well in wells:
        plate.write_plane(well, 1, 0, 0, 0, disc)
    return plate


def config(**nuclei: Any) -> dict[str, Any]:
    given = {"channel": "dna", "engine": "classical", **nuclei}
    return checked_config(
        {
            "plates": "plates.tsv",
            "channels": {"dna": {"source": "1"}},
            "segment": {"nuclei": given},
        },
        SCHEMAS,
    )


def test_frames_are_spread_over_the_plate_and_those_without_pixels_left_out(plate: Plate) -> None:
    assert [well for well, _, _ in bare.frames_of(plate, 2)] == ["B02", "B04"]
    assert [well for well, _, _ in bare.frames_of(plate, 9)] == ["B02", "B03", "B04", "B05"]


def test_every_stage_of_every_frame_is_timed_whatever_the_number_of_processes(
    plate: Plate,
) -> None:
    frames = bare.frames_of(plate, 3)
    for processes in (1, 2, 8):
        spent = bare.frame_seconds(plate.layout, frames, config(), processes)
        assert len(spent) == len(frames)
        assert list(spent) == ["denoise", "segment", "measure"]
        assert (spent > 0).all(axis=None)


def test_a_fault_in_one_process_does_not_leave_the_others_waiting(plate: Plate) -> None:
    missing = config(engine="cellpipe")
    missing["segment"]["nuclei"]["weights"] = "no/such.safetensors"
    with pytest.raises(CellpipeError, match="such"):
        bare.frame_seconds(plate.layout, bare.frames_of(plate, 4), missing, 2)
