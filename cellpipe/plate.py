"""Pixels and labels of an OME-Zarr plate, frame by frame.

`plate_metadata` lays a plate out; this module fills and reads what was laid out. Every write is
of whole chunks that one job alone owns, and zarr writes a chunk aside and renames it, so a chunk
is there or it is not, never half. All-zero chunks are written too: a chunk that is missing was
never computed.

Axes are T, C, Z, Y, X, or the subset that a plate read in place has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from cellpipe.errors import BadImage


@dataclass(frozen=True)
class Field:
    """One field of one well: where its image lies in the plate and how it is shaped."""

    well: str
    field: int
    path: str  # below the plate, "B/03/1"
    axes: str  # of the image, "tczyx"
    shape: tuple[int, ...]
    dtype: str
    levels: tuple[str, ...]  # array names, full resolution first

    def size(self, axis: str) -> int:
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "shape": list(self.shape),
            "levels": list(self.levels),
            "n_t": self.size("t"),
        }

    @staticmethod
    def from_dict(described: Mapping[str, Any]) -> Field:
        known = {name: described[name] for name in Field.__dataclass_fields__}
        return Field(
            **{**known, "shape": tuple(known["shape"]), "levels": tuple(known["levels"])}
        )


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
        self.pixel_size_um: float = self._described["pixel_size_um"]
        self.time_step_s: float = self._described["time_step_s"]
        self.label_names: list[str] = self._described["labels"]

    @cached_property
    def fields(self) -> dict[tuple[str, int], Field]:
        """Fields by (well, field)."""
        described = (Field.from_dict(f) for f in self._described["fields"])
        return {(f.well, f.field): f for f in described}

    def channel_index(self, channel: str) -> int:
        return self.channels.index(channel)

    def read_frame(
        self, well: str, field: int, t: int, channels: list[str] | None = None, level: int = 0
    ) -> np.ndarray:
        """Pixels of one frame, shape (C, Y, X), the maximum over z, in the stored dtype.

        Raises BadImage where a chunk was never written, because zarr would give zeros.
        """
        where = self.fields[well, field]
        array = _opened(str(self.path / where.path / where.levels[level]))
        wanted = [self.channel_index(c) for c in (channels or self.channels)]
        planes = []
        for c in wanted:
            index = _index(where.axes, t=t, c=c)
            _refuse_missing_chunks(array, index, f"{self.name} {well} field {field} frame {t}")
            stack = np.asarray(array[index]).reshape(-1, *array.shape[-2:])
            planes.append(stack[0] if len(stack) == 1 else stack.max(axis=0))
        return np.stack(planes)

    def write_plane(self, well: str, field: int, t: int, c: int, z: int, pixels: np.ndarray) -> None:
        """Write one plane (Y, X) and its pyramid (means of 2 × 2)."""
        where = self.fields[well, field]
        for level in where.levels:
            array = _opened(str(self.path / where.path / level))
            pixels = pixels[: array.shape[-2], : array.shape[-1]]
            array[_index(where.axes, t=t, c=c, z=z)] = pixels.reshape(
                (1,) * (array.ndim - 2) + pixels.shape
            )
            pixels = _halved_mean(pixels)

    def read_labels(self, well: str, field: int, t: int, name: str, level: int = 0) -> np.ndarray:
        """Labels of one frame, shape (Y, X), uint32. Raises BadImage where they are missing."""
        array, index = self._label_array(well, field, t, name, level)
        _refuse_missing_chunks(array, index, f"{name} of {self.name} {well} field {field} frame {t}")
        return np.asarray(array[index]).reshape(array.shape[-2:])

    def write_labels(self, well: str, field: int, t: int, name: str, labels: np.ndarray) -> None:
        """Write the labels (Y, X) of one frame and their pyramid (nearest pixel of level 0)."""
        for level in range(len(self.fields[well, field].levels)):
            array, index = self._label_array(well, field, t, name, level)
            step = 2**level
            coarse = labels[::step, ::step][: array.shape[-2], : array.shape[-1]]
            array[index] = coarse.astype(np.uint32).reshape((1,) * (array.ndim - 2) + coarse.shape)

    def has_frame(self, well: str, field: int, t: int, name: str | None = None) -> bool:
        """Whether every full-resolution chunk of a frame (or of its labels) has been written."""
        where = self.fields[well, field]
        if name:
            array, index = self._label_array(well, field, t, name, 0)
        else:
            array = _opened(str(self.path / where.path / where.levels[0]))
            index = _index(where.axes, t=t)
        return not _missing_chunks(array, index)

    def _label_array(
        self, well: str, field: int, t: int, name: str, level: int
    ) -> tuple[zarr.Array, tuple[slice, ...]]:
        where = self.fields[well, field]
        array = _opened(str(self.path / where.path / "labels" / name / str(level)))
        return array, _index(where.axes.replace("c", ""), t=t)


def _index(axes: str, **at: int) -> tuple[slice, ...]:
    """Slices along `axes`; slices, not integers, so that every reader takes the same path."""
    return tuple(
        slice(at[axis], at[axis] + 1) if axis in at and axis not in "yx" else slice(None)
        for axis in axes
    )


@lru_cache(maxsize=512)
def _opened(path: str) -> zarr.Array:
    # open_array ignores this setting for arrays that exist (zarr 3.1.6): set it afterwards
    return zarr.open_array(path, mode="r+").with_config({"write_empty_chunks": True})


def _missing_chunks(array: zarr.Array, index: tuple[slice, ...]) -> list[Path]:
    """Files of the chunks under `index` that are not there."""
    import itertools

    grid = array.shards or array.chunks
    ranges = []
    for cut, size, edge in zip(index, array.shape, grid, strict=True):
        start, stop, _ = cut.indices(size)
        ranges.append(range(start // edge, -(-stop // edge)))
    root = Path(str(array.store_path).removeprefix("file://"))
    encode = array.metadata.encode_chunk_key
    keys = (encode(coordinates) for coordinates in itertools.product(*ranges))
    return [root / key for key in keys if not (root / key).is_file()]


def _refuse_missing_chunks(array: zarr.Array, index: tuple[slice, ...], what: str) -> None:
    missing = _missing_chunks(array, index)
    if missing:
        raise BadImage(
            seen=f"{len(missing)} missing chunk(s) of {what}, such as {missing[0]}",
            wanted="every chunk there (a missing one would read as zeros)",
            do="rerun the stage that wrote it, or fetch the plate again",
        )


def _halved_mean(pixels: np.ndarray) -> np.ndarray:
    """Mean over 2 × 2 pixels, shape (ceil(Y/2), ceil(X/2)), same dtype; the rim is repeated."""
    y, x = pixels.shape
    even = np.pad(pixels, ((0, y % 2), (0, x % 2)), mode="edge")
    if even.dtype.kind == "f":
        total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
        return (total / 4).astype(pixels.dtype)
    total = even[::2, ::2].astype(np.uint32)
    total += even[1::2, ::2]
    total += even[::2, 1::2]
    total += even[1::2, 1::2]
    return ((total + 2) >> 2).astype(pixels.dtype)
