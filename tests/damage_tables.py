"""Damages of what people write: plate map, sheet, config, truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harm import Harm


def _map(folder: Path) -> str:
    return (folder / "plate_map.tsv").read_text()


def _write_map(folder: Path, content: str | bytes, what: str, *wells: str, **more: Any) -> Harm:
    path = folder / "plate_map.tsv"
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Harm(f"plate map {what}", frozenset(wells), **more)


def map_of_excel(folder: Path, rng: np.random.Generator) -> Harm:
    """As Excel saves it: with a mark of its encoding, semicolons, decimal commas, blank rows."""
    kind = int(rng.integers(5))
    text = _map(folder)
    if kind == 0:
        return _write_map(folder, text.encode("utf-16"), "in UTF-16")
    if kind == 1:
        return _write_map(folder, b"\xef\xbb\xbf" + text.encode(), "with a BOM")
    if kind == 2:
        text = text.replace(".", ",").replace("\t", ";")
        return _write_map(folder, text, "with semicolons and decimal commas")
    if kind == 3:
        return _write_map(folder, text + "\t\t\t\n\n\t\t\t\n", "with blank rows at its end")
    rows = text.splitlines()
    return _write_map(folder, "\r\n".join(row + "\t" for row in rows), "with trailing separators")


def map_with_an_extra_cell(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    rows[k] = f"{rows[k]}\tunexpected"
    return _write_map(folder, "\n".join(rows) + "\n", f"with one more cell in row {k + 1}")


def map_without_a_row(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    gone = rows.pop(int(rng.integers(1, len(rows))))
    well = gone.split("\t")[0]
    return _write_map(folder, "\n".join(rows) + "\n", f"without well {well}", well)


def map_with_a_row_twice(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    return _write_map(folder, "\n".join([*rows, rows[k]]) + "\n", f"with row {k + 1} twice")


def map_with_a_wrong_word(folder: Path, rng: np.random.Generator) -> Harm:
    text = _map(folder)
    old, new = [("negative", "negativ"), ("control", "contrl"), ("well", "wll"), ("0.5", "0.5 uM")][
        int(rng.integers(4))
    ]
    return _write_map(folder, text.replace(old, new), f"with '{new}'")


def map_one_column_on(folder: Path, rng: np.random.Generator) -> Harm:
    """A row whose well was deleted, so that its cells moved to the left."""
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    rows[k] = rows[k].partition("\t")[2]
    return _write_map(folder, "\n".join(rows) + "\n", f"with row {k + 1} moved to the left")


def map_as_people_write_wells(folder: Path, rng: np.random.Generator) -> Harm:
    """Wells in lower case, or without zeros: the same wells."""
    lines = _map(folder).splitlines()
    short = rng.random() < 0.5
    for k, line in enumerate(lines[1:], start=1):
        well, _, rest = line.partition("\t")
        lines[k] = f"{well[0]}{int(well[1:])}\t{rest}" if short else f"{well.lower()}\t{rest}"
    return _write_map(folder, "\n".join(lines) + "\n", "with wells such as 'b2' or 'B2'")


def map_in_another_order(folder: Path, rng: np.random.Generator) -> Harm:
    header, *lines = _map(folder).splitlines()
    order = rng.permutation(len(lines))
    return _write_map(folder, "\n".join([header, *(lines[k] for k in order)]) + "\n", "shuffled")


def map_shifted(folder: Path, rng: np.random.Generator) -> Harm:
    """All wells one column or one row on: some were not imaged, some that were are not there."""
    header, *lines = _map(folder).splitlines()
    down = rng.random() < 0.5
    shifted = []
    for line in lines:
        well, _, rest = line.partition("\t")
        name = f"{chr(ord(well[0]) + 1)}{well[1:]}" if down else f"{well[0]}{int(well[1:]) + 1:02d}"
        shifted.append(f"{name}\t{rest}")
    what = f"one {'row' if down else 'column'} on"
    return _write_map(folder, "\n".join([header, *shifted]) + "\n", what, stops=True)


def map_turned(folder: Path, rng: np.random.Generator) -> Harm:
    """The plate lay the wrong way round: the same wells, last first."""
    header, *lines = _map(folder).splitlines()
    wells = [line.partition("\t")[0] for line in lines]
    rests = [line.partition("\t")[2] for line in lines]
    turned = [f"{well}\t{rest}" for well, rest in zip(wells, reversed(rests), strict=True)]
    why = "the map names the wells that were imaged, and only it says what was done to them"
    what = "turned by 180°"
    return _write_map(folder, "\n".join([header, *turned]) + "\n", what, *wells, not_knowable=why)


def doses_in_another_unit(folder: Path, rng: np.random.Generator) -> Harm:
    text = _map(folder).replace("0.5000", "500.0").replace("30.0000", "30000.0")
    wells = [line.partition("\t")[0] for line in text.splitlines()[1:]]
    why = "a dose is a number of the unit of the map, whatever that is"
    return _write_map(folder, text, "in nM", *wells, not_knowable=why)


def doses_of_two_units(folder: Path, rng: np.random.Generator) -> Harm:
    text = _map(folder).replace("0.5000", "500 nM").replace("30.0000", "30 µM")
    return _write_map(folder, text, "with units", stops=True)


def map_absent(folder: Path, rng: np.random.Generator) -> Harm:
    (folder / "plate_map.tsv").unlink()
    return Harm("no plate map", stops=True)


def sheet_of_nothing(folder: Path, rng: np.random.Generator) -> Harm:
    """The sheet names a folder that is not there, or is empty, or another layout."""
    path, kind = folder / "plates.tsv", int(rng.integers(3))
    text = path.read_text()
    if kind == 0:
        path.write_text(text.replace("\timages\t", "\timage\t"))
    elif kind == 1:
        (folder / "nothing").mkdir()
        path.write_text(text.replace("\timages\t", "\tnothing\t"))
    else:
        header, line = text.splitlines()
        cells = line.split("\t")
        cells[header.split("\t").index("layout")] = "harmony"
        path.write_text(f"{header}\n" + "\t".join(cells) + "\n")
    return Harm(f"a sheet that does not fit ({kind})", stops=True)


OUT_OF_RANGE: tuple[dict[str, Any], ...] = (
    {"ingest": {"pixel_size_um": 0}},
    {"ingest": {"pixel_size_um": -0.5}},
    {"ingest": {"pixel_size_um": float("nan")}},
    {"segment": {"nuclei": {"min_area_um2": -1}}},
    {"segment": {"nuclei": {"min_area_um2": 500, "max_area_um2": 20}}},
    {"segment": {"nuclei": {"channel": "dapi"}}},
    {"segment": {"nuclei": {"chanel": "dna"}}},
    {"segment": {"nuclei": {"engine": "cellpos"}}},
    {"segment": {"cells": {"max_distance_um": -3}}},
    {"channels": {"dna": {"source": "7"}}},
    {"profile": {"readouts": ["area_um"]}},
    {"seed": "one"},
)


def option_out_of_range(folder: Path, rng: np.random.Generator) -> Harm:
    changes = OUT_OF_RANGE[int(rng.integers(len(OUT_OF_RANGE)))]
    return Harm(f"config: {changes}", changes=changes, stops=True)
