"""The movement of the stage is stored with the image, and given to notebooks, as translations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out

import cellpipe
from cellpipe.errors import BadConfig
from cellpipe.image.units import Scale
from cellpipe.plate.lay_out import write_provenance
from cellpipe.plate.motion import KEY, stage_motion, transforms
from cellpipe.plate.plate import Plate

UM = 0.5
STEPS = np.array([[0, 0], [1.0, -2.0], [np.nan, np.nan], [10.5, 0.0]])  # µm, against the last
JUMPS = np.array([[0, 0], [0, 0], [np.nan, np.nan], [10.0, 0.0]])
MOVED = np.array([[0, 0], [1, -2], [1, -2], [11.5, -2]])  # since the first frame


def fields() -> pd.DataFrame:
    table = pd.DataFrame({"well": "B02", "field": 1, "t": [3, 0, 1, 2], "stage_from": "cells"})
    order = [3, 0, 1, 2]
    table[["stage_shift_y_um", "stage_shift_x_um"]] = STEPS[order]
    table[["stage_jump_y_um", "stage_jump_x_um"]] = JUMPS[order]
    return pd.concat([table, pd.DataFrame({"well": ["B03"], "field": [1], "t": [0]})])


def plate_of(folder: Path, um: float | None = UM) -> Plate:
    found = inspected({"B02": [(4, 1, 1, 64, 64)], "B03": [(1, 1, 1, 64, 64)]})
    plate = laid_out(folder, found | {"pixel_size_um": um})
    plate.scale.published(fields()).to_parquet(folder / "fields.parquet")
    return plate


def test_positions_of_a_resting_thing_are_the_same_in_all_frames_after_the_translation() -> None:
    motion = stage_motion(fields().query("well == 'B02'"))
    assert motion["t"].tolist() == [0, 1, 2, 3]
    seen = np.array([20.0, 30.0]) + MOVED  # what rests, and moves in the image with the stage
    registered = seen + motion[["y_um", "x_um"]].to_numpy()
    assert registered.tolist() == [[20.0, 30.0]] * 4
    assert motion["known"].tolist() == [True, True, False, True]
    assert motion["jump_y_um"].tolist() == [0, 0, 0, -10]


@pytest.mark.parametrize("um", [UM, None])
def test_it_is_noted_with_the_image_and_readers_are_not_disturbed(
    tmp_path: Path, um: float | None
) -> None:
    import ngio

    plate = plate_of(tmp_path, um)
    noted = transforms(fields(), plate.scale)
    assert set(noted) == {("B02", 1)}
    write_provenance(plate.layout, {place: {"pixels": {KEY: m}} for place, m in noted.items()})
    image = plate.path / plate.fields["B02", 1].path
    about = json.loads((image / "zarr.json").read_text())["attributes"]
    assert about["cellpipe"][KEY] == {
        "type": "translation",
        "axes": ["y", "x"],
        "unit": "micrometer" if um else "pixel",
        "t": [0, 1, 2, 3],
        "translations": (0 - MOVED).tolist(),
        "jump_translations": [[0, 0], [0, 0], [0, 0], [-10, 0]],
        "unknown_t": [2],
        "found_by": "cells",
    }
    (dataset,) = about["ome"]["multiscales"][0]["datasets"]
    assert [step["type"] for step in dataset["coordinateTransformations"]] == ["scale"]
    assert ngio.open_ome_zarr_container(str(image)).get_image().shape == (4, 1, 1, 64, 64)


@pytest.mark.parametrize("um", [UM, None])
def test_a_notebook_gets_it_in_pixels_and_micrometres(tmp_path: Path, um: float | None) -> None:
    plate_of(tmp_path, um)
    opened = cellpipe.open_plate(tmp_path)
    motion = opened.stage_motion("B02", 1)
    assert motion[["y_px", "x_px"]].to_numpy().tolist() == (-MOVED / (um or 1)).tolist()
    assert ("y_um" in motion) == (um is not None)
    with pytest.raises(BadConfig, match="no movement of the stage for field 1 of well B03"):
        opened.stage_motion("B03", 1)


def test_what_is_followed_nowhere_is_noted_nowhere() -> None:
    assert transforms(pd.DataFrame({"well": ["B02"], "field": [1], "t": [0]}), Scale()) == {}
    few = fields().query("well == 'B02'").sort_values("t")  # the first frame is 0 by definition
    few.loc[few["t"] > 0, ["stage_shift_y_um", "stage_shift_x_um"]] = np.nan
    assert transforms(few, Scale()) == {}
