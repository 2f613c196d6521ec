"""Label images in folders, paired by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.readers.truth.whole_labels import as_labels

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".bmp")


def paired_files(truth: Path, *others: Path) -> dict[str, list[Path | None]]:
    """Images of `truth` by name without suffix, each with those of that name in `others`.

    Raises BadConfig if a folder is missing, a name is there twice, or nothing is in `truth`.
    """
    named = [by_name(folder) for folder in (truth, *others)]
    if not named[0]:
        raise BadConfig(
            seen=f"no image in {truth}",
            wanted=f"label images ({', '.join(IMAGE_SUFFIXES)})",
            do="correct the folder",
        )
    return {name: [files.get(name) for files in named] for name in sorted(named[0])}


def by_name(folder: Path) -> dict[str, Path]:
    """Images of a folder by their names without suffix. Raises BadConfig; see `paired_files`."""
    if not folder.is_dir():
        raise BadConfig(
            seen=f"no folder {folder}", wanted="a folder of images", do="correct the path"
        )
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.stem in files:
            raise BadConfig(
                seen=f"{path} beside {files[path.stem].name}",
                wanted="one image of each name",
                do="remove one of them",
            )
        files[path.stem] = path
    return files


def read_labels(path: Path) -> np.ndarray:
    """A label image of a folder, (Y, X), whole numbers. Raises BadImage."""
    return as_labels(read_plane(path, as_stored=True), str(path))
