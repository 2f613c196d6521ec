"""Units that are damaged and cannot be made again: they are left unchanged, not made worse.

The images that they were made from are gone. To make them again would set whole frames aside, of
which one chunk is damaged. `cellpipe verify --mend` writes the list, and empties it when the
images are back.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from cellpipe.files.publish import publish_text
from cellpipe.files.removal import remove
from cellpipe.run.blocks import Unit

NAME = "cannot_be_made_again.json"


def keep_as_they_are(root: Path, units: Collection[Unit]) -> None:
    """Write the list below a plate's folder; no list where there is no such unit."""
    if units:
        names = [unit.name for unit in sorted(units)]
        publish_text(root / NAME, json.dumps(names, indent=1) + "\n")
    else:
        remove(root / NAME, root)


def units_to_keep(root: Path) -> set[str]:
    """Names of the units of the list."""
    try:
        return set(json.loads((root / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return set()
