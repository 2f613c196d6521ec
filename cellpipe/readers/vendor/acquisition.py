"""How one file was taken, as far as its own tags hold it: channel, objective, stage position.

Read for a sample of a plate by `cellpipe inspect`; a run reads heights of a few planes of a stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellpipe.errors import BadImage
from cellpipe.image.units import micrometres
from cellpipe.readers import xml_text
from cellpipe.readers.containers import containers
from cellpipe.readers.units import biotek, tags
from cellpipe.readers.units import objective as objectives

ANYWHERE = "stage, in the directions of its axes"  # which no one recorded
_TIFF = {".tif", ".tiff", ".stk"}


@dataclass(frozen=True)
class Acquisition:
    """What the tags of a file hold; "" and None where they do not.

    position : of the centre (y, x) in µm, y downwards, relative to `origin`
    z_um : height of the objective or the stage
    source : kind of tags
    position_source : of the position, where it is another one
    """

    channel: str = ""
    objective: str = ""
    position: tuple[float, float] | None = None
    origin: str = ""
    z_um: float | None = None
    source: str = ""
    position_source: str = ""


def read_acquisition(path: Path, page: int) -> Acquisition:
    """Read the tags of a TIFF, or what a container holds of a page.

    Tags can hold anything: what cannot be understood is absent.
    """
    if containers.is_container(path):
        return _of_container(path, page)
    if path.suffix.lower() not in _TIFF:
        return Acquisition()
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            if tiff.is_metaseries:
                return _metaseries((tiff.metaseries_metadata or {}).get("PlaneInfo", {}))
            if text := tags.biotek_text(tiff):
                name, lens = biotek.channel(text), biotek.objective(text)
                return Acquisition(name, lens, source="BioTek tags")
            if tiff.ome_metadata:
                return _ome(*tags.ome_image(tiff), tags.objective_of(tiff), path.name, page)
    except Exception:  # a file that cannot be read is reported when its header is
        pass
    return Acquisition()


def _of_container(path: Path, page: int) -> Acquisition:
    """Its stage: how its axes lie to the image depends on the microscope; it is rarely recorded."""
    try:
        contents = containers.contents_of(path)
        number, *_, channel = containers.plane_place(contents, page, path)
    except BadImage:  # reported when its header is read
        return Acquisition()
    view = contents.views[number]
    x, y, z = view.stage_um or (None, None, None)
    return Acquisition(
        view.channels[channel],
        view.objective,
        None if x is None or y is None else (y, x),
        "stage" if view.stage_source else ANYWHERE,
        z,
        f"{path.suffix.lower()} metadata",
        view.stage_source,
    )


def _metaseries(plane: dict[str, Any]) -> Acquisition:
    """MetaXpress: y of the stage, and of the field in its well, points downwards on screen."""
    in_well = [xml_text.signed(plane.get(f"OffsetFromWellCenterUm{axis}")) for axis in "YX"]
    on_stage = [xml_text.signed(plane.get(f"stage-position-{axis}")) for axis in "yx"]
    y, x = in_well if None not in in_well else on_stage
    return Acquisition(
        str(plane.get("_IllumSetting_") or ""),
        objectives.of_metaseries(plane),
        (y, x) if y is not None and x is not None else None,
        "centre of the well" if None not in in_well else "stage",
        xml_text.signed(plane.get("z-position")),
        "MetaSeries tags",
    )


def _ome(
    image: xml_text.Element | None, alone: bool, objective: str, file: str, page: int
) -> Acquisition:
    """OME-XML: the channel of a page, and the place of the file's image if it has one image."""
    if image is None:
        return Acquisition()
    plane = next(xml_text.named(image, "Plane"), None)
    y, x = (ome_um(plane, f"Position{axis}") if alone else None for axis in "YX")
    return Acquisition(
        _ome_channel(image, file, max(page, 0)),
        objective,
        (y, x) if y is not None and x is not None else None,
        "stage",
        ome_um(plane, "PositionZ"),
        "OME-XML",
    )


def _ome_channel(image: xml_text.Element, file: str, page: int) -> str:
    """Name of the channel that a page of a file shows; "" where it is not clear, or has no name."""
    names = [str(channel.get("Name") or "") for channel in xml_text.named(image, "Channel")]
    if len(names) == 1:
        return names[0]
    for data in xml_text.named(image, "TiffData"):
        files = [uuid.get("FileName") for uuid in xml_text.named(data, "UUID")]
        first = xml_text.index(data.get("FirstC", "0"))
        own = not files or files[0] == file
        single = data.get("PlaneCount", "1" if "IFD" in data.attrib else "") == "1"
        if own and single and xml_text.index(data.get("IFD", "0")) == page and first is not None:
            return names[first] if first < len(names) else ""
    return ""


def ome_um(
    plane: xml_text.Element | None, name: str, without_unit: str = "reference frame"
) -> float | None:
    """A position of a plane of OME-XML (µm), by the name of its attribute.

    Without a unit, the schema's is the reference frame of the stage: no length.
    """
    if plane is None:
        return None
    unit = micrometres(plane.get(f"{name}Unit", without_unit))
    value = xml_text.signed(plane.get(name))
    return xml_text.signed(value * unit) if value is not None and unit else None
