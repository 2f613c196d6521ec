"""A training config of `kind: linking`, checked; see config/training/linking.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.track.linking import LinkNetworkConfig
from cellpipe.training.schedule import Schedule
from cellpipe.training.settings import build, top_level
from cellpipe.training.true_links import (
    CtcSet,
    LinkingDesign,
    list_ctc_frames,
    list_simulated_movies,
)

SECTIONS: dict[str, Any] = {
    "network": LinkNetworkConfig,
    "schedule": Schedule,
    "linking": LinkingDesign,
}


@dataclass(frozen=True)
class LinkingPlan:
    """What a network that scores links is trained on, and how.

    sets : movies with true tracks, in addition to simulated ones
    initial : weights to start from, a shipped name or a .safetensors file
    licence : of the weights that come out
    """

    name: str
    kind: Literal["linking"]
    schedule: Schedule
    network: LinkNetworkConfig = field(default_factory=LinkNetworkConfig)
    linking: LinkingDesign = field(default_factory=LinkingDesign)
    sets: tuple[CtcSet, ...] = ()
    initial: str | None = None
    licence: str = "CC0-1.0"

    @property
    def diameter_px(self) -> None:
        """Movies are linked in units of their own: no size of cells is needed."""

    @property
    def simulated(self) -> bool:
        """Whether any of the movies are simulated by cellpipe.simulate."""
        return self.linking.movies > 0

    def split(self, data: Path) -> pd.DataFrame:
        """Movies to learn from: set, file, pair (what reads it), side, weight."""
        tables = [list_ctc_frames(s, data) for s in self.sets]
        if self.simulated:
            tables.insert(0, list_simulated_movies(self.linking, self.schedule.seed))
        return pd.concat(tables, ignore_index=True)


def linking_plan(config: Mapping[str, Any]) -> LinkingPlan:
    """Build a plan from a checked training config. Raises BadConfig for nothing to learn from."""
    given = top_level(config, SECTIONS)
    given["sets"] = tuple(build(CtcSet, entry) for entry in config["sets"])
    plan = LinkingPlan(**given)
    if not plan.simulated and not plan.sets:
        raise BadConfig(
            seen="kind: linking without 'sets', and 0 for 'linking.movies'",
            wanted="movies to learn from",
            do="name a set of your own movies in 'sets', or set 'linking.movies'",
        )
    return plan
