"""TIFF pages that decode without an error and are not whole.

A plane that is half blank looks like a dark field. Most decoders notice a broken stream; those of
fax (CCITT) and JPEG fill the rest with one grey, so their streams are checked here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage

LARGE_BYTES = 2**28  # above this, a plane must be in proportion to its file
MAX_COMPRESSION = 2000
_FAX = {2, 3, 4}
_JPEG = {6, 7}
_JPEG_2000 = {33003, 33004, 33005, 34712}
_JPEG_END = b"\xff\xd9"
_SCAN = b"\xff\xda"
_JPEG_START = b"\xff\xd8"
_JPEG_2000_STARTS = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n")  # a stream, and one in boxes


def refuse_truncated(plane: Any, path: Path) -> None:
    """Raise BadImage for a truncated file: it must never become a plane that is part zeros."""
    size = path.stat().st_size
    offsets, counts = plane.dataoffsets, plane.databytecounts
    end = max((o + c for o, c in zip(offsets, counts, strict=False)), default=0)
    if end > size or not counts or any(count == 0 for count in counts):
        raise BadImage(
            seen=f"{path} is truncated: {size:,} bytes",
            wanted=f"at least {end:,} bytes" if end > size else "pixels in every strip or tile",
            do="copy the file again from the microscope, then run again",
        )


def refuse_disproportion(plane: Any, path: Path) -> None:
    """Raise BadImage for a plane that a file of this size cannot hold."""
    claimed = math.prod(plane.shape) * np.dtype(plane.dtype).itemsize
    size = path.stat().st_size
    if claimed > LARGE_BYTES and claimed > MAX_COMPRESSION * size:
        raise BadImage(
            seen=f"{path} claims {claimed:,} bytes of pixels in a file of {size:,}",
            wanted="a size that the file can hold",
            do="copy the file again from the microscope, or leave it out",
        )


def refuse_broken_streams(tiff: Any, page: Any, pixels: np.ndarray, path: Path) -> None:
    """Raise BadImage where the compressed pixels of a page break off before its last row."""
    compression = int(page.compression)
    if compression in _FAX:
        _refuse_broken_fax(page, pixels, path)
    elif compression in _JPEG | _JPEG_2000:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            tiff.filehandle.seek(offset)
            if not tiff.filehandle.read(count).rstrip(b"\0").endswith(_JPEG_END):
                raise _broken(path, "a JPEG stream without an end")


def refuse_broken_file(path: Path) -> None:
    """Raise BadImage for a JPEG or JPEG 2000 file without an end: the rest would be grey."""
    if path.suffix.lower() not in {".jpg", ".jpeg", ".jp2"}:
        return
    content = path.read_bytes()
    whole = True  # of another kind, by its first bytes: its decoder checks it
    if content.startswith(_JPEG_START):
        whole = content.rfind(_JPEG_END) > content.rfind(_SCAN)
    elif content.startswith(_JPEG_2000_STARTS):
        whole = content.rstrip(b"\0").endswith(_JPEG_END)
    if not whole:
        raise _broken(path, "a JPEG stream without an end")


def _refuse_broken_fax(page: Any, pixels: np.ndarray, path: Path) -> None:
    """Decode with libtiff: two decoders continue differently after an invalid code."""
    from PIL import Image

    with Image.open(path) as image:
        image.seek(page.index)
        try:
            image.load()
        except OSError as fault:
            if fault.errno is not None:  # of the disk, not of the stream
                raise
            raise _broken(path, str(fault)) from fault
        other = np.asarray(image).astype(bool)
    if not _alike(np.squeeze(pixels).astype(bool), other):
        raise _broken(path, "two decoders do not agree on them")


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two bilevel images are equal up to rotation, reflection or inversion."""
    for turned in (np.rot90(other, k) for k in range(4)):
        for seen in (turned, turned[:, ::-1]):
            if seen.shape == one.shape and ((seen == one).all() or (seen != one).all()):
                return True
    return False


def _broken(path: Path, why: str) -> BadImage:
    return BadImage(
        seen=f"{path} is damaged: its compressed pixels break off ({why})",
        wanted="every row of the plane",
        do="copy the file again from the microscope, then run again; or leave it out",
    )
