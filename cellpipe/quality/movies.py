"""Warnings of movies whose frames are in doubt, and of plates in which nothing was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.profiles.cut_tracks import cut_movies
from cellpipe.profiles.ground import usual
from cellpipe.quality.fields import places

FEWEST = 3  # movies, for most to be known
SHORT = 0.05  # of the time: less changes a mean over time by little
SHOWN = 20  # fields that get rows of their own
ONLY_LOST = r"after \d+ lost frames?"  # they are named as missing or quarantined


def frames_in_doubt(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A row per field with frames that repeat others, jump, are blurred or out of order."""
    from cellpipe.quality.movie_quality import summary

    fields = tables.get("fields", pd.DataFrame())
    if "movie_flag" not in fields:
        return
    flags = fields["movie_flag"].fillna("").astype(str)
    doubted = fields[flags.ne("") & ~flags.str.fullmatch(ONLY_LOST)]
    lines = [line.partition(": ") for line in summary(doubted)]
    for where, _, what in lines[:SHOWN]:
        yield _row(where, f"doubtful frames: {what}", len(lines))
    if len(lines) > SHOWN:
        yield _row("plate", f"{len(lines) - SHOWN} more fields with doubtful frames", len(lines))


def _row(where: str, seen: str, n_fields: int) -> dict[str, str]:
    cause = "the microscope, its stage or focus, or files that were copied or named wrongly"
    return {
        "kind": "movie",
        "where": where,
        "seen": seen,
        "likely_cause": cause
        if n_fields > 1
        else f"{cause}; in a single field, a real event is possible too",
        "do": "look at these frames; see movie_flag in fields.parquet",
    }


def stage_not_sought(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """One row for movies whose spots are too few to report a jump of the stage."""
    from cellpipe.track.spot_stage import FEW

    fields = tables.get("fields", pd.DataFrame())
    if "stage_from" not in fields:
        return
    rows = fields[fields["stage_from"].eq(FEW)]
    if rows.empty:
        return
    n = len(rows[["well", "field"]].drop_duplicates())
    yield {
        "kind": "movie",
        "where": places(rows),
        "seen": f"jumps of the stage could not be detected in {n} fields: {FEW}, and no"
        " tracked cells",
        "likely_cause": "few spots",
        "do": "look at the movies; a jump ends tracks, or adds a step to them",
    }


def cut_short(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """One row for movies that begin later or end earlier than those of the rest of the plate."""
    fields = tables.get("fields", pd.DataFrame())
    if not {"well", "field", "t", "n_nuclei"} <= set(fields):
        return
    seen = fields[fields["n_nuclei"].notna()]
    ends = seen.groupby(["well", "field"])["t"].agg(["min", "max"])
    if len(ends) < FEWEST or ends["max"].max() == 0:
        return
    first, last = (int(usual(ends[side])) for side in ("min", "max"))
    least = SHORT * (last - first + 1)
    odd = ends[(ends["min"] - first > least) | (last - ends["max"] > least)]
    if odd.empty or last == first:
        return
    yield {
        "kind": "movie",
        "where": places(odd.reset_index()),
        "seen": f"{len(odd)} of {len(ends)} movies cover frames {odd['min'].max()} to "
        f"{odd['max'].min()} at worst, where most cover {first} to {last}",
        "likely_cause": "an acquisition that was stopped or began late, or files that were not "
        "copied",
        "do": "copy the missing files; else set profile.min_imaged_share to 1 to keep such wells "
        "out: their counts and medians over time are of another part of the time (a culture that "
        "grows)",
    }


def cut_tracks(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A row for movies in which lost frames ended all tracks: of cells, and of spots."""
    fields = tables.get("fields", pd.DataFrame())
    for name, what in (("tracks", "track"), ("spot_tracks", "detect")):
        tracks = tables.get(name, pd.DataFrame())
        if tracks.empty or "t_start" not in tracks:
            continue
        cut = cut_movies(fields, tracks)
        if cut.empty:
            continue
        n = len(cut[["well", "field"]].drop_duplicates())
        first = cut.iloc[0]
        yield {
            "kind": "tracks cut",
            "where": places(cut),
            "seen": f"all {name.replace('_', ' ')} end at lost frames in {n} of "
            f"{len(tracks[['well', 'field']].drop_duplicates())} movies, first at "
            f"{int(first['n_lost'])} before frame {int(first['t'])} of {first['well']} field "
            f"{int(first['field'])}: an object before and after them counts as two",
            "likely_cause": f"more frames lost than '{what}.max_gap_frames' allows",
            "do": f"copy the missing files; or raise '{what}.max_gap_frames', if objects can be "
            "recognised for so long",
        }


def nothing_found(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """One row where no frame of the whole plate holds an object."""
    fields = tables.get("fields", pd.DataFrame())
    if "n_nuclei" not in fields or not len(fields) or fields["n_nuclei"].fillna(0).sum() > 0:
        return
    yield {
        "kind": "objects",
        "where": "plate",
        "seen": f"no object in any of {len(fields):,} fields and frames",
        "likely_cause": "an empty plate, the wrong channel, or another scale",
        "do": "look at the images; see 'segment.nuclei.channel' and 'segment.nuclei.diameter_um'",
    }
