"""The channels of each plate: those of its set, or of the whole config.

    channels:                                   plates.tsv
      nuclei: { source: w1 }                    plate  images  layout       channels
      spots: { source: w3 }                     A      …       imagexpress
    channel_sets:                               B      …       phenix       phenix
      phenix:
        nuclei: { source: "2" }                 B has no spots: see `plate_config`

Stages name channels; the set of a plate gives their tokens. A plate without a set has `channels`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.segment import UNSEEN_CELLS

Section = Mapping[str, Any]


def channels_of(config: Section, row: Section) -> dict[str, Any]:
    """Channels of a plate: name → source and colour, of its set; `row` is that of the sheet.

    Raises BadConfig for a set that the config does not have.
    """
    name, sets = row.get("channels", ""), config["channel_sets"]
    if not name:
        return dict(config["channels"])
    if name not in sets:
        near = difflib.get_close_matches(name, sets, n=1)
        raise BadConfig(
            seen=f"'{name}' in the column 'channels' of the sheet, for the plate {row['plate']}",
            wanted=f"a name of 'channel_sets': {', '.join(sets) or 'there are none'}",
            do=f"write '{near[0]}'" if near else f"add '{name}' to 'channel_sets', or leave it out",
        )
    return dict(sets[name])


def named_channels(config: Section) -> list[str]:
    """Names of the channels of all plates, each once."""
    sets = [config["channels"], *config.get("channel_sets", {}).values()]
    return list(dict.fromkeys(name for one in sets for name in one))


def segmented_channels(config: Section) -> dict[str, str]:
    """Channels that segmentation cannot do without: name → the option that names it."""
    needed: dict[str, str] = {}
    segment = config["segment"]
    for part in ("nuclei", "cells"):
        if part == "cells" and segment[part].get("method") in UNSEEN_CELLS:
            continue
        for option in ("channel", "extra_channels"):
            given = segment[part].get(option) or []
            for name in [given] if isinstance(given, str) else given:
                needed.setdefault(name, f"segment.{part}.{option}")
    return needed
