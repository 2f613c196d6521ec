"""Channels that are corrected for uneven light by something the images do not confirm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

Row = dict[str, str]


def light_not_confirmed(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Corrected channels with a profile that was not checked, or a dark level that is assumed.

    ``light`` is a row per channel, of `cellpipe.correct.light.ChannelLight`.
    """
    light = tables.get("light")
    if light is None:
        return
    for own in light[light["applied"].astype(bool)].itertuples():
        # of `method: auto`; what the config orders outright is not doubted
        if own.method == "vendor" and pd.isna(own.explained) and own.why != "as configured":
            yield {
                "kind": "light not checked",
                "where": f"channel {own.channel}",
                "seen": f"intensities are corrected by up to {own.ratio:.2f} times: {own.why}",
                "likely_cause": "few fields: whether they were corrected before is not known",
                "do": "compare objects in the middle and at the edges of fields; set "
                "'correct.method' to off if the export was corrected already, or to vendor",
            }
        if not own.dark_seen:
            yield {
                "kind": "dark level assumed",
                "where": f"channel {own.channel}",
                "seen": f"intensities are corrected by up to {own.ratio:.2f} times, with a grey "
                f"value of {own.dark_level:g} without light, which the images do not show",
                "likely_cause": "background or objects alone in the images, or an instrument that "
                "does not state it",
                "do": "set 'correct.dark_level' to the offset of the camera: dim objects are "
                "corrected too much without it",
            }
