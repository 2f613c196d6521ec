"""Where the images of an OME-Zarr plate lie: the translations in their metadata (NGFF 0.4, 0.5).

    datasets[0].coordinateTransformations   scale, translation ─┐  first pixel, in units of the axes
    multiscales[0].coordinateTransformations  scale, translation ┘  ──► centre, µm

NGFF places the centre of the first pixel. A translation is along the axes of the image, so its
directions are known. Where every image has a translation of 0, or none, none was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellpipe.image.centre import FieldCentre
from cellpipe.image.units import Scale, micrometres

FIRST = "first_pixel"  # key of a described image: (y, x) in units of its axes, None where unknown
OWN = "field_centre"  # key of a described image: what cellpipe noted of its own image
ORIGIN = "origin of the OME-Zarr coordinates"
SOURCE = "NGFF coordinateTransformations"


def first_pixel(
    multiscale: Mapping[str, Any], dataset: Mapping[str, Any], axes: str
) -> tuple[float, float] | None:
    """(y, x) of the first pixel in units of the axes; None where no translation is stated.

    Transformations apply in the order of the lists, those of the dataset first.
    """
    at, stated = np.zeros(len(axes)), False
    for holder in (dataset, multiscale):
        for step in holder.get("coordinateTransformations") or []:
            if step["type"] == "scale":
                at = at * np.array(step["scale"], float)
            elif step["type"] == "translation" and "translation" in step:
                shift = np.array(step["translation"], float)
                if shift.shape != at.shape:
                    return None
                at, stated = at + shift, True
    y, x = (float(at[axes.index(axis)]) for axis in "yx")
    return (y, x) if stated and np.isfinite([y, x]).all() else None


def own_centre(noted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The centre that cellpipe noted of an image that it wrote (its section of the attributes)."""
    centre: Any = noted.get("field_centre")
    try:
        known = FieldCentre.from_dict(centre)
        at = float(known.y_um), float(known.x_um)
    except (KeyError, TypeError, ValueError):
        return None
    if not np.isfinite(at).all():
        return None
    return FieldCentre(*at, str(known.origin), str(known.source)).as_dict()


def with_positions(
    fields: Sequence[Mapping[str, Any]], scale: Scale
) -> tuple[list[dict[str, Any]], list[str]]:
    """Described images, with a ``centre`` as far as it is known; and a note on those without.

    scale : of the plate. Axes without a unit are in pixels of their own scale, so that a pixel
        size of the config gives them one; they have no centre if there is none.
    """
    moved = any(any(field.get(FIRST) or ()) for field in fields)
    placed = []
    for field in fields:
        kept = {key: value for key, value in field.items() if key not in (FIRST, OWN)}
        centre = field.get(OWN)
        first = field.get(FIRST)
        if centre is None and moved and first is not None:
            centre = _centre(field, first, scale)
        placed.append({**kept, "centre": centre} if centre else kept)
    without = [f"{f['well']} field {f['field']}" for f in placed if "centre" not in f]
    if not without or len(without) == len(placed):
        return placed, []
    return placed, [
        f"{len(without)} of {len(placed)} fields have no translation ({SOURCE}), such as "
        f"{without[0]}: their place in the well is unknown"
    ]


def _centre(
    field: Mapping[str, Any], first: tuple[float, float], scale: Scale
) -> dict[str, Any] | None:
    at = []
    for axis, low, edge in zip("yx", first, (scale.y, scale.x), strict=True):
        number = field["axes"].index(axis)
        own, factor = field["scales"][0][number], micrometres(field["units"][number])
        if factor is None and not (scale.length_known and own > 0):
            return None
        corner = low * factor if factor else low / own * edge
        at.append(corner + (field["shape"][number] - 1) / 2 * edge)
    return FieldCentre(at[0], at[1], ORIGIN, SOURCE).as_dict()
