"""How the C library hands out the memory of feature maps."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# glibc's mallopt, from malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
TOP_PAD_BYTES = 64 << 20


@cache
def keep_freed_memory() -> None:
    """Keep what one frame frees for the next one, instead of giving it back to the system.

    A network frees and asks for hundreds of megabytes per frame. By default glibc maps each large
    block anew, and the kernel clears it page by page: a seventh of the time of a frame of 640 × 640
    pixels, at the same peak memory. All threads share one heap: those that decode chunks would
    each keep a heap of what they have freed. Does nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, TOP_PAD_BYTES)
