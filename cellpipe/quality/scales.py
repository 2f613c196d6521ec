"""Fields that were segmented at another scale than the others of their plate.

An image is segmented at the scale that suits it best. Objects of one kind then have the
same size in pixels of the image, but small differences of outlines and of what is found remain:
fields that were seen differently are not quite alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

ALIKE = 1.1  # scales that differ by less do so by rounding
MANY = 0.02  # of the fields: a few are named by their own flags
LISTED = 8


def differing_scales(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Where more than a few fields with objects were seen at another scale than most."""
    fields = tables.get("fields")
    if fields is None or not {"working_scale", "n_nuclei"}.issubset(fields):
        return
    known = fields[(fields["n_nuclei"] > 0) & (fields["working_scale"] > 0)]
    if known.empty:
        return
    scale = known["working_scale"]
    usual = float(scale.mode().iloc[0])
    odd = known[np.abs(np.log(scale / usual)) > np.log(ALIKE)]
    if len(odd) <= MANY * len(known):
        return
    places = list(dict.fromkeys(f"{row.well} field {row.field}" for row in odd.itertuples()))
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    others = ", ".join(f"{value:g}" for value in sorted(odd["working_scale"].unique())[:4])
    yield {
        "kind": "scales differ",
        "where": ", ".join(places[:LISTED]) + more,
        "seen": f"{len(odd)} of {len(known)} images were segmented at another scale ({others}) "
        f"than most ({usual:g})",
        "likely_cause": "objects of very different sizes, or images in doubt, for which another "
        "scale promised more",
        "do": "to treat all images alike, set 'segment.nuclei.diameter_um' to the diameter of "
        "typical objects",
    }
