"""Read one plane of a microscope's file, and refuse what is not a plane, with a message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.files.reach import is_regular
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import IMAGE_SUFFIXES
from cellpipe.readers.attempts import attempted
from cellpipe.readers.containers import containers
from cellpipe.readers.pixels import c01, colours, sign_bit
from cellpipe.readers.pixels.decoding import (
    refuse_broken_file,
    refuse_broken_streams,
    refuse_disproportion,
    refuse_truncated,
)
from cellpipe.readers.pixels.photometric import grey_values, pixel_note
from cellpipe.readers.units import tags

MAX_PLANE_PX = 2**30  # a plane beyond 32,000 × 32,000 is an error in a header, not an image
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # faults are reported here, as messages
_TIFF = {".tif", ".tiff", ".stk", ".c01", ".lsm", ".flex", ".btf", ".tf8"}
_OTHERS = IMAGE_SUFFIXES - _TIFF - set(containers.MODULES) - c01.SUFFIXES
T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """The metadata of a file's plane, read before its pixels.

    pixel_size_um : in x; pixel_size_y_um : in y, None where it is that of x
    scale_source, time_source : where in the file sizes and the time step are
    z_source : where the step in z is; "" where that is the place of the sizes
    scale_doubt : a pixel size that was seen and is not believed, and why
    scale_contradiction : another size of a pixel that was recorded, and where
    objective : as recorded, such as "20x / 0.4 Air"; "" where it is not
    scanned : whether a laser may have scanned the image, as those in containers
    pixel_note : how its numbers were read as grey values, where that is not plain
    """

    shape: tuple[int, int]
    dtype: str
    pixel_size_um: float | None = None
    time_step_s: float | None = None
    acquired_s: float | None = None
    pixel_size_y_um: float | None = None
    z_step_um: float | None = None
    scale_source: str = "metadata"
    time_source: str = "metadata"
    scale_doubt: str = ""
    pixel_note: str = ""
    z_source: str = ""
    scale_contradiction: str = ""
    objective: str = ""
    scanned: bool = False


def read_header(path: Path, page: int = ONLY) -> Header:
    """Read shape, dtype, scale and time of one plane. Raises BadImage, or Unreachable."""
    if containers.is_container(path):
        return _tried(lambda: _container_header(path, page), path)
    if path.suffix.lower() not in _TIFF | c01.SUFFIXES:
        plane = read_plane(path, page)
        return Header((plane.shape[0], plane.shape[1]), str(plane.dtype))
    return _tried(lambda: _header(path, page), path)


def _header(path: Path, page: int) -> Header:
    if c01.is_cellomics(path):
        own = c01.header(path)
        y_um, x_um = own.um or (None, None)
        source = f"{c01.SOURCE} of {path.name}"
        return Header(own.shape, own.dtype, x_um, pixel_size_y_um=y_um, scale_source=source,
                      scale_doubt=own.doubt)  # fmt: skip
    with _open(path) as tiff:
        plane = _page(tiff, page, path)
        voxel, (step_s, time_source) = tags.scale(tiff), tags.time_step_s(tiff)
        shape = _plane_shape(_colours_last(plane), path)
        off = sign_bit.may_be(path, plane.dtype) and _has_sign_bit(plane, path)
        return Header(
            shape,
            "uint16" if off else str(plane.dtype),
            voxel.x_um,
            step_s,
            tags.acquired_s(tiff),
            voxel.y_um,
            voxel.z_um,
            f"{voxel.source} of {path.name}",
            f"{time_source} of {path.name}",
            voxel.doubt,
            sign_bit.NOTE if off else pixel_note(plane, is_imagej=tiff.is_imagej),
            scale_contradiction=f"{voxel.contradiction} of {path.name}"
            if voxel.contradiction
            else "",
            objective=tags.objective_of(tiff),
        )


def _has_sign_bit(plane: Any, path: Path) -> bool:
    refuse_disproportion(plane, path)
    refuse_truncated(plane, path)
    return sign_bit.is_set(plane.asarray())


def read_plane(path: Path, page: int = ONLY, *, as_stored: bool = False) -> np.ndarray:
    """Read one grey plane, shape (Y, X), in the file's own dtype.

    `as_stored`: numbers are names (labels), so that neither white as zero nor a palette of colours
    (see `cellpipe.readers.pixels.photometric`) has a note on them.

    Raises BadImage, Unreachable where the file cannot be reached now, or BadConfig where a package
    for reading is missing.

    `page` is the plane within the file; with `ONLY`, a file of more than one is refused, because
    the others would be lost silently. Below it are the components of its colours (`colours`).
    """
    return _one_plane(_tried(lambda: _pixels(path, page, as_stored), path), path, page)


def _pixels(path: Path, page: int, as_stored: bool) -> np.ndarray:
    if containers.is_container(path):
        return containers.read_plane(path, page)
    if c01.is_cellomics(path):
        return c01.read(path)
    if path.suffix.lower() in _TIFF:
        return _read_tiff(path, page, as_stored)
    return _read_other(path)


def _container_header(path: Path, page: int) -> Header:
    contents = containers.contents_of(path)
    number, *_, channel = containers.plane_place(contents, page, path)
    view = contents.views[number]
    y_um, x_um = view.pixel_size_um or (None, None)
    return Header(
        view.shape,
        view.dtypes[channel],
        x_um,
        containers.time_step_s(view),
        pixel_size_y_um=y_um,
        z_step_um=view.z_step_um,
        scale_source=view.scale_source,
        time_source=view.time_source,
        scale_doubt=view.scale_doubt,
        objective=view.objective,
        scanned=True,
    )


def _tried(read: Callable[[], T], path: Path) -> T:
    """What `read` returns, repeated if the file cannot be reached; errors as messages."""
    _refuse_absent(path)
    memory = "one plane of the plate and its stack"
    return attempted(read, path, memory=memory, wanted="an image file of this layout")


def _open(path: Path) -> Any:
    import tifffile

    return tifffile.TiffFile(path)


def _read_tiff(path: Path, page: int, as_stored: bool) -> np.ndarray:
    with _open(path) as tiff:
        plane = _page(tiff, page, path)
        _plane_shape(_colours_last(plane), path)  # refuse a false size before it is allocated
        refuse_disproportion(plane, path)
        refuse_truncated(plane, path)
        pixels = plane.asarray()
        refuse_broken_streams(tiff, plane, pixels, path)
        if not as_stored:
            pixels = grey_values(pixels, plane, path, is_imagej=tiff.is_imagej)
            if sign_bit.may_be(path, pixels.dtype) and sign_bit.is_set(pixels):
                pixels = sign_bit.taken_off(pixels)
        return np.moveaxis(pixels, 0, -1) if plane.axes == "SYX" else pixels


def _colours_last(plane: Any) -> tuple[int, ...]:
    """Shape of a page whose colours may lie in planes of their own, as (Y, X, colour)."""
    shape = tuple(plane.shape)
    return (*shape[1:], shape[0]) if plane.axes == "SYX" else shape


def _page(tiff: Any, page: int, path: Path) -> Any:
    """The wanted page; of `ONLY`, the first, if the file has no other of its size."""
    first = tiff.pages[max(page, 0)]
    if page <= ONLY and len(tiff.pages) > 1:
        others = [other for other in tiff.pages[1:] if not _is_of_other_kind(other)]
        if others:
            sizes = {tuple(other.shape) for other in others} - {tuple(first.shape)}
            raise BadImage(
                seen=f"{path} holds {len(others) + 1} planes" + (" of several sizes" * bool(sizes)),
                wanted="one plane per file",
                do="list its planes by page in a CSV manifest"
                + (", or use the layout ome-tiff" if tiff.ome_metadata else ""),
            )
    # ImageJ writes what is larger than 4 GB so: the other planes follow the only page's pixels
    if tiff.is_imagej and len(tiff.pages) == 1 and (n := tiff.series[0].size // first.size) > 1:
        raise BadImage(
            seen=f"{path} holds {n} planes behind a single page",
            wanted="a page for each plane",
            do="save it again in parts of less than 4 GB, or as OME-TIFF",
        )
    return first


def _is_of_other_kind(page: Any) -> bool:
    """Whether a page is a smaller copy of another, or a mask: no plane that could be lost."""
    return bool(page.is_reduced or page.is_mask)


def _refuse_absent(path: Path) -> None:
    if not is_regular(path):
        raise BadImage(
            seen=f"no file {path}",
            wanted="every file that belongs to the plate",
            do="bring the file back, then run again",
        )


def _read_other(path: Path) -> np.ndarray:
    import imageio.v3

    if path.suffix.lower() not in _OTHERS:  # for unknown names imageio would try every plugin
        raise ValueError(f"its name does not end in one of {', '.join(sorted(_TIFF | _OTHERS))}")
    refuse_broken_file(path)
    return imageio.v3.imread(path)


def _plane_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int]:
    if len(shape) == 3 and shape[-1] in (3, 4):
        shape = shape[:2]  # colour; read_plane checks whether it may be read
    sides = [side for side in shape if side != 1] if len(shape) > 2 else list(shape)
    sides += [1] * (2 - len(sides))
    if len(sides) != 2 or min(sides) < 1 or sides[0] * sides[1] > MAX_PLANE_PX:
        raise BadImage(
            seen=f"{path} claims a plane of shape {shape}",
            wanted="one plane of rows and columns",
            do="leave the file out, or list its planes by page in a CSV manifest",
        )
    return int(sides[0]), int(sides[1])


def _one_plane(pixels: np.ndarray, path: Path, page: int) -> np.ndarray:
    plane = _grey(pixels, path, page)
    if plane.ndim > 2:
        plane = plane.reshape([side for side in plane.shape if side != 1] or [1])
        plane = plane.reshape(plane.shape + (1,) * (2 - plane.ndim))
    if plane.ndim != 2 or not plane.size or plane.dtype.kind not in "buif":
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


def _grey(pixels: np.ndarray, path: Path, page: int) -> np.ndarray:
    """The plane of a grey image that was stored as red, green and blue, or a chosen component."""
    if not colours.is_colour(pixels):
        return pixels
    if page < ONLY:
        return colours.component(pixels, page)
    grey = pixels[..., 0]
    if not all(np.array_equal(grey, pixels[..., i]) for i in (1, 2)):
        raise BadImage(
            seen=f"{path} is a colour image",
            wanted="one grey plane per file",
            do="choose its channels, or one of them, with 'ingest.colour_images' in the config",
        )
    return grey
