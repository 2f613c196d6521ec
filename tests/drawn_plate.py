"""Plates to lay out in tests: an inspection from nothing but shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate


def inspected(
    wells: Mapping[str, Sequence[tuple[int, ...]]], dtype: str = "uint16", plate: str = "drawn"
) -> dict[str, Any]:
    """An inspection of `wells`: name → shape (T, C, Z, Y, X) of each field."""
    n_c = max(shape[1] for fields in wells.values() for shape in fields)
    return {
        "plate": plate,
        "channels": ["dna", "gfp", "spots"][:n_c],
        "pixel_size_um": 0.65,
        "time_step_s": 300.0,
        "fields": [
            {
                "well": well,
                "field": number,
                "axes": "tczyx",
                "shape": list(shape),
                "dtype": dtype,
                "n_t": shape[0],
                "n_z": shape[2],
            }
            for well, fields in wells.items()
            for number, shape in enumerate(fields, start=1)
        ],
    }


def laid_out(folder: Path, inspection: Mapping[str, Any], **options: Any) -> Plate:
    """The plate of an inspection, laid out in `folder`."""
    given = {"colors": ["FFFFFF"] * len(inspection["channels"]), "labels": [], **options}
    lay_out(folder / "layout.json", inspection, **given)
    return Plate(folder / "layout.json")
