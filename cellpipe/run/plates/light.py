"""The light of a plate, from a sample of its fields or from the profile of its instrument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.bleaching import over_time
from cellpipe.correct.decide import FEWEST_FIELDS, judged
from cellpipe.correct.light import ChannelLight, Light
from cellpipe.correct.sample import Frame, groups_of, level_for, sampled, small, spread
from cellpipe.correct.vendor import from_instrument
from cellpipe.errors import BadConfig, BadImage
from cellpipe.plate.plate import Plate
from cellpipe.readers.vendor.light_profiles import Profiles
from cellpipe.run.frames.project import project_frame

Options = Mapping[str, Any]
MOVIES, TIMES = 16, 48  # fields, and frames of each, that fading is found from


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
    lights = {}
    for channels in together(plate):
        there = [frame for frame in frames if channels[0] in plate.channels_at(frame[0], frame[2])]
        chosen = [] if method == "off" else sampled(there, options["fields"], seed)
        images = read_small(plate, chosen, channels)
        used = [frame for frame in chosen if frame in images]
        groups, n_fields = groups_of(used, FEWEST_FIELDS), len({frame[:2] for frame in used})
        for c, channel in enumerate(channels):
            own = np.stack([images[frame][c] for frame in used]) if used else np.zeros((0, 1, 1))
            given = {**options, "seed": seed, "top": saturated_from(figures, channel)}
            lights[channel] = _of_channel(channel, own, groups, n_fields, profiles, given)
    if options["over_time"] != "off":
        lights = _over_time(plate, frames, lights, seed)
    return Light({channel: lights[channel] for channel in plate.channels})


def together(plate: Plate) -> list[list[str]]:
    """The channels of a plate, those of the same frames and wells together."""
    groups: dict[tuple[frozenset[int], frozenset[str]], list[str]] = {}
    for channel in plate.channels:
        frames = plate.not_taken.get(channel, frozenset())
        wells = plate.lacking.get(channel, frozenset())
        groups.setdefault((frames, wells), []).append(channel)
    return list(groups.values())


def _of_channel(
    channel: str,
    images: np.ndarray,
    groups: Sequence[str],
    n_fields: int,
    profiles: Profiles,
    given: Options,
) -> ChannelLight:
    """The light of one channel, by the first source that the method of the config allows."""
    profile, method = profiles.by_channel.get(channel), given["method"]
    known = {name: given[name] for name in ("method", "seed", "dark_level")}
    if method == "off":
        return ChannelLight(channel, why="'correct.method' is off")
    stated = None
    if profile is not None and method in ("auto", "vendor"):
        stated = from_instrument(channel, profile, images, groups, n_fields, **known)
        if stated.applied or profile.light is None:
            return stated
    if method == "vendor":
        why = f"the instrument wrote no profile of it {profiles.words}".strip()
        return ChannelLight(channel, why=why)
    found = judged(channel, images, groups, n_fields, top=given["top"], **known)
    return found if stated is None else replace(found, why=f"{found.why}; {stated.why}")


def _over_time(
    plate: Plate, frames: Sequence[Frame], lights: Mapping[str, ChannelLight], seed: int
) -> dict[str, ChannelLight]:
    """The lights with how channels fade over the movies of a plate."""
    good = Counter(frame[:2] for frame in frames)
    n_t = max((plate.fields[place].size("t") for place in good), default=1)
    whole = [place for place, n in good.items() if n == n_t]
    chosen = sorted({frame[:2] for frame in sampled([(*p, 0) for p in whole], MOVIES, seed)})
    found = {}
    for channels in together(plate):
        have = [p for p in chosen if p[0] not in plate.lacking.get(channels[0], ())]
        absent = plate.not_taken.get(channels[0], frozenset())
        times = spread([t for t in range(n_t) if t not in absent], TIMES)
        images = read_small(plate, [(*place, t) for place in have for t in times], channels)
        movies = [place for place in have if all((*place, t) in images for t in times)]
        for c, channel in enumerate(channels):
            own = lights[channel]
            shown = [np.stack([images[*place, t][c] for t in times]) for place in movies]
            if own.applied and shown:
                light = own.light(shown[0].shape[1:])
                shown = [(each - own.dark_level) / light + own.dark_level for each in shown]
            fading = over_time(shown, times, n_t)
            gain, offset = fading.gain.tolist(), fading.offset.tolist()
            found[channel] = replace(own, gain=gain, offset=offset, over_time=fading.words)
    return found


def read_small(
    plate: Plate, frames: Iterable[Frame], channels: list[str]
) -> dict[Frame, np.ndarray]:
    """A small image (C, Y, X), float32, of these channels of each frame, all of one shape.

    A frame that cannot be read, or is of another shape than most, is left out.
    """
    read: dict[Frame, np.ndarray] = {}
    for well, field, t in frames:
        where = plate.fields[well, field]
        shapes = [plate.array(where, level).shape for level in range(len(where.levels))]
        try:
            image = project_frame(plate, well, field, t, channels, level=level_for(shapes))
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
    state = "corrected" if own.applied else "not corrected"  # over the field
    parts = [f"light of {own.channel}: {state}: {own.why}"]
    if own.known:
        parts.append(f"brightest to darkest place {own.ratio:.2f}")
        seen = "" if own.dark_seen else " (assumed)"
        parts.append(f"dark level {own.dark_level:.4g}{seen}")
        if len(own.dark_field):
            parts.append("the background has a pattern of its own, which is taken off")
    if own.n_fields and own.method != "vendor":
        parts.append(f"from {own.n_frames} images of {own.n_fields} fields")
    if own.source:
        parts.append(f"profile of the instrument: {own.source}")
    if own.over_time:
        parts.append(own.over_time)
    return "; ".join(parts)
