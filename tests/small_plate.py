"""A plate that is finished in a moment, for faults to be planted in.

The stages are as small as can be: ingest copies a file, segmentation is a threshold, tracks keep
the labels, the table of cells lists them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from drawn_plate import inspected

from cellpipe.errors import BadImage
from cellpipe.files import digests
from cellpipe.files.publish import publish_table
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.metadata_record import (
    note_metadata,
)
from cellpipe.plate.plate import Plate
from cellpipe.run import mend
from cellpipe.run.blocks import Unit
from cellpipe.run.faults import find_faults
from cellpipe.run.frames.project import project_frame
from cellpipe.run.kept import units_to_keep
from cellpipe.run.receipts import (
    Frame,
    Receipt,
    read_rows,
    receipts_of,
    write_receipts,
)
from cellpipe.run.stream import Work, run_block

UNITS = [Unit(well, 1, t, t + 1) for well in ("B02", "B03") for t in (0, 1)]
SIDE = 300  # two levels


class Small:
    """A plate in a folder, made by stages that skip what is there, as the workflow does."""

    def __init__(self, folder: Path, shards: bool = False) -> None:
        self.shards = shards
        self.images, self.root = folder / "images", folder / "results/P"
        self.computed: list[str] = []

    def draw(self) -> None:
        self.images.mkdir(parents=True)
        rng = np.random.default_rng(1)
        rows = []
        for unit in UNITS:
            name = f"{unit.well}_{unit.t_start}.tif"
            image = rng.poisson(100, (2, SIDE, SIDE)).astype(np.uint16)
            image[:, 40:60, 40:60] += 500
            image[:, 200:230, 100 + 10 * unit.t_start : 150] += 800
            tifffile.imwrite(self.images / name, image)
            place = {"well": unit.well, "field": unit.field, "t": unit.t_start}
            rows += [{"path": name, "page": page, **place} for page in (0, 1)]
        publish_table(self.root / "manifest.parquet", pd.DataFrame(rows))
        self.record("inspect_plate", None, ["manifest.parquet"])

    def make(self) -> None:
        """All that is not there."""
        if not (self.root / "layout.json").exists():
            plan = inspected({w: [(2, 2, 1, SIDE, SIDE)] for w in ("B02", "B03")}, plate="P")
            layers, layout = ["nuclei", "tracks"], self.root / "layout.json"
            lay_out(layout, plan, colors=["FFFFFF"] * 2, labels=layers, shards=self.shards)
            note_metadata(Plate(layout))
            self.record("lay_out_plate", None, ["layout.json"])
        self.plate = Plate(self.root / "layout.json")
        self.stage("ingest", self.read_image, self.write_pixels, "pixels")
        self.stage("segment", self.read_pixels, self.write_labels, "nuclei")
        self.track()
        rows = read_rows([self.root / "blocks/segment/0000.parquet"])
        self.table("gather_plate", "cells.parquet", rows.drop(columns="fingerprint"))
        self.table("profile_plate", "statistics.tsv", rows.groupby("well").size().reset_index())
        self.table("export_geff", "geff.tsv", rows[["well"]].drop_duplicates(), ["P_B02_1.geff"])

    def stage(self, name, read, write, layer) -> None:
        table = self.root / f"blocks/{name}/0000.parquet"
        of_layer = None if layer == "pixels" else layer
        work = Work(
            key=lambda unit: f"{name} {unit.name}",
            frames=lambda unit: [unit.t_start],
            read=read,
            compute=lambda unit, t, pixels: pixels,
            write=write,
            erase=lambda unit, t: self.plate.erase_frame(unit.well, unit.field, t, of_layer),
            there=lambda unit, t: self.plate.has_frame(unit.well, unit.field, t, of_layer),
            stored=lambda unit, t: {
                layer: self.plate.stored_digest(unit.well, unit.field, t, of_layer)
            },
        )
        if not table.exists():
            receipts = self.root / "receipts" / name
            keep = units_to_keep(self.root)
            run_block(UNITS, work, receipts=receipts, table=table, keep=keep)
            self.record(f"{name}_block", "0000", [f"blocks/{name}/0000.parquet"])

    def read_image(self, unit, t):
        try:
            return tifffile.imread(self.images / f"{unit.well}_{t}.tif")
        except FileNotFoundError as gone:
            raise BadImage(seen=str(gone), wanted="an image", do="copy it again") from gone

    def write_pixels(self, unit, t, image):
        self.computed.append(f"ingest {unit.name}")
        channels = self.plate.channels
        self.plate.write_frame(unit.well, unit.field, t, channels, image[:, None])
        return pd.DataFrame([{"well": unit.well, "t": t, "mean": float(image.mean())}])

    def read_pixels(self, unit, t):
        return project_frame(self.plate, unit.well, unit.field, t).whole()

    def write_labels(self, unit, t, pixels):
        self.computed.append(f"segment {unit.name}")
        labels = np.where(pixels[0] > 350, 1 + (np.arange(SIDE)[:, None] > 100), 0)
        self.plate.write_labels(unit.well, unit.field, t, "nuclei", labels.astype(np.uint32))
        found = np.unique(labels)[1:].astype(np.uint32)
        place = {"plate": "P", "well": unit.well, "field": unit.field, "t": t}
        return pd.DataFrame({"label": found}).assign(**place)

    def track(self) -> None:
        table = self.root / "blocks/track/0000.parquet"
        if table.exists():
            return
        receipts = []
        for well in ("B02", "B03"):
            frames = []
            for t in (0, 1):
                labels = self.plate.read_labels(well, 1, t, "nuclei")
                self.plate.write_labels(well, 1, t, "tracks", labels + 10 * (labels > 0))
                stored = {"tracks": self.plate.stored_digest(well, 1, t, "tracks")}
                frames.append(Frame(t, stored=stored))
            receipts.append(Receipt(Unit(well, 1, 0, 2), "k", "k", tuple(frames)))
        write_receipts(table, pd.DataFrame({"track_id": [1]}), receipts)
        self.record("track_block", "0000", ["blocks/track/0000.parquet"])

    def table(
        self, rule: str, name: str, rows: pd.DataFrame, also: list[str] | None = None
    ) -> None:
        if (self.root / name).exists():
            return
        publish_table(self.root / name, rows)
        for folder in also or []:
            (self.root / folder / "nodes").mkdir(parents=True, exist_ok=True)
            (self.root / folder / "nodes/0").write_bytes(bytes(range(200)))
        self.record(rule, None, [name], also)

    def record(self, rule, block, outputs, also=None) -> None:
        paths = [self.root / name for name in outputs]
        more = [self.root / name for name in also or []]
        more += receipts_of(self.root, paths)
        digests.write_record(self.root, rule, block, paths, more)

    def state(self) -> dict[str, str]:
        """Digests of all that does not hold seconds."""
        paths = [p for p in self.root.rglob("*") if p.is_file()]
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.relative_to(self.root).parts[0] not in ("blocks", "receipts", "digests")
        }

    def mend(self) -> mend.Plan:
        """As the command does: metadata first, then what is to be made again."""
        found = find_faults(self.root)
        first = mend.plan_mending(self.root, found.faults, self.images)
        mend.put_metadata_back(self.root, first)
        plan = mend.plan_mending(self.root, find_faults(self.root).faults, self.images)
        mend.carry_out(self.root, plan)
        self.computed.clear()
        self.make()
        return plan
