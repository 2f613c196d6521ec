"""Warnings of a plate as a whole: what was seen, where, the likely cause and what to do.

    inspection ─┐
    tables ─────┴─ CHECKS ─→  results/P/warnings.tsv, the log, the head of the report

A check is one function: it takes the inspection and the tables of a plate (``cells``, ``fields``,
``tracks``, ``spot_tracks``, ``msd``, ``light``, ``wells``, ``statistics``, ``plate_map``; any may
be missing) and returns rows, dictionaries with the keys of `COLUMNS`, none where nothing is wrong.
To add one, write it (here, or in a module of its own in this folder) and name it in `CHECKS`. Flags
of single fields and frames belong in ``fields.parquet``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.quality.conditions import (
    cells_one_column_on,
    controls_of_another_name,
    doses_of_another_name,
    wells_without_condition,
)
from cellpipe.quality.corrected import light_not_confirmed
from cellpipe.quality.fields import (
    blank_parts,
    blurred_fields,
    doubtful_objects,
    dropped_objects,
    lines_within,
    saturated_channels,
)
from cellpipe.quality.files import files_in_doubt, incomplete
from cellpipe.quality.left_out import fields_left_out
from cellpipe.quality.levels import (
    exchanged_channels,
    flat_images,
    gain_changes,
    odd_levels,
    odd_steps,
    same_pixels,
)
from cellpipe.quality.licences import non_commercial_weights
from cellpipe.quality.light import uneven_light
from cellpipe.quality.movies import (
    cut_short,
    cut_tracks,
    frames_in_doubt,
    nothing_found,
    stage_not_sought,
)
from cellpipe.quality.places import counted_twice, fields_not_placed
from cellpipe.quality.positions import effects_of_position
from cellpipe.quality.scale import empty_columns, impossible_objects, odd_scale, unknown_units
from cellpipe.quality.scales import differing_scales
from cellpipe.quality.sizes import odd_sizes
from cellpipe.quality.stacks import focus_at_the_end
from cellpipe.quality.strange import strange_images
from cellpipe.quality.textures import coarse_textures

COLUMNS = ("kind", "where", "seen", "likely_cause", "do")
Inspection = Mapping[str, Any]
Tables = Mapping[str, pd.DataFrame]
Check = Callable[[Inspection, Tables], Iterator[dict[str, str]]]

CHECKS: tuple[Check, ...] = (
    files_in_doubt,
    incomplete,
    non_commercial_weights,
    wells_without_condition,
    doses_of_another_name,
    controls_of_another_name,
    cells_one_column_on,
    effects_of_position,
    unknown_units,
    odd_scale,
    impossible_objects,
    doubtful_objects,
    strange_images,
    dropped_objects,
    saturated_channels,
    nothing_found,
    frames_in_doubt,
    stage_not_sought,
    cut_short,
    cut_tracks,
    blurred_fields,
    focus_at_the_end,
    blank_parts,
    lines_within,
    fields_left_out,
    same_pixels,
    exchanged_channels,
    flat_images,
    odd_levels,
    odd_steps,
    gain_changes,
    odd_sizes,
    differing_scales,
    uneven_light,
    light_not_confirmed,
    fields_not_placed,
    counted_twice,
    coarse_textures,
    empty_columns,
)


def plate_warnings(inspection: Inspection, tables: Tables) -> pd.DataFrame:
    """One row per warning, text alone: the columns of `COLUMNS`; in the order of `CHECKS`."""
    rows = [row for check in CHECKS for row in check(inspection, tables)]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
