"""The head of the page: the few numbers that a reader wants first."""

from __future__ import annotations

import numpy as np

from cellpipe.report.content import ReportContent
from cellpipe.report.judgement import hit_number
from cellpipe.report.parts import KeyNumber, rows_of_kind
from cellpipe.report.wording import count, number, percent, plural, spoken
from cellpipe.statistics.dose_curve import N_PARAMETERS


def key_numbers(content: ReportContent) -> list[KeyNumber]:
    """The key numbers at the top of the report."""
    numbers = [*_plate_numbers(content), *_assay_numbers(content)]
    tracks = content.tracks
    if tracks is not None and len(tracks):
        divisions = int(tracks["divides"].sum())
        numbers.append(KeyNumber("Tracks", count(len(tracks)), plural(divisions, "division")))
    left_out = 0 if content.quarantine is None else len(content.quarantine)
    usual = 0  # images that no one may have wanted, such as those of other channels
    if content.quarantine is not None and "status" in content.quarantine:
        usual = int((content.quarantine["status"] == "passed over").sum())
    if content.quarantine is not None:
        hint = "see what and why" if left_out else "every image was used"
        hint += f", and {plural(usual, 'kind')} of images passed over" if usual else ""
        numbers.append(KeyNumber("Left out", count(left_out - usual), hint))
    if content.not_made is not None and len(content.not_made):
        numbers.append(KeyNumber("Not made", count(len(content.not_made)), "exports, kymographs"))
    return numbers


def _plate_numbers(content: ReportContent) -> list[KeyNumber]:
    wells = content.wells
    if wells is None or wells.empty:
        return []
    imaged, used = int((wells["n_fields"] > 0).sum()), int((wells["n_cells"] > 0).sum())
    hint = "all with cells" if used == imaged else f"{used} with cells"
    with_cells = wells[wells["n_cells"] > 0]
    usual = f"median {count(with_cells['n_cells'].median())} per well"
    if "cells_per_field" in wells:
        usual += f", {number(with_cells['cells_per_field'].median())} per field"
    return [
        KeyNumber(
            "Wells", count(imaged), f"{hint}, {plural(int(wells['n_fields'].sum()), 'field')}"
        ),
        KeyNumber("Cells", count(wells["n_cells"].sum()), usual + _dropped(content)),
    ]


def _dropped(content: ReportContent) -> str:
    """How many objects filters dropped, by filter; "" for none."""
    fields = content.fields
    columns = [] if fields is None else [c for c in fields if str(c).startswith("n_dropped_")]
    sums = {c.removeprefix("n_dropped_"): int(fields[c].sum()) for c in columns}  # type: ignore[index]
    named = ", ".join(f"{count(n)} {name}" for name, n in sums.items() if n)
    return f"; dropped: {named}" if named else ""


def _assay_numbers(content: ReportContent) -> list[KeyNumber]:
    numbers = []
    first = content.readouts[0] if content.readouts else None
    control = rows_of_kind(content.statistics, "controls", first)
    if control is not None and len(control) and np.isfinite(control["z_prime"].iloc[0]):
        z_prime = float(control["z_prime"].iloc[0])
        overlap = KeyNumber("Z′", "< 0", f"controls overlap in {spoken(first)}")
        apart = KeyNumber("Z′", number(z_prime, 2), f"of {spoken(first)}")
        numbers.append(apart if z_prime > 0 else overlap)
    doses = rows_of_kind(content.statistics, "dose_response", first)
    if doses is not None and (doses["n_points"] > N_PARAMETERS).any():
        known = doses["ec50"].dropna()
        value = "–" if known.empty else " – ".join(
            dict.fromkeys(number(v, 2) for v in (known.min(), known.max()))
        )  # fmt: skip
        unit = f" {content.dose_unit}" if content.dose_unit and len(known) else ""
        hint = f"{plural(len(known), 'curve')} of {len(doses)}"
        numbers.append(KeyNumber("EC50", value + unit, hint))
    if "balanced_accuracy" in content.classifier_scores:
        accuracy, note = (content.classifier_scores.get(k) for k in ("balanced_accuracy", "note"))
        numbers.append(
            KeyNumber(
                "Classes",
                percent(accuracy),
                "cannot be judged" if note else "balanced accuracy on held-out wells",
            )
        )
    if content.wells is not None and "hit" in content.wells:
        numbers.append(hit_number(content.wells))
    return numbers
