"""The numbers of a TIFF page as grey values, by its PhotometricInterpretation.

    BlackIsZero     unchanged
    WhiteIsZero     turned round, so that more light is a larger number, as Bio-Formats does; of
                    files that ImageJ wrote unchanged: there it only records how they were shown (an
                    inverted lookup table), and the numbers are those that were measured.
                    So are black and white images (1 bit), which are masks
    palette         unchanged, if colours follow each other: false colours of grey values. Where
                    they jump from one number to the next, numbers are names of colours: refused
    others          colour, a mosaic of colours (CFA), a mask: refused

Baseline TIFF 6.0, section 3; of ImageJ: github.com/ome/bioformats, issue 3901.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
LINEAR_RAW = 34892
FULL = 65535.0  # of a colour in a palette
# Ways that the colours of a palette go, in full scales: grey and single colours 1, fire, jet and
# other rainbows 3 to 6; 256 colours that were picked from a photograph 15 and more
LONGEST = 8.0


def pixel_note(page: Any, *, is_imagej: bool) -> str:
    """A note on how the numbers of a page are read; "" if there is none."""
    kind = int(page.photometric)
    if kind == WHITE_IS_ZERO and not _is_bilevel(page):
        if is_imagej:
            return (
                "stored for an inverted lookup table (WhiteIsZero) by ImageJ: grey values are"
                " unchanged, as ImageJ shows them under the cursor"
            )
        return (
            "stored with white as zero (WhiteIsZero): grey values were turned round, so that more"
            " light is a larger number"
        )
    if kind == PALETTE:
        return "stored with a colour palette: its numbers are taken as grey values"
    return ""


def grey_values(pixels: np.ndarray, page: Any, path: Path, *, is_imagej: bool) -> np.ndarray:
    """The pixels of a page as grey values. Raises BadImage where they are none.

    Parameters
    ----------
    pixels : as decoded, (Y, X) or with a last axis of colours
    page : tifffile's page
    is_imagej : whether ImageJ wrote the file
    """
    kind = int(page.photometric)
    if kind == WHITE_IS_ZERO:
        return pixels if is_imagej or _is_bilevel(page) else _turned_round(pixels, page, path)
    if kind == PALETTE:
        _refuse_jumping(pixels, page, path)
    elif kind not in (BLACK_IS_ZERO, RGB, YCBCR, LINEAR_RAW):
        raise BadImage(
            seen=f"{path} holds pixels of kind {getattr(page.photometric, 'name', kind)}",
            wanted="one grey plane per file",
            do="export the channels as grey images",
        )
    return pixels


def _is_bilevel(page: Any) -> bool:
    return int(page.bitspersample) == 1


def _turned_round(pixels: np.ndarray, page: Any, path: Path) -> np.ndarray:
    if pixels.dtype.kind != "u":
        raise BadImage(
            seen=f"{path} is stored with white as zero, in numbers ({pixels.dtype}) whose largest"
            " is not known",
            wanted="grey values with black as zero, or unsigned whole numbers",
            do="export the file again with black as zero",
        )
    top = np.array(2 ** min(int(page.bitspersample), 8 * pixels.dtype.itemsize) - 1, pixels.dtype)
    return top - np.minimum(pixels, top)


def _refuse_jumping(pixels: np.ndarray, page: Any, path: Path) -> None:
    colours = page.colormap
    if colours is None:
        return
    used = np.unique(pixels[pixels < colours.shape[1]]).astype(np.int64)
    steps = np.abs(np.diff(colours[:, used].astype(float), axis=1)).max(axis=0) / FULL
    if steps.sum() > LONGEST:
        raise BadImage(
            seen=f"{path} is a colour image: the colours of its palette have no order",
            wanted="one grey plane per file",
            do="export the channels as grey images",
        )
