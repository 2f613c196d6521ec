"""Nothing is lost between files, planes, frames, objects, rows and wells.

    files of the folder  = files with planes used + quarantined + passed over
    frames of the plate  = frames measured + frames named as left out
    objects segmented    = rows of cells = labels in the plate
    wells named anywhere = rows of wells

`faults_of_account` returns a sentence for each sum that does not add up; an empty list is right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd


def faults_of_account(results: Path, images: Path | None = None) -> list[str]:
    """What does not add up in the finished results of a plate.

    Parameters
    ----------
    results : the folder `results/P`
    images : the folder of the plate's images; None for a plate that is read in place
    """
    inspection = json.loads((results / "inspection.json").read_text())
    tables = {
        name: pd.read_parquet(results / f"{name}.parquet") for name in ("cells", "fields", "wells")
    }
    left_out = pd.read_csv(results / "quarantine.tsv", sep="\t", dtype=str).fillna("")
    found = [] if images is None else list(_files(results, images, left_out))
    found += _frames(inspection, tables["fields"], left_out)
    found += _objects(results, tables)
    found += _wells(inspection, tables)
    return found


def _files(results: Path, images: Path, left_out: pd.DataFrame) -> Iterator[str]:
    """Every file below the folder is used, quarantined or passed over: by name, and once."""
    there = {
        os.path.relpath(Path(folder, name), images)
        for folder, _, names in os.walk(images, followlinks=True)
        for name in names
    }
    used = set(pd.read_parquet(results / "manifest.parquet")["path"])
    listed = results / "passed_over.tsv"
    if not listed.exists():
        yield "no list of the files that were passed over"
        return
    passed = set(pd.read_csv(listed, sep="\t", dtype=str)["path"])
    named = {path for path in there if left_out["reason"].str.contains(path, regex=False).any()}
    for path in sorted(there - used - passed - named):
        yield f"file {path} is neither used nor quarantined nor passed over"
    for path in sorted(used & passed):
        yield f"file {path} is used and passed over"


def _frames(inspection: dict, fields: pd.DataFrame, left_out: pd.DataFrame) -> Iterator[str]:
    """Every frame of every field was measured, or is named."""
    measured = {(row.well, int(row.field), int(row.t)) for row in fields.itertuples()}
    named = {(row.well, row.field, row.t) for row in left_out.itertuples()}
    holes = {(hole["well"], int(hole["field"]), int(hole["t"])) for hole in inspection["holes"]}
    for field in inspection["fields"]:
        for t in range(field.get("n_t", 1)):
            place = (field["well"], int(field["field"]), t)
            texts = {(place[0], str(place[1]), str(t)), (place[0], str(place[1]), "")}
            if place not in measured and place not in holes and not texts & named:
                yield f"frame {place} was neither measured nor named as left out"
            if place in measured and texts & named and (place[0], str(place[1]), str(t)) in named:
                yield f"frame {place} was measured and named as left out"


def _objects(results: Path, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Objects that segmentation counted, rows of cells, and labels in the plate are as many."""
    import zarr

    fields, cells = tables["fields"], tables["cells"]
    counted = fields.set_index(["well", "field", "t"])["n_nuclei"].astype(int)
    rows = cells.groupby(["well", "field", "t"])["label"].agg(["size", "nunique", "max"])
    objects = cells["object"].iloc[0] if len(cells) else "nuclei"
    for place, n in counted.items():
        row = rows.loc[place] if place in rows.index else None
        n_rows = 0 if row is None else int(row["size"])
        if n != n_rows:
            yield f"{place}: {n} objects were segmented, {n_rows} have rows"
        if row is not None and row["size"] != row["nunique"]:
            yield f"{place}: labels of cells are not unique"
    extra = set(rows.index) - set(counted.index)
    if extra:
        yield f"cells of frames that fields.parquet does not list: {sorted(extra)[:3]}"
    layout = json.loads((results / "layout.json").read_text())
    paths = {(entry["well"], entry["field"]): entry["path"] for entry in layout["fields"]}
    for (well, field), group in cells.groupby(["well", "field"]):
        place = results / layout["store"] / paths[well, field] / "labels" / objects / "0"
        labels = np.asarray(zarr.open(place, mode="r"))
        for t, of_frame in group.groupby("t"):
            in_plate = np.unique(labels[t])
            if set(in_plate[in_plate > 0].tolist()) != set(of_frame["label"].tolist()):
                yield f"({well}, {field}, {t}): labels of the plate and of cells.parquet differ"


def _wells(inspection: dict, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Every well that was imaged has a row, with as many fields as were measured and are
    not named as left out."""
    wells = tables["wells"].set_index("well")
    imaged = {field["well"] for field in inspection["fields"]}
    for well in sorted(imaged - set(wells.index)):
        yield f"well {well} was imaged and has no row in wells.parquet"
    counting = tables["fields"][tables["fields"]["left_out"].eq("")]
    measured = counting.groupby("well")["field"].nunique()
    for well, row in wells.iterrows():
        if int(row["n_fields"]) != int(measured.get(well, 0)):
            yield f"well {well}: n_fields {row['n_fields']}, measured {measured.get(well, 0)}"
    cells = tables["cells"].groupby("well").size()
    for well, n in cells.items():
        if well not in wells.index:
            yield f"{n} cells of well {well}, which wells.parquet lacks"
