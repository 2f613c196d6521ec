"""Counts of planes in OME-XML that no file can hold: refused at once, before anything grows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.readers import xml_text

MAX_PLANES = 1_000_000  # of one image
MAX_ABSENT = 100  # planes counted per plane that is listed, or per page that a file holds
COUNTED = 1000  # planes of one file from which on its pages are counted
_DO = "correct SizeC, SizeZ and SizeT in the OME-XML, or leave the image out"


def refuse_absurd(total: int, image: xml_text.Element, path: str) -> None:
    """A count of planes beyond those that the metadata list is refused."""
    listed = sum(
        max(1, min(int(data.get("PlaneCount", total if "IFD" not in data.attrib else 1)), total))
        for data in xml_text.named(image, "TiffData")
    )
    if not 0 < total <= MAX_PLANES or total > MAX_ABSENT * max(listed, 1):
        raise BadConfig(
            seen=f"{path}, whose OME-XML counts {total:,} planes and lists {listed:,}",
            wanted=f"1 to {MAX_PLANES:,} planes, most of which are listed",
            do=_DO,
        )


def refuse_outside(place: dict[str, int], sizes: dict[str, int], page: int, path: str) -> None:
    wrong = [axis for axis in "CZT" if not 0 <= place[axis] < sizes[axis]]
    if wrong or page < 0:
        seen = f"First{wrong[0]}={place[wrong[0]]}" if wrong else f"IFD={page}"
        raise BadConfig(
            seen=f"{path}, whose OME-XML has TiffData with {seen}",
            wanted="planes within SizeC, SizeZ and SizeT, and pages from 0",
            do="correct the OME-XML, or leave the image out",
        )


def refuse_more_than_pages(planes: list[dict[str, object]], folder: Path, path: str) -> None:
    """Metadata that count far more planes in a file than it has pages are absurd.

    A few planes that are missing are kept, and each is named when it cannot be read.
    """
    counts = Counter(str(plane["path"]) for plane in planes if plane["path"])
    for file, n in counts.items():
        if n <= COUNTED or not (folder / file).is_file():
            continue
        pages = _pages(folder / file)
        if n > MAX_ABSENT * max(pages, 1):
            raise BadConfig(
                seen=f"{path}, whose OME-XML counts {n:,} planes in {file}, which has {pages:,}",
                wanted="as many planes as the file has pages",
                do=_DO,
            )


def _pages(path: Path) -> int:
    """Pages of a TIFF; 0 where it cannot be read."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return len(tiff.pages)
    except Exception:  # its planes are refused when they are read
        return 0
