"""Formats that are not read, with the program that converts them: a sentence for each suffix.

Bio-Formats reads all of them. Its command bfconvert writes OME-TIFF, and bioformats2raw with
raw2ometiff does the same for images beyond memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

NOT_READ = "an image of a format that is not read"
ARCHIVE = "an archive, which is not unpacked"
NOT_IMAGES = "numbers of unknown meaning (HDF5)"
UNPACK = "unpack them, if they belong to the plate"
CONVERT = (
    "convert them to OME-TIFF with Bio-Formats (bfconvert; bioformats2raw and raw2ometiff where"
    " they are large), if they belong to the plate, and read that with the layout ome-tiff"
)
MAKERS = {
    ".vsi": "Evident cellSens",
    ".oir": "Evident FluoView",
    ".oib": "Olympus FluoView",
    ".oif": "Olympus FluoView",
    ".ims": "Imaris",
    ".dv": "DeltaVision",
    ".r3d": "DeltaVision",
    ".mvd2": "Volocity",
    ".sld": "SlideBook",
    ".sldy": "SlideBook",
    ".ndpi": "Hamamatsu",
    ".svs": "Aperio",
    ".scn": "Leica SCN",
    ".lof": "Leica LAS X",
    ".xlef": "Leica LAS X",
    ".zvi": "Zeiss AxioVision",
    ".lei": "Leica LCS",
    ".ipl": "IPLab",
    ".tf2": "OME-TIFF 2",
    ".jxr": "JPEG XR",
    ".dcm": "DICOM",
}
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"}
_HDF5 = {".h5", ".hdf5"}


def reason(path: str) -> str:
    """Why a file is not read, if it may hold images; "" for other files."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in MAKERS:
        return f"{NOT_READ} ({suffix}, {MAKERS[suffix]})"
    if suffix in _ARCHIVES:
        return ARCHIVE
    return NOT_IMAGES if suffix in _HDF5 else ""


def may_hold_images(why: str) -> bool:
    return why.startswith((NOT_READ, ARCHIVE, NOT_IMAGES))


def remedy(why: str) -> str:
    """What to do about files that are passed over for a reason from `reason`; "" for others."""
    if why == ARCHIVE:
        return UNPACK
    return CONVERT if why.startswith((NOT_READ, NOT_IMAGES)) else ""


def advice(paths: Iterable[str]) -> str:
    """What to do with a folder of nothing but such files; "" where there are none."""
    reasons = [why for path in paths if (why := reason(path))]
    return remedy(min(reasons)) if reasons else ""
