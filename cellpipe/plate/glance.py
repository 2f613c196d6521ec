"""A plane of an image that is not a plate of ours yet, and what a plane takes when it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def compressed_bytes(plane: np.ndarray) -> int:
    """Bytes of a plane (Y, X) as `trees.array` stores one: Zstandard 1 with byte shuffle."""
    from imagecodecs import blosc_encode

    size = plane.itemsize
    return len(
        blosc_encode(plane.tobytes(), 1, compressor="zstd", shuffle="shuffle", typesize=size)
    )


def plane_of_array(array: Path, axes: str, channel: int) -> np.ndarray:
    """The plane (Y, X) of a channel, at the first time point and in the middle of the stack.

    axes : of the array, such as "czyx". Chunks that are missing read as zeros.
    """
    import zarr

    stored = zarr.open_array(str(array), mode="r")
    middle = {"t": 0, "c": channel, "z": stored.shape[axes.index("z")] // 2 if "z" in axes else 0}
    index = tuple(slice(middle[axis], middle[axis] + 1) for axis in axes[:-2])
    return np.asarray(stored[index]).reshape(stored.shape[-2:])
