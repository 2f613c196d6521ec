"""The profile of light that the instrument wrote: as smooth a surface, and whether it applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellpipe.correct.decide import FEWEST_FIELDS, LEAST_EXPLAINED, Method
from cellpipe.correct.light import ChannelLight
from cellpipe.correct.profile import find_light
from cellpipe.correct.surface import Fit
from cellpipe.readers.vendor.light_profiles import InstrumentProfile

SOFT = 1e-6  # stiffness: a profile of an instrument has no noise to be smoothed


def from_instrument(
    channel: str,
    profile: InstrumentProfile,
    images: np.ndarray,
    groups: Sequence[str],
    n_fields: int,
    *,
    method: Method,
    seed: int,
    dark_level: float | None = None,
) -> ChannelLight:
    """The light of a channel by its instrument.

    With `method` "auto", it applies if the images show the same light; with too few of them to
    judge, if it is more than the noise that the instrument states.

    Parameters
    ----------
    images, groups : as of `profile.find_light`; may be empty
    """
    dark = profile.dark_level if dark_level is None else dark_level
    facts: dict[str, Any] = {"method": "vendor", "source": profile.source, "n_fields": n_fields}
    if profile.light is None:
        return ChannelLight(channel, why="the instrument states that its light is even", **facts)
    fit = Fit(profile.light.shape)
    coefficients = fit(np.log(profile.light), np.ones(profile.light.shape), SOFT)
    coefficients = coefficients - np.mean(fit.at(coefficients))
    facts |= {
        "coefficients": coefficients.tolist(),
        "dark_level": dark or 0.0,
        "dark_seen": dark is not None,
        "n_frames": len(images),
    }
    if method == "vendor":
        return ChannelLight(channel, applied=True, why="as configured", **facts)
    if n_fields < FEWEST_FIELDS:
        noise = profile.random
        if np.isfinite(noise) and noise >= profile.unevenness:
            why = f"no more than the noise that the instrument states ({noise:.3g})"
            return ChannelLight(channel, why=why, **facts)
        why = f"by the instrument; {n_fields} fields are too few to check it with the images"
        return ChannelLight(channel, applied=True, why=why, **facts)
    seen = find_light(images, groups, seed=seed, dark_level=dark)
    here = Fit(seen.light.shape)
    own, stated = (here.at(each) for each in (seen.coefficients, coefficients))
    left = np.mean((own - stated + np.mean(stated) - np.mean(own)) ** 2)
    explained = float(1 - left / max(np.mean(own**2), 1e-12))
    share = f"{100 * explained:.0f} % of the unevenness of the images"
    if explained >= LEAST_EXPLAINED:
        why = f"by the instrument; it explains {share}"
        return ChannelLight(channel, applied=True, why=why, explained=explained, **facts)
    why = (
        f"the profile of the instrument explains {'none' if explained <= 0 else share} of what the "
        "images show: they may be corrected already"
    )
    return ChannelLight(channel, why=why, explained=explained, **facts)
