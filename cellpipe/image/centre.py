"""Where the centre of a field lies, as the microscope recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FieldCentre:
    """Centre of a field of view.

    y_um, x_um : µm, y downwards and x to the right, relative to `origin`
    origin : "centre of the well", "stage", or "stage, in the directions of its axes", whose
        directions in the image are not known
    source : file and element, or kind of tags
    """

    y_um: float
    x_um: float
    origin: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(described: Mapping[str, Any]) -> FieldCentre:
        names = FieldCentre.__dataclass_fields__
        return FieldCentre(**{name: described[name] for name in names})
