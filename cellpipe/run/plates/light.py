"""The light of a plate, from a sample of its fields or from the profile of its instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.decide import FEWEST_FIELDS, judged
from cellpipe.correct.light import ChannelLight, Light
from cellpipe.correct.sample import Frame, groups_of, level_for, sampled, small
from cellpipe.correct.vendor import from_instrument
from cellpipe.errors import BadConfig, BadImage
from cellpipe.plate.plate import Plate
from cellpipe.readers.light_profiles import Profiles
from cellpipe.run.frames.project import project_frame

Options = Mapping[str, Any]


def find_light(
    plate: Plate,
    frames: Sequence[Frame],
    figures: pd.DataFrame,
    profiles: Profiles,
    options: Options,
    seed: int,
) -> Light:
    """The light of every channel of a plate, decided by the method of the config.

    Parameters
    ----------
    frames : that can be used (well, field, t), of the whole plate
    figures : rows of `ingest`, for the end of the camera's scale
    profiles : of the instrument, by channel; empty where it wrote none
    options : the section `correct`

    Raises
    ------
    BadConfig : for `method: vendor` where the instrument wrote no profile
    """
    method = options["method"]
    if method == "vendor" and not profiles.by_channel:
        raise BadConfig(
            seen=f"'correct.method' is vendor, and plate {plate.name} has no profile of its "
            f"instrument ({profiles.words or 'none next to its images'})",
            wanted="a Harmony index with FlatfieldProfile, or SC_ images of a CellVoyager",
            do="set 'correct.method' to auto or estimate, or to 'off' for this plate",
        )
    chosen = sampled(frames, options["fields"], seed)
    images = read_small(plate, chosen) if method != "vendor" else {}
    used = [frame for frame in chosen if frame in images]
    groups, n_fields = groups_of(used, FEWEST_FIELDS), len({frame[:2] for frame in used})
    lights = {}
    for c, channel in enumerate(plate.channels):
        profile = profiles.by_channel.get(channel)
        own = np.stack([images[frame][c] for frame in used]) if used else np.zeros((0, 1, 1))
        known = {"method": method, "seed": seed, "dark_level": options["dark_level"]}
        if profile is not None and method in ("auto", "vendor"):
            light = from_instrument(channel, profile, own, groups, n_fields, **known)
            if light.applied or method == "vendor" or profile.light is None:
                lights[channel] = light
                continue
        if method == "vendor":
            why = f"the instrument wrote no profile of it {profiles.words}".strip()
            lights[channel] = ChannelLight(channel, why=why)
            continue
        top = saturated_from(figures, channel)
        lights[channel] = judged(channel, own, groups, n_fields, top=top, **known)
    return Light(lights)


def read_small(plate: Plate, frames: Iterable[Frame]) -> dict[Frame, np.ndarray]:
    """A small image (C, Y, X), float32, of each frame, all of one shape.

    A frame that cannot be read, or is of another shape than most, is left out.
    """
    read: dict[Frame, np.ndarray] = {}
    for well, field, t in frames:
        where = plate.fields[well, field]
        shapes = [plate.array(where, level).shape for level in range(len(where.levels))]
        try:
            image = project_frame(plate, well, field, t, level=level_for(shapes))
            read[well, field, t] = small(image)
        except BadImage:
            continue
    shapes = pd.Series([image.shape for image in read.values()], dtype=object)
    usual = shapes.mode().iloc[0] if len(shapes) else None
    return {frame: image for frame, image in read.items() if image.shape == usual}


def saturated_from(figures: pd.DataFrame, channel: str) -> float:
    """The grey value at which a channel is saturated; inf if no frame shows an end of the scale."""
    share, top = (f"{channel}_{name}" for name in ("saturated", "top"))
    if share not in figures:
        return float("inf")
    ends = figures.loc[figures[share] > 0, top]
    # a mean over pixels of which most are saturated is below the end
    return 0.9 * float(ends.max()) if len(ends) else float("inf")


def sentences(light: Light) -> list[str]:
    """One sentence per channel: whether it is corrected, why, how strong, from what."""
    return [sentence(own) for own in light.channels.values()]


def sentence(own: ChannelLight) -> str:
    """Whether a channel is corrected, why, how strong, from what."""
    state = "corrected" if own.applied else "not corrected"
    parts = [f"light of {own.channel}: {state}: {own.why}"]
    if own.known:
        parts.append(f"brightest to darkest place {own.ratio:.2f}")
        seen = "" if own.dark_seen else " (assumed)"
        parts.append(f"dark level {own.dark_level:.4g}{seen}")
    if own.n_fields:
        parts.append(f"from {own.n_frames} images of {own.n_fields} fields")
    if own.source:
        parts.append(f"profile of the instrument: {own.source}")
    if own.over_time:
        parts.append(own.over_time)
    return "; ".join(parts)
