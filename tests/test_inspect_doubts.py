"""What `cellpipe inspect` must tell apart: channels of one name, frames and positions, light."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscopes import harmony

from cellpipe.inspect.channels import Channel, keys, told_apart
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.pictures import pixels_of_a_field
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.inspect.same_place import correlation, follow_each_other
from cellpipe.inspect.text import lines
from cellpipe.readers.accounting import account
from cellpipe.readers.accounting.files import NO_WELL, OTHER_FORMAT
from cellpipe.readers.accounting.remedies import remedy
from cellpipe.run.summary import _files
from cellpipe.simulate.well import WellDesign, simulate_well


def plate_in(folder: Path) -> Inspected:
    (found,) = find_plates(folder)
    return inspect_plate(found)


def test_channels_of_one_name_are_told_apart_by_their_token() -> None:
    own = [Channel(token, name, "tags") for token, name in
           (("1", "FITC_05"), ("2", "FITC_05"), ("3", "DAPI"), ("4", "fitc_05"))]  # fmt: skip
    named = told_apart(own)
    assert [c.name for c in named] == ["FITC_05 (1)", "FITC_05 (2)", "DAPI", "fitc_05 (4)"]
    assert list(keys(named).values()) == ["fitc_05_1", "fitc_05_2", "dapi", "fitc_05_4"]
    assert told_apart(named[2:3]) == named[2:3]


@pytest.mark.data
def test_four_wavelengths_of_one_setting_have_four_pictures(real_data: Path) -> None:
    plate = plate_in(real_data / "hcs-faim/ImageXpress/Projection-Mix")
    names = [f"FITC_05 ({n})" for n in (1, 2, 3, 4)]
    assert [channel.name for channel in plate.channels] == names
    assert list(pixels_of_a_field(plate)[1]) == names


@cache
def field_of(seed: int) -> np.ndarray:
    design = WellDesign(grid=(1, 1), shape=(160, 160), nuclei_per_mm2=2500.0, seed=seed)
    return simulate_well(design).fields[0]


def draw_movie(folder: Path, same_place: bool, stem: str = "cells_") -> None:
    """Eight images, of one place that drifts a little, or of eight places."""
    folder.mkdir(parents=True)
    for n in range(8):
        pixels = field_of(1 if same_place else n)
        noise = np.random.default_rng(n).integers(0, 20, pixels.shape)
        moved = np.roll(pixels, n if same_place else 0, axis=1)
        tifffile.imwrite(folder / f"{stem}{n:03d}.tif", (moved + noise).astype(np.uint16))


def test_channels_of_different_sizes_are_named_before_a_run(tmp_path: Path) -> None:
    """As MetaXpress writes them where one wavelength was binned."""
    rng = np.random.default_rng(0)
    for well in ("B02", "B03"):
        for w, shape in ((1, (64, 80)), (2, (32, 40))):
            pixels = rng.poisson(100, shape).astype(np.uint16)
            tifffile.imwrite(tmp_path / f"P_{well}_s1_w{w}.tif", pixels)
    (found,) = find_plates(tmp_path)
    (note,) = inspect_plate(found).notes
    assert note.startswith("channels have images of different sizes ('1' 64 × 80, '2' 32 × 40)")
    (tmp_path / "P_B02_s1_w2.tif").unlink()
    (tmp_path / "P_B03_s1_w2.tif").unlink()
    tifffile.imwrite(tmp_path / "P_B04_s1_w1.tif", np.zeros((10, 10), np.uint16))
    (found,) = find_plates(tmp_path)
    assert inspect_plate(found).notes == []  # a field of another size is counted with the sizes


def test_numbers_of_frames_are_time_and_numbers_of_places_are_positions(tmp_path: Path) -> None:
    draw_movie(tmp_path / "movie", same_place=True)
    movie = plate_in(tmp_path / "movie")
    assert (movie.wells, movie.frames) == (["A01"], 8)
    assert any("counts the time points of one position, because" in note for note in movie.notes)
    draw_movie(tmp_path / "places", same_place=False)
    places = plate_in(tmp_path / "places")
    assert (len(places.wells), places.frames) == (8, 1)
    # numbers alone: there is no word that could be the position
    draw_movie(tmp_path / "bare", same_place=True, stem="")
    bare = plate_in(tmp_path / "bare")
    assert len(bare.wells) == 8
    assert any("if they are a movie, list them in a manifest.csv" in n for n in bare.notes)


def test_pairs_that_follow_each_other_are_spread_and_damage_is_passed_by(tmp_path: Path) -> None:
    assert follow_each_other([5, 1, 2, 9]) == [(1, 2)]
    assert follow_each_other([3]) == []
    assert follow_each_other(list(range(100)))[-1] == (98, 99)
    (tmp_path / "a.tif").write_bytes(b"")
    tifffile.imwrite(tmp_path / "b.tif", np.full((40, 40), 7, np.uint16))
    assert np.isnan(correlation(tmp_path, [("a.tif", "b.tif")]))
    assert np.isnan(correlation(tmp_path, [("b.tif", "b.tif")]))


def test_the_light_that_an_instrument_recorded_is_a_line(tmp_path: Path) -> None:
    folder = harmony(tmp_path / "P")
    assert not [line for line in lines(plate_in(folder), None) if line.startswith("  light")]
    index = next(folder.rglob("Index*.xml"))
    profile = (
        "{Background: {Character: Null}, Foreground: {Character: NonFlat, Profile: {Coefficients: "
        "[[1.0], [0.01, 0.0], [-0.1, 0.0, -0.1]], Dims: [128, 96], Origin: [63.5, 47.5], Scale: "
        "[0.0078125, 0.0078125], Type: Polynomial}}, Channel: 1}"
    )
    maps = f'<Maps><Map><Entry ChannelID="1"><FlatfieldProfile>{profile}</FlatfieldProfile>'
    maps += "</Entry></Map></Maps>"
    text = index.read_text(encoding="utf-8")
    head, tail = text.rsplit("</", 1)
    index.write_text(f"{head}{maps}</{tail}", encoding="utf-8")
    (line,) = [line for line in lines(plate_in(folder), None) if line.startswith("  light")]
    assert "profiles of 1 of 3 channels, for 'correct.method' auto or vendor" in line


def test_one_file_is_no_files_and_remedies_fit_what_was_passed_over() -> None:
    found = {"n": 1, "used": 1, "quarantined": 0, "passed_over": []}
    assert account.sentences(found)[0].startswith("1 file in the folder: 1 used")
    assert (_files(1), _files(1200)) == ("1 file", "1,200 files")
    assert "a folder of their own, with a row in the sheet" in remedy(OTHER_FORMAT)
    assert "its well, such as B03" in remedy(NO_WELL)
