"""Stacks in z projected to a plane: a step of its own, which the config names (`project.method`).

Stages that work on planes are given projected frames; one that works on volumes is given the
stack. Where the projection is stored instead of the stack (`project.keep_stack: false`), it was
made by these functions too: the pixels are the same.

A method is "max", "mean", "best_focus" or, with the number of a plane from 1 on, "plane 3".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.image.axes import Image
from cellpipe.image.focus import sharpest
from cellpipe.image.tiles import Plane

METHODS = ("max", "mean", "best_focus", "plane")


def method_of(options: Mapping[str, Any]) -> str:
    """The method of the section `project` of a config, with the number of the plane."""
    return f"plane {options['plane']}" if options["method"] == "plane" else options["method"]


def project(stack: np.ndarray, method: str = "max") -> np.ndarray:
    """A stack (Z, Y, X) as one plane (Y, X) of the same type; a stack of one plane is that plane.

    method : "max", the largest value over z; "mean", the mean over z, of integers the nearest;
        "best_focus", the sharpest plane; "plane 3", the third

    Raises BadImage for a stack that lacks the plane.
    """
    z = chosen_plane(stack, method)
    if z is not None:
        return stack[z]
    if method == "max":
        return stack.max(axis=0)
    if method != "mean":
        raise ValueError(f"projection {method!r}; wanted one of {', '.join(METHODS)}")
    mean = stack.mean(axis=0, dtype=np.float64)
    return (np.rint(mean) if stack.dtype.kind in "bui" else mean).astype(stack.dtype)


def chosen_plane(stack: Sequence[Plane] | np.ndarray, method: str) -> int | None:
    """The index of the plane (Y, X) that is taken of a stack; None where all planes are."""
    if len(stack) == 1:
        return 0
    if method == "best_focus":
        return sharpest(stack)
    word, _, number = method.partition(" ")
    if word != "plane":
        return None
    if int(number) > len(stack):
        raise BadImage(
            seen=f"a stack of {len(stack)} planes in z",
            wanted=f"plane {number} of it, as 'project.plane' asks for",
            do=f"set 'project.plane' to a number from 1 to {len(stack)}",
        )
    return int(number) - 1


def chosen_planes(image: Image, method: str) -> dict[int, int]:
    """Channel → z of the plane that is taken of its stack, of an image (C, Z, Y, X)."""
    if image.size("z") == 1:
        return {}
    found = {c: chosen_plane(_planes(image, c), method) for c in range(image.size("c"))}
    return {c: z for c, z in found.items() if z is not None}


def _planes(image: Image, c: int) -> list[Image]:
    """The planes (Y, X) of one channel of a stack, not read yet."""
    stack = image.channel(c) if "c" in image.axes else image
    return [stack.plane(z) for z in range(stack.size("z"))]


def flattened(
    image: Image, method: str = "max", chosen: Mapping[int, int] = MappingProxyType({})
) -> Image:
    """An image without the axis Z; a stack is projected when it is read, channel by channel.

    chosen : as of `chosen_planes`, where it is known already
    """
    if "z" not in image.axes:
        return image
    if image.size("z") == 1:
        return image.plane(0)
    return image.of_same_blocks(_Projected(image, method, chosen), image.axes.replace("z", ""))


def only_plane(labels: Image, what: str) -> Image:
    """Labels (Y, X) of an image (Z, Y, X) that has one plane. BadImage for a stack of labels."""
    if labels.size("z") == 1:
        return labels.plane(0) if "z" in labels.axes else labels
    raise BadImage(
        seen=f"{what} of {labels.size('z')} planes in z",
        wanted="labels of one plane",
        do="take the labels of the projection, or a step that works on volumes",
    )


class _Projected:
    """A stack (C, Z, Y, X) or (Z, Y, X), projected when it is read."""

    def __init__(self, image: Image, method: str, chosen: Mapping[int, int]) -> None:
        self.image, self.method = image, method
        self.shape = tuple(
            n for n, axis in zip(image.shape, image.axes, strict=True) if axis != "z"
        )
        self.dtype = image.dtype
        self._chosen: dict[int, int | None] = dict(chosen)

    def __getitem__(self, place: Any) -> np.ndarray:
        *c, y, x = place
        if not c:
            return self._plane(0, y, x)
        # one stack at a time is held
        return np.stack([self._plane(i, y, x) for i in range(*c[0].indices(self.shape[0]))])

    def _plane(self, c: int, y: slice, x: slice) -> np.ndarray:
        """A part of the projection of one channel."""
        if c not in self._chosen:  # by whole planes, whatever part is read
            self._chosen[c] = chosen_plane(_planes(self.image, c), self.method)
        z, own = self._chosen[c], (slice(c, c + 1),) if len(self.image.shape) == 4 else ()
        if z is None:
            stack = self.image[(*own, slice(0, self.image.size("z")), y, x)]
            return project(stack.reshape(stack.shape[-3:]), self.method)
        plane = self.image[(*own, slice(z, z + 1), y, x)]
        return plane.reshape(plane.shape[-2:])

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("what is projected is only read")
