"""How good the segmentation is expected to be: wells, the worst first, with pictures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.plate_view import as_uris
from cellpipe.report.wording import number, plural
from cellpipe.segment.findings import DOUBTFUL_F1

LISTED = 12  # wells in the table
PICTURED = 12  # doubtful wells with a picture


@dataclass(frozen=True)
class DoubtedWell:
    """A well whose segmentation is doubtful, and the data URI of its picture."""

    well: str
    f1: str
    uri: str


@dataclass(frozen=True)
class ExpectedSegmentation:
    """A sentence, the worst wells as a table, and pictures of those that are doubtful."""

    sentence: str
    table: Table
    doubted: list[DoubtedWell]


def expected_segmentation(content: ReportContent) -> ExpectedSegmentation | None:
    """What `expected_f1` of the fields says of the wells; None where no field has it."""
    fields = content.fields
    if fields is None or "expected_f1" not in fields or fields["expected_f1"].isna().all():
        return None
    wells = _of_wells(fields)
    doubted = wells[wells["f1"] < DOUBTFUL_F1]
    pictured = [str(w) for w in doubted.index if w in content.thumbnails][:PICTURED]
    uris = as_uris([content.thumbnails[well] for well in pictured]) if pictured else []
    return ExpectedSegmentation(
        _sentence(wells, len(doubted)),
        Table(
            ["well", "expected F1", "interval", "lowest field", "fields without objects"],
            [
                [
                    str(well),
                    number(row.f1, 2),
                    f"{number(row.low, 2)} to {number(row.high, 2)}",
                    number(row.lowest, 2),
                    str(row.without) if row.without else "–",
                ]
                for well, row in zip(wells.index[:LISTED], wells.itertuples(), strict=False)
            ],
            [False, True, False, True, True],
            max(len(wells) - LISTED, 0),
        ),
        [
            DoubtedWell(well, number(float(wells["f1"][well]), 2), uri)
            for well, uri in zip(pictured, uris, strict=True)
        ],
    )


def _of_wells(fields: pd.DataFrame) -> pd.DataFrame:
    """Means over the fields of each well that have objects, the lowest F1 first."""
    groups = fields.groupby("well")
    columns = ["expected_f1", "expected_f1_low", "expected_f1_high"]
    wells = groups[columns].mean().set_axis(["f1", "low", "high"], axis=1)
    wells["lowest"] = groups["expected_f1"].min()
    wells["without"] = groups["expected_f1"].apply(lambda values: int(values.isna().sum()))
    return wells.dropna(subset=["f1"]).sort_values("f1", kind="stable")


def _sentence(wells: pd.DataFrame, doubtful: int) -> str:
    lowest = wells.index[0]
    median, least = float(wells["f1"].median()), float(wells["f1"].iloc[0])
    said = (
        f"The segmentation is expected to reach an F1 of {number(median, 2)} at an IoU of 0.5 "
        f"(median of {plural(len(wells), 'well')}; lowest {number(least, 2)} in {lowest})."
    )
    if not doubtful:
        return f"{said} No well is below {DOUBTFUL_F1:g}."
    return f"{said} {plural(doubtful, 'well')} below {DOUBTFUL_F1:g}: look at the outlines there."
