"""Where the workflow lies: next to the package in a checkout, inside it where it is installed.

checkout                         installed
Snakefile rules scripts …        cellpipe/workflow/{Snakefile,rules,scripts,envs,config,profiles}
cellpipe/                        cellpipe/
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
IS_CHECKOUT = not (PACKAGE / "workflow").is_dir()
FOLDER = PACKAGE.parent if IS_CHECKOUT else PACKAGE / "workflow"
SNAKEFILE = FOLDER / "Snakefile"
