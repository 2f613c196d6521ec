"""Weights that were used and whose licence, or whose training images, restrict commercial use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = dict[str, str]


def non_commercial_weights(
    inspection: Mapping[str, Any], tables: Mapping[str, Any]
) -> Iterator[Row]:
    """One row for each of ``restricted_weights``: name, used_by, restriction."""
    for weights in inspection.get("restricted_weights", []):
        by_data = "trained on" in weights["restriction"]
        yield {
            "kind": "licence of weights",
            "where": "plate",
            "seen": f"weights '{weights['name']}' ({weights['used_by']}): {weights['restriction']}",
            "likely_cause": "training images that are not for commercial use, which may bind the "
            "weights and what is made with them"
            if by_data
            else "weights that are not for commercial use",
            "do": "use the results non-commercially only, or other weights (those of cellpipe are "
            "free); if the weights are under another licence, state it in 'segment.nuclei.licence'",
        }
