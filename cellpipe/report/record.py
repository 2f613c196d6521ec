"""What was seen and what was run: tracks, image quality, what was left out, stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from cellpipe.figures.tracks import first_families
from cellpipe.image import units
from cellpipe.report import svg
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import MAX_ROWS, Chart, Table
from cellpipe.report.wording import count, duration, number, plural, spoken

if TYPE_CHECKING:
    import pandas as pd

MAX_TRACKS = 120  # of a lineage that can still be read
MAX_DOUBTS = 12  # fields with doubted frames that are named; the table has the others
NO_QUALITY = {"plate", "well", "row", "column", "field", "t", "z", "seconds", "repeats_t"} | {
    *("lost_before", "cell_step_um"),
    *(f"stage_{what}_{axis}_um" for what in ("shift", "jump") for axis in "yx"),
}


def tracks_table(tracks: pd.DataFrame) -> Table:
    """Dynamics well by well."""
    from cellpipe.profiles.dynamics import aggregate_tracks

    wells = aggregate_tracks(tracks)
    known = units.time_is_known()
    per, lasting = (3600.0, duration) if known else (1.0, number)
    rows = [
        [
            well["well"], count(well["n_tracks"]), count(well["n_divisions"]),
            number(per * well["median_speed_um_s"]), lasting(well["median_lifetime_s"]),
            number(well["median_displacement_um"]),
        ]
        for _, well in wells.head(MAX_ROWS).iterrows()
    ]  # fmt: skip
    lifetime = "lifetime" if known else "lifetime (frames)"
    columns = ["well", "tracks", "divisions"]
    columns += [units.label("speed (µm/h)"), lifetime, units.label("displacement (µm)")]
    return Table(columns, rows, [False] + [True] * 5, max(len(wells) - MAX_ROWS, 0))


def busiest_lineage(tracks: pd.DataFrame) -> Chart | None:
    """The trees of the field with the most divisions; of a crowded one, families that divided."""
    divisions = tracks.groupby(["well", "field"])["divides"].sum()
    if divisions.empty or not divisions.max():
        return None
    well, frame_field = divisions.idxmax()
    own = tracks[(tracks["well"] == well) & (tracks["field"] == frame_field)]
    title = f"Well {well}, field {frame_field}: {plural(int(divisions.max()), 'division')}"
    shown = own if len(own) <= MAX_TRACKS else _of_divided_families(own)
    if len(shown) < len(own):
        title += f", {len(shown)} of {len(own)} tracks shown"
    return Chart(title, svg.lineage(shown))


def _of_divided_families(tracks: pd.DataFrame) -> pd.DataFrame:
    """At most `MAX_TRACKS` tracks of families that divided, founders in order."""
    some = first_families(tracks, MAX_TRACKS)
    is_mother = some["track_id"].isin(some["parent_track_id"])
    return some[is_mother | some["parent_track_id"].isin(some["track_id"])]


def quality(fields: pd.DataFrame) -> tuple[list[tuple[str, Markup, str]], Table | None]:
    """(a strip per figure of merit, the flagged fields): image quality over all fields."""
    import pandas as pd

    flagged = fields["flag"].fillna("").ne("") if "flag" in fields else fields["well"].isna()
    flags = [c for c in fields if str(c).endswith("_flag")]
    for column in flags:
        flagged |= fields[column].fillna("").ne("")
    metrics = [
        c
        for c in fields
        if c not in NO_QUALITY
        and pd.api.types.is_numeric_dtype(fields[c])
        and not pd.api.types.is_bool_dtype(fields[c])
    ]
    strips = [
        (
            spoken(c),
            svg.strip(
                {"sample": fields.loc[~flagged, c], "bad": fields.loc[flagged, c]}, width=320
            ),
            f"{_figure(fields[c].min())} to {_figure(fields[c].max())}",
        )
        for c in metrics
        if fields[c].nunique() > 1
    ]
    bad = fields[flagged]
    if bad.empty:
        return strips, None
    named = [c for c in ("flag", *flags) if c in fields]
    place = ["field", "t"] if "t" in fields and fields["t"].nunique() > 1 else ["field"]
    rows = [
        [row["well"], *(str(row[c]) for c in place), ", ".join(_flags(row, named))]
        + [_figure(row[c]) for c in metrics]
        for _, row in bad.head(MAX_ROWS).iterrows()
    ]
    columns = ["well", *("frame" if c == "t" else c for c in place), "flag", *map(spoken, metrics)]
    numeric = [False] + [True] * len(place) + [False] + [True] * len(metrics)
    return strips, Table(columns, rows, numeric, max(len(bad) - MAX_ROWS, 0))


def doubted_frames(fields: pd.DataFrame | None) -> list[str]:
    """A line per field whose movie has frames to doubt; few of many fields; jumps of all first."""
    from cellpipe.quality.movie_quality import shared_jumps, summary

    if fields is None:
        return []
    lines, shared = summary(fields), shared_jumps(fields)
    more = len(lines) - MAX_DOUBTS
    shown = lines if more <= 0 else [*lines[:MAX_DOUBTS], f"and {plural(more, 'more field')}"]
    return [*shared[:MAX_DOUBTS], *shown]


def common_movement(fields: pd.DataFrame | None) -> list[str]:
    """Whether cells move far together, as text."""
    from cellpipe.quality import movie_quality

    return [] if fields is None else movie_quality.common_movement(fields)


def _figure(value: float) -> str:
    whole = np.isfinite(value) and value == round(value)
    return count(value) if whole else number(value)


def _flags(row: pd.Series, columns: list[str]) -> list[str]:
    said = []
    for column in columns:
        if row[column] and row[column] == row[column]:
            channel = column.removesuffix("flag").rstrip("_")
            channel = "" if channel in ("movie", "focus") else channel
            said.append(f"{channel} {row[column]}".strip())
    return said


def quarantine_table(quarantine: pd.DataFrame) -> Table:
    """Everything that was left out: where, why, and what to do."""
    known = [
        c for c in ("well", "field", "t", "stage", "status", "reason", "remedy") if c in quarantine
    ]
    titles = {"t": "frame", "reason": "why", "remedy": "what to do"}
    shown = quarantine.head(MAX_ROWS)
    rows = [
        ["" if v != v else str(v) for v in row] for row in shown[known].astype(object).to_numpy()
    ]
    columns = [titles.get(c, c) for c in known]
    return Table(columns, rows, [c in ("field", "t") for c in known], len(quarantine) - len(shown))


def warnings_table(warnings: pd.DataFrame) -> Table | None:
    """Doubts about the data; None if there are none."""
    if warnings.empty:
        return None
    titles = {"seen": "what was seen", "likely_cause": "likely cause", "do": "what to do"}
    shown = warnings.head(MAX_ROWS)
    columns = [titles.get(str(c), str(c)) for c in warnings]
    rows = shown.astype(str).to_numpy().tolist()
    return Table(columns, rows, [False] * len(columns), len(warnings) - len(shown))


def not_made_table(not_made: pd.DataFrame | None) -> Table | None:
    """Exports and kymographs that could not be made; None where all were."""
    if not_made is None or not_made.empty:
        return None
    shown = not_made.head(MAX_ROWS)
    rows = [list(row) for row in shown[["what", "reason", "do"]].astype(str).to_numpy()]
    columns = ["what", "why", "what to do"]
    return Table(columns, rows, [False] * 3, len(not_made) - len(shown))


def code_digests(codes: Iterable[str]) -> Markup:
    """Digests in the type of code; several where units were made by different code."""
    known = [code or "not recorded" for code in codes]
    return Markup(", ").join(Markup("<code>{}</code>").format(code) for code in known)


def stage_table(content: ReportContent) -> Table | None:
    """What ran, how long, with which code, libraries and networks; options follow below it."""
    if not content.stages:
        return None
    rows = [
        [
            stage.stage.replace("_", " "),
            count(stage.n_units) if stage.n_units else "–",
            duration(stage.seconds) if np.isfinite(stage.seconds) else "–",
            code_digests(stage.codes),
            ", ".join(f"{name} {' and '.join(v)}" for name, v in stage.libraries.items()) or "–",
            ", ".join(stage.weights) or "–",
        ]
        for stage in content.stages
    ]
    columns = ["stage", "units", "computing time", "code digest", "libraries", "networks"]
    return Table(columns, rows, [False, True, True, False, False, False])


def network_table(content: ReportContent) -> Table | None:
    """The networks that stages used, each with its licence, as far as its card is at hand."""
    known = {network["digest"]: network for network in content.networks}
    users: dict[tuple[str, str], list[str]] = {}
    for stage in content.stages:
        for name, digests in stage.weights.items():
            for digest in digests:
                users.setdefault((name, digest), []).append(stage.stage)
    rows = []
    for (name, digest), stages in users.items():
        card = known.get(digest, {"sha256": digest.partition("+")[0]})
        sha256 = Markup('<code title="{}">{}</code>').format(card["sha256"], card["sha256"][:16])
        source = f" ({card['licence_source']})" if card.get("licence_source") else ""
        facts = [card.get("trained_on", "–"), card.get("licence", "–") + source]
        rows.append([name, ", ".join(stages), *facts, sha256])
    columns = ["name", "used by", "trained on", "licence", "sha256"]
    return Table(columns, rows, [False] * 5) if rows else None
