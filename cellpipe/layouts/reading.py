"""Read one plane of a microscope's file, and refuse what is no plane, in words."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from cellpipe.errors import BadImage

MAX_PLANE_PX = 2**31  # a plane beyond 46,000 × 46,000 is a lie in a header, not an image


@dataclass(frozen=True)
class Header:
    """What a file says of its plane, before its pixels are read."""

    shape: tuple[int, int]
    dtype: str
    pixel_size_um: float | None


def read_header(path: Path, page: int = 0) -> Header:
    """Read shape, dtype and pixel size of one plane. Raises BadImage."""
    if _is_tiff(path):
        import tifffile

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with tifffile.TiffFile(path) as tiff:
                    plane = tiff.pages[page]
                    shape = _plane_shape(tuple(plane.shape), path)
                    return Header(shape, str(plane.dtype), _pixel_size_um(tiff))
        except BadImage:
            raise
        except Exception as fault:  # a broken header can raise anything
            raise _unreadable(path, fault) from fault
    plane = read_plane(path, page)
    return Header(plane.shape, str(plane.dtype), None)


def read_plane(path: Path, page: int = 0) -> np.ndarray:
    """Read one grey plane, shape (Y, X), in the file's own dtype. Raises BadImage."""
    if not path.is_file():
        raise BadImage(
            seen=f"no file {path}",
            wanted="every file that was there when the plate was inspected",
            do="bring the file back, or inspect the plate again",
        )
    try:
        pixels = _read_tiff(path, page) if _is_tiff(path) else _read_other(path)
    except BadImage:
        raise
    except Exception as fault:  # decoders raise errors of many kinds on broken files
        raise _unreadable(path, fault) from fault
    return _one_plane(pixels, path)


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in {".tif", ".tiff", ".stk", ".c01"}


def _read_tiff(path: Path, page: int) -> np.ndarray:
    import tifffile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tifffile.TiffFile(path) as tiff:
            plane = tiff.pages[page]
            _plane_shape(tuple(plane.shape), path)  # refuse a false size before it is allocated
            # a truncated file must be an error, never a plane that is part zeros
            _refuse_truncated(plane, path)
            return plane.asarray()


def _refuse_truncated(plane, path: Path) -> None:  # noqa: ANN001 (tifffile's page types)
    size = path.stat().st_size
    offsets, counts = plane.dataoffsets, plane.databytecounts
    end = max((o + c for o, c in zip(offsets, counts, strict=False)), default=0)
    if end > size or any(count == 0 for count in counts):
        raise BadImage(
            seen=f"{path} is truncated: {size:,} bytes",
            wanted=f"at least {end:,} bytes",
            do="copy the file again from the microscope",
        )


def _read_other(path: Path) -> np.ndarray:
    import imageio.v3

    return imageio.v3.imread(path)


def _plane_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int]:
    sides = [side for side in shape if side != 1] if len(shape) > 2 else list(shape)
    if len(sides) == 3 and sides[-1] in (3, 4):
        sides = sides[:2]  # colour; read_plane tells whether it is grey stored as colour
    if len(sides) != 2 or min(sides) < 1 or sides[0] * sides[1] > MAX_PLANE_PX:
        raise BadImage(
            seen=f"{path} claims a plane of shape {shape}",
            wanted="one plane of rows and columns",
            do="leave the file out, or list its planes by page in a CSV manifest",
        )
    return int(sides[0]), int(sides[1])


def _one_plane(pixels: np.ndarray, path: Path) -> np.ndarray:
    plane = pixels
    if plane.ndim == 3 and plane.shape[-1] in (3, 4):
        grey = plane[..., 0]
        if not all(np.array_equal(grey, plane[..., i]) for i in (1, 2)):
            raise BadImage(
                seen=f"{path} is a colour image",
                wanted="one grey plane per file",
                do="export the channels one by one",
            )
        plane = grey
    plane = np.squeeze(plane) if plane.ndim > 2 else plane
    if plane.ndim != 2 or plane.dtype.kind not in "buif":
        raise BadImage(
            seen=f"{path} holds an array of shape {pixels.shape}, {pixels.dtype}",
            wanted="one plane (Y, X) of numbers",
            do="list its planes by page in a CSV manifest",
        )
    if plane.dtype == bool:
        plane = plane.astype(np.uint8)
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        raise BadImage(
            seen=f"{path} holds NaN or infinite pixels",
            wanted="finite pixels",
            do="export the file again",
        )
    return np.ascontiguousarray(plane.astype(plane.dtype.newbyteorder("="), copy=False))


def _pixel_size_um(tiff) -> float | None:  # noqa: ANN001 (tifffile.TiffFile)
    """Pixel size from OME-XML, MetaSeries or ImageJ tags; None where no tag says it."""
    if tiff.ome_metadata:
        pixels = next(ElementTree.fromstring(tiff.ome_metadata).iter(), None)
        for pixels in ElementTree.fromstring(tiff.ome_metadata).iter():
            if pixels.tag.endswith("Pixels") and pixels.get("PhysicalSizeX"):
                if pixels.get("PhysicalSizeXUnit", "µm") in ("µm", "um"):
                    return float(pixels.get("PhysicalSizeX", "nan"))
    if tiff.is_metaseries and tiff.metaseries_metadata:
        plane = tiff.metaseries_metadata.get("PlaneInfo", {})
        if plane.get("spatial-calibration-state") and plane.get("spatial-calibration-units") == "um":
            return float(plane["spatial-calibration-x"])
    if tiff.is_imagej and tiff.imagej_metadata:
        unit = str(tiff.imagej_metadata.get("unit", ""))
        resolution = tiff.pages[0].tags.get("XResolution")
        if re.fullmatch(r"(µm|um|micron|\\u00B5m)", unit) and resolution:
            numerator, denominator = resolution.value
            return float(denominator / numerator) if numerator else None
    return None


def _unreadable(path: Path, fault: Exception) -> BadImage:
    return BadImage(
        seen=f"{path} cannot be read ({type(fault).__name__}: {fault})",
        wanted="an image file of this layout",
        do="copy the file again from the microscope, or leave it out",
    )
