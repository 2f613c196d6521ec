"""Two folders of label images, paired by name, scored without a plate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.evaluate.judging import JudgedImage
from cellpipe.evaluate.label_folders import paired_files, read_labels
from cellpipe.evaluate.marked_cells import frame_of, marked_in
from cellpipe.readers.reading import read_plane


def judged_folders(truth: Path, found: Path, pixels: Path | None = None) -> list[JudgedImage]:
    """Every image of `truth` with the one of its name in `found`, and in `pixels` if it is there.

    Raises BadConfig if a folder or an image of `found` is missing.
    """
    files = paired_files(truth, found, *([pixels] if pixels else []))
    absent = [name for name, (_, of_name, *_) in files.items() if of_name is None]
    if absent:
        raise BadConfig(
            seen=f"no {absent[0]} in {found} ({len(absent)} of {len(files)} images are missing)",
            wanted=f"a label image for each of {truth}; an empty one where nothing was found",
            do="add them, or remove their truth",
        )
    marked = marked_in(truth)
    return [
        JudgedImage(
            place={"object": "labels", "image": name},
            truth=partial(read_labels, true_file),
            found=partial(read_labels, found_file),
            pixels=partial(read_plane, image[0]) if image and image[0] else lambda: None,
            n_marked=marked.get(frame_of(name)),
        )
        for name, (true_file, found_file, *image) in files.items()
        if true_file and found_file
    ]
