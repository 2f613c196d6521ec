"""A job on a block of fields: its units, their keys, and lines that report the progress of the
plate.

job = BlockJob.of(snakemake, "segment")
job.run(Work(...))
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.files.asides import remove_leftovers
from cellpipe.plate.plate import Plate
from cellpipe.run import stream
from cellpipe.run.blocks import Cut, Unit
from cellpipe.run.frames.project import projection_params
from cellpipe.run.job import duration, log, say, title
from cellpipe.run.kept import units_to_keep
from cellpipe.run.made import Made
from cellpipe.run.provenance import fingerprint
from cellpipe.run.receipts import Receipt, read_receipts


@dataclass(frozen=True)
class BlockJob:
    """One stage on one block: its units, what came before it, and where its results go."""

    stage: str
    units: list[Unit]
    layout: Path
    table: Path
    upstream: tuple[Path, ...]
    made: Made
    on_bad_image: str

    @staticmethod
    def of(
        snakemake: Any,
        stage: str,
        whole_fields: bool = False,
        weights: Mapping[str, str] | None = None,
    ) -> BlockJob:
        """From a rule with the inputs `layout` and `blocks`, the output `table`, the param `code`
        and, of a stage with networks, `weights` (name → digest).

        Every other input whose name ends in ``_table`` is the block table of an earlier stage.

        `whole_fields` : whether the stage needs whole movies, and so blocks of whole fields
        `weights` : of the networks in use, where the rule cannot know them
        """
        cut = Cut.read(snakemake.input.blocks)
        blocks = cut.field_blocks if whole_fields else cut.blocks
        return BlockJob(
            stage=stage,
            units=blocks[snakemake.wildcards.get("block")],
            layout=Path(snakemake.input.layout),
            table=Path(snakemake.output.table),
            upstream=tuple(
                Path(path) for name, path in snakemake.input.items() if name.endswith("_table")
            ),
            made=Made.here(
                snakemake.params.code,
                snakemake.params.get("weights") if weights is None else weights,
            ),
            on_bad_image=snakemake.params.get("on_bad_image", "quarantine"),
        )

    @cached_property
    def plate(self) -> Plate:
        return Plate(self.layout)

    @cached_property
    def earlier(self) -> dict[Unit, list[Receipt]]:
        """For each unit, its receipts from the earlier stages."""
        found: dict[Unit, list[Receipt]] = {}
        for path in self.upstream:
            for receipt in read_receipts(path):
                found.setdefault(receipt.unit, []).append(receipt)
        return found

    def frames(self, unit: Unit) -> list[int]:
        """Frames of a unit that every earlier stage could use."""
        good = [set(receipt.good_frames) for receipt in self.earlier[unit]]
        return sorted(set.intersection(*good))

    def keys(self, params: Mapping[str, Any]) -> Callable[[Unit], str]:
        """Key of a unit: the fingerprint that its result will have.

        The pixel size is in it, because areas and distances are in µm; so is the projection of
        stacks.
        """
        scale = {"pixel_size_um": self.plate.scale.pixel_size, **projection_params(self.plate)}

        def key(unit: Unit) -> str:
            return fingerprint(
                self.stage,
                code=self.made.code,
                params={**params, **scale, "unit": unit.as_dict()},
                inputs=[receipt.fingerprint for receipt in self.earlier.get(unit, [])],
                weights=" ".join(self.made.weights.values()),
            )

        return key

    def run(self, work: stream.Work) -> list[Receipt]:
        """Stream the block through `work`, reporting the progress of the plate."""
        receipts = self.table.parent.parent.parent / "receipts" / self.stage
        remove_leftovers(receipts)
        progress = _Progress(self, receipts)
        finished = stream.run_block(
            self.units,
            work,
            receipts=receipts,
            table=self.table,
            made=self.made,
            on_bad_image=self.on_bad_image,
            keep=units_to_keep(self.table.parents[2]),
            progress=progress.step,
        )
        bad = [(receipt.unit, frame) for receipt in finished for frame in receipt.bad_frames]
        for unit, frame in bad:
            place = f"{unit.well} field {unit.field} frame {frame.t}"
            log.warning("quarantined %s: %s; %s", place, frame.reason, frame.remedy)
        progress.end(len(bad))
        return finished

    def place(self, unit: Unit, t: int) -> dict[str, Any]:
        """The columns that give the origin of a row."""
        return {"plate": self.plate.name, "well": unit.well, "field": unit.field, "t": t}

    def placed(self, rows: pd.DataFrame, unit: Unit, t: int) -> pd.DataFrame:
        """Put the place's columns before those of `rows`."""
        place = pd.DataFrame(
            {
                "plate": pd.Series(self.plate.name, rows.index, dtype="str"),
                "well": pd.Series(unit.well, rows.index, dtype="str"),
                "field": pd.Series(unit.field, rows.index, dtype="int32"),
                "t": pd.Series(t, rows.index, dtype="int32"),
            }
        )
        return pd.concat([place, rows], axis=1)


class _Progress:
    """Lines for a person: which stage, how much of the plate, how long still."""

    every_s = 2.0

    def __init__(self, job: BlockJob, receipts: Path) -> None:
        self.job, self.receipts = job, receipts
        self.total = sum(field.size("t") for field in job.plate.fields.values())
        self.started = self.said = time.monotonic()
        self.at_start = self._done()
        self.n_units = 0

    def _done(self) -> int:
        """Frames of the plate that have receipts of this stage (those of other blocks too)."""
        names = (path.stem for path in self.receipts.glob("*.parquet"))
        spans = (re.search(r"_t(\d+)-(\d+)$", name) for name in names if name[0] != ".")
        return sum(int(span.group(2)) - int(span.group(1)) for span in spans if span)

    def step(self, n_units: int) -> None:
        self.n_units += n_units
        if time.monotonic() - self.said >= self.every_s:
            self.said = time.monotonic()
            self._line(f"{self.n_units}/{len(self.job.units)} of block {self.job.table.stem}")

    def end(self, n_bad: int) -> None:
        self._line(
            f"block {self.job.table.stem} done" + (f", {n_bad} quarantined" if n_bad else "")
        )

    def _line(self, what: str) -> None:
        done = min(self._done(), self.total)
        rate = (done - self.at_start) / max(time.monotonic() - self.started, 1e-3)
        left = (
            f" · {duration((self.total - done) / rate)} left"
            if rate > 0 and done < self.total
            else ""
        )
        bar = "━" * round(20 * done / max(self.total, 1))
        say(
            f"{title(self.job.stage)} {self.job.plate.name:<12} {bar:<20} "
            f"{done}/{self.total} fields×frames · {what}{left}"
        )
