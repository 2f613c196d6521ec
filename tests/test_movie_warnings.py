"""Frames to doubt and plates without objects are warnings, which the end of a run tells."""

from __future__ import annotations

import pandas as pd
import pytest

from cellpipe.quality.movies import SHORT, cut_short, frames_in_doubt, nothing_found


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
            "far fewer cells than usual continue to: 4",
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


def test_a_real_event_is_a_likely_cause_in_a_single_field_alone() -> None:
    fields = [frames({2: "repeats frame 1"}, field=f) for f in (1, 2)]
    (one,) = frames_in_doubt({}, {"fields": fields[0]})
    assert "a real event is possible" in one["likely_cause"]
    for row in frames_in_doubt({}, {"fields": pd.concat(fields)}):
        assert "a real event" not in row["likely_cause"]


def test_a_plate_without_any_object_says_so_and_one_with_an_empty_well_does_not() -> None:
    (row,) = nothing_found({}, {"fields": frames({}, n_nuclei=0)})
    assert "no object in any of 10" in row["seen"]
    some = pd.concat([frames({}, n_nuclei=0), frames({}, n_nuclei=1, field=2)])
    assert list(nothing_found({}, {"fields": some})) == []
    assert list(nothing_found({}, {})) == []


def movies(last: dict[str, int], n_t: int = 100) -> pd.DataFrame:
    """Movies of one field a well; n_nuclei is empty after the last frame that was copied."""
    rows = []
    for well in ("B02", "B03", "B04", "B05"):
        of_well = pd.DataFrame({"well": well, "field": 1, "t": range(n_t), "n_nuclei": 20.0})
        rows.append(of_well[of_well["t"] <= last.get(well, n_t)])
    return pd.concat(rows, ignore_index=True)


def test_a_movie_that_ends_early_is_named_though_its_well_counts() -> None:
    (row,) = cut_short({}, {"fields": movies({"B04": 84})})
    assert row["where"] == "B04"
    assert "1 of 4 movies cover frames 0 to 84 at worst, where most cover 0 to 99" in row["seen"]
    assert "min_imaged_share" in row["do"]
    late = movies({})
    late = late[~(late["well"].eq("B03") & (late["t"] < 20))]
    assert next(cut_short({}, {"fields": late}))["where"] == "B03"


def test_a_movie_is_cut_short_if_more_than_a_share_of_its_frames_is_absent() -> None:
    most = round(SHORT * 100)
    assert not list(cut_short({}, {"fields": movies({"B04": 99 - most})}))
    assert list(cut_short({}, {"fields": movies({"B04": 98 - most})}))
    assert list(cut_short({}, {"fields": movies({"B04": 0})}))  # its first frame alone


def test_whole_movies_single_frames_and_a_last_frame_lost_are_not() -> None:
    for fields in (movies({}), movies({"B04": 97}), movies({}, n_t=1), movies({}).iloc[:0]):
        assert list(cut_short({}, {"fields": fields})) == []
    everywhere = movies({"B02": 50, "B03": 50, "B04": 50, "B05": 50})
    assert list(cut_short({}, {"fields": everywhere})) == []
