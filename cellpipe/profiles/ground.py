"""How much of each well was imaged, so that counts can be compared between wells.

    field 1   field 2   field 3   field 4      expected: 4, as in most wells
     imaged    imaged   quarant.  no file      imaged share 2/4, so the well is incomplete

A frame counts as imaged if it was read, segmented and measured, also when nothing was on it; a
frame that is absent or was quarantined is not a frame without cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.profiles.shared_ground import overlap_shares

if TYPE_CHECKING:
    import pandas as pd

FRAME = ["well", "field", "t"]
OF_CELLS = ("segment", "measure")  # stages that a frame must have passed for its cells to count


def listed_fields(inspection: Mapping[str, Any]) -> pd.DataFrame:
    """Fields that the plate lists: well, field, n_t, area_px (of one frame).

    `inspection` is that of the plate; fields that it quarantined have no size, and are listed too.
    """
    import pandas as pd

    rows = []
    for place in inspection["fields"]:
        sizes = dict(zip(place["axes"], place["shape"], strict=True))
        area = float(sizes["y"]) * float(sizes["x"])
        rows.append((place["well"], int(place["field"]), int(sizes.get("t", 1)), area))
    return pd.DataFrame(rows, columns=["well", "field", "n_t", "area_px"])


def usable_frames(
    fields: pd.DataFrame,
    quarantine: pd.DataFrame | None = None,
    stages: Collection[str] = OF_CELLS,
) -> pd.DataFrame:
    """Frames (well, field, t) that were imaged and that all `stages` could use.

    Parameters
    ----------
    fields : one row per field and frame; `n_nuclei` is NaN where it was not segmented
    quarantine : well, field, t, stage of what was left out
    """
    import pandas as pd

    frames = fields if "t" in fields else fields.assign(t=0)
    if "n_nuclei" in frames:
        frames = frames[frames["n_nuclei"].notna()]
    frames = frames[FRAME].drop_duplicates()
    if quarantine is None or quarantine.empty:
        return frames
    bad = quarantine[quarantine["stage"].isin(list(stages))]
    bad = bad.assign(**{c: pd.to_numeric(bad[c], errors="coerce") for c in ("field", "t")})
    lost = pd.MultiIndex.from_frame(bad.dropna(subset=["field", "t"])[FRAME])
    whole = pd.MultiIndex.from_frame(bad[bad["t"].isna()][["well", "field"]])  # all of a movie
    here = pd.MultiIndex.from_frame(frames[FRAME].astype({"field": float, "t": float}))
    fields_here = pd.MultiIndex.from_frame(frames[["well", "field"]].astype({"field": float}))
    return frames[~here.isin(lost) & ~fields_here.isin(whole)]


def well_ground(
    frames: pd.DataFrame,
    listed: pd.DataFrame | None,
    wells: Iterable[str],
    *,
    min_imaged_share: float = 0.8,
    left_out: Mapping[str, str] | None = None,
    rectangles: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """How much of each well was imaged, indexed by well in the order of `wells`.

    Parameters
    ----------
    frames : from `usable_frames`
    listed : from `listed_fields`; without it fields are taken as listed if they were imaged, and
        as equally large
    min_imaged_share : a well with less than this part of what is usual on the plate is incomplete
    left_out : well → what was left out of what it lists, as text for the reason
    rectangles : what fields cover of their well (`cellpipe.profiles.shared_ground`), where objects
        of overlaps count once; ground that several fields show is then counted once too

    Returns
    -------
    DataFrame
        n_fields : with at least one imaged frame
        n_fields_expected : what most wells of the plate list
        n_frames : imaged, over all fields
        imaged_fields, imaged_frames : the same in fields (and frames) of the plate's usual size
        area_px : of the imaged fields together
        imaged_share : imaged frames × area of what the plate's wells usually have; 1 for all
        overlap_share : with `rectangles`: share of the fields' area, over all frames, that shows
            ground of another field; NaN where it is unknown, and 0 is taken
        incomplete, incomplete_reason
    """
    import pandas as pd

    index = pd.Index(list(wells), name="well")
    of_field = frames.groupby(["well", "field"]).size().rename("n_imaged").reset_index()
    if listed is None:
        listed = of_field.rename(columns={"n_imaged": "n_t"}).assign(area_px=1.0)
    of_field = of_field.merge(listed, how="left", on=["well", "field"])
    area = usual(listed["area_px"])
    of_field["area_px"] = of_field["area_px"].fillna(area)
    relative = of_field["area_px"] / (area or 1.0)
    of_field = of_field.assign(
        imaged_fields=relative, imaged_frames=relative * of_field["n_imaged"], n_fields=1
    )
    sums = of_field.rename(columns={"n_imaged": "n_frames"}).groupby("well")[
        ["n_fields", "n_frames", "imaged_fields", "imaged_frames", "area_px"]
    ]
    table = sums.sum().reindex(index, fill_value=0)
    listed_of_well = listed.groupby("well").size()
    expected = usual(listed_of_well)
    n_t = usual(listed["n_t"])
    table["n_fields_expected"] = int(expected)
    table["imaged_share"] = table["imaged_frames"] / max(expected * n_t, 1)
    least = min_imaged_share * usual(table.loc[table["n_frames"] > 0, "imaged_share"])
    short = table["imaged_share"] < least * (1 - 1e-9)
    none = table["n_frames"] == 0
    table["incomplete"] = short | none
    table["incomplete_reason"] = [
        _why_incomplete(
            row,
            listed_of_well.get(well, 0),
            int(expected),
            int(n_t),
            float(least),
            (left_out or {}).get(str(well), ""),
        )
        if row.incomplete
        else ""
        for well, row in zip(table.index, table.itertuples(), strict=True)
    ]
    whole = dict.fromkeys(("n_fields", "n_fields_expected", "n_frames"), "int32")
    table = table.astype(whole)
    return table if rectangles is None else _ground_once(table, overlap_shares(frames, rectangles))


def _ground_once(table: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """The table with ground that several fields show counted once."""
    shares = shares.reindex(table.index)
    by_field, by_frame = (1 - shares[name].fillna(0.0) for name in ("of_fields", "of_frames"))
    return table.assign(
        imaged_fields=table["imaged_fields"] * by_field,
        imaged_frames=table["imaged_frames"] * by_frame,
        area_px=table["area_px"] * by_field,
        overlap_share=shares["of_frames"],
    )


def usual(values: Any) -> float:
    """The most common value, if half of all have it (the larger of two); else the median."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if known.size == 0:
        return 0.0
    distinct, counts = np.unique(known.round(9), return_counts=True)
    if 2 * counts.max() >= known.size:
        return float(distinct[counts == counts.max()][-1])
    return float(np.median(known))


def _why_incomplete(
    row: Any, n_listed: int, expected: int, n_t: int, least: float, left_out: str
) -> str:
    by_option = f" ({left_out}; see profile.leave_out)" if left_out else ""
    if row.n_frames == 0:
        return f"no image of the well could be used{by_option}"
    if n_t > 1:
        said = f"{row.n_frames} of {expected * n_t} frames (fields × time points)"
    else:
        said = f"{row.n_fields} of {expected} fields"
    absent = f", {expected - n_listed} without files" if n_listed < expected else ""
    if absent and row.n_fields == n_listed:  # nothing else is missing: it may be the design
        absent += " (if on purpose: profile.min_imaged_share: 0 keeps them)"
    return (
        f"{said} could be used{by_option}{absent}: {row.imaged_share:.0%} of what the plate's wells"
        f" have, less than {least:.0%}"
    )
