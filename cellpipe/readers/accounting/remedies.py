"""What to do about images that were passed over: rows of the quarantine, with a remedy each."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from cellpipe.readers.accounting import foreign
from cellpipe.readers.accounting.files import (
    CORRECTION,
    DERIVED,
    HIDDEN,
    LABELS,
    LIKE_THE_OTHERS,
    LINK_NOWHERE,
    NO_NAME,
    NO_WELL,
    NOT_IMAGE,
    NOT_NAMED,
    OTHER_FORMAT,
    PROJECTION,
    THUMBNAIL,
    UNFINISHED,
    UNREADABLE,
    UNUSABLE,
)

MAX_FOLDERS = 20  # that get rows of their own in the quarantine, per reason
# what every plate may have next to its images
EXPECTED = (HIDDEN, NOT_IMAGE, THUMBNAIL, PROJECTION, DERIVED, CORRECTION, LABELS)
OTHER_CHANNEL = "a channel that the config does not name"
# of a plate with channels of its own, which the config may name for other plates
OTHER_OF_SET = "a channel that the plate's set in 'channel_sets' does not name"
OTHER_CHANNELS = (OTHER_CHANNEL, OTHER_OF_SET)


def rows_of_images(over: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the quarantine for images that were passed over, grouped where there are many.

    One row per reason, well and folder; per reason alone for what every plate may have, or where
    the folders are many.
    """
    rows = []
    images = over[over["image"]]
    for reason, group in images.groupby("reason", sort=False):
        folders = group["path"].map(lambda path: PurePosixPath(path).parent.as_posix())
        keys = [group["well"], folders]
        usual = reason in EXPECTED or reason in OTHER_CHANNELS
        if usual or len(group.groupby(keys)) > MAX_FOLDERS:
            keys = [group["well"] if not usual else folders.map(lambda _: "")]
        for key, part in group.groupby(keys, sort=False):
            example = str(part["path"].iloc[0])
            many = f"{len(part):,} images, such as {example}" if len(part) > 1 else example
            rows.append(
                {"well": str(key[0]), "file": example, "reason": f"{many}: {reason}",
                 "remedy": remedy(str(reason))}
            )  # fmt: skip
    return rows


def remedy(reason: str) -> str:
    """What to do about images that were passed over for a reason."""
    if reason in (*EXPECTED, *OTHER_CHANNELS) or reason.startswith("a copy of"):
        return "nothing, unless it is wanted"
    if reason in (NOT_NAMED, LIKE_THE_OTHERS):
        return "rename the files, or write a pattern that takes them, if they belong to the plate"
    if "acquisition" in reason:
        return "set 'ingest.acquisition' in the config, if this acquisition is wanted"
    if reason.startswith((UNREADABLE, UNUSABLE)):
        return "copy the files again from the microscope, or correct their metadata"
    if reason == LINK_NOWHERE:
        return "mend the link, or the disk or share that it leads to"
    if "link" in reason:
        return "copy the files into the folder, or set 'ingest.follow_links' in the config"
    if foreign.may_hold_images(reason):
        return foreign.remedy(reason)
    if reason == OTHER_FORMAT:
        return (
            "put them into a folder of their own, with a row in the sheet of plates; or list all "
            "images in a manifest.csv, if they belong to the plate"
        )
    if reason in (NO_NAME, NO_WELL):
        return "rename them so that each name holds its well, such as B03; or put them elsewhere"
    if reason == UNFINISHED:
        return "copy the images again, or rename them, if they belong to the plate"
    return "list them in the metadata, if they belong to the plate"
