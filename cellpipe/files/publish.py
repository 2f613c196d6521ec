"""Publish files whole or not at all: a unique temporary name, then one rename.

A rename within a file system is atomic, so a reader sees the old file, or the new one, never
half of either; and twins that write the same file at once cannot mix their bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.files.asides import aside_of, is_aside
from cellpipe.files.durable import sync_file
from cellpipe.files.removal import remove_quietly

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def published(path: str | Path, *, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it into place if the body ends well.

    Works for files and for folders (an old folder of that name is replaced). The suffix is kept,
    because writers choose formats by it. `synced`: its content is on disk before it has its name
    (see `durable`); omitted where there are many files and an incomplete one is noticed.
    """
    path = Path(path)
    _refuse_lost_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        yield aside
        if synced and not is_aside(path.parent):  # its folder is brought to disk as a whole
            sync_file(aside)
        if aside.is_dir():
            _replace_folder(aside, path)
        else:
            os.replace(aside, path)
    except BaseException:
        remove_quietly(aside, path.parent)
        raise


def _refuse_lost_folder(path: Path) -> None:
    """Raise FileNotFoundError if `path` goes into a folder written aside that is gone.

    To make that folder again would publish it without what it held before.
    """
    for folder in path.parents:
        if is_aside(folder) and not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "removed while it was written", str(folder))


def publish_text(path: str | Path, text: str, *, synced: bool = True) -> None:
    """Write `text` (UTF-8) to `path`, whole or not at all."""
    with published(path, synced=synced) as aside:
        aside.write_text(text, encoding="utf-8")


def publish_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, or, for ``.tsv``, as text; whole or not at all."""
    with published(path) as aside:
        if aside.suffix == ".tsv":
            table.to_csv(aside, sep="\t", index=False)
        else:
            # pages bear checksums: `tables.read_table` checks them
            table.to_parquet(aside, index=False, write_page_checksum=True)


def _replace_folder(aside: Path, path: Path) -> None:
    """Rename cannot replace a folder that is not empty: move the old one away first.

    A twin may put its folder there in between; then that one is moved away too.
    """
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):
            old = aside_of(path)
            os.rename(path, old)
            remove_quietly(old, path.parent)
        try:
            os.rename(aside, path)
            return
        except OSError as fault:
            if fault.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    raise OSError(errno.EEXIST, "other jobs keep writing this folder", str(path))
