"""Two folders of label images, paired by name, scored without a plate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.evaluate.coco_truth import Reader, paired_with
from cellpipe.evaluate.judging import JudgedImage
from cellpipe.evaluate.label_folders import paired_files, read_labels
from cellpipe.evaluate.marked_cells import frame_of, marked_in
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.readers.truth.coco import is_coco, read_coco


def judged_folders(truth: Path, found: Path, pixels: Path | None = None) -> list[JudgedImage]:
    """Every image of `truth` with the one of its name in `found`, and in `pixels` if it is there.

    `truth` is a folder of label images, or a file of COCO annotations.

    Raises BadConfig if a folder or an image of `found` is missing.
    """
    others = [found, *([pixels] if pixels else [])]
    true: dict[str, Reader]
    if is_coco(truth):
        coco = read_coco(truth)
        files = paired_with(coco, *others)
        true = {name: partial(coco.labels, name) for name in files}
    else:
        listed = paired_files(truth, *others)
        files = {name: rest for name, (_, *rest) in listed.items()}
        true = {name: partial(read_labels, own[0]) for name, own in listed.items() if own[0]}
    absent = [name for name, (of_name, *_) in files.items() if of_name is None]
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
            truth=true[name],
            found=partial(read_labels, found_file),
            pixels=partial(read_plane, image[0]) if image and image[0] else lambda: None,
            n_marked=marked.get(frame_of(name)),
        )
        for name, (found_file, *image) in files.items()
        if found_file
    ]
