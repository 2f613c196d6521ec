"""Whether a light that was found is to be corrected: where it explains more than noise.

The fields are divided in two, by wells, four times. The light of one half is what is left of the
other half's after correction, or not: `explained`. Light is the same in both, what is in the fields
is not: of light it is near 1, of noise about -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from cellpipe.correct.light import ChannelLight
from cellpipe.correct.profile import find_light

Method = Literal["auto", "off", "estimate", "vendor"]
METHODS: tuple[Method, ...] = get_args(Method)
FEWEST_FIELDS = 6  # three in each half
LEAST_EXPLAINED = 0.5  # with less, a correction adds nearly as much as it removes
LEAST_RATIO = 1.05  # brightest to darkest place: cells differ by far more than this


def judged(
    channel: str,
    images: np.ndarray,
    groups: Sequence[str],
    n_fields: int,
    *,
    method: Method,
    seed: int,
    dark_level: float | None = None,
    top: float = np.inf,
) -> ChannelLight:
    """The light of a channel from images (N, Y, X) of `n_fields` fields, and whether it applies.

    method : "auto": where the criterion is met; "estimate": wherever it can be judged
    The other parameters are those of `profile.find_light`.
    """
    if n_fields < FEWEST_FIELDS:
        return ChannelLight(
            channel,
            why=f"cannot be judged from {n_fields} field{'s' * (n_fields != 1)}: at least "
            f"{FEWEST_FIELDS} are needed, for what is in the fields to average out",
            n_fields=n_fields,
            n_frames=len(images),
        )
    if np.ptp(images) == 0:
        return ChannelLight(
            channel,
            why="cannot be judged: the images have one grey value",
            n_fields=n_fields,
            n_frames=len(images),
        )
    found = find_light(images, groups, seed=seed, dark_level=dark_level, top=top)
    light = ChannelLight(
        channel,
        method="estimate",
        coefficients=found.coefficients.tolist(),
        dark_level=found.dark_level,
        dark_field=[] if found.dark_field is None else found.dark_field.tolist(),
        dark_seen=found.dark_seen,
        explained=found.explained,
        n_fields=n_fields,
        n_frames=len(images),
    )
    applied, why = decision(light.ratio, found.explained, method)
    return replace(light, applied=applied, why=why)


def decision(ratio: float, explained: float, method: Method) -> tuple[bool, str]:
    """Whether an estimated light is applied, and why."""
    share = f"{100 * explained:.0f} %"
    if method == "estimate":
        return True, f"as configured; it explains {share} of the unevenness of held-out fields"
    if ratio < LEAST_RATIO:
        return False, (
            f"the light is even: brightest to darkest place {ratio:.3f}, corrected from "
            f"{LEAST_RATIO} on"
        )
    if explained < LEAST_EXPLAINED:
        return False, (
            "no more than noise: the light of one half of the fields explains "
            f"{'none' if explained <= 0 else share} of the unevenness of the other, and "
            f"{100 * LEAST_EXPLAINED:.0f} % are needed"
        )
    return True, f"it explains {share} of the unevenness of held-out fields"
