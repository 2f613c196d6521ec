"""A few fields of a plate that stand for all: its inspection, cut before any pixel is read.

    fields by the size of their files    ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·
    large cut                                  x        x        x        x     sparse … crowded
    small cut                                  x                 x

What the two cost differs by what a field costs; what they cost alike, every job costs. Later stages
read the inspection and never the folder, so this serves every layout, also a plate in place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

Place = tuple[str, int]  # well, field
Inspection = Mapping[str, Any]
SHARE = 8  # of the frames of a plate, one in so many is probed
FRAMES = (4, 24)  # fewest and most frames of a large cut; of fewer than twice 4, half are probed
MOVIES = (2, 4)  # fewest and most fields of one, where fields are movies
ONE_CUT = 500  # frames of a plate up to which start costs are so large a part that one cut serves


def cuts(
    inspection: Inspection, manifest: pd.DataFrame, groups: Sequence[Collection[Place]]
) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """The small cut and the large one, each an inspection and a manifest; or one, of few frames.

    Parameters
    ----------
    groups : fields of which each cut must hold one: those of negative controls, say
    """
    fields = inspection["fields"]
    n_frames = sum(field["n_t"] for field in fields)
    fewest = min(FRAMES[0], -(-n_frames // 2))
    n = max(fewest, min(FRAMES[1], n_frames // SHARE))
    n_fields, n_t = min(n, len(fields)), 1
    if max(field["n_t"] for field in fields) > 1:
        n_fields = min(len(fields), max(MOVIES[0], min(MOVIES[1], len(fields) // SHARE)))
        n_t = -(-n // n_fields)
    chosen = spread(_sizes(inspection, manifest), n_fields, groups)
    large = _cut(inspection, manifest, chosen, n_t)
    if n_frames <= ONE_CUT:
        return [large]
    few = _few(chosen, groups, max(1, n_fields // 3))
    return [_cut(inspection, manifest, few, -(-n_t // 3)), large]


def spread(
    sizes: Mapping[Place, float], n: int, groups: Sequence[Collection[Place]] = ()
) -> list[Place]:
    """`n` places, spread evenly from the smallest size to the largest, with one of each group."""
    order = sorted(sizes, key=lambda place: (sizes[place], len(place[0]), place))
    at = [int((i + 0.5) * len(order) / n) for i in range(n)]
    kept: set[int] = set()
    for group in groups:
        members = [i for i, place in enumerate(order) if place in group]
        if not members:
            continue
        held = [i for i in at if order[i] in group]
        free = [i for i in at if i not in kept]
        if not held and free:  # the member that is nearest in size takes the place of another
            member, other = min(
                ((m, i) for m in members for i in free), key=lambda pair: abs(pair[0] - pair[1])
            )
            at[at.index(other)] = member
            held = [member]
        kept.update(held[:1])
    return [order[i] for i in sorted(set(at))]


def _few(chosen: Sequence[Place], groups: Sequence[Collection[Place]], n: int) -> list[Place]:
    """`n` of those chosen, or more, so that each group has one; else from the middle outwards."""
    few = {next((p for p in chosen if p in group), chosen[0]) for group in groups}
    middle = (len(chosen) - 1) / 2
    for place in sorted(chosen, key=lambda p: abs(chosen.index(p) - middle)):
        if len(few) < n:
            few.add(place)
    return [place for place in chosen if place in few]


def _sizes(inspection: Inspection, manifest: pd.DataFrame) -> dict[Place, float]:
    """Bytes of the files of each field; of a plate in place, which has no manifest, all alike."""
    places = {(field["well"], field["field"]): 0.0 for field in inspection["fields"]}
    if len(manifest):
        counted = manifest.groupby(["well", "field"])["bytes"].mean()
        places |= {place: float(n) for place, n in counted.items() if place in places}
    return places


def _cut(
    inspection: Inspection, manifest: pd.DataFrame, chosen: Collection[Place], n_t: int
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The chosen fields, and the first `n_t` frames of each."""
    fields = []
    for field in inspection["fields"]:
        if (field["well"], field["field"]) in chosen:
            shape = list(field["shape"])
            if "t" in field["axes"]:
                shape[field["axes"].index("t")] = min(n_t, field["n_t"])
            fields.append({**field, "shape": shape, "n_t": min(n_t, field["n_t"])})
    if len(manifest):
        places = pd.MultiIndex.from_frame(manifest[["well", "field"]])
        manifest = manifest[places.isin(list(chosen)) & (manifest["t"] < n_t)]
    holes = [h for h in inspection["holes"] if (h["well"], h["field"]) in chosen and h["t"] < n_t]
    # `watched` files are looked up on the whole plate, which this is not
    return {**inspection, "fields": fields, "holes": holes, "faults": []}, manifest
