"""Time stays time: what is lost of a movie leaves a hole, and is named.

files   t 1 2 3 4 5 6 . . . 10 11      frames 0 1 2 3 4 5 . . . 9 10
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadImage
from cellpipe.readers.accounting import holes
from cellpipe.readers.accounting.holes import stack_sizes
from cellpipe.readers.layouts.numbers import frames_of, lost_planes, planes_of
from cellpipe.run.frames import ingest


def frames(tokens, count=False):
    numbers, notes = frames_of(pd.Series(tokens, dtype=float), count=count)
    return numbers.tolist(), " ".join(notes)


@pytest.mark.parametrize("count", [True, False])
def test_lost_time_points_leave_holes(count):
    tokens = [*range(1, 7), *range(10, 16)]
    numbers, notes = frames(tokens, count)
    assert numbers == [token - 1 for token in tokens]
    assert "frame(s) 6-8 (time points 7-9) of 15" in notes


def test_half_a_movie_may_be_lost():
    assert frames([1, 2, 3, 50, 51, 52], True)[0] == [0, 1, 2, 49, 50, 51]
    assert frames([1, 3], True)[0] == [0, 2]
    assert frames([3, 7, 10], True)[0] == [0, 4, 7]


def test_tokens_of_a_step_are_one_frame_each_and_keep_their_holes():
    numbers, notes = frames([0, 10, 20, 40])
    assert numbers == [0, 1, 2, 4]
    assert "one frame per 10" in notes
    assert "frame(s) 3 of 5" in notes
    assert frames([0, 10])[0] == [0, 1]
    assert frames(range(0, 300, 3), count=True)[0] == list(range(100))


def test_seconds_with_jitter_fall_on_frames():
    numbers, notes = frames([0, 301, 599, 1502])
    assert numbers == [0, 1, 2, 5]
    assert "frame(s) 3-4 of 6" in notes
    rng = np.random.default_rng(0)
    times = np.cumsum(np.r_[0, rng.normal(300, 15, 99).round()])
    kept = np.delete(np.arange(100), [40, 41, 70])
    assert frames(times[kept])[0] == kept.tolist()


def test_times_that_are_not_even_say_so():
    numbers, notes = frames([0, 7, 1000, 1301, 90000])
    assert numbers == [0, 1, 2, 3, 4]
    assert "not evenly spaced" in notes


def test_no_token_is_one_frame_and_order_does_not_matter():
    assert frames([np.nan, np.nan]) == ([0, 0], "")
    assert frames([3, 1, 2])[0] == [2, 0, 1]


@pytest.mark.parametrize("tokens", [[2, 3, 4, 5], [25, 26, 28]])
def test_a_movie_that_begins_late_says_so(tokens):
    assert f"begin at {tokens[0]}, which is taken as frame 0" in frames(tokens)[1]


@pytest.mark.parametrize("tokens", [[0, 1, 2], [1, 2, 3], [5, 5, 5], [600, 900, 1200]])
def test_one_that_begins_with_0_or_1_or_counts_no_frames_does_not(tokens):
    assert "begin at" not in frames(tokens)[1]


def test_planes_are_numbered_by_channel_and_lost_ones_are_named():
    tokens = pd.Series([1, 2, 4, 5, 3.0, np.nan])
    channels = pd.Series([*"aaaa", "b", "c"])
    assert planes_of(tokens, channels).tolist() == [0, 1, 2, 3, 0, 0]
    (note,) = lost_planes(tokens, channels)
    assert "plane(s) 3 of the stacks of channel 'a'" in note


# ---- what fields lack


def planes(*lost, wells=("B02", "B03", "B04"), n_f=2, n_t=3, n_z=3) -> pd.DataFrame:
    rows = [
        (well, f, t, channel, z)
        for well in wells
        for f in range(1, n_f + 1)
        for t in range(n_t)
        for channel in ("dna", "gfp")
        for z in range(n_z)
    ]
    kept = [row for row in rows if not any(row[: len(cut)] == cut for cut in lost)]
    return pd.DataFrame(kept, columns=["well", "field", "t", "channel", "z"])


def missing(table: pd.DataFrame) -> list[tuple]:
    found = holes.missing_planes(
        table, ["dna", "gfp"], holes.expected_frames(table), stack_sizes(table)
    )
    return [(h["well"], h["field"], h["t"], h["channel"], h.get("z")) for h in found]


def test_a_movie_that_ends_early_lacks_its_last_frames():
    table = planes(("B03", 1, 2))
    assert holes.expected_frames(table) == {
        (well, field): 3 for well in ("B02", "B03", "B04") for field in (1, 2)
    }
    assert missing(table) == [("B03", 1, 2, "dna", None), ("B03", 1, 2, "gfp", None)]


def test_a_channel_and_a_plane_that_are_missing_are_named():
    assert missing(planes()) == []
    assert missing(planes(("B02", 1, 1, "gfp"))) == [("B02", 1, 1, "gfp", None)]
    assert missing(planes(("B04", 2, 0, "dna", 1))) == [("B04", 2, 0, "dna", [1])]


def test_a_field_that_most_wells_have_is_missing_where_it_is_not():
    faults = holes.missing_fields(planes(("B03", 2)))
    assert [(f["well"], f["field"], f["status"]) for f in faults] == [("B03", 2, "missing")]
    assert holes.missing_fields(planes()) == []
    assert holes.missing_fields(planes(("B02", 2), ("B03", 2))) == []  # one well has more


def test_a_well_that_lacks_in_a_block_is_named():
    block = [f"{row}{column:02d}" for row in "BCD" for column in range(2, 12)]
    assert holes.wells_within(block) == []
    (note,) = holes.wells_within([well for well in block if well not in ("C07", "D11")])
    assert note == "28 of 30 wells of a block have images; not C07, D11"
    assert holes.wells_within(["B02", "C03", "H12"]) == []  # wells that were chosen
    assert holes.wells_within(["B02"]) == []


def test_a_frame_without_files_is_said_and_not_read_as_a_missing_channel():
    with pytest.raises(BadImage, match="there is no file of this frame"):
        ingest.assemble({}, ["dna"], dtype="uint16", n_z={"dna": 1}, projection="max")


def test_one_plane_stands_in_every_z_of_a_stack():
    flat = {("dna", z): np.full((4, 5), z, np.uint16) for z in range(3)}
    flat["gfp", 0] = np.full((4, 5), 9, np.uint16)
    frame = ingest.assemble(
        flat, ["dna", "gfp"], dtype="uint16", n_z={"dna": 3, "gfp": 1}, projection=None
    ).pixels
    assert frame[:, :, 0, 0].tolist() == [[0, 1, 2], [9, 9, 9]]
