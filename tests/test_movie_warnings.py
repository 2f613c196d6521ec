"""Frames to doubt and plates without objects are warnings, which the end of a run tells."""

from __future__ import annotations

import pandas as pd
import pytest

from cellpipe.quality.movies import frames_in_doubt, nothing_found


def frames(flags: dict[int, str], n_nuclei: int = 20, field: int = 1) -> pd.DataFrame:
    table = pd.DataFrame({"well": "B02", "field": field, "t": range(10), "n_nuclei": n_nuclei})
    return table.assign(movie_flag=[flags.get(t, "") for t in range(10)], lost_before=0)


def test_a_movie_without_a_doubt_has_no_warning() -> None:
    assert list(frames_in_doubt({}, {"fields": frames({})})) == []
    assert list(frames_in_doubt({}, {})) == []
    plate = frames({}).drop(columns=["movie_flag", "lost_before"])
    assert list(frames_in_doubt({}, {"fields": plate})) == []


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("stage jumps by 30.0 µm", "the stage jumps before: 4"),
        ("repeats frame 3", "repeat an earlier frame: 4"),
        ("out of focus, cells step 4.0 times as far as usual", "out of focus: 4; cells step"),
        (
            "only 20% of its cells are followed, usually 95%",
            "far fewer cells than usual go on to: 4",
        ),
    ],
)
def test_frames_to_doubt_are_named_with_their_field(flag: str, words: str) -> None:
    (row,) = frames_in_doubt({}, {"fields": frames({4: flag})})
    assert row["where"] == "B02 field 1"
    assert words in row["seen"]
    assert "movie_flag" in row["do"]


def test_lost_frames_alone_are_named_elsewhere() -> None:
    lost = frames({4: "after 2 lost frames"})
    assert list(frames_in_doubt({}, {"fields": lost})) == []


def test_of_many_movies_the_first_are_named_and_the_rest_counted() -> None:
    many = pd.concat([frames({2: "repeats frame 1"}, field=f) for f in range(1, 31)])
    rows = list(frames_in_doubt({}, {"fields": many}))
    assert len(rows) == 21
    assert rows[-1]["seen"].startswith("10 more fields")


def test_a_plate_without_any_object_says_so_and_one_with_an_empty_well_does_not() -> None:
    (row,) = nothing_found({}, {"fields": frames({}, n_nuclei=0)})
    assert "no object in any of 10" in row["seen"]
    some = pd.concat([frames({}, n_nuclei=0), frames({}, n_nuclei=1, field=2)])
    assert list(nothing_found({}, {"fields": some})) == []
    assert list(nothing_found({}, {})) == []
