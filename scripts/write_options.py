"""Write the pages of options and measurements in docs/, and the list of layouts (make options)."""

from __future__ import annotations

import argparse
from pathlib import Path

from cellpipe.config.files import load_schema
from cellpipe.config.options import table
from cellpipe.measure import dictionary
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


MEASUREMENTS = """\
# Measurements

What `cells.parquet` holds of each nucleus, of its cell and of its cytoplasm. Names of a cell begin
with `cell_`, those of a cytoplasm with `cytoplasm_`; of a nucleus, or of cells that are segmented
alone, they have no prefix. In the set `standard`, cells and cytoplasms have their area and
intensities alone.

`measure.set: cell_painting` measures what CellProfiler does for Cell Painting, by its definitions:
some 100 shapes of a part, 150 columns of each channel and 9 of each pair of channels, as float32.
Intensities are those above the background (`measure.subtract_background`). What differs, and by how
much, is measured in [studies/measurements](../studies/measurements/README.md).

- **Textures** compare grey levels, 256 between 0 and `measure.full_scale` (by default the largest
  value of the files' type, as CellProfiler has it). A camera of 12 bits in files of 16 needs
  `full_scale: 4095`; a plate whose textures rest on hardly any levels has a warning.
- **Below the background** grey values are negative. What is a share of the light (rings,
  granularity, overlap, Manders' and rank-weighted coefficients, Zernike moments, centre of mass,
  textures) counts them as 0; sums, quartiles, edges and correlations take them as they are.
- **Empty** are textures of objects that are thinner than the distance, the centre of mass and rings
  of an object without light, correlations of a channel without spread, and granularity in frames
  above `segment.whole_frame_mpx`: it depends on all of a frame.
- Pixels that are not square are refused for this set.
- Lengths are in pixels where the pixel size is unknown (`area_px2`, `outline_px`).
"""


def measurements() -> str:
    """The page of measurements, as it must be in docs/."""
    note = NOTE.format("cellpipe/measure/columns.py")
    parts = [f"## {heading}\n\n{rows}\n" for heading, rows in dictionary.tables().items()]
    return "\n".join([MEASUREMENTS, note + "\n", *parts])


def with_layouts(text: str) -> str:
    """A text with its list of layouts as it must be."""
    before, rest = text.split(LAYOUTS[0])
    return before + LAYOUTS[0] + formats.table() + LAYOUTS[1] + rest.split(LAYOUTS[1])[1]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name in PAGES:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / name).write_text(page(name), encoding="utf-8")
    (ROOT / "docs/measurements.md").write_text(measurements(), encoding="utf-8")
    readme = ROOT / "config" / "README.md"
    readme.write_text(with_layouts(readme.read_text(encoding="utf-8")), encoding="utf-8")
