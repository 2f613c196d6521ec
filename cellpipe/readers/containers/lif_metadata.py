"""What the XML of a .lif file says of a series: scale, times, channels, stage, objective.

Data/Image/ImageDescription/Dimensions/DimensionDescription    sizes, lengths, strides
…/Channels/ChannelDescription                                  names, strides
Data/Image/Attachment[HardwareSetting]//@ObjectiveName         objective, stage
Data/Image/Attachment[TileScanInfo]/@FlipX, FlipY, SwapXY      how its axes lie in the image
Data/Image/Attachment[TileScanInfo]/Tile                       stage of each tile
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cellpipe.image.units import micrometres, seconds
from cellpipe.readers import xml_text
from cellpipe.readers.containers.containers import size_in_um

AXES = {1: "X", 2: "Y", 3: "Z", 4: "T", 10: "M"}  # DimID
_METRE_UM = 1e6
Element = xml_text.Element


def steps_of(image: Any) -> tuple[dict[str, float | None], float | None]:
    """Axis → distance of neighbours (µm), and the time between frames (s), by the dimensions."""
    steps: dict[str, float | None] = {}
    step_s = None
    for dim in below(image, "ImageDescription/Dimensions/DimensionDescription"):
        axis, n = AXES.get(int(dim.get("DimID", 0)), ""), int(dim.get("NumberOfElements", 0))
        length = abs(float(dim.get("Length", "nan")))
        if n < 2 or not math.isfinite(length):
            continue
        unit = dim.get("Unit", "")
        if axis == "T":
            step_s = length / (n - 1) * (seconds(unit) or math.nan)
        elif factor := micrometres(unit):
            # from the centre of the first to that of the last
            steps[axis] = size_in_um(length / (n - 1) * factor)
    return steps, step_s if step_s and math.isfinite(step_s) else None


def times_s(image: Any, n_t: int, step_s: float | None) -> dict[int, float]:
    """Time of each frame (s) since the first, by its time stamps or else by the dimension."""
    try:
        stamps = image.timestamps
    except (ValueError, KeyError, OverflowError):  # pixels are whole without them
        stamps = None
    if n_t > 1 and stamps is not None and len(stamps) >= n_t and len(stamps) % n_t == 0:
        own = stamps[:: len(stamps) // n_t]
        since_s = (own - own[0]) / np.timedelta64(1, "s")
        if (np.diff(since_s) > 0).all():
            return dict(enumerate(since_s.tolist()))
    return {t: t * step_s for t in range(n_t)} if step_s and n_t > 1 else {}


def channel_names(image: Any) -> list[str]:
    """What LAS X calls each channel: its dye or quantity, else the colour it is shown in."""
    channels = sorted(
        below(image, "ImageDescription/Channels/ChannelDescription"),
        key=lambda channel: int(channel.get("BytesInc", 0)),
    )
    names = []
    for channel in channels:
        own = {
            (pair.findtext("Key") or "").strip(): (pair.findtext("Value") or "").strip()
            for pair in channel.iter("ChannelProperty")
        }
        names.append(
            own.get("DyeName")
            or channel.get("NameOfMeasuredQuantity", "").strip()
            or channel.get("LUTName", "").strip()
        )
    return names


def below(image: Any, path: str) -> list[Element]:
    found: list[Element] = image.xml_element.findall(f"./Data/Image/{path}")
    return found


def setting_of(image: Any) -> dict[str, str]:
    """Attributes of the first setting of the instrument that names an objective."""
    for attachment in below(image, "Attachment"):
        for setting in attachment.iter():
            if "ObjectiveName" in setting.attrib:
                return dict(setting.attrib)
    return {}


def stage(setting: dict[str, str]) -> tuple[float, float, None] | None:
    """Position of the stage (µm) by the setting of the instrument."""
    try:
        x, y = (float(setting[f"StagePos{axis}"]) * _METRE_UM for axis in "XY")
    except (KeyError, ValueError):
        return None
    return (x, y, None) if math.isfinite(x) and math.isfinite(y) else None


def tiles_of(image: Any) -> list[tuple[float, float, None]]:
    """Position of the stage (µm) for each tile of a scan."""
    try:
        if image.tilescan is None:
            return []
    except (ValueError, KeyError, OverflowError):
        return []
    places = zip(image.tilescan["pos_x"], image.tilescan["pos_y"], strict=True)
    return [(float(x) * _METRE_UM, float(y) * _METRE_UM, None) for x, y in places]


def stage_axes(image: Any) -> tuple[bool, bool, bool] | None:
    """Whether the tiles' x and y are mirrored in the image, and exchanged; None if not recorded.

    With all three flags set, tiles lie as LAS X itself merges them. Readers differ in whether axes
    are mirrored before they are exchanged, which tells only where one of both is: not known then.
    """
    for attachment in below(image, "Attachment"):
        if attachment.get("Name") == "TileScanInfo":
            flags = [attachment.get(name, "") for name in ("FlipX", "FlipY", "SwapXY")]
            if not set(flags) <= {"0", "1"} or (flags[2] == "1" and flags[0] != flags[1]):
                return None
            flip_x, flip_y, swap = (flag == "1" for flag in flags)
            return flip_x, flip_y, swap
    return None


def in_image(
    place: tuple[float, float, None], axes: tuple[bool, bool, bool] | None
) -> tuple[float, float, None]:
    """x and y of the stage in the directions of the image, x to the right and y downwards."""
    x, y, _ = place
    flip_x, flip_y, swap = axes or (False, False, False)
    x, y = -x if flip_x else x, -y if flip_y else y
    return (y, x, None) if swap else (x, y, None)


def absent(
    image: Any, file_bytes: int, counts: dict[str, int], n_channels: int, tile: int
) -> frozenset[tuple[int, int, int]]:
    """(t, z, channel) of the planes whose bytes are not all in the file, as of one that was cut."""
    (t_axis, n_t), (z_axis, n_z) = counts.items()
    description = "ImageDescription/Dimensions/DimensionDescription"
    step, last = {}, image.dtype.itemsize
    for dim in below(image, description):
        axis = AXES.get(int(dim.get("DimID", 0)), "")
        step[axis] = int(dim.get("BytesInc", 0))
        if axis in image.frames.frame_dims:
            last += step[axis] * (image.sizes[axis] - 1)
    channels = [
        int(channel.get("BytesInc", 0))
        for channel in below(image, "ImageDescription/Channels/ChannelDescription")
    ]
    t, z, c = np.indices((n_t, n_z, n_channels))
    ends = last + t * step.get(t_axis, 0) + z * step.get(z_axis, 0) + tile * step.get("M", 0)
    ends = ends + np.array(sorted(channels))[c]
    block = image.memory_block
    held = min(block.size, file_bytes - block.offset)
    return frozenset((t, z, c) for t, z, c in np.argwhere(ends > held).tolist())
