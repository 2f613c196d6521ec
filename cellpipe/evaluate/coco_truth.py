"""COCO annotations as the truth of a plate, or of a folder: images belong together by their names.

annotations.json    A7_1.tif ──► the file A7_1.tif of the plate: its well, field and time point
                                 found/A7_1.png of a folder of labels
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.evaluate.label_folders import by_name
from cellpipe.readers.truth.coco import Coco

Reader = Callable[[], np.ndarray]  # gives labels (Y, X)


def frames_of(
    coco: Coco, planes: pd.DataFrame, well: str, field: int, layer: str, only: bool
) -> dict[int, Reader]:
    """Frames of a field that are annotated: t → what reads their labels.

    planes : of the plate: ``path well field t``
    layer : label layer that is scored, or its name in the truth
    only : whether annotations of any category are of this layer, if none is called so
    """
    named = layer in coco.categories.values()
    if planes.empty or not (named or only):  # a plate that is read in place has no files of planes
        return {}
    own = planes[(planes["well"] == well) & (planes["field"] == field) & (planes["path"] != "")]
    places = own.drop_duplicates(["path", "t"])[["path", "t"]].itertuples(index=False, name=None)
    found = {int(t): name for path, t in places if (name := _name(str(path))) in coco.images}
    category = layer if named else None
    return {t: partial(coco.labels, name, category) for t, name in sorted(found.items())}


def unused_images(coco: Coco, planes: pd.DataFrame) -> list[str]:
    """Annotated images that the plate does not have."""
    paths = planes["path"].unique() if len(planes) else []
    return sorted(set(coco.images) - {_name(path) for path in paths if path})


def paired_with(coco: Coco, *folders: Path) -> dict[str, list[Path | None]]:
    """Annotated images by name, each with the files of that name in `folders`.

    Raises BadConfig for a folder that is missing, or without any of these images.
    """
    files = [by_name(folder) for folder in folders]
    if not set(coco.images) & set(files[0]):
        raise BadConfig(
            seen=f"no image in {folders[0]} with the name of one of the {len(coco.images)} in "
            f"{coco.path}",
            wanted="label images that are named as the annotated images",
            do="rename them, or correct the folder",
        )
    return {name: [there.get(name) for there in files] for name in sorted(coco.images)}


def _name(path: str) -> str:
    return PurePosixPath(path).stem
