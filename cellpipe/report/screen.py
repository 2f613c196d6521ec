"""The page of a screen: hits by rank, replicates, plates beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from cellpipe.profiles.screens.treatments import name_treatments
from cellpipe.report import svg
from cellpipe.report.assay import z_score
from cellpipe.report.hits import CALLS
from cellpipe.report.parts import MAX_ROWS, Chart, KeyNumber, Table
from cellpipe.report.plate_view import shades
from cellpipe.report.template import part, template
from cellpipe.report.wording import count, number, p_value, plural, spoken
from cellpipe.run.plates.screen import Screen
from cellpipe.statistics.reference import controls_of, named
from cellpipe.wells import plate_shape, row_column

if TYPE_CHECKING:
    import pandas as pd

ACTIVE = {"True": "active", "False": "not shown to be"}
MOST_HITS, MOST_MAPS = 100, 60
LIMIT = 5.0  # robust z at the ends of the colours


@dataclass(frozen=True)
class ScreenContent:
    """Name of a screen, its joined tables, and the section `profile` of the config."""

    name: str
    screen: Screen
    profile: Mapping[str, Any]


def render_screen(content: ScreenContent) -> str:
    """The report of a screen as one HTML page that needs no other file."""
    screen = content.screen
    readout = str(screen.hits["readout"].iloc[0]) if len(screen.hits) else ""
    column = f"{readout}_robust_z"
    pair = _best_pair(screen.replicates)
    maps = plate_maps(screen.wells, column) if column in screen.wells else []
    return template("screen.html").render(
        name=content.name,
        style=Markup(part("report.css")),
        keys=key_numbers(screen),
        readout=spoken(readout),
        hits=hits_table(screen.hits),
        ranks=rank_chart(screen.hits),
        scatter=replicate_chart(screen, column, pair) if pair else None,
        pair=" and ".join(pair) if pair else "",
        correlations=correlation_table(screen.replicates),
        activity=activity_table(screen.activity),
        similarity=similarity_chart(screen.similarity),
        clusters=clusters_table(screen.similarity),
        maps=maps[:MOST_MAPS],
        more_maps=max(0, len(maps) - MOST_MAPS),
        limit=number(LIMIT),
        plates=plates_table(screen.plates),
        notes=screen.notes,
    )


def key_numbers(screen: Screen) -> list[KeyNumber]:
    """Plates, treatments, hits, the usual Z′ and correlation of replicates."""
    hits = screen.hits
    called = hits["hit"].astype("boolean") if len(hits) else None
    unknown = 0 if called is None else int(called.isna().sum())
    n_hits = 0 if called is None else int(called.fillna(False).sum())
    numbers = [
        KeyNumber("Plates", count(len(screen.plates)), _batches(screen.plates)),
        KeyNumber("Treatments", count(len(hits)), _replicates(hits)),
        KeyNumber(
            "Hits",
            count(n_hits) if called is not None and unknown < len(hits) else "–",
            f"{plural(unknown, 'treatment')} cannot be judged" if unknown else "",
        ),
    ]
    z = screen.plates["z_prime"].astype(float)
    if z.notna().any():
        ends = f"{z_score(z.min())} to {z_score(z.max())}"
        numbers.append(KeyNumber("Z′", z_score(z.median()), f"median of the plates, {ends}"))
    if screen.replicates["pearson"].notna().any():
        usual = screen.replicates["pearson"].median()
        numbers.append(KeyNumber("Replicates", number(usual, 2), "median correlation"))
    return numbers


def _batches(plates: pd.DataFrame) -> str:
    named = plates["batch"].replace("", np.nan).dropna().unique()
    return plural(len(named), "batch", "batches") if len(named) else ""


def _replicates(hits: pd.DataFrame) -> str:
    if hits.empty:
        return ""
    n = hits["n_wells"] + hits["n_without_value"]
    return f"of {plural(int(n.median()), 'well')} each, as a rule"


def hits_table(hits: pd.DataFrame) -> Table | None:
    """Treatments by rank, down to some that are no hits."""
    known = hits[hits["score"].notna()] if len(hits) else hits
    if not len(known):
        return None
    n_hits = int(known["hit"].astype("boolean").fillna(False).sum())
    shown = known.head(min(MOST_HITS, max(10, n_hits + 5)))
    rows = [
        [
            count(row["rank"]),
            row["treatment"],
            CALLS.get(str(row["hit"]), "cannot be judged"),
            number(row["effect"], 2),
            number(row["percent_of_control"]),
            number(row["score"], 2),
            p_value(row["p"]),
            p_value(row["q"]),
            f"{row['n_wells']} of {row['n_wells'] + row['n_without_value']}",
            row["wells"],
        ]
        for row in shown.to_dict("records")
    ]
    columns = ["rank", "treatment", "", "effect", "% of control", "score", "p", "q", "wells", ""]
    numeric = [True, False, False, *[True] * 6, False]
    return Table(columns, rows, numeric, len(known) - len(shown))


def activity_table(activity: pd.DataFrame) -> Table | None:
    """Active treatments, the most active first, and some that are not."""
    if activity.empty:
        return None
    n_active = int(activity["active"].fillna(False).sum())
    shown = activity.head(min(MOST_HITS, max(10, n_active + 5)))
    rows = [
        [row["treatment"], ACTIVE.get(str(row["active"]), "cannot be judged"),
         count(row["n_wells"]), number(row["map"], 2), p_value(row["p"]), p_value(row["q"]),
         row["reason"]]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    columns = ["treatment", "", "wells", "mean average precision", "p", "q", "why not"]
    numeric = [False, False, True, True, True, True, False]
    return Table(columns, rows, numeric, len(activity) - len(shown))


def similarity_chart(similar: pd.DataFrame) -> Markup | None:
    """The map of treatments, those that are active or hits marked."""
    known = similar.dropna(subset=["map_1", "map_2"])
    if known.empty:
        return None
    marked = (known["hit"].fillna(False) | known["active"].fillna(False)).to_numpy(bool)
    x, y = known[["map_1", "map_2"]].to_numpy(float).T
    return svg.dots(x, y, marked, ("UMAP 1", "UMAP 2"))


def clusters_table(similar: pd.DataFrame) -> Table | None:
    """Clusters of treatments with alike profiles, the largest first."""
    clustered = similar[similar["cluster"] > 0]
    if clustered.empty:
        return None
    rows = [
        [count(number), count(len(own)), count(int(own["active"].fillna(False).sum())),
         count(int(own["hit"].fillna(False).sum())), named([str(t) for t in own["treatment"]])]
        for number, own in clustered.groupby("cluster")
    ]  # fmt: skip
    columns = ["cluster", "treatments", "active", "hits", "which"]
    return Table(columns, rows[:MOST_HITS], [True] * 4 + [False], max(0, len(rows) - MOST_HITS))


def plates_table(plates: pd.DataFrame) -> Table:
    """Plates in the order of the sheet; empty columns are left out."""
    shown: dict[str, tuple[str, Callable[[Any], str], bool]] = {
        "plate": ("plate", str, False),
        "batch": ("batch", str, False),
        "replicate": ("replicate", str, False),
        "plate_map": ("plate map", str, False),
        "n_wells": ("wells", count, True),
        "n_without_value": ("no value", count, True),
        "n_hits": ("hits alone", count, True),
        "z_prime": ("Z′", z_score, True),
        "z_prime_robust": ("robust Z′", z_score, True),
        "negative_median": ("median −", number, True),
        "negative_mad": ("MAD −", number, True),
        "edge_p": ("edge p", p_value, True),
        "edge_p_corrected": ("edge p, corrected", p_value, True),
    }
    used = [c for c in shown if plates[c].astype("string").fillna("").ne("").any()]
    rows = [
        [shown[c][1](row[c]) for c in used]
        for row in plates[used].head(MAX_ROWS).to_dict("records")
    ]
    return Table(
        [shown[c][0] for c in used], rows, [shown[c][2] for c in used],
        max(0, len(plates) - MAX_ROWS),
    )  # fmt: skip


def correlation_table(replicates: pd.DataFrame) -> Table:
    """Correlations of plates that share treatments, the lowest first."""
    order = replicates.sort_values("pearson", kind="stable", na_position="last")
    rows = [
        [row["plate"], row["other"], count(row["n"]), number(row["pearson"], 2),
         number(row["spearman"], 2)]
        for row in order.head(MAX_ROWS).to_dict("records")
    ]  # fmt: skip
    columns = ["plate", "other", "treatments of both", "Pearson", "Spearman"]
    return Table(columns, rows, [False, False, True, True, True], max(0, len(order) - MAX_ROWS))


def _best_pair(replicates: pd.DataFrame) -> tuple[str, str] | None:
    """Two plates whose correlation is the median: neither the best nor the worst picture."""
    known = replicates.dropna(subset="pearson").sort_values("pearson", kind="stable")
    if known.empty:
        return None
    row = known.iloc[len(known) // 2]
    return str(row["plate"]), str(row["other"])


def replicate_chart(screen: Screen, column: str, pair: tuple[str, str]) -> Markup:
    """Robust z on one plate against that on the other, a dot per treatment."""
    samples = screen.wells[controls_of(screen.wells).eq("")]
    table = samples.assign(treatment=name_treatments(samples))
    by_plate = table.pivot_table(index="treatment", columns="plate", values=column, aggfunc="mean")
    both = by_plate[list(pair)].replace([np.inf, -np.inf], np.nan).dropna()
    hits = screen.hits.set_index("treatment")["hit"].astype("boolean").fillna(False)
    marked = hits.reindex(both.index, fill_value=False).to_numpy(bool)
    x, y = both.to_numpy(float).T
    return svg.dots(x, y, marked, (f"robust z, {pair[0]}", f"robust z, {pair[1]}"))


def rank_chart(hits: pd.DataFrame) -> Markup | None:
    """Scores from the highest to the lowest, hits marked."""
    known = hits[np.isfinite(hits["score"].astype(float))] if len(hits) else hits
    if len(known) < 3:
        return None
    order = known.sort_values("score", ascending=False, kind="stable")
    marked = order["hit"].astype("boolean").fillna(False).to_numpy(bool)
    ranks = np.arange(1, len(order) + 1, dtype=float)
    return svg.dots(ranks, order["score"].to_numpy(float), marked, ("rank", "score"))


def plate_maps(wells: pd.DataFrame, column: str) -> list[Chart]:
    """A small map of each plate, coloured by robust z."""
    colours = shades("RdBu_r")
    charts = []
    for plate, own in wells.groupby("plate", sort=False):
        n_rows, n_columns = plate_shape(own["well"])
        side = max(4, min(12, 240 // n_columns))
        parts = []
        for well, z in zip(own["well"], own[column].astype(float), strict=True):
            row, at = row_column(well)
            place = f'x="{(at - 1) * side}" y="{(row - 1) * side}" width="{side}" height="{side}"'
            if not np.isfinite(z):
                parts.append(f'<rect {place} class="none"/>')
                continue
            share = np.clip((z + LIMIT) / (2 * LIMIT), 0, 1)
            fill = colours[round(share * (len(colours) - 1))]
            title = f"<title>{escape(str(well))}: {number(z)}</title>"
            parts.append(f'<rect {place} fill="{fill}">{title}</rect>')
        width, height = n_columns * side, n_rows * side
        picture = Markup(
            f'<svg class="map" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{escape(str(plate))}">{"".join(parts)}</svg>'
        )
        charts.append(Chart(str(plate), picture))
    return charts
