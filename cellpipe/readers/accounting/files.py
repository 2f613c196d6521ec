"""Files below the folder of a plate, and why each of those that are not used was passed over.

Every file ends up in one of three places: its planes are used, its field is quarantined, or it is
passed over with a reason. A layout is given the files that may be images, strikes off those that it
recognises and excludes (thumbnails, projections), and what it does not match is passed over too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cellpipe.errors import BadConfig, Unreachable
from cellpipe.files.reach import RETRIES, reached

# reasons, as a person reads them in log, report and tables
HIDDEN = "hidden or system file"
NOT_IMAGE = "not an image"
NOT_NAMED = "an image whose name does not match the layout"
LIKE_THE_OTHERS = "an image named like the others, but not as the layout requires"
NOT_LISTED = "an image that the metadata do not list"
OTHER_FORMAT = "an image of another format than the layout's"
THUMBNAIL = "thumbnail"
PROJECTION = "projection made by the instrument"
DERIVED = "image that the instrument made of others (stitched or transformed)"
CORRECTION = "image for the correction of the instrument (dark or flat field)"
LABELS = "labels of the Cell Tracking Challenge (truth or result), which are no images"
LINK_OUT = "behind a link that leads out of the folder"
LINK_FOLDER = "a link to a folder, which is not followed"
LINK_INSIDE = "a link to a folder of the plate, whose files are used by their own paths"
LINK_NOWHERE = "a link that leads nowhere"
NO_FILE = "not a file (a pipe, socket or device)"
UNFINISHED = "an unfinished or old copy of an image, by its name"
UNREADABLE = "an OME-TIFF that cannot be read, or has no OME-XML"
UNUSABLE = "an image that cannot be used"  # and why
NO_WELL = "an image whose name has no well where the layout expects it"
NO_NAME = "a name that is not UTF-8"

OTHER_LAYOUT = "correct the folder, or the layout, in the sheet of plates"  # a remedy

PATIENCE = 5  # folders that cannot be listed, after which none is tried again
_IMAGES = (
    ".tif .tiff .stk .c01 .dib .lsm .flex .btf .tf8 "
    ".png .bmp .jpg .jpeg .jp2 .pgm .gif .nd2 .czi .lif"
)
_COPIES = ".part .partial .filepart .crdownload .download .tmp .temp .bak .old .orig .backup"
_SYSTEM = "thumbs.db ehthumbs.db ehthumbs_vista.db desktop.ini lost+found __macosx @eadir"
IMAGE_SUFFIXES = frozenset(_IMAGES.split())
_COPY_SUFFIXES = frozenset(_COPIES.split())
_SYSTEM_NAMES = {*_SYSTEM.split(), "icon\r", "$recycle.bin", "system volume information"}
_THUMBNAIL = re.compile(
    r"(?:^|[^A-Za-z])(?i:thumb(?:nail)?s?)(?=[^A-Za-z]|[0-9A-F]{8}-)|(?:^|/)(?i:thumb(?:nail)?s?)/"
)
# Yokogawa: DC_DCAM#1_CAM3.tif, SC_BP445-45_20x v2_M01_CH01.tif next to the images of every plate
_CORRECTION = re.compile(r"(?:^|/)[DS]C_[^/]*_(?:CAM|CH)\d+\.tiff?$", re.IGNORECASE)


class NoPlanes(BadConfig):
    """A folder in which a format finds nothing of its own: another one may."""


@dataclass
class Files:
    """The files below a folder: paths with "/" between parts.

    names : of files that may be used, sorted
    passed_over : path → why
    folders : path of every folder → time of its last change (ns); "" is the folder itself
    closed : folders that cannot be listed → why
    notes : what a layout assumed, in sentences
    wells : well of a file that was passed over, where its name has one
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    wells: dict[str, str] = field(default_factory=dict)

    def pass_over(self, path: str, why: str) -> None:
        """Record why a file is not used; the first reason is kept."""
        self.passed_over.setdefault(path, why)

    def pass_over_others(self, used: Collection[str], why: str) -> None:
        """Pass over every image that is not among those `used`; thumbnails are called so."""
        for path in [path for path in self.images if path not in used]:
            self.pass_over(path, THUMBNAIL if is_thumbnail(path) else why)

    @property
    def candidates(self) -> Iterator[str]:
        """Files that no reason has taken away."""
        return (name for name in self.names if name not in self.passed_over)

    @property
    def images(self) -> Iterator[str]:
        """Candidates that are images by their names."""
        return (name for name in self.candidates if suffix(name) in IMAGE_SUFFIXES)


def suffix(path: str) -> str:
    """Ending of a name in small letters, ".tif"; "" without one. Quicker than that of pathlib."""
    name = path.rpartition("/")[2]
    at = name.rfind(".")
    return name[at:].lower() if 0 < at < len(name) - 1 else ""


def whole_name(path: str) -> str:
    """Path of the image of which a file is an unfinished or old copy, by its name; else ""."""
    name = path[:-1] if path.endswith("~") else ""
    if suffix(path) in _COPY_SUFFIXES:
        name = str(PurePosixPath(path).with_suffix(""))
    return name if suffix(name) in IMAGE_SUFFIXES else ""


def is_system(name: str) -> bool:
    """Whether one part of a path is what an operating system leaves behind."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM_NAMES


def is_thumbnail(path: str) -> bool:
    """Whether a name speaks of a thumbnail; a microscope's identifier may follow the word."""
    return bool(_THUMBNAIL.search(path))


def is_correction(path: str) -> bool:
    """Whether an image is the instrument's own for its correction, by its name."""
    return bool(_CORRECTION.search(path))


def find_files(folder: Path, follow_links: bool = False, retries: int = RETRIES) -> Files:
    """List every file below `folder`.

    Links to files inside the folder are files. Links that lead out of it, and links to folders,
    are followed only if `follow_links`: what comes with the data must not make us read files
    elsewhere unless the config allows it. A folder is walked once, whatever links lead to it.
    Hidden folders count as one file each, and are not searched: they contain snapshots of the
    plate.

    Raises
    ------
    Unreachable
        If `folder` itself cannot be listed.
    """
    files = Files(folder)
    root = folder.resolve()
    walked: set[tuple[int, int]] = set()
    linked: list[str] = []  # walked last, so that the files inside keep their own path

    def walk(prefix: str) -> None:
        parent = folder / prefix
        again = retries if len(files.closed) < PATIENCE else 0
        state, entries = reached(lambda: _listed(parent), parent, again)
        if (state.st_dev, state.st_ino) in walked:
            return
        walked.add((state.st_dev, state.st_ino))
        files.folders[prefix] = state.st_mtime_ns
        for entry in entries:
            path = prefix + _printable(entry.name)
            folder_of_names = not is_system(entry.name) and _printable(entry.name) == entry.name
            if folder_of_names and entry.is_dir(follow_symlinks=False):
                walk_below(f"{prefix}{entry.name}/")
                continue
            files.names.append(path)
            why = _why_not(entry, root, follow_links)
            if why in (LINK_FOLDER, LINK_INSIDE) and follow_links:
                files.names.pop()
                linked.append(f"{prefix}{entry.name}/")
            elif why:
                files.pass_over(path, why)

    def walk_below(prefix: str) -> None:
        try:
            walk(prefix)
        except Unreachable as fault:
            files.closed[prefix] = fault.seen

    walk("")
    while linked:
        walk_below(linked.pop(0))
    there = set(files.names)
    for path in list(files.candidates):
        if (whole := whole_name(path)) and whole not in there:
            files.pass_over(path, UNFINISHED)
    return files


def _listed(parent: Path) -> tuple[os.stat_result, list[os.DirEntry[str]]]:
    with os.scandir(parent) as entries:
        return os.stat(parent), sorted(entries, key=lambda entry: entry.name)


def _why_not(entry: os.DirEntry[str], root: Path, follow_links: bool) -> str:
    """Why an entry of a folder is not a file that may be used; "" if it may."""
    if is_system(entry.name):
        return HIDDEN
    if _printable(entry.name) != entry.name:
        return NO_NAME
    if not entry.is_symlink():
        return "" if entry.is_file(follow_symlinks=False) else NO_FILE
    target = Path(entry.path)
    try:
        target.stat()
    except OSError:  # nothing there, or a folder on the way that this account may not enter
        return LINK_NOWHERE
    if target.is_dir():
        return LINK_INSIDE if target.resolve().is_relative_to(root) else LINK_FOLDER
    if not target.is_file():
        return NO_FILE
    inside = follow_links or target.resolve().is_relative_to(root)
    return "" if inside else LINK_OUT


def _printable(name: str) -> str:
    """The name, with what is not UTF-8 in it written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
