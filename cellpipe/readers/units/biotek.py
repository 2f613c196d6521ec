"""What Gen5 (BioTek Cytation, Lionheart) writes into its TIFF: XML as the description of the image.

    <BTIImageMetaData>
      <ImageReference> <Date>11/29/26</Date> <Time>10:00:00</Time>
                       <ZStackStepSizeMicrons>2.5</ZStackStepSizeMicrons>
      <ImageAcquisition> <Channel Color="Stitched[DAPI 377,447]"> <ObjectiveSize>20</ObjectiveSize>
                         <NumericalAperture> <PixelWidth>1992</PixelWidth>
                         <ImageWidthMicrons>692.4</ImageWidthMicrons>

The edge of a pixel is the width of the image over its pixels. Names of the elements: BioTekReader
of bioformats2raw.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from cellpipe.readers import xml_text

MARK = "<BTIImageMetaData"
_NAME = re.compile(r"(?:\w+\[)*(?P<name>.*?)(?: \d+,\d+)?\]*")
Size = tuple[float, float]


def is_biotek(description: str) -> bool:
    return MARK in description


def size_um(description: str, shape: tuple[int, int]) -> tuple[Size | None, str]:
    """Edges of a pixel (y, x) in µm of an image of `shape` (rows, columns); or why there are none.

    An image of another number of pixels than was taken was cropped or binned since: it has none.
    """
    um = [_number(description, f"Image{side}Microns") for side in ("Height", "Width")]
    taken = [_number(description, f"Pixel{side}") for side in ("Height", "Width")]
    y, x = (edge / n if edge else None for edge, n in zip(um, shape, strict=True))
    if x is None:
        return None, ""
    if any(n and n != own for n, own in zip(taken, shape, strict=True)):
        return None, (
            f"BioTek ImageWidthMicrons is of an image of {taken[0] or 0:g} × {taken[1] or 0:g} "
            f"pixels, and this one has {shape[0]} × {shape[1]}"
        )
    return (y or x, x), ""


def z_step_um(description: str) -> float | None:
    return _number(description, "ZStackStepSizeMicrons")


def objective(description: str) -> str:
    """Such as "20x / NA 0.45"; "" where there is none."""
    power, aperture = (_number(description, n) for n in ("ObjectiveSize", "NumericalAperture"))
    words = f"{power:g}x" if power else ""
    return f"{words} / NA {aperture:g}" if words and aperture else words


def channel(description: str) -> str:
    """Name of the channel, without its wavelengths and what was done with the image."""
    for element in xml_text.named(_root(description), "Channel"):
        found = _NAME.fullmatch(element.get("Color", "").strip())
        return found["name"].strip() if found else ""
    return ""


def acquired_s(description: str) -> float | None:
    """When the image was taken, in seconds since some fixed day."""
    day, time = (_text(description, name) for name in ("Date", "Time"))
    try:
        return datetime.strptime(f"{day} {time}", "%m/%d/%y %H:%M:%S").timestamp()
    except ValueError:
        return None


def _number(description: str, name: str) -> float | None:
    return xml_text.number(_text(description, name))


def _text(description: str, name: str) -> str:
    element = next(xml_text.named(_root(description), name), None)
    return (element.text or "").strip() if element is not None else ""


@lru_cache(maxsize=1)  # of one file, which is asked for several things
def _root(description: str) -> xml_text.Element:
    start = description.index(MARK)
    return xml_text.parse(description[start:].rstrip("\0 \r\n"))
