"""Zeiss ZEN (.czi): scenes, times and planes by the directory of sub-blocks.

    scene ── channel, z, t ── tiles (M), placed by their first row and column into one plane

Wells come from the scenes of a carrier (rows and columns of its shapes). Sub-blocks of the image
pyramid are smaller copies, and are not used. Phases, views, illuminations, rotations are not read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers.containers import containers
from cellpipe.readers.containers.bounded import BoundedFile
from cellpipe.readers.containers.containers import View
from cellpipe.readers.containers.czi_metadata import Described, Scene, described
from cellpipe.readers.containers.czi_segments import (
    PIXELS,
    SubBlock,
    block_data,
    block_xml,
    decoded,
    read_header,
    read_xml,
    sub_blocks,
    time_stamps_s,
    walk,
)

MAX_PLANE_PX = 2**30
LARGE_BYTES = 2**28  # above this, a plane must be in proportion to what the file holds of it
MAX_COMPRESSION = 2000
_OTHER = {"H": "phases", "V": "views", "I": "illuminations", "R": "rotations", "B": "blocks"}
_COLOURS = ("red", "green", "blue")
Tiles = list[SubBlock]
Place = tuple[int, int, int]  # t, z, channel, as the directory numbers them


class Czi:
    """What is in a file; see `containers.Contents`."""

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        header = read_header(file)
        blocks = [block for block in sub_blocks(file, header) if not block.is_copy]
        if header.part:
            raise ValueError(f"it is part {header.part} of a file in several parts")
        _refuse_others(blocks)
        self.notes: list[str] = []
        if header.pending:
            self.notes.append(
                "the program that wrote it did not close it (update pending): planes may lack"
            )
        times = sorted({block.at.get("T", 0) for block in blocks})
        about = Described()
        if header.metadata:
            about = described(read_xml(file, header), len(times))
        else:
            self.notes.append("it has no metadata: scale, times and names are unknown")
        stamps_s = time_stamps_s(file, header)
        taken_s = stamps_s if len(stamps_s) == len(times) else list(about.times_s)
        self._origins: list[tuple[int, int]] = []
        self._tiles: list[dict[Place, Tiles]] = []
        self._channels: list[list[tuple[int, int]]] = []
        taken = dict(zip(times, taken_s, strict=False))
        self.views = tuple(
            self._view(scene, tile, tiles, about, taken)
            for scene, of_scene in sorted(_by_axis(blocks, "S").items())
            for tile, tiles in self._fields(about.scenes.get(scene, Scene()), scene, of_scene)
        )

    def _fields(
        self, scene: Scene, index: int, blocks: list[SubBlock]
    ) -> Iterator[tuple[int | None, list[SubBlock]]]:
        """A scene as one field; as a field for each tile, where it is too large for a plane."""
        _, _, (height, width) = _box(blocks)
        tiles = _by_axis(blocks, "M")
        if height * width <= MAX_PLANE_PX or len(tiles) < 2:
            yield None, blocks
            return
        self.notes.append(
            f"{scene.name or f'scene {index}'} is {height:,} × {width:,} pixels, more than a plane"
            f" may have: its {len(tiles)} tiles are fields, and objects where they overlap are in"
            " each of them"
        )
        yield from sorted(tiles.items())

    def _view(
        self,
        index: int,
        tile: int | None,
        blocks: list[SubBlock],
        about: Described,
        taken_s: dict[int, float],
    ) -> View:
        top, left, shape = _box(blocks)
        planes: dict[Place, Tiles] = defaultdict(list)
        for block in blocks:
            t, z, c = (block.at.get(axis, 0) for axis in "TZC")
            planes[t, z, c].append(block)
        scene = about.scenes.get(index, Scene())
        self._note_mosaic(scene.name or f"scene {index}", planes, shape)
        axes = [sorted({place[axis] for place in planes}) for axis in range(3)]
        (times, depths, numbers), first = axes, [axis[0] for axis in axes]
        n_t, n_z = times[-1] - times[0] + 1, depths[-1] - depths[0] + 1
        tokens, dtypes, parts = _channels(planes, numbers, about.channels)
        containers.refuse_absurd(n_t * n_z * len(tokens), len(planes))
        there = {
            (t - first[0], z - first[1], c)
            for t, z, number in planes
            for c, (own, _) in enumerate(parts)
            if own == number
        }
        every = {(t, z, c) for t in range(n_t) for z in range(n_z) for c in range(len(tokens))}
        self._origins.append((top, left))
        self._tiles.append({(t - first[0], z - first[1], c): p for (t, z, c), p in planes.items()})
        self._channels.append(parts)
        name = Path(self._file.name).name
        y, x, z_um = about.size_um
        return View(
            name=scene.name + (f"/tile {tile + 1}" if tile is not None else ""),
            shape=shape,
            channels=tokens,
            dtypes=dtypes,
            n_t=n_t,
            n_z=n_z,
            well=scene.well,
            absent=frozenset(every - there),
            pixel_size_um=(y or x, x) if x else None,
            z_step_um=z_um if n_z > 1 else None,
            scale_source=f"Scaling Distance of {name}",
            scale_doubt=about.scale_doubt,
            times_s={t - first[0]: taken_s[t] for t in times if t in taken_s},
            time_source=f"time stamps of {name}",
            stage_um=(scene.stage_um if tile is None else None) or self._stage_of(blocks[0]),
            objective=about.objective,
        )

    def _note_mosaic(self, scene: str, planes: dict[Place, Tiles], shape: tuple[int, int]) -> None:
        n_tiles = max(len(own) for own in planes.values())
        if math.prod(shape) > MAX_PLANE_PX:
            raise BadImage(
                seen=f"{self._file.name}: {scene} is an image of {shape[0]:,} × {shape[1]:,} pixels"
                f" from {n_tiles} tiles",
                wanted=f"at most {MAX_PLANE_PX:,} pixels",
                do="split it into tiles or smaller regions in ZEN (Split Scenes, Create Image "
                "Subset), or convert it with bioformats2raw",
            )
        if n_tiles == 1:
            return
        tiles = max(planes.values(), key=len)
        # what tiles cover at most: overlaps count twice
        empty = 1 - min(1.0, sum(math.prod(tile.size) for tile in tiles) / math.prod(shape))
        gaps = f"; at least {empty:.0%} of the image is covered by none, and is 0" * (empty > 0.01)
        self.notes.append(f"{scene} is put together from {n_tiles} tiles by their positions{gaps}")

    def _stage_of(self, tile: SubBlock) -> tuple[float, float, float | None] | None:
        """Position of the stage (µm) in the metadata of a sub-block."""
        root = block_xml(self._file, tile)
        if root is None:
            return None
        found = []
        for name in ("StageXPosition", "StageYPosition", "FocusPosition"):
            text = next((e.text for e in walk(root, f"Tags/{name}")), None)
            try:
                found.append(float(text or "nan"))
            except ValueError:
                found.append(math.nan)
        x, y, z = found
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        return x, y, z if math.isfinite(z) else None

    def read(self, view: int, t: int, z: int, channel: int) -> np.ndarray:
        """(Y, X) one plane, its tiles in their order: where they overlap, the last is on top."""
        number, sample = self._channels[view][channel]
        tiles = self._tiles[view][t, z, number]
        shape, dtype = self.views[view].shape, np.dtype(self.views[view].dtypes[channel])
        with self._file as file:
            packed = [block_data(file, tile)[1] for tile in tiles] if len(tiles) == 1 else None
            stored = sum(map(len, packed)) if packed else file.size
            claimed = math.prod(shape) * dtype.itemsize
            if claimed > LARGE_BYTES and claimed > MAX_COMPRESSION * stored:
                raise ValueError(f"{claimed:,} bytes of pixels from {stored:,} in the file")
            if packed:
                return _part(decoded(packed[0], tiles[0]), sample).astype(dtype, copy=True)
            plane = np.zeros(shape, dtype)
            top, left = self._origins[view]
            for tile in sorted(tiles, key=lambda tile: tile.at.get("M", 0)):
                y, x = tile.at["Y"] - top, tile.at["X"] - left
                pixels = _part(decoded(block_data(file, tile)[1], tile), sample)
                plane[y : y + tile.size[0], x : x + tile.size[1]] = pixels
        return plane


def _by_axis(blocks: Iterable[SubBlock], axis: str) -> dict[int, list[SubBlock]]:
    """Sub-blocks by their index in a dimension, 0 where they have none."""
    found: dict[int, list[SubBlock]] = defaultdict(list)
    for block in blocks:
        found[block.at.get(axis, 0)].append(block)
    return found


def _box(blocks: Sequence[SubBlock]) -> tuple[int, int, tuple[int, int]]:
    """First row and column of the image that tiles cover, and its rows and columns."""
    top, left = (min(block.at[axis] for block in blocks) for axis in "YX")
    bottom = max(block.at["Y"] + block.size[0] for block in blocks)
    right = max(block.at["X"] + block.size[1] for block in blocks)
    return top, left, (bottom - top, right - left)


def _part(pixels: np.ndarray, sample: int) -> np.ndarray:
    return pixels[..., sample]


def _channels(
    planes: dict[Place, Tiles], numbers: list[int], names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], list[tuple[int, int]]]:
    """Tokens, dtypes, and for each of them the channel's number and the part of its pixels."""
    tokens, dtypes, parts = [], [], []
    for number in numbers:
        kinds = {b.pixel_type for (_, _, c), own in planes.items() if c == number for b in own}
        if len(kinds) != 1 or next(iter(kinds)) not in PIXELS:
            raise ValueError(f"channel {number} has pixels of types {sorted(kinds)}")
        kind, samples = PIXELS[next(iter(kinds))]
        name = names[number] if 0 <= number < len(names) else ""
        name = name or str(number + 1)
        colours = [f"{name} {colour}" for colour in _COLOURS] if samples > 1 else [name]
        tokens += colours
        dtypes += [np.dtype(kind).name] * len(colours)
        # stored as blue, green, red
        parts += [(number, 2 - k if samples > 1 else 0) for k in range(len(colours))]
    return containers.distinct(tokens), tuple(dtypes), parts


def _refuse_others(blocks: list[SubBlock]) -> None:
    """Raise ValueError for files without planes, or with a dimension that is not read."""
    if not blocks:
        raise ValueError("no sub-block holds pixels in full size")
    for axis, name in _OTHER.items():
        found = {block.at.get(axis, 0) for block in blocks}
        if len(found) > 1:
            raise ValueError(f"it has {len(found)} {name}, which are not read: split it in ZEN")


def contents(path: Path) -> Czi:
    """What is in a file, without its pixels. Raises BadImage, ValueError and others."""
    file = BoundedFile(path)
    with file:
        return Czi(file)
