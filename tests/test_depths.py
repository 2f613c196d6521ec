"""Stacks of several depths: what metadata state is taken, with the depth of each field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from made_czi import Block, document, write_czi

from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.readers.inspection import inspect_planes
from cellpipe.readers.manifest import list_planes, read_header_below


def test_stacks_of_other_depths_keep_their_own_and_single_planes_are_refused(
    tmp_path: Path,
) -> None:
    """What a file states is no loss; names of files state nothing."""
    for well, n_z in (("B02", 3), ("B03", 5), ("C02", 3), ("C03", 1)):
        planes = [{"Z": z, "C": c} for z in range(n_z) for c in (0, 1)]
        blocks = [Block(np.full((16, 20), n_z, np.uint16), at) for at in planes]
        write_czi(tmp_path / f"Well{well}.czi", blocks, document(channels=("DAPI", "GFP")))
    channels = {"dna": {"source": "DAPI"}, "gfp": {"source": "GFP"}}
    given = {"plate": "P", "pixel_size_um": None, "time_step_s": None}
    listed = list_planes("czi", tmp_path, {})

    def found(**options: bool) -> tuple[dict[str, Any], pd.DataFrame]:
        return inspect_planes(
            listed, channels, read=read_header_below(tmp_path), **given, **options
        )

    inspection, table = found(stated=True, keep_stack=True)
    depths = {field["well"]: field["shape"][2] for field in inspection["fields"]}
    assert depths == {"B02": 3, "B03": 5, "C02": 3, "C03": 3}
    assert {hole["well"] for hole in inspection["holes"]} == {"C03"}
    assert table.groupby("well")["n_z"].max().to_dict() == depths
    assert "5 of channel 'dna' in B03 field 1 (most: 3)" in inspection["notes"][0]
    flat, table = found(stated=True, keep_stack=False)
    assert {field["shape"][2] for field in flat["fields"]} == {1}
    (plate,) = map(inspect_plate, find_plates(tmp_path))
    assert {hole["well"] for hole in plate.holes} == {"C03"}
    named, table = found(stated=False, keep_stack=False)
    assert "n_z" not in table
    assert "another number of planes" not in str(named["notes"])
