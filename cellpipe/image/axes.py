"""Images with named axes, read by block: the one way through an image.

    plate.frame(…)         C Z Y X    pixels on disk
      └─ flattened(…)      C   Y X    the stack is projected, block by block, when it is read
           └─ cut(…)       C   Y X    a small frame: one block, in memory
                                      a large one: blocks, read when they are needed

A stage is one function, for one block as for many: it asks an image for its `blocks`, or lets
`by_block` hand it one after the other, each with a halo, and put together what comes of them. An
array is an image of one block, so that what is computed of it is computed of the array itself.

With several blocks, a stage returns the same objects; what it estimates from all pixels of an
image (percentiles, medians) it takes from an even sample of them (`sample_step`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from cellpipe.image.scratch import MakePlane
from cellpipe.image.tiles import Place, Plane, blocks, every_nth, widened

AXES = "czyx"
BLOCK_PX = 2048  # edge of a block with its halo


class Image:
    """Pixels or labels with axes out of C, Z, Y, X, in this order.

    pixels : an array, or anything that is read (and written) by one slice of step 1 per axis
    block_px : edge in y and x of the blocks that the image is worked through in, with their
        halos; None: the image is one block
    scratch : (shape, dtype) → zeros, for what is computed of an image of several blocks
    """

    def __init__(
        self,
        pixels: Plane,
        axes: str,
        *,
        block_px: int | None = None,
        scratch: MakePlane = np.zeros,
    ) -> None:
        if len(axes) != len(pixels.shape) or axes != "".join(a for a in AXES if a in axes):
            raise ValueError(f"axes '{axes}' for pixels of shape {tuple(pixels.shape)}")
        self.pixels, self.axes, self.block_px, self.scratch = pixels, axes, block_px, scratch
        self.shape, self.dtype = tuple(pixels.shape), np.dtype(pixels.dtype)
        self.ndim = len(axes)

    @classmethod
    def of(cls, pixels: Plane, axes: str) -> Image:
        """An image itself; an array, or what is read like one, as an image of one block."""
        return pixels if isinstance(pixels, Image) else cls(pixels, axes)

    @property
    def one_block(self) -> bool:
        return self.block_px is None

    @property
    def area_px(self) -> int:
        return self.shape[-2] * self.shape[-1]

    def size(self, axis: str) -> int:
        """Length of an axis; 1 where the image has no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def __getitem__(self, place: Any) -> np.ndarray:
        return np.asarray(self.pixels[place])

    def __setitem__(self, place: Any, value: Any) -> None:
        self.pixels[place] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self.whole()
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def whole(self) -> np.ndarray:
        """All of it, in memory; an array is returned unchanged."""
        if isinstance(self.pixels, np.ndarray):
            return self.pixels
        return np.asarray(self.pixels[tuple(slice(0, size) for size in self.shape)])

    def channel(self, c: int) -> Image:
        """One channel, without the axis C; not read yet."""
        return self.of_same_blocks(_at(self.pixels, 0, c), self.axes.removeprefix("c"))

    def channels(self, wanted: Sequence[int]) -> Image:
        """Some channels, in that order; not read yet."""
        if isinstance(self.pixels, np.ndarray):
            return self.of_same_blocks(self.pixels[list(wanted)], self.axes)
        return self.of_same_blocks(_Picked(self.pixels, wanted), self.axes)

    def plane(self, z: int) -> Image:
        """One plane of a stack, without the axis Z; not read yet."""
        return self.of_same_blocks(
            _at(self.pixels, self.axes.index("z"), z), self.axes.replace("z", "")
        )

    def of_same_blocks(self, pixels: Plane, axes: str) -> Image:
        """Other pixels that belong to this image, worked through in its blocks."""
        return Image(pixels, axes, block_px=self.block_px, scratch=self.scratch)

    def cut(self, most_mpx: float, scratch: MakePlane, block_px: int = BLOCK_PX) -> Image:
        """One block, read now, up to so many megapixels in y and x; else blocks, read later."""
        if self.area_px <= most_mpx * 1e6:
            return Image(self.whole(), self.axes)
        return Image(self.pixels, self.axes, block_px=block_px, scratch=scratch)

    def blocks(self, step: int = 1) -> Iterator[Place]:
        """Places (y, x) that cover the image once; they begin at multiples of `step`."""
        edge = max(self.shape[-2:]) if self.block_px is None else self.block_px
        return blocks(self.shape[-2:], max(edge // step, 1) * step)

    def by_block(
        self, make: Callable[[Place], np.ndarray], dtype: Any, halo_px: int = 0, axes: str = "yx"
    ) -> Plane:
        """A plane (Y, X) from what is made of each block, of which the halo is cut off.

        make : of a place (y, x), halo included
        axes : of what is made; "zyx" gives a stack
        """
        if self.block_px is None:
            (place,) = self.blocks()
            return make(place).astype(dtype, copy=False)
        into, whole = self.zeros(dtype, axes), [slice(None)] * (len(axes) - 2)
        for place in blocks(self.shape[-2:], max(self.block_px - 2 * halo_px, self.block_px // 2)):
            outer, inner = widened(place, halo_px, self.shape[-2:])
            into[*whole, *place] = make(outer)[..., *inner]
        return into

    def zeros(self, dtype: Any, axes: str = "yx") -> Image:
        """A plane (Y, X), or a stack "zyx", of zeros to be filled, in the blocks of this image."""
        shape = tuple(self.size(axis) for axis in axes)
        return self.of_same_blocks(self.scratch(shape, dtype), axes)

    def sample_step(self, most_px: int) -> int:
        """Every how many-th pixel of a plane gives no more than about so many of them."""
        return max(1, int(np.sqrt(self.area_px / most_px)))

    def sample(self, step: int) -> np.ndarray:
        """Every n-th pixel of a plane (Y, X) in y and x."""
        if isinstance(self.pixels, np.ndarray):
            return self.pixels[::step, ::step]
        return every_nth(self, step)


def plain(plane: Image) -> Plane:
    """The array itself of an image that is an array; else the image."""
    return plane.pixels if isinstance(plane.pixels, np.ndarray) else plane


def _at(pixels: Plane, axis: int, at: int) -> Plane:
    """The pixels at a place of an axis, without that axis."""
    if isinstance(pixels, np.ndarray):
        return pixels[(slice(None),) * axis + (at,)]
    return _Fixed(pixels, axis, at)


def with_channels(pixels: Plane) -> Image:
    """An image (C, Y, X); a plane (Y, X) is one channel. An array is not copied."""
    if len(pixels.shape) == 3:
        return Image.of(pixels, "cyx")
    if isinstance(pixels, np.ndarray):
        return Image(pixels[None], "cyx")
    return Image.of(pixels, "yx").of_same_blocks(_Stacked([pixels]), "cyx")


def stacked(planes: Sequence[Plane]) -> Plane:
    """Planes (Y, X) as the channels of one image (C, Y, X); those on disk stay there."""
    if all(isinstance(plane, np.ndarray) for plane in planes):
        return np.stack([np.asarray(plane) for plane in planes])
    return _Stacked(planes)


class _Stacked:
    """Planes as channels, without reading them."""

    def __init__(self, planes: Sequence[Plane]) -> None:
        self.planes = list(planes)
        self.shape, self.dtype = (len(self.planes), *planes[0].shape), planes[0].dtype

    def __getitem__(self, place: Any) -> np.ndarray:
        c, y, x = place
        return np.stack([np.asarray(plane[y, x]) for plane in self.planes[c]])

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("channels that were put together are only read")


class _Fixed:
    """What lies at a place of an axis, without reading it."""

    def __init__(self, pixels: Plane, axis: int, at: int) -> None:
        self.pixels, self.axis, self.at = pixels, axis, at
        self.shape = tuple(n for i, n in enumerate(pixels.shape) if i != axis)
        self.dtype = pixels.dtype

    def _place(self, place: Any) -> tuple[slice, ...]:
        cuts = list(place)
        cuts.insert(self.axis, slice(self.at, self.at + 1))
        return tuple(cuts)

    def __getitem__(self, place: Any) -> np.ndarray:
        return np.asarray(self.pixels[self._place(place)]).squeeze(self.axis)

    def __setitem__(self, place: Any, value: Any) -> None:
        self.pixels[self._place(place)] = np.expand_dims(value, self.axis)


class _Picked:
    """Some channels of what has the axis C first, in an order of their own, without reading it."""

    def __init__(self, pixels: Plane, wanted: Sequence[int]) -> None:
        self.pixels, self.wanted = pixels, list(wanted)
        self.shape, self.dtype = (len(self.wanted), *pixels.shape[1:]), pixels.dtype

    def __getitem__(self, place: Any) -> np.ndarray:
        c, *rest = place
        return np.concatenate(
            [np.asarray(self.pixels[(slice(i, i + 1), *rest)]) for i in self.wanted[c]]
        )

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("channels that were picked are only read")
