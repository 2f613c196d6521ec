"""Stacks in z: carried by the plate, projected by a step of its own, and named in results."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn_plate import inspected, laid_out

from cellpipe.errors import BadImage
from cellpipe.image.projection import project
from cellpipe.plate.plate import Plate
from cellpipe.quality.scale import facts_of_scale
from cellpipe.run.block_job import BlockJob
from cellpipe.run.blocks import Unit
from cellpipe.run.frames import ingest
from cellpipe.run.frames.project import project_frame, projection_params
from cellpipe.run.made import Made

METHODS = ("max", "mean", "best_focus", "plane 2")
SHAPE = (2, 2, 4, 300, 280)  # T, C, Z, Y, X
FLAT = (1, 1, 1, 64, 64)
STACK = np.random.default_rng(8).integers(0, 4000, SHAPE).astype(np.uint16)
PLACE = "B03", 1, 1


def filled(folder, method: str = "max", volumes=(), **options) -> Plate:
    """A plate whose field is a stack."""
    inspection = {**inspected({"B03": [SHAPE]}), "projection": method, **options}
    plate = laid_out(folder, inspection, labels=["nuclei", "cells"], volumes=volumes, chunk_px=256)
    for t, c, z in np.ndindex(SHAPE[:3]):
        plate.write_plane("B03", 1, t, c, z, STACK[t, c, z])
    return plate


def test_a_plate_gives_the_stack_and_projects_nothing(tmp_path):
    plate = filled(tmp_path)
    frame = plate.frame(*PLACE, ["gfp", "dna"])
    assert (frame.axes, frame.shape) == ("czyx", (2, 4, 300, 280))
    assert (frame.whole() == STACK[1, ::-1]).all()
    assert (frame[1:, 2:3, 40:90, 200:] == STACK[1, :1, 2:3, 40:90, 200:]).all()
    assert plate.frame(*PLACE, level=1).shape == (2, 4, 150, 140)


@pytest.mark.parametrize("method", METHODS)
def test_stored_and_later_projection_are_the_same(tmp_path, method):
    """`keep_stack` decides what is stored, and not what is computed."""
    plate = filled(tmp_path, method)
    assert plate.projection == json.loads(plate.layout.read_text())["projection"] == method
    later = project_frame(plate, *PLACE).whole()
    planes = {(c, z): STACK[1, i, z] for i, c in enumerate(plate.channels) for z in range(4)}
    options = {"dtype": "uint16", "n_z": dict.fromkeys(plate.channels, 4), "projection": method}
    stored = ingest.assemble(planes, plate.channels, **options).pixels
    assert stored.dtype == later.dtype == np.uint16
    assert (stored[:, 0] == later).all()
    other = next(name for name in METHODS if name != method)
    assert (project(STACK[1, 0], other) != later[0]).any()


def job(plate: Plate, folder) -> BlockJob:
    table = folder / "blocks/segment/0.parquet"
    return BlockJob("segment", [], plate.layout, table, (), Made("code"), "quarantine")


def test_a_key_holds_the_projection_of_stacks_alone(tmp_path):
    unit = Unit("B03", 1, 0, 2)
    keys = {
        method: job(filled(tmp_path / method, method), tmp_path).keys({})(unit)
        for method in METHODS
    }
    assert keys["max"] != keys["mean"]
    flat = [
        laid_out(tmp_path / f"flat {m}", {**inspected({"B03": [FLAT]}), "projection": m})
        for m in METHODS
    ]
    assert len({job(plate, tmp_path).keys({})(unit) for plate in flat}) == 1
    assert projection_params(flat[0]) == {}


def test_label_layers_are_planes_or_stacks(tmp_path):
    plate = filled(tmp_path, volumes=["cells"])
    stack = np.random.default_rng(1).integers(0, 9, SHAPE[2:]).astype(np.uint32)
    plate.write_labels(*PLACE, "cells", stack)
    plate.write_labels(*PLACE, "nuclei", stack[0])
    assert plate.has_frame(*PLACE, "cells")
    assert (plate.labels(*PLACE, "cells").whole() == stack).all()
    assert plate.labels(*PLACE, "cells").axes == "zyx"
    assert (plate.labels(*PLACE, "cells", level=1).whole() == stack[:, ::2, ::2]).all()
    assert plate.labels(*PLACE, "nuclei").shape == (1, 300, 280)
    assert (plate.read_labels(*PLACE, "nuclei") == stack[0]).all()
    with pytest.raises(BadImage, match="4 planes in z"):
        plate.read_labels(*PLACE, "cells")
    for name, labels in (("nuclei", stack), ("cells", stack[0])):
        with pytest.raises(ValueError, match="laid out"):
            plate.write_labels(*PLACE, name, labels)
    plate.erase_frame(*PLACE, "cells")
    with pytest.raises(BadImage, match="missing"):
        plate.labels(*PLACE, "cells")


def test_reports_name_the_projection_of_stacks():
    stack = {**inspected({"B03": [SHAPE]}), "pixel_size_source": "", "z_step_source": ""}
    assert facts_of_scale({**stack, "projection": "mean"})["projection"] == (
        "mean over z, of up to 4 planes"
    )
    flat = {**inspected({"B03": [FLAT]}), "pixel_size_source": ""}
    assert "projection" not in facts_of_scale(flat)
