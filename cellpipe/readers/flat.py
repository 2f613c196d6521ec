"""The inspection of a plate, changed to that of its projection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flat_copy(inspection: Mapping[str, Any]) -> dict[str, Any]:
    """The inspection of a plate of the same fields with pixels of its own, one plane in z.

    Even if the plate itself is read in place: what is made of it never goes to the original.
    """
    fields = []
    for field in inspection["fields"]:
        sizes = dict(zip(field["axes"], field["shape"], strict=True))
        shape = [sizes.get("t", 1), sizes.get("c", 1), 1, sizes["y"], sizes["x"]]
        kept = {name: field[name] for name in ("well", "field", "dtype", "n_t")}
        kept |= {"centre": field["centre"]} if "centre" in field else {}
        fields.append({**kept, "axes": "tczyx", "shape": shape, "n_z": 1})
    rest = {key: value for key, value in inspection.items() if key not in ("source", "fields")}
    return {**rest, "fields": fields}
