"""Projection of one frame: its stack in z as one plane, by the method of the config."""

from __future__ import annotations

from cellpipe.image.axes import Image
from cellpipe.image.projection import chosen_planes, flattened
from cellpipe.plate.plate import Plate


def project_frame(
    plate: Plate,
    well: str,
    field: int,
    t: int,
    channels: list[str] | None = None,
    level: int = 0,
) -> Image:
    """A frame of a plate as an image (C, Y, X), not read yet; see `Plate.frame`."""
    chosen = {}
    stack = plate.fields[well, field].size("z") > 1
    if level and stack and plate.projection not in ("max", "mean"):
        # the same planes as at full resolution, which may be absent where it is not needed
        chosen = chosen_planes(plate.frame(well, field, t, channels), plate.projection)
    return flattened(plate.frame(well, field, t, channels, level), plate.projection, chosen)


def projection_params(plate: Plate) -> dict[str, str]:
    """What of the projection decides a result: nothing where no field has a stack."""
    stacks = any(field.size("z") > 1 for field in plate.fields.values())
    return {"projection": plate.projection} if stacks else {}
