"""Channels that a plate took at some time points only, as its microscope was set to, or in some
wells only.

         t 0 1 2 3 4 5 6 7
nuclei     ■ ■ ■ ■ ■ ■ ■ ■
spots      ■ · · · ■ · · ·      every 4th frame, in all fields: not taken, and no hole

A frame in which no field has the channel, though half of the fields or more have others, was not
taken. Planes that some fields have and others lack were lost (`holes`). Of fewer fields than
`FEWEST`, which lost files could leave alike, the frames must in addition be what microscopes offer:
the first, the last, both, or every nth from the first, of which a fifth may be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from cellpipe.wells import row_and_column

FIELD = ["well", "field"]
COMMON = 0.5  # of the fields: a frame that fewer have is of an acquisition that was stopped
FEWEST = 3  # fields whose frames are alike by plan alone; frames that lack a channel by plan
KEPT = 0.8  # of the frames of a plan, for the others to have been lost
SHOWN = 6
NotTaken = dict[str, list[int]]
Lacking = dict[str, list[str]]


def not_taken(planes: pd.DataFrame, channels: Sequence[str]) -> NotTaken:
    """Frames at which a plate did not take a channel, by channel; those without any are absent.

    planes : of the wanted channels, those that a file holds: ``well field t channel``. Sizes in
        metadata (OME-XML, .czi) count planes that were never taken, too
    """
    places = planes.drop_duplicates([*FIELD, "t", "channel"])
    frames = places.drop_duplicates([*FIELD, "t"])
    n_fields = len(frames.drop_duplicates(FIELD))
    shares = frames["t"].value_counts() / max(n_fields, 1)
    usual = sorted(int(t) for t in shares.index[shares >= COMMON])
    found: NotTaken = {}
    for channel in channels:
        taken = {int(t) for t in places.loc[places["channel"] == channel, "t"]}
        if not taken:
            continue
        by_plan = taken if n_fields >= FEWEST else _plan(taken, usual)[1]
        absent = [t for t in usual if t not in by_plan]
        if absent and by_plan:
            found[channel] = absent
    return found


def lacking(planes: pd.DataFrame, channels: Sequence[str]) -> Lacking:
    """Wells of which no field has a channel at any frame, by channel; those without any are absent.

    They were not stained, or taken, with it, or all of its files were lost: both look the same. Of
    fewer frames than `FEWEST`, files were lost; so they were in a well that has the channel in some
    of its fields or frames (`holes`).

    planes : of the wanted channels, those that a file holds: ``well field t channel``
    """
    frames = planes.drop_duplicates([*FIELD, "t"]).groupby("well").size()
    wells = sorted(frames.index, key=row_and_column)
    of_channel = planes.drop_duplicates(["well", "channel"]).groupby("channel")["well"].agg(set)
    found = {c: [w for w in wells if w not in of_channel[c]] for c in channels if c in of_channel}
    return {c: own for c, own in found.items() if frames[own].sum() >= FEWEST}


def lacking_in_words(wells: Sequence[str], n_wells: int) -> str:
    """What it means that these wells of a plate have no image of a channel."""
    named = ", ".join(wells[:SHOWN]) + (" …" if len(wells) > SHOWN else "")
    return (
        f"has no image in {len(wells)} of {n_wells} wells ({named}): its columns are empty there, "
        "the other channels are measured, and no classifier uses it"
    )


def _plan(taken: Collection[int], frames: Sequence[int]) -> tuple[str, set[int]]:
    """Of what microscopes offer, the plan that gave these frames of a movie, and all of its frames.

    ("", empty) where there is none. Of every nth frame, a few may have been lost.
    """
    first, last = frames[0], frames[-1]
    for words, offered in (
        ("the first", {first}),
        ("the last", {last}),
        ("the first and the last", {first, last}),
    ):
        if set(taken) == offered:
            return words, offered
    steps = sorted(taken)
    n = int(min(np.diff(steps), default=0))
    every = set(range(first, last + 1, max(n, 1))) & set(frames)
    if n > 1 and every.issuperset(steps) and len(steps) >= KEPT * len(every):
        return f"every {n}{_ending(n)}", every
    return "", set()


def sentences(absent: Mapping[str, Collection[int]], n_t: int) -> list[str]:
    """A sentence for each channel that a plate of `n_t` frames did not always take."""
    return [f"channel '{channel}' {in_words(of, n_t)}" for channel, of in absent.items()]


def in_words(absent: Collection[int], n_t: int) -> str:
    """When a channel was taken, and what that means."""
    taken = sorted(set(range(n_t)) - set(absent))
    plan, _ = _plan(taken, range(n_t))
    doubt = "" if plan else ". This is no usual plan: check that no files were lost"
    if not plan:
        plan = "t " + ", ".join(map(str, taken[:SHOWN])) + (" …" if len(taken) > SHOWN else "")
    return (
        f"was taken at {len(taken)} of {n_t} frames ({plan}) in all fields: its columns are empty "
        f"in the others, and no classifier uses them{doubt}"
    )


def _ending(n: int) -> str:
    if n % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
