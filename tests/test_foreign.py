"""Files of formats that are not read are answered with what converts them."""

from __future__ import annotations

import pytest

from cellpipe.readers.accounting import foreign, remedies
from cellpipe.readers.accounting.files import IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("path", "why", "do"),
    [
        ("scan.VSI", "an image of a format that is not read (.vsi, Evident cellSens)", "bfconvert"),
        ("a/b.oir", "an image of a format that is not read (.oir, Evident FluoView)", "bfconvert"),
        ("b.ims", "an image of a format that is not read (.ims, Imaris)", "bioformats2raw"),
        ("plate.tar.gz", foreign.ARCHIVE, "unpack"),
        ("export.h5", foreign.NOT_IMAGES, "bfconvert"),
    ],
)
def test_a_format_has_its_maker_and_a_converter(path: str, why: str, do: str) -> None:
    assert foreign.reason(path) == why
    assert do in remedies.remedy(why)
    assert do in foreign.advice(["notes.txt", path])


def test_what_is_read_and_what_is_no_image_are_not_among_them() -> None:
    assert not IMAGE_SUFFIXES & set(foreign.MAKERS)
    assert not any(foreign.reason(f"x{suffix}") for suffix in IMAGE_SUFFIXES)
    assert foreign.advice(["notes.txt", "a.tif"]) == ""
