"""What the tags of a TIFF say of scale and time: OME-XML, MetaSeries, ImageJ, plain resolution.

Tags are often wrong or broken. What cannot be understood is None, never an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import tifffile

# plain resolution tags are mostly left-overs of the screen: only what a microscope could have
PLAUSIBLE_UM = (0.02, 20.0)
_UM = {"µm": 1.0, "um": 1.0, "micron": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
_S = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0}
_CENTIMETRE = 3


def pixel_size_um(tiff: tifffile.TiffFile) -> float | None:
    """Size of a pixel in x."""
    return _first_positive(tiff, _ome_size, _metaseries_size, _imagej_size, _plain_size)


def time_step_s(tiff: tifffile.TiffFile) -> float | None:
    """Seconds between frames, where a file says it of the movie that it belongs to."""
    return _first_positive(tiff, _ome_step, _imagej_step)


def acquired_s(tiff: tifffile.TiffFile) -> float | None:
    """When the plane was taken, in seconds since some fixed day."""
    return _first_positive(tiff, _metaseries_time)


def _first_positive(tiff: Any, *sources: Callable[[Any], float | None]) -> float | None:
    for source in sources:
        try:
            value = source(tiff)
        except Exception:  # tags can hold anything
            continue
        if value is not None and math.isfinite(value) and value > 0:
            return float(value)
    return None


def _ome_pixels(tiff: Any) -> ElementTree.Element | None:
    if not tiff.ome_metadata:
        return None
    root = ElementTree.fromstring(tiff.ome_metadata)
    return next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)


def _ome_size(tiff: Any) -> float | None:
    pixels = _ome_pixels(tiff)
    if pixels is None or not pixels.get("PhysicalSizeX"):
        return None
    unit = pixels.get("PhysicalSizeXUnit", "µm").replace("μ", "µ")  # Greek mu, micro sign
    return float(pixels.get("PhysicalSizeX", "nan")) * _UM[unit]


def _ome_step(tiff: Any) -> float | None:
    pixels = _ome_pixels(tiff)
    if pixels is None or not pixels.get("TimeIncrement"):
        return None
    return float(pixels.get("TimeIncrement", "nan")) * _S[pixels.get("TimeIncrementUnit", "s")]


def _metaseries_plane(tiff: Any) -> dict[str, Any]:
    return (tiff.metaseries_metadata or {}).get("PlaneInfo", {}) if tiff.is_metaseries else {}


def _metaseries_size(tiff: Any) -> float | None:
    plane = _metaseries_plane(tiff)
    if not plane.get("spatial-calibration-state"):
        return None
    return float(plane["spatial-calibration-x"]) * _UM[plane["spatial-calibration-units"]]


def _metaseries_time(tiff: Any) -> float | None:
    taken = _metaseries_plane(tiff).get("acquisition-time-local")
    return taken.timestamp() if taken else None


def _imagej_size(tiff: Any) -> float | None:
    if not (tiff.is_imagej and tiff.imagej_metadata):
        return None
    unit = re.sub("[μ]", "µ", str(tiff.imagej_metadata.get("unit", ""))).lower()
    numerator, denominator = tiff.pages[0].tags["XResolution"].value
    return denominator / numerator * _UM[unit]


def _imagej_step(tiff: Any) -> float | None:
    if not (tiff.is_imagej and tiff.imagej_metadata):
        return None
    return float(tiff.imagej_metadata["finterval"])


def _plain_size(tiff: Any) -> float | None:
    """From the resolution in centimetres; inches are what image editors write."""
    tags = tiff.pages[0].tags
    if int(tags["ResolutionUnit"].value) != _CENTIMETRE:
        return None
    numerator, denominator = tags["XResolution"].value
    size = 1e4 * denominator / numerator
    return size if PLAUSIBLE_UM[0] <= size <= PLAUSIBLE_UM[1] else None
