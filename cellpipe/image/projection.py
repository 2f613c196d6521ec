"""Stacks in z projected to a plane: a step of its own, which the config names (`project.method`).

Stages that work on planes are given projected frames; one that works on volumes is given the
stack. Where the projection is stored instead of the stack (`project.keep_stack: false`), it was
made by these functions too: the pixels are the same.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.image.axes import Image

Projection = Literal["max", "mean"]
METHODS: tuple[Projection, ...] = get_args(Projection)


def project(stack: np.ndarray, method: str = "max") -> np.ndarray:
    """A stack (Z, Y, X) as one plane (Y, X) of the same type; a stack of one plane is that plane.

    method : "max", the largest value over z; "mean", the mean over z, of integers the nearest
    """
    if len(stack) == 1:
        return stack[0]
    if method == "max":
        return stack.max(axis=0)
    if method != "mean":
        raise ValueError(f"projection {method!r}; wanted max or mean")
    mean = stack.mean(axis=0, dtype=np.float64)
    return (np.rint(mean) if stack.dtype.kind in "bui" else mean).astype(stack.dtype)


def flattened(image: Image, method: str = "max") -> Image:
    """An image without the axis Z; a stack is projected when it is read, channel by channel."""
    if "z" not in image.axes:
        return image
    if image.size("z") == 1:
        return image.plane(0)
    return image.of_same_blocks(_Projected(image, method), image.axes.replace("z", ""))


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

    def __init__(self, image: Image, method: str) -> None:
        self.image, self.method = image, method
        self.shape = tuple(
            n for n, axis in zip(image.shape, image.axes, strict=True) if axis != "z"
        )
        self.dtype = image.dtype

    def __getitem__(self, place: Any) -> np.ndarray:
        *c, y, x = place
        if not c:
            return project(self.image[:, y, x], self.method)
        channels = range(*c[0].indices(self.shape[0]))
        # one stack at a time is held
        stacks = (self.image[i : i + 1, :, y, x][0] for i in channels)
        return np.stack([project(stack, self.method) for stack in stacks])

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("what is projected is only read")
