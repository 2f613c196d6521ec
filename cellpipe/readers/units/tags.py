"""What the tags of a TIFF hold of scale and time: OME-XML, MetaSeries, BioTek, ImageJ, resolution.

Tags are often wrong or broken. What cannot be understood is absent, never an error; and what is
understood but not trusted is kept as a doubt, as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpipe.image.units import in_words, micrometres, seconds
from cellpipe.readers import xml_text
from cellpipe.readers.units import biotek, objective
from cellpipe.readers.units.times import ome_times_s, usual_step_s

if TYPE_CHECKING:
    import tifffile

# Plain resolution is about the paper, the screen or the camera; only what a pixel in the sample
# can be. Pixels of cameras are 3.45 µm or more (Harmony writes 6.45), those in the sample less.
PLAUSIBLE_UM = (0.02, 3.0)
# Writers of TIFF whose resolution in centimetres is the sample's, because a person gave it.
MOST_UM = 50.0  # a pixel in the sample; 72 dots per inch are 353 µm, 300 are 85 µm
BELIEVED = re.compile(r"^(?:tifffile\.py|cellpipe)", re.IGNORECASE)
_CENTIMETRE = 3
TOLERANCE = 0.01  # of a size: what differs by more is another size


@dataclass(frozen=True)
class Voxel:
    """Edges of a voxel in µm, with their place in the file; None where it has none.

    doubt : a pixel size that was seen and is not believed, and why; "" without any
    contradiction : another size in the same file, and where; "" without any
    """

    y_um: float | None = None
    x_um: float | None = None
    z_um: float | None = None
    source: str = ""
    doubt: str = ""
    contradiction: str = ""


def scale(tiff: tifffile.TiffFile) -> Voxel:
    """Size of a pixel, and the step in z; the first place that has one, and one that differs."""
    doubts: list[str] = []
    first: Voxel | None = None
    for source in (_ome_scale, _metaseries_scale, _biotek_scale, _imagej_scale, _plain_scale):
        try:
            found = source(tiff)
        except Exception:  # tags can hold anything
            continue
        if found is not None and found.x_um and max(found.x_um, found.y_um or 0) > MOST_UM:
            seen = in_words(found.y_um or found.x_um, found.x_um)
            doubts.append(f"{seen} in the {found.source} is a pixel of a screen or of paper")
        elif found is not None and found.x_um and first is None:
            first = found
        elif found is not None and found.x_um and first and not _alike(first, found):
            seen = f"{in_words(found.y_um or found.x_um, found.x_um)} in the {found.source}"
            return replace(first, contradiction=f"{seen}, unlike the {first.source}")
        elif found is not None and found.doubt and first is None:
            doubts.append(found.doubt)
    return first or Voxel(doubt="; ".join(doubts))


def _alike(one: Voxel, other: Voxel) -> bool:
    sizes = ((one.y_um, other.y_um), (one.x_um, other.x_um))
    return all(abs(a - b) <= TOLERANCE * b for a, b in sizes if a and b)


def objective_of(tiff: tifffile.TiffFile) -> str:
    """The objective, as MetaSeries tags, OME-XML or BioTek's XML hold it; "" where they do not."""
    try:
        if tiff.is_metaseries:
            return objective.of_metaseries(_metaseries_plane(tiff))
        if tiff.ome_metadata:
            folder = str(Path(tiff.filehandle.path).parent)
            root = _root_of(tiff.ome_metadata, folder)
            return objective.of_ome(root, ome_image(tiff)[0])
        if text := biotek_text(tiff):
            return biotek.objective(text)
    except Exception:  # tags can hold anything
        pass
    return ""


def time_step_s(tiff: tifffile.TiffFile) -> tuple[float | None, str]:
    """Seconds between frames, where a file has it, and its place there."""
    for source, name in (
        (_ome_step, "OME-XML TimeIncrement"),
        (_ome_delta, "OME-XML DeltaT"),
        (_imagej_step, "ImageJ finterval"),
    ):
        value = _quietly(source, tiff)
        if value:
            return value, name
    return None, ""


def acquired_s(tiff: tifffile.TiffFile) -> float | None:
    """When the plane was taken, in seconds since some fixed day."""
    return _quietly(_metaseries_time, tiff) or _quietly(_biotek_time, tiff)


def _quietly(source: Callable[[Any], float | None], tiff: Any) -> float | None:
    try:
        return xml_text.number(str(source(tiff)))
    except Exception:  # tags can hold anything
        return None


def _ome_pixels(tiff: Any) -> xml_text.Element | None:
    if not tiff.ome_metadata:
        return None
    return _pixels_of(tiff.ome_metadata, str(Path(tiff.filehandle.path).parent))


def ome_image(tiff: Any) -> tuple[xml_text.Element | None, bool]:
    """An Image of a file's OME-XML, or of its companion; whether it is the only one of the file.

    Each file of a plate may hold the XML of all. The images of a file are those whose TiffData
    name it; where none does, and there are several, the first stands for them.
    """
    if not tiff.ome_metadata:
        return None, False
    path = Path(tiff.filehandle.path)
    images = list(xml_text.named(_root_of(tiff.ome_metadata, str(path.parent)), "Image"))
    names = [{u.get("FileName", "") for u in xml_text.named(i, "UUID")} for i in images]
    own = [image for image, files in zip(images, names, strict=True) if path.name in files]
    own = own or images
    return (own[0] if own else None), len(own) == 1


@lru_cache(maxsize=64)
def _pixels_of(text: str, folder: str) -> xml_text.Element | None:
    """The first Pixels of OME-XML."""
    return next(xml_text.named(_root_of(text, folder), "Pixels"), None)


@lru_cache(maxsize=1)  # of one file, which is asked for sizes, times and objective
def _root_of(text: str, folder: str) -> xml_text.Element:
    """OME-XML; where a file only names its companion, that of the companion."""
    root = xml_text.parse(text)
    for only in xml_text.named(root, "BinaryOnly"):
        name = only.get("MetadataFile", "")
        if name and name == Path(name).name:  # next to the file, nowhere else
            root = xml_text.read(Path(folder, name))
    return root


def _ome_scale(tiff: Any) -> Voxel | None:
    pixels = _ome_pixels(tiff)
    if pixels is None:
        return None
    um = {axis: ome_length(pixels, f"PhysicalSize{axis}") for axis in "XYZ"}
    if um["X"] is None:
        unit = pixels.get("PhysicalSizeXUnit")
        seen = f"OME-XML PhysicalSizeX = '{pixels.get('PhysicalSizeX')}' {unit or ''}".strip()
        return Voxel(doubt=f"{seen}, which is no length" if pixels.get("PhysicalSizeX") else "")
    return Voxel(um["Y"] or um["X"], um["X"], um["Z"], "OME-XML PhysicalSizeX")


def ome_length(pixels: xml_text.Element, name: str) -> float | None:
    """A size in an attribute of OME-XML (µm); the schema's unit is µm where none is stated."""
    size, unit = xml_text.number(pixels.get(name)), micrometres(pixels.get(f"{name}Unit", "µm"))
    return xml_text.number(str(size * unit)) if size and unit else None


def _ome_step(tiff: Any) -> float | None:
    pixels = _ome_pixels(tiff)
    if pixels is None:
        return None
    step = xml_text.number(pixels.get("TimeIncrement"))
    unit = seconds(pixels.get("TimeIncrementUnit", "s"))
    return step * unit if step and unit else None


def _ome_delta(tiff: Any) -> float | None:
    pixels = _ome_pixels(tiff)
    return usual_step_s(ome_times_s(pixels)) if pixels is not None else None


def _metaseries_plane(tiff: Any) -> dict[str, Any]:
    return (tiff.metaseries_metadata or {}).get("PlaneInfo", {}) if tiff.is_metaseries else {}


def _metaseries_scale(tiff: Any) -> Voxel | None:
    plane = _metaseries_plane(tiff)
    if not plane.get("spatial-calibration-state"):
        return None
    unit = micrometres(plane["spatial-calibration-units"])
    x, y = (xml_text.number(plane.get(f"spatial-calibration-{axis}")) for axis in "xy")
    if not (x and unit):
        return Voxel(doubt=f"MetaSeries calibration in '{plane['spatial-calibration-units']}'")
    return Voxel((y or x) * unit, x * unit, None, "MetaSeries spatial-calibration-x")


def _metaseries_time(tiff: Any) -> float | None:
    taken = _metaseries_plane(tiff).get("acquisition-time-local")
    return taken.timestamp() if taken else None


def biotek_text(tiff: Any) -> str:
    """The description that Gen5 wrote; "" where another program did."""
    text = str(tiff.pages[0].description or "")
    return text if biotek.is_biotek(text) else ""


def _biotek_scale(tiff: Any) -> Voxel | None:
    text = biotek_text(tiff)
    if not text:
        return None
    page = tiff.pages[0]
    size, doubt = biotek.size_um(text, (page.imagelength, page.imagewidth))
    if size is None:
        return Voxel(doubt=doubt)
    return Voxel(*size, biotek.z_step_um(text), "BioTek ImageWidthMicrons")


def _biotek_time(tiff: Any) -> float | None:
    text = biotek_text(tiff)
    return biotek.acquired_s(text) if text else None


def _imagej_scale(tiff: Any) -> Voxel | None:
    if not (tiff.is_imagej and tiff.imagej_metadata):
        return None
    about = tiff.imagej_metadata
    unit = micrometres(str(about.get("unit", "")))
    if unit is None:
        return None
    x, y = _resolution(tiff)
    if unit == micrometres("inch"):
        words = in_words(y * unit, x * unit)
        return Voxel(doubt=f"{words} in the ImageJ resolution is in inches, as for a printer")
    # an axis may have a unit of its own
    own = micrometres(str(about.get("yunit", "")).strip('"')) or unit
    spacing = xml_text.number(str(about.get("spacing")))
    z = spacing * unit if spacing and int(about.get("slices", 1)) > 1 else None
    return Voxel(y * own, x * unit, z, "ImageJ resolution")


def _imagej_step(tiff: Any) -> float | None:
    if not (tiff.is_imagej and tiff.imagej_metadata):
        return None
    interval = xml_text.number(str(tiff.imagej_metadata.get("finterval")))
    unit = seconds(str(tiff.imagej_metadata.get("tunit", "s")))
    return interval * unit if interval and unit else None


def _plain_scale(tiff: Any) -> Voxel | None:
    """From the resolution in centimetres; inches are what image editors write."""
    tags = tiff.pages[0].tags
    if int(tags["ResolutionUnit"].value) != _CENTIMETRE:
        return None
    x, y = (1e4 * size for size in _resolution(tiff))
    low, high = PLAUSIBLE_UM
    writer = str(tags["Software"].value).strip() if "Software" in tags else ""
    seen = f"the TIFF resolution tag of {x:g} µm"
    if x > high or y > high:
        return Voxel(doubt=f"{seen} is the camera's or the screen's pixel, not the sample's")
    if x < low or y < low:
        return Voxel(doubt=f"{seen} is smaller than any microscope's pixel")
    if not BELIEVED.match(writer):
        by = f"'{writer[:40]}'" if writer else "a program that does not give its name"
        return Voxel(
            doubt=f"{seen} was written by {by}, which may not state the sample's pixel size"
        )
    return Voxel(y, x, None, "TIFF resolution tag")


def _resolution(tiff: Any) -> tuple[float, float]:
    """Units per pixel in x and y."""
    tags = tiff.pages[0].tags
    x, y = (tags[name].value for name in ("XResolution", "YResolution"))
    return x[1] / x[0], y[1] / y[0]
