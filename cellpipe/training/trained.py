"""What a training hands back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe.image.normalise import GreyScale
from cellpipe.networks.calibration import Calibration
from cellpipe.networks.expected import Expectation
from cellpipe.networks.unet import UNet
from cellpipe.track.linking import LinkNetwork
from cellpipe.training.loop import Progress

WORST = 8  # images that are shown


@dataclass(frozen=True)
class Shown:
    """One image to show.

    panels : what is shown, pixels (C, Y, X), and the labels (Y, X) outlined on them, or none
    """

    name: str
    panels: tuple[tuple[str, np.ndarray, np.ndarray | None], ...]


@dataclass(frozen=True)
class Trained:
    """A network, how it scores, how it came about, and where it is worst.

    scores : one row per held-out image: set, side, file and any figures
    calibration : of the probability that an object is real, where there were objects to fit it on
    expectation : of F1 without truth, where there were images to fit it on
    scale : how images are brought to the network's grey scale; as text where there is no choice
    verdict : whether it improves the results, as text, where there is a way without it
    """

    network: UNet | LinkNetwork
    scores: pd.DataFrame
    progress: Progress
    scale: GreyScale | str
    worst: list[Shown]
    calibration: Calibration | None = None
    expectation: Expectation | None = None
    verdict: str | None = None


def worst(scores: pd.DataFrame, by: pd.Series) -> Iterator[tuple[pd.Series, float]]:
    """Rows with the lowest values, the lowest first, with the value."""
    for index in by.sort_values(kind="stable").index[:WORST]:
        yield scores.loc[index], float(by[index])
