"""Write the pages of options in docs/ from the schemas, and the list of layouts (make options)."""

from __future__ import annotations

import argparse
from pathlib import Path

from cellpipe.config.files import load_schema
from cellpipe.config.options import table
from cellpipe.readers import formats

ROOT = Path(__file__).parents[1]
LAYOUTS = (
    "<!-- Made by `make options` from cellpipe/readers/formats.py; changes belong there. -->\n\n",
    "\n\n<!-- End of the layouts. -->",
)
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
    "options.md": {
        "config": "# Options of a run\n\n"
        "Examples and explanations: [config/README.md](../config/README.md)."
    },
    "training_options.md": {
        "training": "# Options of a training\n\n"
        "Explanations: [config/training/README.md](../config/training/README.md). A training of"
        " `kind: linking` has [its own](#options-of-a-training-of-kind-linking).",
        "linking": "# Options of a training of kind linking\n\n"
        "Explanations: [config/training/linking.md](../config/training/linking.md).",
    },
}


def page(name: str) -> str:
    """The whole page, as it must be in docs/."""
    parts = []
    for schema, opening in PAGES[name].items():
        parts.append(f"{opening}\n\n{NOTE.format(f'config/schemas/{schema}.schema.yaml')}\n")
        parts += [TIERS] if len(parts) == 1 else []
        parts.append(table(load_schema(schema)))
    return "\n".join(parts)


def with_layouts(text: str) -> str:
    """A text with its list of layouts as it must be."""
    before, rest = text.split(LAYOUTS[0])
    return before + LAYOUTS[0] + formats.table() + LAYOUTS[1] + rest.split(LAYOUTS[1])[1]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name in PAGES:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / name).write_text(page(name), encoding="utf-8")
    readme = ROOT / "config" / "README.md"
    readme.write_text(with_layouts(readme.read_text(encoding="utf-8")), encoding="utf-8")
