"""A large plate through wells, hits, statistics and profiles: peak memory and CPU time.

python studies/screens/large.py --work folder [--cells 2000] [--features 600]

384 wells with 2,000 cells of 600 features each: a cells.parquet of 2.7 GB in the folder. Peak
memory is that of the process, with all its libraries; one thread.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellpipe.classify.classifier import is_feature
from cellpipe.files.tables import column_names, numeric_columns, read_table
from cellpipe.measure.columns import measured_columns
from cellpipe.profiles.features import Features, kept_in_memory
from cellpipe.run.plates.profile import profile_plate
from cellpipe.wells import well_at

READOUTS = ["dna_mean", "area_um2"]
OPTIONS = {
    "readouts": READOUTS, "dose_group": None, "hit_readout": "dna_mean", "hit_threshold": 3,
    "hit_direction": "both", "hit_max_fdr": 0.05, "compare_with": "samples",
    "position_effects": "rows_columns", "min_imaged_share": 0.8, "names": "cellpipe",
    "leave_out": [],
}  # fmt: skip


def main() -> None:
    options = _options()
    path = options.work / "cells.parquet"
    if not path.is_file():
        write_cells(path, options.cells, options.features)
    wells = [well_at(row, column) for row in range(1, 17) for column in range(1, 25)]
    fields = pd.DataFrame({"plate": "P", "well": wells, "field": 1, "t": 0, "n_cells": 1})
    fields = fields.assign(height_px=1000, width_px=1000)
    column = [int(well[1:]) for well in wells]
    control = np.select([np.equal(column, 1), np.equal(column, 2)], ["negative", "positive"], "")
    named = [well if kind == "" else kind for well, kind in zip(wells, control, strict=True)]
    plate_map = {"well": wells, "condition": named, "dose": np.nan, "control": control}
    before, wall = time.process_time(), time.monotonic()
    features = [name for name in numeric_columns(path) if is_feature(name)]
    standard = measured_columns(["dna"], with_cells=True)
    kept = kept_in_memory(column_names(path), features, standard, READOUTS)
    tables = {name: pd.DataFrame() for name in ("spots", "spot_tracks", "msd")}
    tables |= {"cells": read_table(path, kept), "fields": fields, "tracks": pd.DataFrame()}
    read = Features(features, lambda names: read_table(path, list(names)))
    made = profile_plate("P", tables, pd.DataFrame(plate_map), OPTIONS, READOUTS, features=read)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{len(features)} features of {len(tables['cells']):,} cells: {peak:.2f} GB,"
        f" {time.process_time() - before:.0f} CPU s, {time.monotonic() - wall:.0f} s;"
        f" profiles {made.augmented.shape}"
    )


def write_cells(path: Path, n_cells: int, n_features: int) -> None:
    """A table of normal features, row by row of the plate."""
    rng = np.random.default_rng(1)
    names = [*READOUTS, *[f"dna_texture_contrast_{k:03d}" for k in range(n_features - 2)]]
    writer = None
    for row in range(1, 17):
        wells = np.repeat([well_at(row, column) for column in range(1, 25)], n_cells)
        facts = {"plate": "P", "well": wells, "field": 1, "t": 0, "object": "nuclei"}
        values = (100 + 10 * rng.standard_normal((len(wells), n_features), np.float32)).T
        columns = dict(zip(names, values, strict=True))
        table = pd.DataFrame({**facts, "touches_border": rng.random(len(wells)) < 0.05, **columns})
        part = pa.Table.from_pandas(table, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, part.schema, write_page_checksum=True)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=2000, help="of each well")
    parser.add_argument("--features", type=int, default=600)
    return parser.parse_args()


if __name__ == "__main__":
    main()
