"""The one place where files are deleted: below a folder that is owned, and never through a link.

    owned/            results/P/P.ome.zarr, a receipts folder, the folder of a published file
      a/b/c           may go: every folder between is a real one
      link            the link itself may go, never what it leads to
      link/x          refused: x is somewhere else
      ../y            refused: y is outside

A test holds that no other module of the package deletes anything.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cellpipe.errors import CellpipeError


class Refused(CellpipeError):
    """A path that must not be deleted from, or written to, is not where it should be."""


def remove(path: Path, owned: Path) -> None:
    """Delete a file, a folder or a link (the link alone) below `owned`.

    What is not there is no fault. Raises Refused for the owned folder itself, for a path outside
    of it, and for one that is reached through a link.
    """
    refuse_elsewhere(path, owned)
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)  # does not follow links


def remove_quietly(path: Path, owned: Path) -> None:
    """Like `remove`; what cannot be deleted (in use, no permission) stays."""
    refuse_elsewhere(path, owned)
    if path.is_symlink() or not path.is_dir():
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return
    else:
        shutil.rmtree(path, ignore_errors=True)


def refuse_elsewhere(path: Path, owned: Path) -> None:
    """Raise Refused unless `path` is below `owned`, with real folders all the way to it.

    `owned` itself may be a link, or be reached through links (results on another disk).
    """
    folder = os.fspath(owned)
    for part in _below(path, owned).parts[:-1]:
        folder = os.path.join(folder, part)
        if os.path.islink(folder):
            raise _refused(path, owned, f"is reached through a link ({os.path.realpath(folder)})")


def _below(path: Path, owned: Path) -> Path:
    """`path` as it is spelled below `owned`."""
    if not path.is_relative_to(owned):
        if ".." in (*path.parts, *owned.parts):
            raise _refused(path, owned, "is spelled with '..'")
        path, owned = Path(os.path.abspath(path)), Path(os.path.abspath(owned))
    if not path.is_relative_to(owned) or path == owned:
        raise _refused(path, owned, "does not lie below it")
    inner = path.relative_to(owned)
    if ".." in inner.parts:
        raise _refused(path, owned, "is spelled with '..'")
    return inner


def _refused(path: Path, owned: Path, why: str) -> Refused:
    return Refused(
        seen=f"{path} {why}",
        wanted=f"a path below {owned} without links in it; nothing else is changed or deleted",
        do="replace the link by what it leads to (the folder of all results may be a link)",
    )
