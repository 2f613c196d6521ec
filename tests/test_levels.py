"""Fields that were exposed, exported or named otherwise than the rest of their plate are named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from cellpipe.image.levels import grey_step, level_figures
from cellpipe.quality import levels
from cellpipe.quality.blank import name_blank
from cellpipe.quality.conditions import wells_without_condition
from cellpipe.quality.sizes import odd_sizes
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.frames.ingest import frame_figures
from cellpipe.wells import well_at

CHANNELS = ("dna", "gfp")
WELLS = [f"{row}{column:02d}" for row in "BCDE" for column in range(2, 6)]


def exposure(rng: np.random.Generator, photons: float, gain: float = 1.0) -> np.ndarray:
    """Light of a field with a few bright cells, camera offset 100."""
    light = np.full((128, 128), photons)
    light[20:50, 30:70] *= 6
    return (100 + gain * rng.poisson(light)).astype(np.uint16)


def plate(
    change: Callable[[str, int, str, np.ndarray], np.ndarray] = lambda *place: place[3],
    light: Callable[[str], float] = lambda well: 1.0,
) -> dict[str, pd.DataFrame]:
    """Table of fields of a plate with two fields a well, each image changed by `change`."""
    rng = np.random.default_rng(1)
    rows = []
    for well in WELLS:
        for field in (1, 2):
            frame = np.stack([
                change(well, field, name, exposure(rng, photons * light(well)))
                for name, photons in zip(CHANNELS, (40, 300), strict=True)
            ])  # fmt: skip
            figures = frame_figures(frame[:, None], CHANNELS)
            rows.append({"well": well, "field": field, "t": 0, **figures})
    return {"fields": pd.DataFrame(rows)}


def kinds(tables: dict[str, pd.DataFrame]) -> list[str]:
    return plate_warnings({}, tables)["kind"].tolist()


def only(well: str, field: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def changed(*place):
        return change(place[3]) if place[:2] == (well, field) else place[3]

    return changed


@pytest.mark.parametrize(
    ("factor", "step"), [(1, 1.0), (1.3, 1.3), (2, 2.0), (16, 16.0), (257, 257.0), (0.25, 1.0)]
)
def test_steps_between_grey_values_are_those_of_the_export(factor: float, step: float) -> None:
    image = exposure(np.random.default_rng(1), 200)
    assert level_figures((image.astype(float) * factor).astype(np.uint32))["step"] == pytest.approx(
        step, 0.03
    )


def test_steps_are_not_known_of_few_pixels_real_numbers_and_one_value() -> None:
    rng = np.random.default_rng(1)
    assert np.isnan(grey_step(np.sort(rng.integers(0, 60_000, 1000))))
    assert np.isnan(grey_step(np.sort(rng.random(5000))))
    assert np.isnan(grey_step(np.full(5000, 7)))


def test_a_healthy_plate_has_no_warning_whatever_its_treatments_do_to_the_light() -> None:
    assert kinds(plate()) == []
    assert kinds(plate(light=lambda well: 2.0 if well[0] in "DE" else 1.0)) == []
    assert kinds(plate(light=lambda well: 1.0 + int(well[1:]) / 4)) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda image: (image // 8).astype(np.uint16), "another level"),
        (lambda image: image.max() - image, "another level"),
        (lambda image: image + np.uint16(1000), "another level"),
        (lambda image: image * np.uint16(4), "rescaled values"),
        (lambda image: (image * 1.5).astype(np.uint16), "rescaled values"),
        (lambda image: np.full_like(image, 140), "blank image"),
    ],
)
def test_a_field_that_was_changed_is_named(change: Callable, kind: str) -> None:
    tables = plate(only("C03", 2, change))
    rows = plate_warnings({}, tables)
    assert kind in set(rows["kind"])
    assert rows["where"].str.contains("C03").all()
    assert not rows["where"].str.contains("B02|D0|E0").any()


@pytest.mark.parametrize("times", [4.0, 1 / 200])
def test_images_from_0_to_1_are_held_against_each_other_too(times: float) -> None:
    def as_floats(well, field, channel, image):
        image = image.astype(np.float32) / 65535
        return image * np.float32(times) if (well, field) == ("C03", 2) else image

    rows = plate_warnings({}, plate(as_floats))
    assert set(rows["kind"]) == {"another level"}
    assert set(rows["where"]) == {"channel dna: C03", "channel gfp: C03"}


def test_one_very_noisy_field_does_not_hide_another_level() -> None:
    def as_floats(well, field, channel, image):
        image = image.astype(np.float32) / 65535
        if (well, field) == ("E05", 1):
            return np.random.default_rng(3).normal(500, 300, image.shape).astype(np.float32)
        return image * np.float32(4) if (well, field) == ("C03", 2) else image

    rows = plate_warnings({}, plate(as_floats))
    assert rows["where"].str.contains("C03").sum() == len(CHANNELS)


def test_a_level_below_that_of_the_camera_is_named_where_cells_raise_it_elsewhere() -> None:
    """An empty field with inverted values: its noise is usual, and cells make levels differ."""
    seen = [
        420,
        160,
        122,
        121,
        134,
        124,
        125,
        121,
        116,
        116,
        126,
        136,
        128,
        138,
        182,
        151,
        123,
        126,
    ]
    noise = [49, 41, 20, 17, 36, 23, 22, 15, 8, 8, 27, 34, 26, 35, 47, 38, 20, 23]
    fields = pd.DataFrame({"well": np.repeat(WELLS[:9], 2), "field": [1, 2] * 9, "t": 0})
    fields = fields.assign(gfp_background=seen, gfp_noise=noise, gfp_step=1.0)
    assert list(levels.odd_levels({}, {"fields": fields})) == []
    fields.loc[8, "gfp_background"] = 21
    (row,) = levels.odd_levels({}, {"fields": fields})
    assert row["where"] == f"channel gfp: {WELLS[4]}"
    assert "background of 21 in 1 of 18" in row["seen"]


def test_a_gain_that_changes_on_the_way_is_named_with_the_well() -> None:
    def louder(well, field, channel, image):
        again = exposure(np.random.default_rng(int(image.sum()) + field), 40, gain=2)
        return 100 + again if channel == "dna" and well >= "D02" else image

    rows = plate_warnings({}, plate(louder))
    (row,) = rows[rows["kind"] == "gain changed"].itertuples()
    assert "channel dna: from D02 on" in row.where


def test_images_in_two_places_are_named_and_frames_of_one_field_are_not() -> None:
    seen = {}

    def copied(well, field, channel, image):
        seen[well, field, channel] = image
        return seen["B03", 1, channel] if (well, field) == ("D05", 2) else image

    (row,) = levels.same_pixels({}, plate(copied))
    assert "B03 field 1 frame 0 dna = D05 field 2 frame 0 dna" in row["seen"]
    tables = plate()
    again = tables["fields"].assign(t=1)  # each frame twice: `movie_quality` names it
    assert not list(levels.same_pixels({}, {"fields": pd.concat([tables["fields"], again])}))


def test_a_channel_in_place_of_another_and_two_that_were_exchanged_are_named() -> None:
    tables = plate()
    fields = tables["fields"]
    columns = {a: [c for c in fields if c.startswith(f"{a}_")] for a in CHANNELS}
    both = fields.copy()
    both.loc[5, columns["dna"]] = fields.loc[5, columns["gfp"]].to_numpy()
    assert "same pixels" in kinds({"fields": both})
    both.loc[5, columns["gfp"]] = fields.loc[5, columns["dna"]].to_numpy()
    (row,) = levels.exchanged_channels({}, {"fields": both})
    assert "1 of 32 fields" in row["seen"]
    assert row["where"] == f"channels dna and gfp: {fields['well'][5]}"
    assert not list(levels.exchanged_channels({}, tables))
    lacking = both.copy()  # fields that one channel lacks keep none of the others from being held
    lacking.loc[2, "dna_background"] = np.nan
    (found,) = levels.exchanged_channels({}, {"fields": lacking})
    assert (found["where"], "1 of 31 fields" in found["seen"]) == (row["where"], True)
    lacking.loc[9, "gfp_background"] = np.nan
    (found,) = levels.exchanged_channels({}, {"fields": lacking})
    assert (found["where"], "1 of 30 fields" in found["seen"]) == (row["where"], True)


def test_channels_of_a_well_without_cells_are_exchanged_by_what_its_other_field_has() -> None:
    tables = plate()
    fields = tables["fields"].copy()
    columns = {a: [c for c in fields if c.startswith(f"{a}_")] for a in CHANNELS}
    dark = fields.index[:2]  # both fields of the first well: nothing but the camera's offsets
    assert fields.loc[dark, "well"].nunique() == 1
    for place, shift in zip(dark, (0.0, 0.02), strict=True):
        for channel, offset in (("dna", 124.0), ("gfp", 116.0)):
            named = {"background": offset, "mean": offset + 14 + shift, "noise": offset / 13}
            for name, value in named.items():
                fields.loc[place, f"{channel}_{name}"] = value
    assert not list(levels.exchanged_channels({}, {"fields": fields}))
    both = fields.copy()
    for one, other in (("dna", "gfp"), ("gfp", "dna")):
        both.loc[dark[1], columns[one]] = fields.loc[dark[1], columns[other]].to_numpy()
    (row,) = levels.exchanged_channels({}, {"fields": both})
    assert row["where"] == f"channels dna and gfp: {fields['well'][0]}"
    assert "one has the levels of gfp as dna" in row["seen"]


def test_a_treatment_that_makes_one_channel_the_brighter_one_exchanges_nothing() -> None:
    def induced(well, field, channel, image):
        bright = channel == "dna" and well in ("B05", "E02")
        return exposure(np.random.default_rng(field), 2000) if bright else image

    assert not list(levels.exchanged_channels({}, plate(induced)))


def test_a_field_of_another_magnification_is_named() -> None:
    rng = np.random.default_rng(1)
    places = [(well, field) for well in WELLS for field in (1, 2, 3)]
    fields = pd.DataFrame(places, columns=["well", "field"])
    fields = fields.assign(n_nuclei=20, object_diameter_px=20 * rng.normal(1, 0.05, len(places)))
    assert not list(odd_sizes({}, {"fields": fields}))
    of_well = fields["well"] == "C04"  # giant nuclei in all fields: a treatment
    fields.loc[of_well, "object_diameter_px"] *= 2
    assert not list(odd_sizes({}, {"fields": fields}))
    fields.loc[4, "object_diameter_px"] *= 1.6
    (row,) = odd_sizes({}, {"fields": fields})
    assert row["where"].startswith("B03 field 2 (1.")
    places = [(well_at(1 + n // 12, 1 + n % 12), field) for n in range(60) for field in (1, 2, 3)]
    fields = pd.DataFrame(places, columns=["well", "field"]).assign(n_nuclei=20)
    for n, rest in ((8, False), (9, True)):  # so many fields, of as many wells
        many = fields.assign(object_diameter_px=20 * rng.normal(1, 0.05, len(places)))
        many.loc[many.index[many["field"] == 2][:n], "object_diameter_px"] *= 2
        (row,) = odd_sizes({}, {"fields": many})
        assert row["where"].count("field 2") == 8
        assert row["where"].endswith(" and 1 more") is rest


def test_wells_that_the_plate_map_lacks_are_named() -> None:
    wells = pd.DataFrame(
        {"well": ["B02", "B03", "B04", "B05"], "condition": ["dmso", "", "", "drug"],
         "dose": [np.nan] * 4, "control": ["negative", "", "positive", ""]}
    )  # fmt: skip
    (row,) = wells_without_condition({}, {"wells": wells})
    assert row["where"] == "B03"
    no_map = wells.assign(condition="", control="")
    assert not list(wells_without_condition({}, {"wells": no_map}))


def cut_off(well: str, image: np.ndarray) -> np.ndarray:
    """As a camera without offset: ground of 0 between cells; well C03 has no cells."""
    dark = np.where(image > 300, image, 0)
    return np.zeros_like(image) if well == "C03" else dark


def test_an_empty_well_whose_background_is_cut_off_is_not_called_a_blank_image() -> None:
    def changed(well: str, field: int, name: str, image: np.ndarray) -> np.ndarray:
        return cut_off(well, image) if name == "dna" else image

    fields = name_blank(plate(changed)["fields"], CHANNELS)
    (row,) = levels.flat_images({}, {"fields": fields})
    assert (row["kind"], row["where"]) == ("background clipped", "channel dna: C03")
    assert "without cells" in row["likely_cause"]
    closed = plate(only("C03", 1, lambda image: np.zeros_like(image)))["fields"]
    rows = list(levels.flat_images({}, {"fields": name_blank(closed, CHANNELS)}))
    assert {row["kind"] for row in rows} == {"blank image"}


def test_a_field_of_two_objects_tells_another_objective_and_no_less() -> None:
    """Two nuclei of twice the diameter beside eight of the usual one; 1.5 times may be chance."""
    fields = pd.DataFrame(
        {
            "well": np.repeat([f"B{n:02d}" for n in range(1, 9)], 2),
            "field": [1, 2] * 8,
            "n_nuclei": 8,
            "object_diameter_px": 28.0 + np.arange(16) % 3,
        }
    )
    fields.loc[5, ["n_nuclei", "object_diameter_px"]] = 2, 42.0
    assert not list(odd_sizes({}, {"fields": fields}))
    fields.loc[5, "object_diameter_px"] = 58.0
    (row,) = odd_sizes({}, {"fields": fields})
    assert row["where"].startswith("B03 field 2 (2")
    fields.loc[4, "n_nuclei"] = 3  # the rest of the well tells nothing either
    assert not list(odd_sizes({}, {"fields": fields}))
