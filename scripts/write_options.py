"""Write the pages of options in docs/ from the schemas (make options)."""

from __future__ import annotations

import argparse
from pathlib import Path

from cellpipe.config.files import load_schema
from cellpipe.config.options import table

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Made by `make options` from {}; changes belong there. -->"
TIERS = """\
| tier | |
|---|---|
| needed | without a default: must be given |
| common | often set for a plate |
| expert | right as it is for most plates |

Defaults are written as they are typed; text that YAML would read as something else is in quotes
(`"off"`, `"0.5"`). Units end the names: `_px` pixels, `_um` micrometres, `_um2` square micrometres,
`_s` seconds. `<name>` stands for a name of your choice.
"""
PAGES = {
    "options.md": (
        "config",
        "# Options of a run",
        "Examples and explanations: [config/README.md](../config/README.md).",
    ),
    "training_options.md": (
        "training",
        "# Options of a training",
        "Of every kind but `linking`, which has [its own](linking_options.md). Explanations:"
        " [config/training/README.md](../config/training/README.md).",
    ),
    "linking_options.md": (
        "linking",
        "# Options of a training of `kind: linking`",
        "Explanations: [config/training/linking.md](../config/training/linking.md).",
    ),
}


def page(name: str) -> str:
    """The whole page, as it must be in docs/."""
    schema, title, first = PAGES[name]
    note = NOTE.format(f"config/schemas/{schema}.schema.yaml")
    return "\n".join([title, "", note, "", first, "", TIERS, table(load_schema(schema))])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name in PAGES:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / name).write_text(page(name), encoding="utf-8")
