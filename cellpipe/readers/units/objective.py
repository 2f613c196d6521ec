"""The objective that a file records, and sizes of pixels that it excludes.

    pixel in the sample × magnification = pixel of the camera × binning = 0.5 to 60 µm

Pixels of cameras are 1.1 to 24 µm; binning by 4 and an adapter of 0.5x are within the limits. A tag
that holds the camera's pixel in place of the sample's is not: 6.45 µm at 10x would be a camera's
pixel of 64.5 µm. A laser that scans has no camera: with 10x it scans 1.5 mm in 128 pixels or more,
and zooms in by 40 at most. So limits are wider in containers (.nd2, .czi, .lif), which often hold
such images; 6.45 µm is outside of them from 25x on.
"""

from __future__ import annotations

import re
from typing import Any

from cellpipe.image.units import in_words
from cellpipe.readers import xml_text

CAMERA_UM = (0.5, 60.0)
SCANNED_UM = (0.1, 150.0)
POWERS = (0.5, 250.0)  # magnifications that objectives have
_POWER = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)?) ?[x×](?![a-z])", re.IGNORECASE)


def magnification(objective: str) -> float | None:
    """The magnification in the words for an objective ("Plan Apo 20x / 0.75"); None without one."""
    found = _POWER.search(objective)
    power = float(found[1].replace(",", ".")) if found else 0.0
    return power if POWERS[0] <= power <= POWERS[1] else None


def contradiction(size_um: tuple[float, float], objective: str, *, scanned: bool = False) -> str:
    """Why a pixel (y, x) of this size is not seen through an objective; "" if it may be.

    scanned : whether a laser may have scanned the image
    """
    least, most = SCANNED_UM if scanned else CAMERA_UM
    power = magnification(objective)
    if power is None:
        return ""
    low, high = (power * edge for edge in (min(size_um), max(size_um)))
    if least <= low and high <= most:
        return ""
    camera = high if high > most else low
    return (
        f"{in_words(*size_um)}, which the objective '{objective}' contradicts: the camera's pixel "
        f"would be {camera:.3g} µm (with binning, {least:g} to {most:g})"
    )


def of_metaseries(plane: dict[str, Any]) -> str:
    """The objective in the tags of MetaXpress, with its aperture."""
    words = str(plane.get("_MagSetting_") or plane.get("ImageXpress Micro Objective") or "")
    aperture = xml_text.number(str(plane.get("_MagNA_")))
    return f"{words} / NA {aperture:g}" if words and aperture else words


def of_ome(root: xml_text.Element, image: xml_text.Element | None = None) -> str:
    """The objective of an image of OME-XML; the only one of the file where the image names none."""
    there = list(xml_text.named(root, "Objective"))
    settings = [] if image is None else list(xml_text.named(image, "ObjectiveSettings"))
    named = {setting.get("ID") for setting in settings}
    own = [one for one in there if one.get("ID") in named] or there
    return in_ome(own[0]) if len(own) == 1 else ""


def in_ome(element: xml_text.Element) -> str:
    """An Objective of OME-XML as text; its model where it has no magnification."""
    power, aperture = (xml_text.number(element.get(n)) for n in ("NominalMagnification", "LensNA"))
    if not power:
        return element.get("Model", "")
    return f"{power:g}x / NA {aperture:g}" if aperture else f"{power:g}x"
