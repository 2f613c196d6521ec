"""How the C library hands out the memory of feature maps."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

# glibc's mallopt, from malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
TOP_PAD_BYTES = 64 << 20
TILES_APART = 8  # what was given back must be fetched again: that takes a part of a tile's time

Tile = TypeVar("Tile")


@cache
def keep_freed_memory() -> None:
    """Keep what one frame frees for the next one, instead of giving it back to the system.

    A network frees and allocates hundreds of megabytes per frame. By default glibc maps each large
    block again, and the kernel clears it page by page: a seventh of the time of a frame of 640 ×
    640 pixels, at the same peak memory. All threads share one heap: those that decode chunks would
    each keep a heap of what they have freed. Does nothing where the C library is another one.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, TOP_PAD_BYTES)


def giving_back(tiles: Iterable[Tile]) -> Iterator[Tile]:
    """The tiles of a large frame; what is kept is given back now and then, and at the end.

    The heap is left with gaps that later feature maps do not fit in, and what comes after the tiles
    would be held on top of them.
    """
    give_back = _of_glibc("malloc_trim") or (lambda _: None)
    for n, tile in enumerate(tiles):
        if n % TILES_APART == 0:
            give_back(0)
        yield tile
    give_back(0)


def _of_glibc(name: str) -> Callable[..., Any] | None:
    """A function of the C library, if it has one of that name."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
