"""The workflow on a plate without nuclei: cells by a network on phase contrast, by region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from made_networks import threshold_network
from running import Run
from test_channels import CELLS, PHASE

from cellpipe.metrics.labels import average_precision
from cellpipe.plate.plate import Plate

CONFIG = {
    "plates": "plates.tsv",
    "channels": {"phase": {"source": "phase"}},
    "layouts": {"drawn": {"pattern": r"(?P<well>[A-Z]\d\d)_(?P<channel>\w+)\.tif"}},
    "ingest": {"pixel_size_um": 0.5, "chunk_px": 128},
    "segment": {
        "objects": "cells",
        "whole_frame_mpx": 0.05,
        "nuclei": {"channel": "phase", "weights": "phase.safetensors"},
    },
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two wells: the drawn cells, and nothing."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "images").mkdir()
    for well, pixels in (("B02", PHASE), ("B03", np.full_like(PHASE, 300))):
        tifffile.imwrite(folder / f"images/{well}_phase.tif", pixels.astype(np.uint16))
    (folder / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tdrawn\n")
    threshold_network(folder / "phase.safetensors", (-1.0,), -0.5)
    run = Run(folder, CONFIG)
    run.run("results/P/verified.tsv", "results/P/fields.parquet")
    return run.plate


@pytest.mark.slow
def test_rows_are_cells_and_labels_are_those_drawn(done):
    cells = pd.read_parquet(done / "cells.parquet")
    assert set(cells["object"]) == {"cells"}
    assert cells["well"].tolist() == ["B02"] * int(CELLS.max())
    area = np.bincount(CELLS.ravel())[1:].mean() * 0.25
    assert cells["area_um2"].mean() == pytest.approx(area, rel=0.1)
    assert not [name for name in cells if name.startswith(("cell_", "cytoplasm_"))]
    assert cells["foreground_probability"].between(0.5, 1).all()
    assert cells["object_probability"].isna().all(), "these weights were never calibrated"
    plate = Plate(done / "layout.json")
    assert plate.label_names == ["cells"]
    found = plate.read_labels("B02", 1, 0, "cells")
    assert average_precision(CELLS, found, [0.8])[0] == 1
    assert found.max() == len(cells)


@pytest.mark.slow
def test_fields_tell_of_the_empty_one_and_hold_no_bytes_of_objects(done):
    fields = pd.read_parquet(done / "fields.parquet").set_index("well")
    assert fields["n_nuclei"].to_dict() == {"B02": CELLS.max(), "B03": 0}
    assert fields.loc["B03", "flag"] == "flat"
    assert not {"object_probability", "foreground_probability"} & set(fields)
    assert not list(done.glob("tmp*"))
