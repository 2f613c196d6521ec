"""cellpipe: from microscope plates to cells, classes, tracks, hits and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellpipe.plate.opened import OpenPlate

__all__ = ["__version__", "open_plate"]
__version__ = "0.1.0"


def open_plate(results: str | Path) -> OpenPlate:
    """The results of a plate (``results/P``), for notebooks: see `cellpipe.plate.opened`."""
    from cellpipe.plate.opened import open_plate as opened  # here, because workflows need no dask

    return opened(results)
