"""Fields whose images or objects raise a doubt: which, the likely cause and what to set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.image.saturation import MANY
from cellpipe.quality import focus
from cellpipe.segment import findings

Row = dict[str, str]
FEW = 0.1  # share of the objects found: some debris is usual
DROPPED = {  # filter → likely cause, what to do
    "improbable": (
        "objects unlike those in the training images, or an image out of focus",
        "look at the outlines in the report; keep them with 'segment.nuclei.min_object_probability"
        ": 0', or train weights on images of this kind",
    ),
    "small": (
        "the filter is larger than the objects, or the pixel size is wrong",
        "lower 'segment.nuclei.min_area_um2'; check 'ingest.pixel_size_um'",
    ),
    "large": (
        "the filter is smaller than the objects, or touching ones were not split",
        "raise 'segment.nuclei.max_area_um2'; check 'ingest.pixel_size_um'",
    ),
    "border": (
        "objects that are large compared with the field",
        "keep them with 'segment.nuclei.keep_border: true'",
    ),
}
LOOK = "look at the image and its outlines in the report"
CAUSES = {
    findings.NOTHING: (
        "objects of another size than in the training images, too dim, out of focus, saturated, or "
        "the wrong channel",
        f"{LOOK}; check 'segment.nuclei.channel', and give 'segment.nuclei.diameter_um'",
    ),
    findings.MISSED: (
        "objects that were missed (size, focus, too dim), or a channel that shows more than nuclei",
        f"{LOOK}; check 'segment.nuclei.channel', and give 'segment.nuclei.diameter_um'",
    ),
    findings.SIZE: (
        "objects smaller or larger than rescaling can match to the training images",
        "give 'segment.nuclei.diameter_um', or image at another magnification",
    ),
    findings.DOUBTFUL: (
        "objects or a microscope unlike those in the training images, a wrong scale, or a bad "
        "image: the F1 that is expected of the field is below "
        f"{findings.DOUBTFUL_F1:g} (expected_f1 in fields.parquet)",
        f"{LOOK}; give 'segment.nuclei.diameter_um', other 'segment.nuclei.weights' or another "
        "'segment.nuclei.engine', or train weights on images of this kind",
    ),
    findings.UNDECIDED: (
        "an image out of focus or noisy, or objects unlike those in the training images",
        f"{LOOK}; leave the field out, or train weights on images of this kind",
    ),
}


def doubtful_objects(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Fields by the flags of `cellpipe.segment.findings`, a row per flag."""
    fields = tables.get("fields")
    if fields is None or "objects_flag" not in fields:
        return
    flags = fields["objects_flag"].fillna("")
    for flag, (cause, do) in _causes().items():
        rows = fields[flags.str.contains(flag, regex=False)]
        if len(rows):
            yield {
                "kind": flag,
                "where": places(rows),
                "seen": f"{len(rows)} of {len(fields)} fields or frames",
                "likely_cause": cause,
                "do": do,
            }


def dropped_objects(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """How many objects each filter dropped on the whole plate, where they are not few."""
    fields = tables.get("fields")
    if fields is None or "n_nuclei" not in fields:
        return
    counts = {
        name: int(fields[f"n_dropped_{name}"].sum())
        for name in DROPPED
        if f"n_dropped_{name}" in fields
    }
    total = sum(counts.values())
    if total <= FEW * (total + int(fields["n_nuclei"].sum())):
        return
    named = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    yield {
        "kind": "objects dropped",
        "where": "fields.parquet, n_dropped_*",
        "seen": f"{total} of {total + int(fields['n_nuclei'].sum())} objects found: {named}",
        "likely_cause": "the filters of 'segment.nuclei', or images full of debris",
        "do": f"{LOOK}; see the flags of fields, and change or remove the filter",
    }


def saturated_channels(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Channels with fields that the camera's scale cuts (`cellpipe.image.saturation`)."""
    for channel, fields, rows in _flagged_channels(tables, "saturated"):
        share = rows[f"{channel}_saturated"]
        # flagged for the pixels of objects, which few pixels of the field are
        of_objects = "" if (share > MANY).any() else ", but more of those of many objects,"
        yield {
            "kind": "saturated",
            "where": f"channel {channel}: {places(rows)}",
            "seen": f"up to {100 * share.max():.2g} % of a field's pixels{of_objects} at the end "
            f"of the camera's scale, in {len(rows)} of {len(fields)} fields or frames",
            "likely_cause": "overexposed: intensities there are too low and all the same",
            "do": "expose for a shorter time, or exclude these wells from readouts of this channel",
        }


def blank_parts(inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Channels with planes that are blank in part (`cellpipe.quality.blank`)."""
    for channel, fields, flagged in _flagged_channels(tables, "blank"):
        rows = flagged[flagged[f"{channel}_blank"] < 1]  # others: `quality.levels.flat_images`
        if rows.empty:
            continue
        yield {
            "kind": "blank parts",
            "where": f"channel {channel}: {places(rows)}",
            "seen": f"up to {100 * rows[f'{channel}_blank'].max():.0f} % of a plane in bands or "
            f"tiles of one grey value, in {len(rows)} of {len(fields)} fields or frames",
            "likely_cause": "files that were not copied to their end, or strips that were lost",
            "do": "copy these files from the microscope once more and run again: counts and "
            "means there are of a part of the field (see 'fields left out' for what counts)",
        }


def lines_within(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Channels with rows or columns of one value (`cellpipe.quality.blank`)."""
    for channel, fields, rows in _flagged_channels(tables, "lines"):
        yield {
            "kind": "hot or dead lines",
            "where": f"channel {channel}: {places(rows)}",
            "seen": f"up to {rows[f'{channel}_lines'].max():.0f} rows or columns of one grey value "
            f"in {len(rows)} of {len(fields)} fields or frames",
            "likely_cause": "pixels of the camera that do not work, or a fault of its readout",
            "do": "intensities of objects on these lines are wrong: look at the images, and "
            "correct them with the camera's software, or leave these fields out",
        }


def blurred_fields(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Fields that `cellpipe.quality.focus` flags: out of focus, or without the camera's noise."""
    fields = tables.get("fields")
    if fields is None or "focus_flag" not in fields:
        return
    flags = fields["focus_flag"].fillna("")
    smoothed = flags.str.contains(focus.SMOOTHED, regex=False)
    if smoothed.any():
        noise = fields["noise_sigma"]
        yield {
            "kind": focus.SMOOTHED,
            "where": places(fields[smoothed]),
            "seen": f"noise of at most {noise[smoothed].max():.3g} grey values in "
            f"{int(smoothed.sum())} of {len(fields)} fields or frames; usual are "
            f"{noise[~smoothed].median():.3g}",
            "likely_cause": "files that were smoothed or compressed, or no light on the camera",
            "do": "use the files that the microscope wrote",
        }
    those = flags.str.contains(focus.FLAG, regex=False)
    if not those.any():
        return
    times = fields.loc[~those, "sharpness"].median() / fields.loc[those, "sharpness"].max()
    yield {
        "kind": focus.FLAG,
        "where": places(fields[those]),
        "seen": f"{int(those.sum())} of {len(fields)} fields or frames show fine detail at least "
        f"{times:.3g} times weaker than is usual on this plate",
        "likely_cause": "the autofocus failed (debris, drops, a plate that is not flat); counts, "
        "areas and means are wrong there",
        "do": "look at the images; image these fields again (see 'fields left out' for what "
        "counts)",
    }


def _causes() -> dict[str, tuple[str, str]]:
    dropped = {f"{findings.MANY_DROPPED} ({name})": told for name, told in DROPPED.items()}
    return {**CAUSES, **dropped}


def places(rows: pd.DataFrame) -> str:
    wells = [str(well) for well in rows["well"].drop_duplicates()]
    return ", ".join(wells[:8]) + (f" and {len(wells) - 8} more wells" if len(wells) > 8 else "")


def _flagged_channels(
    tables: Mapping[str, pd.DataFrame], word: str
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Channels with that word in their flag, and its share: channel, all fields, those flagged."""
    fields = tables.get("fields")
    if fields is None:
        return
    for column in [str(c) for c in fields if str(c).endswith("_flag")]:
        channel = column.removesuffix("_flag")
        rows = fields[fields[column].fillna("").str.contains(word, regex=False)]
        if f"{channel}_{word}" in fields and len(rows):
            yield channel, fields, rows
