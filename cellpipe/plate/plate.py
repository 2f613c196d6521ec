"""Pixels and labels of an OME-Zarr plate, frame by frame.

`plate_metadata` lays a plate out; this module fills and reads what was laid out. Every write is
of whole chunks that one job alone owns, and zarr writes a chunk aside and renames it, so a chunk
is there or it is not, never half. All-zero chunks are written too: a chunk that is missing was
never computed.

Axes are T, C, Z, Y, X, or the subset that a plate read in place has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.files.asides import sweep
from cellpipe.files.removal import remove
from cellpipe.image.axes import Image
from cellpipe.image.centre import FieldCentre
from cellpipe.image.projection import only_plane
from cellpipe.image.tiles import Plane
from cellpipe.image.units import Scale, square_edge
from cellpipe.plate.chunks import (
    altered_chunks,
    chunk_files,
    chunk_places,
    digest_chunks,
    missing_chunks,
    refuse_missing,
    refuse_torn,
    scaled,
    torn_chunks,
)
from cellpipe.plate.pyramid import cropped, means
from cellpipe.plate.regions import StoredFrame, write_sampled
from cellpipe.plate.taken import refuse_lacking, refuse_not_taken
from cellpipe.plate.whole_chunks import Shards, write_whole

if TYPE_CHECKING:
    import zarr  # and where an array is opened: some jobs only need the fields of a plate


@dataclass(frozen=True)
class Field:
    """One field of one well: the place of its image in the plate and its shape."""

    well: str
    field: int
    path: str  # below the plate, "B/03/1"
    axes: str  # of the image, "tczyx"
    shape: tuple[int, ...]
    dtype: str
    levels: tuple[str, ...]  # array names, full resolution first
    centre: FieldCentre | None = None  # None: not recorded, and absent from the layout

    def size(self, axis: str) -> int:
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def as_dict(self) -> dict[str, Any]:
        described = {
            **self.__dict__,
            "shape": list(self.shape),
            "levels": list(self.levels),
            "n_t": self.size("t"),
        }
        centre = described.pop("centre")
        return {**described, "centre": centre.as_dict()} if centre else described

    @staticmethod
    def from_dict(described: Mapping[str, Any]) -> Field:
        names = [name for name in Field.__dataclass_fields__ if name != "centre"]
        known = {name: described[name] for name in names}
        known |= {"shape": tuple(known["shape"]), "levels": tuple(known["levels"])}
        centre = described.get("centre")
        return Field(**known, centre=FieldCentre.from_dict(centre) if centre else None)


class Plate:
    """A plate that has been laid out, described by its ``layout.json``.

    Parameters
    ----------
    layout : path
        The file written by `plate_metadata.lay_out`.
    """

    def __init__(self, layout: str | Path) -> None:
        self.layout = Path(layout)
        self._described: dict[str, Any] = json.loads(self.layout.read_text(encoding="utf-8"))
        self.path = self.layout.parent / self._described["store"]
        self.name: str = self._described["plate"]
        self.channels: list[str] = self._described["channels"]
        self.colors: list[str] = self._described["colors"]
        self.scale: Scale = Scale.from_dict(self._described)
        self.time_step_s: float = self.scale.step  # 1 frame where unknown
        self.label_names: list[str] = self._described["labels"]
        self.projection: str = self._described.get("projection", "max")  # of stacks in z
        self.in_place: bool = bool(self._described.get("source"))
        self.shards: bool = self._described.get("shards", False)  # files that hold a whole frame
        absent = self._described.get("not_taken", {})  # channels of some frames only
        self.not_taken: dict[str, frozenset[int]] = {c: frozenset(ts) for c, ts in absent.items()}
        wells = self._described.get("lacking", {})  # channels of some wells only
        self.lacking: dict[str, frozenset[str]] = {c: frozenset(ws) for c, ws in wells.items()}
        # kept per plate, not per process: a plate that is laid out again has new arrays
        self._open = lru_cache(maxsize=512)(partial(_opened, owned=self.layout.parent))

    @cached_property
    def fields(self) -> dict[tuple[str, int], Field]:
        """Fields by (well, field)."""
        described = (Field.from_dict(f) for f in self._described["fields"])
        return {(f.well, f.field): f for f in described}

    @property
    def pixel_size_um(self) -> float:
        """Edge of a pixel; 1 where unknown, so that lengths are in pixels (`image.units`).

        Raises BadConfig where pixels are not square: `scale.pixel_size` has both edges.
        """
        return square_edge(self.scale.pixel_size, "this step")

    @property
    def objects(self) -> str:
        """The label layer that holds what the rows of the tables are: "nuclei", or "cells"."""
        return self.label_names[0]

    def channel_index(self, channel: str) -> int:
        return self.channels.index(channel)

    def channels_at(self, well: str, t: int) -> list[str]:
        """Channels that a well has at a frame, in the plate's order; most plates have all."""
        return [
            name
            for name in self.channels
            if t not in self.not_taken.get(name, ()) and well not in self.lacking.get(name, ())
        ]

    def frames_without(self, channel: str) -> set[tuple[str, int, int]]:
        """Well, field and frame of the frames at which a channel was not taken."""
        absent = self.not_taken.get(channel, frozenset())
        wells = self.lacking.get(channel, frozenset())
        return {
            (*place, t)
            for place, field in self.fields.items()
            for t in range(field.size("t"))
            if t in absent or place[0] in wells
        }

    def refuse_not_taken(
        self, well: str, channels: Iterable[str], times: Collection[int], what: str
    ) -> None:
        """Raise BadImage for a channel that a well lacks, or that was not taken at a frame."""
        channels = list(channels)
        refuse_lacking(self.lacking, channels, well)
        n_t = max(field.size("t") for field in self.fields.values()) if self.not_taken else 1
        refuse_not_taken(self.not_taken, channels, times, n_t, what)

    def frame(
        self, well: str, field: int, t: int, channels: list[str] | None = None, level: int = 0
    ) -> Image:
        """Pixels of one frame, an image (C, Z, Y, X) in the stored dtype; not read yet.

        Without `channels`, those of `channels_at`. Raises BadImage for a channel that was not taken
        and where a chunk was never written, because zarr would give zeros.
        """
        where = self.fields[well, field]
        array = self.array(where, level)
        what = f"{self.name} {well} field {field} frame {t}"
        names = channels or self.channels_at(well, t)
        self.refuse_not_taken(well, names, [t], what)
        wanted = [self.channel_index(name) for name in names]
        indices = [_index(where.axes, t=t, c=c) for c in wanted]
        for index in indices:
            refuse_missing(self.missing(where, level, index), what)
        return Image(StoredFrame(array, indices, _z(where.axes), what), "czyx")

    def write_plane(
        self, well: str, field: int, t: int, c: int, z: int, pixels: np.ndarray
    ) -> None:
        """Write one plane (Y, X) and its pyramid: means over 2 × 2, 4 × 4 … pixels of it."""
        where = self._written_to(well, field)
        if self.shards:
            raise ValueError("a file of this plate holds a whole frame: use `write_frame`")
        place = _index(where.axes, t=t, c=c, z=z)
        for level, coarse in zip(range(len(where.levels)), means(pixels), strict=False):
            array = self.array(where, level)
            write_whole(array, place, cropped(coarse, array.shape))

    def write_frame(
        self, well: str, field: int, t: int, channels: Sequence[str], pixels: np.ndarray
    ) -> None:
        """Write channels of a frame (C, Z, Y, X), with their pyramids.

        Where the plate has shards, these are all of the frame: a channel that is not among them is
        as if it was never taken.
        """
        where = self._written_to(well, field)
        planes = [
            (self.channel_index(channel), z, plane)
            for channel, stack in zip(channels, pixels, strict=True)
            for z, plane in enumerate(stack)
        ]
        if not self.shards:
            for c, z, plane in planes:
                self.write_plane(well, field, t, c, z, plane)
            return
        arrays = [self.array(where, level) for level in range(len(where.levels))]
        with ExitStack() as stack:  # a file for each level, when all is encoded
            files = [stack.enter_context(Shards(array)) for array in arrays]
            for c, z, plane in planes:
                place = _index(where.axes, t=t, c=c, z=z)
                for file, array, coarse in zip(files, arrays, means(plane), strict=False):
                    file.add(place, cropped(coarse, array.shape))

    def _written_to(self, well: str, field: int) -> Field:
        if self.in_place:
            raise ValueError("a plate that is read in place is never written to")
        return self.fields[well, field]

    def labels(self, well: str, field: int, t: int, name: str, level: int = 0) -> Image:
        """Labels of one frame, an image (Z, Y, X), uint32; not read yet.

        Raises BadImage where they are missing.
        """
        array, index = self._label_array(well, field, t, name, level)
        what = f"{name} of {self.name} {well} field {field} frame {t}"
        refuse_missing(missing_chunks(array, index), what)
        z = _z(self.fields[well, field].axes.replace("c", ""))
        return Image(StoredFrame(array, [index], z, what), "czyx").channel(0)

    def flat_labels(self, well: str, field: int, t: int, name: str, level: int = 0) -> Image:
        """`labels` of one plane, (Y, X). Raises BadImage for a stack of labels."""
        what = f"{name} of {self.name} {well} field {field} frame {t}"
        return only_plane(self.labels(well, field, t, name, level), what)

    def read_labels(self, well: str, field: int, t: int, name: str, level: int = 0) -> np.ndarray:
        """`flat_labels`, read."""
        return self.flat_labels(well, field, t, name, level).whole()

    def write_labels(self, well: str, field: int, t: int, name: str, labels: Plane) -> None:
        """Write the labels (Y, X) or (Z, Y, X) of one frame, by chunk, and their pyramid: pixels
        of level 0."""
        stack = Image.of(labels, "zyx" if len(labels.shape) == 3 else "yx")
        planes = [stack.plane(z) for z in range(stack.size("z"))] if "z" in stack.axes else [stack]
        axes = self.fields[well, field].axes.replace("c", "")
        for level in range(len(self.fields[well, field].levels)):
            array, _ = self._label_array(well, field, t, name, level)
            z_axis = _z(axes)
            depth = 1 if z_axis is None else array.shape[z_axis]
            if len(planes) != depth:
                raise ValueError(f"{len(planes)} planes of {name} where {depth} were laid out")
            for z, plane in enumerate(planes):
                write_sampled(plane, array, _index(axes, t=t, z=z))

    def has_frame(self, well: str, field: int, t: int, name: str | None = None) -> bool:
        """Whether every chunk of a frame (or of its labels) has been written, and is whole."""
        try:
            self.check_frame(well, field, t, name)
        except BadImage:
            return False
        return True

    def check_frame(self, well: str, field: int, t: int, name: str | None = None) -> None:
        """Raise BadImage if a chunk of a frame (or of its labels) is missing or cut short."""
        where = self.fields[well, field]
        what = f"{name or 'pixels'} of {self.name} {well} field {field} frame {t}"
        for level, array_name in enumerate(where.levels):
            if name:
                array, index = self._label_array(well, field, t, name, level)
                missing = missing_chunks(array, index)
            else:
                array = self._open(self.path / where.path / array_name)
                index = _index(where.axes, t=t)
                parts = self._taken(where, t) if self.not_taken or self.lacking else [index]
                missing = [path for part in parts for path in self.missing(where, level, part)]
            refuse_missing(missing, what)
            refuse_torn(torn_chunks(array, index), what)

    def stored_digest(self, well: str, field: int, t: int, name: str | None = None) -> str:
        """Digest of the files that hold a frame (or its labels), at every level."""
        whole = hashlib.sha256()
        for array, index in self._arrays(well, field, t, name):
            whole.update(digest_chunks(array, index).encode())
        return whole.hexdigest()[:32]

    def altered_chunks(self, well: str, field: int, t: int, name: str | None = None) -> list[Path]:
        """Chunks of a frame (or of its labels) that do not match the checksum that they bear."""
        arrays = self._arrays(well, field, t, name)
        return [path for array, index in arrays for path in altered_chunks(array, index)]

    def remove_leftovers(self, well: str, field: int, t: int, name: str | None = None) -> int:
        """Remove what killed jobs have left aside where they wrote a frame (or its labels)."""
        if name is None and self.in_place:
            return 0
        arrays = self._arrays(well, field, t, name)
        return sweep(path.parent for array, index in arrays for path in chunk_files(array, index))

    def states(self, well: str, field: int, t_start: int, t_stop: int) -> list[tuple[int, int]]:
        """Size and time of change of the full-resolution chunks of frames; (-1, -1) if missing."""
        where = self.fields[well, field]
        array = self.array(where, 0)
        found = []
        for t in range(t_start, t_stop):
            for path in chunk_files(array, _index(where.axes, t=t)):
                state = path.stat() if path.is_file() else None
                found.append((state.st_size, state.st_mtime_ns) if state else (-1, -1))
        return found

    def erase_frame(self, well: str, field: int, t: int, name: str | None = None) -> None:
        """Remove what an earlier run stored of a frame (or of its labels), at every level."""
        if name is None and self.in_place:
            return
        for array, index in self._arrays(well, field, t, name):
            for chunk in chunk_files(array, index):
                remove(chunk, self.layout.parent)

    def array(self, where: Field, level: int, name: str | None = None) -> zarr.Array:
        """The array of an image at a level, or of its labels; written by its job alone."""
        inner = Path("labels", name, str(level)) if name else Path(where.levels[level])
        return self._open(self.path / where.path / inner)

    def _taken(self, where: Field, t: int) -> list[tuple[slice, ...]]:
        """Places in an array of the channels of a frame."""
        names = self.channels_at(where.well, t)
        return [_index(where.axes, t=t, c=self.channel_index(name)) for name in names]

    def _arrays(
        self, well: str, field: int, t: int, name: str | None
    ) -> Iterator[tuple[zarr.Array, tuple[slice, ...]]]:
        """Each level of an image (or of its labels), and the place of a frame in it."""
        where = self.fields[well, field]
        for level, array_name in enumerate(where.levels):
            if name:
                yield self._label_array(well, field, t, name, level)
            else:
                yield self._open(self.path / where.path / array_name), _index(where.axes, t=t)

    def missing(self, where: Field, level: int, index: tuple[slice, ...]) -> list[Path]:
        """Missing chunks of an image under `index`.

        Other writers leave out chunks that are all zero. In a plate that is read in place, a
        chunk is therefore missing only if its coarsest level shows that there was something.
        """
        array = self.array(where, level)
        missing = missing_chunks(array, index)
        if not missing or not self.in_place or len(where.levels) == 1:
            return missing
        coarsest = self.array(where, -1)
        places = zip(chunk_files(array, index), chunk_places(array, index), strict=True)
        lost = []
        for path, place in places:
            if path in missing and np.asarray(coarsest[scaled(place, array, coarsest)]).any():
                lost.append(path)
        return lost

    def _label_array(
        self, well: str, field: int, t: int, name: str, level: int
    ) -> tuple[zarr.Array, tuple[slice, ...]]:
        where = self.fields[well, field]
        return self.array(where, level, name), _index(where.axes.replace("c", ""), t=t)


def _index(axes: str, **at: int) -> tuple[slice, ...]:
    """Slices along `axes`; slices, not integers, so that every reader takes the same path."""
    return tuple(
        slice(at[axis], at[axis] + 1) if axis in at and axis not in "yx" else slice(None)
        for axis in axes
    )


def _z(axes: str) -> int | None:
    """Place of the axis Z."""
    return axes.index("z") if "z" in axes else None


def open_in_place(array: Path) -> zarr.Array:
    """An array of a plate of others, to read only."""
    from cellpipe.plate.store import opened_to_read

    return opened_to_read(array)


def _opened(path: Path, owned: Path) -> zarr.Array:
    from cellpipe.plate.store import opened  # which brings zarr

    return opened(path, owned)
