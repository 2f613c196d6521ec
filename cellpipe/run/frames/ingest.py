"""Put the planes of one frame together, and compute their quality.

Reading files is the script's, storing is `plate`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.image.levels import level_figures
from cellpipe.image.projection import chosen_plane, chosen_planes, flattened, project
from cellpipe.image.saturation import top_of
from cellpipe.plate.plate import Plate
from cellpipe.quality.blank import blank_share, lines_of_one_value

NOTHING_CHOSEN: Mapping[str, tuple[int, int]] = {}


class Frame(NamedTuple):
    """One frame of a field.

    pixels : (C, Z, Y, X)
    chosen : channel → z, from 0, of the plane that was taken of its stack, and planes of the
        stack; where one was taken
    """

    pixels: np.ndarray
    chosen: Mapping[str, tuple[int, int]]


def assemble(
    planes: Mapping[tuple[str, int], np.ndarray],
    channels: Sequence[str],
    *,
    dtype: str,
    n_z: Mapping[str, int],
    projection: str | None,
) -> Frame:
    """Stack planes of one shape into a frame.

    Parameters
    ----------
    planes : (channel, z) → plane (Y, X)
    channels : in the order of the channel axis
    dtype : of the frame
    n_z : planes that each channel should have
    projection : of each stack, see `cellpipe.image.projection`; None: the stacks themselves

    Returns
    -------
    Frame; Z is 1 after a projection. A channel of one plane among stacks is repeated in every z.

    Raises
    ------
    BadImage
        If the frame, a channel or a plane is missing.
    """
    if not planes:
        raise BadImage(
            seen="there is no file of this frame",
            wanted=f"its channels: {', '.join(channels)}",
            do="copy the missing files from the microscope, then run again",
        )
    depth = 1 if projection else max(n_z.values(), default=1)
    stacks, chosen = [], {}
    for channel in channels:
        stack = [plane for (name, _), plane in sorted(planes.items()) if name == channel]
        _refuse_holes(channel, len(stack), n_z.get(channel, 1))
        whole = np.stack(stack) if len(stack) > 1 else stack[0][None]
        if projection:
            z = chosen_plane(whole, projection)
            if len(whole) > 1 and z is not None:
                chosen[channel] = z, len(whole)
            whole = project(whole, projection)[None] if z is None else whole[z : z + 1]
        # one plane among stacks: the same in every z, so that its projection is itself
        stacks.append(np.repeat(whole, depth, axis=0) if len(whole) == 1 < depth else whole)
    return Frame(np.stack(stacks).astype(dtype, copy=False), chosen)


def in_place(plate: Plate, well: str, field: int, t: int) -> Frame:
    """A projected frame of a plate that is OME-Zarr already."""
    frame = plate.frame(well, field, t)
    chosen = chosen_planes(frame, plate.projection)
    pixels = flattened(frame, plate.projection, chosen).whole()[:, None]
    taken = plate.channels_at(well, t)
    return Frame(pixels, {taken[c]: (z, frame.size("z")) for c, z in chosen.items()})


def _refuse_holes(channel: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise BadImage(
            seen=f"channel '{channel}' is missing"
            if not found
            else f"{found} plane(s) of channel '{channel}'",
            wanted=f"{wanted} plane(s) of it, as in the rest of the plate",
            do="copy the missing files from the microscope, then run again",
        )


def refuse_other(plane: np.ndarray, name: str, shape: Sequence[int], dtype: str) -> np.ndarray:
    """The plane, if shape and type are those laid out; else BadImage. `name` names its file."""
    if plane.shape == tuple(shape) and plane.dtype == np.dtype(dtype):
        return plane
    raise BadImage(
        seen=f"{name} is {plane.shape[0]} × {plane.shape[1]}, {plane.dtype}",
        wanted=f"{shape[0]} × {shape[1]}, {dtype}, like the rest of the plate",
        do=_if_binned(plane.shape, shape)
        + "export the field again with the camera settings of the others",
    )


def _if_binned(seen: Sequence[int], wanted: Sequence[int]) -> str:
    """What to do with a channel whose pixels are 2, 3 … times as large; "" for other sizes."""
    times = round(wanted[0] / max(seen[0], 1))
    if times < 2 or any(n // times != own for own, n in zip(seen, wanted, strict=True)):
        return ""
    return (
        f"if the whole channel was binned {times} × {times}, leave it out of 'channels', or "
        f"enlarge its images {times} times before; else "
    )


def frame_figures(
    frame: np.ndarray,
    channels: Sequence[str],
    chosen: Mapping[str, tuple[int, int]] = NOTHING_CHOSEN,
) -> dict[str, float | str]:
    """Mean, level, saturation and blank parts of each channel of a frame (C, Z, Y, X).

    <channel>_saturated is the share of saturated pixels, as far as this frame shows;
    <channel>_top its largest grey value and <channel>_at_top the share of pixels there, by which
    `cellpipe.image.saturation.plate_wide` finds saturation that only the plate shows.
    <channel>_background, _noise, _step and _digest are those of `cellpipe.image.levels`.
    <channel>_blank is the share of pixels in bands or tiles of one value, of the plane in z that
    has most, <channel>_lines the number of rows and columns of one value within it; by
    <channel>_equal `cellpipe.quality.blank.name_blank` finds where that is usual.
    <channel>_z is the number, from 1, of the plane that was taken of a stack of <channel>_n_z.
    """
    figures: dict[str, float | str] = {}
    for channel, (z, n_z) in chosen.items():
        figures |= {f"{channel}_z": z + 1, f"{channel}_n_z": n_z}
    for channel, stack in zip(channels, frame, strict=True):
        figures[f"{channel}_mean"] = float(stack.mean())
        top = top_of(stack)
        figures[f"{channel}_saturated"] = top.saturated
        figures[f"{channel}_top"], figures[f"{channel}_at_top"] = top.value, top.share
        blank, equal = zip(*(blank_share(plane) for plane in stack), strict=True)
        figures[f"{channel}_blank"], figures[f"{channel}_equal"] = max(blank), min(equal)
        figures[f"{channel}_lines"] = float(max(lines_of_one_value(p) for p in stack))
        levels = level_figures(stack)
        figures |= {f"{channel}_{name}": value for name, value in levels.items()}
    return figures


def figures_of_taken(frame: Frame, taken: Sequence[str], channels: Sequence[str]) -> pd.DataFrame:
    """`frame_figures` as a row; empty values for those of `channels` that were not taken."""
    figures = frame_figures(frame.pixels, taken, frame.chosen)
    if len(taken) == len(channels):
        return pd.DataFrame([figures])
    names = list(frame_figures(np.zeros((len(channels), 1, 8, 8), np.uint16), channels))
    row = pd.DataFrame([{**dict.fromkeys(names), **figures}])
    return row.astype({name: "float64" for name in names if not name.endswith("_digest")})


def pixel_digest(frame: np.ndarray) -> str:
    """sha256 of a frame's shape, dtype and pixels, wherever they are stored."""
    digest = hashlib.sha256(f"{frame.shape} {frame.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()[:32]
