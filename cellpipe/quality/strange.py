"""Plates unlike all that the network learned from: there nobody measured how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.quality.fields import places

STRANGE = 1.5  # of known images 19 of 20 are within 1
FEWEST = 3  # objects of a field: the mean of fewer is uncertain
MANY = 0.25  # of the fields: single ones are debris or a fault of their own


def strange_images(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Where many fields are at a distance from the images that were learned from."""
    fields = tables.get("fields")
    if fields is None or not {"domain_distance", "n_nuclei"}.issubset(fields):
        return
    known = fields[(fields["n_nuclei"] >= FEWEST) & fields["domain_distance"].notna()]
    strange = known[known["domain_distance"] > STRANGE]
    if len(strange) <= MANY * len(known) or strange.empty:
        return
    yield {
        "kind": "unlike the training images",
        "where": places(strange),
        "seen": f"objects of {len(strange)} of {len(known)} images are unlike those that the "
        f"network learned from: a distance of {strange['domain_distance'].median():.2g} "
        "(median), where 19 of 20 known images are within 1",
        "likely_cause": "cells, a stain or a microscope that the network does not know",
        "do": "look at the outlines in the report; if they are wrong, try other weights, "
        "'segment.nuclei.engine: auto', or train on some of these images",
    }
