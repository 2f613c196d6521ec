"""Write docs/options.md and docs/training_options.md from the schemas (make options)."""

from __future__ import annotations

import argparse
from pathlib import Path

from cellpipe.config.files import load_yaml
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
        "config/schemas/config.schema.yaml",
        "# Options of a run",
        "Examples and explanations: [config/README.md](../config/README.md).",
    ),
}


def page(name: str) -> str:
    """The whole page, as it must be in docs/."""
    source, title, first = PAGES[name]
    schema = load_yaml(ROOT / source)
    return "\n".join([title, "", NOTE.format(source), "", first, "", TIERS, table(schema)])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name in PAGES:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / name).write_text(page(name), encoding="utf-8")
