"""OME-TIFF: planes listed by the OME-XML in the files or in a companion, never guessed.

    plate.companion.ome     <Plate> <Well Row Column> <WellSample> <ImageRef> ─┐
                            <Image> <Pixels> <TiffData FirstC FirstZ FirstT IFD> <UUID FileName>
    A.ome.tif  B.ome.tif …  the planes

Readers fill planes whose file is missing with zeros; here each plane is listed with its file, and
one that is missing is a fault that names it. Images that no plate holds have their well in the
image's or the file's name.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from cellpipe.errors import BadConfig, Unreachable
from cellpipe.files.reach import is_regular, reached
from cellpipe.readers import ONLY, xml_text
from cellpipe.readers.accounting.files import (
    IMAGE_SUFFIXES,
    NOT_LISTED,
    OTHER_LAYOUT,
    UNREADABLE,
    UNUSABLE,
    Files,
    NoPlanes,
    find_files,
    suffix,
)
from cellpipe.readers.containers.containers import distinct
from cellpipe.readers.layouts.numbers import planes_of
from cellpipe.readers.layouts.ome_limits import (
    refuse_absurd,
    refuse_more_than_pages,
    refuse_outside,
)
from cellpipe.readers.units.times import ome_times_s, uneven
from cellpipe.wells import row_name, well_name

_WELL = re.compile(r"(?<![A-Za-z0-9])([A-Z]{1,2}\d{1,2})(?![A-Za-z0-9])")
_OME_TIFF = re.compile(r"(?i)\.ome\.(?:tiff?|tf8)$")
MAX_LATE = 3  # movies of a plate that are named for the time between their frames
Element = xml_text.Element


def recognise(files: Files) -> int:
    """Files named as OME-TIFF; every image of a folder that has a companion file, and that file."""
    companions = [name for name in files.candidates if name.lower().endswith(".companion.ome")]
    folders = tuple({name.rpartition("/")[0] for name in companions})
    below = [name for name in files.candidates if name.rpartition("/")[0] in folders]
    of_companions = {*companions, *(name for name in below if suffix(name) in IMAGE_SUFFIXES)}
    return len(of_companions | {name for name in files.candidates if _OME_TIFF.search(name)})


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """List the planes that OME-XML below `folder` speaks of.

    A plane that it counts and gives no file has the path "". Images that it does not name, and
    OME-XML that cannot be read, are noted in `files`, the listing of the folder. The channel token
    is the channel's name, or its number from 1 where it has none.

    Raises
    ------
    BadConfig
        If there is no OME-XML that can be used, none of the planes' files is there, or a file
        name leaves the folder.
    Unreachable
        If a file cannot be reached.
    """
    files = files or find_files(folder)
    broken: list[BadConfig] = []
    rows = list(_rows(files, broken))
    _note_broken(broken, bool(rows), files)
    planes = _numbered_fields(_without_doubles(pd.DataFrame(rows)))
    _refuse_escapes(planes["path"], folder)
    _refuse_if_none_is_there(planes["path"], folder)
    planes = planes.assign(z=planes_of(planes["z"], planes["channel"]))
    files.pass_over_others(set(planes["path"]), NOT_LISTED)
    _name_wells(files)
    return planes[["path", "well", "field", "t", "channel", "z", "page"]].reset_index(drop=True)


def _rows(files: Files, broken: list[BadConfig]) -> Iterator[dict[str, object]]:
    """Planes of every image of every document; faults are added to `broken`."""
    seen: set[str] = set()
    late: list[str] = []
    for path, root in _documents(files, broken):
        uuid = root.get("UUID", path)
        try:
            places = _places(root)
        except (BadConfig, ValueError) as fault:
            broken.append(_broken(files, path, "its plate", fault))
            continue
        for identity, image in _by_id(root, "Image").items():
            mark = f"{_first_file(image, path)} {identity} {image.get('Name', '')}"
            if mark in seen:  # every file of a set has the metadata of all of them
                continue
            seen.add(mark)
            try:
                well, field = places.get(identity) or (_well_of_name(image, path), None)
                planes = list(_planes(image, path))
                refuse_more_than_pages(planes, files.folder, path)
            except (BadConfig, ValueError, LookupError, StopIteration) as fault:
                broken.append(_broken(files, path, f"image '{identity}'", fault))
                continue
            late += filter(None, [uneven(ome_times_s(image), f"well {well} ({path})")])
            of_image = {"well": well, "field": field, "image": f"{uuid} {identity}"}
            yield from ({**of_image, **plane} for plane in planes)
    files.notes += late[:MAX_LATE]
    if len(late) > MAX_LATE:
        files.notes.append(f"{len(late) - MAX_LATE} more movies are not evenly spaced in time")


def _name_wells(files: Files) -> None:
    """Note the wells of images that are passed over, in case a well has no others."""
    for path in files.passed_over:
        found = _WELL.search(PurePosixPath(path).name.replace("_", " "))
        if found:
            with contextlib.suppress(BadConfig):
                files.wells[path] = well_name(found[1])


def _documents(files: Files, broken: list[BadConfig]) -> Iterator[tuple[str, Element]]:
    """OME-XML below a folder: companions first, because they speak of whole plates."""
    paths = [p for p in files.candidates if re.search(r"(?i)\.ome(\.xml|\.tiff?|\.tf8)?$", p)]
    for path in sorted(paths, key=lambda p: (bool(re.search(r"(?i)tiff?$|tf8$", p)), p)):
        try:
            yield path, xml_text.parse(_xml(files, path))
        except xml_text.BadXml as fault:
            broken.append(_broken(files, path, "its OME-XML", fault))


def _broken(files: Files, path: str, what: str, fault: Exception) -> BadConfig:
    """The fault of one document or image, which is passed over; the others are used."""
    if isinstance(fault, BadConfig):
        files.pass_over(path, f"{UNUSABLE}: {fault.seen}")
        return fault
    seen = f"{what} cannot be read ({type(fault).__name__}: {fault})"
    files.pass_over(path, f"{UNUSABLE}: {seen}")
    return BadConfig(
        seen=f"{files.folder / path}: {seen}",
        wanted="whole OME-XML",
        do="copy the file again, or leave it out",
    )


def _note_broken(broken: list[BadConfig], some: bool, files: Files) -> None:
    """Note what was passed over; without anything else, it is the fault of the plate."""
    if broken and not some:
        raise broken[0]
    if not some:
        raise NoPlanes(
            seen=f"no OME-XML in the files of {files.folder}",
            wanted="OME-TIFF files (.ome.tif) or a .companion.ome file",
            do=OTHER_LAYOUT,
        )
    files.notes += [f"{fault.seen}: passed over" for fault in broken]


def _xml(files: Files, name: str) -> str | bytes:
    path = files.folder / name
    if path.suffix.lower() in {".ome", ".xml"}:
        if path.stat().st_size > xml_text.LARGEST_BYTES:
            raise xml_text.BadXml(f"{path.stat().st_size:,} bytes are no metadata")
        return reached(path.read_bytes, path)  # the document names its encoding itself
    import tifffile

    def read() -> str:
        with tifffile.TiffFile(path) as tiff:
            if not tiff.ome_metadata:
                raise ValueError("no OME-XML")
            return str(tiff.ome_metadata)

    try:
        return reached(read, path)
    except Unreachable:
        raise
    except Exception:  # its planes may be listed by the others, and are refused when they are read
        files.pass_over(name, UNREADABLE)
        return "<OME/>"


def _without_doubles(planes: pd.DataFrame) -> pd.DataFrame:
    """A plane of a file once; planes without a file are distinguished by their place."""
    absent = planes["path"] == ""
    there = planes[~absent].drop_duplicates(["path", "page", "channel"])
    return pd.concat([there, planes[absent].drop_duplicates()], ignore_index=True)


def _all(node: Element, name: str) -> Iterator[Element]:
    """Elements below `node` of that name, whatever the namespace's year."""
    return (e for e in node.iter() if e.tag.rpartition("}")[2] == name)


def _by_id(root: Element, name: str) -> dict[str, Element]:
    return {element.get("ID", ""): element for element in _all(root, name)}


def _places(root: Element) -> dict[str, tuple[str, int]]:
    """Well and field of each image that a plate holds, by the image's ID."""
    places = {}
    for well in _all(root, "Well"):
        name = well_name(f"{row_name(int(well.get('Row', 0)) + 1)}{int(well.get('Column', 0)) + 1}")
        for field, sample in enumerate(_all(well, "WellSample"), start=1):
            for image in _all(sample, "ImageRef"):
                places[image.get("ID", "")] = (name, field)
    return places


def _well_of_name(image: Element, path: str) -> str:
    for text in (image.get("Name", ""), PurePosixPath(path).name):
        found = _WELL.search(text.replace("_", " "))
        if found:
            return well_name(found[1])
    raise BadConfig(
        seen=f"the image '{image.get('Name', '')}' of {path}, which names no well",
        wanted="a plate in the OME-XML, or a well in the image's name, such as B03",
        do="list the planes in a CSV manifest",
    )


def _planes(image: Element, path: str) -> Iterator[dict[str, object]]:
    """The planes of one image, with the file and the page of each."""
    pixels = next(_all(image, "Pixels"))
    sizes = {axis: _size(pixels, axis) for axis in "CZT"}
    order = pixels.get("DimensionOrder", "XYCZT")[2:]
    names = [channel.get("Name") or "" for channel in _all(pixels, "Channel")]
    names = names if len(set(names)) == len(names) else list(distinct(names))
    samples = _samples(pixels, sizes["C"])
    sizes["C"] //= samples
    total = sizes["C"] * sizes["Z"] * sizes["T"]
    refuse_absurd(total, image, path)
    listed: set[int] = set()
    for data in _all(pixels, "TiffData"):
        file = next((uuid.get("FileName") for uuid in _all(data, "UUID")), None)
        page = int(data.get("IFD", 0))
        count = int(data.get("PlaneCount", 1 if "IFD" in data.attrib else total))
        place = {axis: int(data.get(f"First{axis}", 0)) for axis in "CZT"}
        refuse_outside(place, sizes, page, path)
        start = _index(place, order, sizes)
        where = PurePosixPath(path).parent / (file or PurePosixPath(path).name)
        for offset in range(min(count, total - start)):
            listed.add(start + offset)
            yield {
                "path": posixpath.normpath(where.as_posix()),
                **_plane(start + offset, order, sizes, names),
                # the colours of an only page are chosen by 'ingest.colour_images'
                "page": ONLY if samples > 1 and total == 1 else page + offset,
            }
    for index in sorted(set(range(total)) - listed):
        yield {"path": "", **_plane(index, order, sizes, names), "page": ONLY}


def _samples(pixels: Element, size: int) -> int:
    """Samples per pixel of colour images, which SizeC counts one by one; 1 of grey ones."""
    counted = [int(c.get("SamplesPerPixel", 1)) for c in _all(pixels, "Channel")]
    alike = len(set(counted)) == 1 and sum(counted) == size
    return counted[0] if alike else 1


def _size(pixels: Element, axis: str) -> int:
    """Planes along an axis: what SizeC, SizeZ or SizeT counts, or as far as planes are listed.

    Some microscopes list one time point more than they count; its plane is an image like the rest.
    """
    counted = int(pixels.get(f"Size{axis}", 1))
    listed = [int(data.get(f"First{axis}", 0)) for data in _all(pixels, "TiffData")]
    within = [first + 1 for first in listed if first < counted + len(listed)]  # not any number
    return max([counted, *within]) if counted > 0 else counted


def _plane(
    index: int, order: str, sizes: dict[str, int], names: Sequence[str]
) -> dict[str, object]:
    at = _unravelled(index, order, sizes)
    name = names[at["C"]] if at["C"] < len(names) else None
    return {"t": at["T"], "channel": name or str(at["C"] + 1), "z": at["Z"]}


def _index(place: dict[str, int], order: str, sizes: dict[str, int]) -> int:
    """Number of a plane in the order of dimensions, the first running fastest."""
    index, step = 0, 1
    for axis in order:
        index += place[axis] * step
        step *= sizes[axis]
    return index


def _unravelled(index: int, order: str, sizes: dict[str, int]) -> dict[str, int]:
    place = {}
    for axis in order:
        index, place[axis] = divmod(index, sizes[axis])
    return place


def _first_file(image: Element, path: str) -> str:
    return next((u.get("FileName", "") for u in _all(image, "UUID")), path)


def _numbered_fields(planes: pd.DataFrame) -> pd.DataFrame:
    """Images that no plate holds become the fields of their well, in the order of their files."""
    order = planes.drop_duplicates(["well", "image"]).groupby("well").cumcount() + 1
    numbers = dict(zip(planes.drop_duplicates(["well", "image"])["image"], order, strict=True))
    own = planes["field"].astype("object")
    return planes.assign(field=own.where(own.notna(), planes["image"].map(numbers)).astype("int64"))


def _refuse_escapes(paths: pd.Series, folder: Path) -> None:
    """File names come with the data: they must not make us read files elsewhere."""
    root = folder.resolve()
    for path in filter(None, paths.unique()):
        if not (folder / path).resolve().is_relative_to(root):
            raise BadConfig(
                seen=f"the file name '{path}' in OME-XML of {folder}",
                wanted=f"files below {folder}",
                do="move the file into the folder, or correct the OME-XML",
            )


def _refuse_if_none_is_there(paths: pd.Series, folder: Path) -> None:
    named = [path for path in paths.unique() if path]
    absent = [path for path in named if not is_regular(folder / path)]
    if len(absent) == len(named):
        first = (
            f"no file {folder / absent[0]}, nor any other of the {len(absent)}"
            if absent
            else (f"no file of {folder} among those")
        )
        raise BadConfig(
            seen=f"{first} that the OME-XML names",
            wanted="the files that hold the planes",
            do="copy them next to the OME-XML",
        )
