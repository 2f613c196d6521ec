"""First pixels of the fields of a well, by the positions that the microscope recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.image.units import Scale
from cellpipe.plate.plate import Field

_ANYWHERE = "directions of its axes"  # in the origin of positions
_IN_DOUBT = ("OME-XML", "TileScanInfo")  # sources whose directions overlaps may contradict


def has_unknown_directions(field: Field) -> bool:
    """Whether a field has a position of which the direction in the image is not known."""
    return field.centre is not None and _ANYWHERE in field.centre.origin


def may_be_turned(field: Field) -> bool:
    """Whether the direction of a field's position may be another one than is taken.

    OME-XML does not define it; y is taken downwards there, unless overlaps tell otherwise. The
    flags of a tile scan of Leica are taken likewise.
    """
    return has_unknown_directions(field) or (
        field.centre is not None and field.centre.source.startswith(_IN_DOUBT)
    )


def corners_px(
    fields: Sequence[Field], scale: Scale, directions: np.ndarray | None = None
) -> np.ndarray:
    """(N, 2) float, y and x of the first pixel of each field by the recorded positions.

    directions : (2, 2) what turns recorded positions into those of the image, where that is not
        recorded

    Relative to the origin of the positions. Raises BadConfig where they cannot be had.
    """
    well = fields[0].well
    without = [field.field for field in fields if field.centre is None]
    origins = {field.centre.origin for field in fields if field.centre}
    if without:
        seen = f"no stage position of {len(without)} of {len(fields)} fields, such as {without[0]}"
    elif len(origins) > 1:
        seen = f"positions of different origins: {', '.join(sorted(origins))}"
    elif directions is None and any(map(has_unknown_directions, fields)):
        seen = "positions of a stage whose axes may point anywhere in the image"
    elif not scale.length_known:
        seen = "positions in µm, and an unknown pixel size"
    else:
        edge = np.array([scale.y, scale.x])
        middles = np.array([[f.centre.y_um, f.centre.x_um] for f in fields if f.centre])
        middles = (middles if directions is None else middles @ directions.T) / edge
        return middles - (np.array([f.shape[-2:] for f in fields]) - 1) / 2
    raise BadConfig(
        seen=f"well {well}: {seen}",
        wanted="where each field lies, in pixels",
        do="give corners_px: y and x of the first pixel of each field of `plate.fields`; or set "
        "'ingest.pixel_size_um' if that is what is missing",
    )
