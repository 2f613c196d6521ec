"""Files of several plates in one folder are named by what distinguishes them."""

from __future__ import annotations

import pytest

from cellpipe.readers.layouts.origins import Origins


def notes(*files: tuple[str, str]) -> list[str]:
    """Notes on files, each a path up to its well, and the well."""
    origins = Origins()
    for before, well in files:
        origins.learn(f"{before}{well}_s1.tif", len(before), well)
    return origins.notes()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("X_", "B02"), ("X_", "B10"), ("Y_", "C02"), ("Y_", "C03")],
         "begin with 'X_' (2 wells, B02 to B10), 'Y_' (2 wells, C02 to C03),"),
        ([("one/", "B02"), ("one/", "B03"), ("two/", "C02"), ("two/", "C03")],
         "lie in 'one' (2 wells, B02 to B03), 'two' (2 wells, C02 to C03),"),
        # where both differ, names are enough
        ([("one/X_", "B02"), ("one/X_", "B03"), ("two/Y_", "C02"), ("two/Y_", "C03")],
         "begin with 'X_'"),
        ([(f"{n}_", f"{row}{n:02d}") for n in range(1, 6) for row in "AB"],
         "'4_' (2 wells, A04 to B04) …, and are taken for one plate"),
    ],
)  # fmt: skip
def test_wells_of_two_names_or_folders_are_said(files, said: str) -> None:
    (note,) = notes(*files)
    assert said in note


@pytest.mark.parametrize(
    "files",
    [
        [("X_", "B02"), ("X_", "B03"), ("X_", "C02")],
        [("X_", "B02"), ("X_", "B03"), ("Y_", "B03"), ("Y_", "C02")],  # a well of both
        [("X_", "B02"), ("X_", "B03"), ("Y_", "C02")],  # one well is a matter of chance
        [("B/", "B02"), ("B/", "B03"), ("C/", "C02"), ("C/", "C03")],  # folders of rows
        [("well_1/", "B02"), ("well_1/", "B03"), ("well_2/", "C02"), ("well_2/", "C03")],
    ],
)
def test_one_plate_is_no_matter_to_note(files) -> None:
    assert notes(*files) == []
