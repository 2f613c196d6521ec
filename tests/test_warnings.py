"""Warnings of a plate: objects that cannot be, columns without values, unknown scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_report import draw_content

from cellpipe.quality.fields import blank_parts
from cellpipe.quality.files import files_in_doubt, incomplete
from cellpipe.quality.scale import facts_of_scale, unknown_units
from cellpipe.quality.warnings import COLUMNS, plate_warnings
from cellpipe.report import render_report

KNOWN = {
    "pixel_size_y_um": 0.65, "pixel_size_x_um": 0.65, "pixel_size_known": True,
    "pixel_size_source": "OME-XML of a.ome.tif", "time_step_known": True, "fields": [{"n_t": 1}],
}  # fmt: skip


def sized(size: float | None) -> dict:
    return {"pixel_size_y_um": size, "pixel_size_x_um": size}


def nuclei(diameter_um: float, n: int = 20, **columns: object) -> pd.DataFrame:
    area = np.pi * diameter_um**2 / 4
    return pd.DataFrame({"object": "nuclei", "area_um2": np.full(n, area), **columns})


def kinds(inspection: dict, **tables: pd.DataFrame) -> list[str]:
    return list(plate_warnings(inspection, tables)["kind"])


def test_a_plate_without_fault_has_no_warning_and_the_columns_all_the_same() -> None:
    found = plate_warnings(KNOWN, {"cells": nuclei(12)})
    assert found.empty
    assert tuple(found) == COLUMNS


@pytest.mark.parametrize("diameter_um", [1.9, 61, 162])
def test_nuclei_of_impossible_size_are_flagged_with_the_pixel_size(diameter_um: float) -> None:
    (row,) = plate_warnings(KNOWN, {"cells": nuclei(diameter_um)}).itertuples()
    assert row.kind == "size of objects"
    assert f"{diameter_um:.3g} µm" in row.seen
    assert "0.65 µm (OME-XML of a.ome.tif)" in row.likely_cause
    assert "pixel_size_um" in row.do


@pytest.mark.parametrize("diameter_um", [2.1, 12, 59])
def test_nuclei_of_possible_size_are_not(diameter_um: float) -> None:
    assert kinds(KNOWN, cells=nuclei(diameter_um)) == []


def test_in_pixels_no_size_is_impossible_but_the_pixels_are_said() -> None:
    unknown = {**KNOWN, **sized(None), "pixel_size_known": False}
    (row,) = plate_warnings(unknown, {"cells": nuclei(100)}).itertuples()
    assert row.kind == "pixel size"
    assert "in pixels" in row.seen


def test_time_that_is_not_known_is_said_of_movies_alone() -> None:
    unknown = {**KNOWN, "time_step_known": False}
    assert kinds(unknown) == []
    assert kinds({**unknown, "fields": [{"n_t": 1}, {"n_t": 5}]}) == ["time step"]


@pytest.mark.parametrize(
    ("size", "source", "word"),
    [(6.45, "TIFF resolution tag", "camera"), (1.0, "OME-XML", "wrote 1"), (0.65, "OME-XML", "")],
)
def test_a_size_that_cameras_have_or_that_writers_invent(
    size: float, source: str, word: str
) -> None:
    rows = plate_warnings({**KNOWN, **sized(size), "pixel_size_source": source}, {})
    assert [word in cause for cause in rows["likely_cause"]] == [True] * bool(word)


def test_a_size_that_a_person_gave_is_not_doubted() -> None:
    assert kinds({**KNOWN, **sized(1.0), "pixel_size_source": "config"}) == []


def test_a_size_in_the_config_that_the_metadata_contradict_is_flagged() -> None:
    seen = {"pixel_size_source": "config", "pixel_size_seen": "0.65 µm in a.tif, unlike the config"}
    (row,) = plate_warnings({**KNOWN, **sized(0.5), **seen}, {}).itertuples()
    assert row.seen == "0.5 µm in the config; 0.65 µm in a.tif, unlike the config"


def test_columns_without_any_value_are_named_by_part() -> None:
    none = {"cytoplasm_gfp_mean": np.nan, "cytoplasm_gfp_std": np.nan, "ratio": np.nan}
    cells = nuclei(12, **none, dna_mean=1.0, object_probability=np.nan)
    cells.loc[3, "ratio"] = np.nan
    found = plate_warnings(KNOWN, {"cells": cells})
    assert list(found["kind"]) == ["column without values"] * 2
    assert "cytoplasm_gfp_mean, cytoplasm_gfp_std: no value" in found["seen"][0]
    assert "max_distance_um" in found["do"][0]
    assert "ratio: no value" in found["seen"][1]


def test_one_value_is_enough() -> None:
    values = np.full(20, np.nan)
    values[4] = 1.0
    assert kinds(KNOWN, cells=nuclei(12, ratio=values)) == []


def test_the_report_opens_with_the_warnings() -> None:
    from dataclasses import replace

    content = draw_content()
    rows = plate_warnings(KNOWN, {"cells": nuclei(162)})
    page = render_report(replace(content, warnings=rows))
    assert page.index('<section id="warnings">') < page.index('<section id="plate">')
    assert "162 µm" in page
    assert '<section id="warnings">' not in render_report(content)


def test_of_many_wells_with_missing_images_six_are_named() -> None:
    holes = [{"well": f"A{n:02d}", "field": 1, "t": 0} for n in range(1, 8)]
    six, seven = (next(incomplete({"holes": holes[:n]}, {})) for n in (6, 7))
    assert six["where"] == "A01, A02, A03, A04, A05, A06"
    assert seven["where"] == "A01, A02, A03, A04, A05, A06 …"
    assert seven["seen"].startswith("7 channels of 7 frames")
    assert list(incomplete({"holes": []}, {})) == []


def test_only_a_size_or_a_step_that_is_said_to_be_unknown_is_warned_of() -> None:
    movie = {"fields": [{"n_t": 3}]}
    assert list(unknown_units(movie, {})) == []
    (row,) = unknown_units({**movie, "time_step_known": False}, {})
    assert row["seen"].startswith("no time between frames in the images' metadata")
    (row,) = unknown_units({"pixel_size_known": False}, {})
    assert row["seen"].startswith("no pixel size in the images' metadata; lengths are in pixels")


def test_without_a_pixel_size_only_its_shape_is_said() -> None:
    assert facts_of_scale({})["pixel size"] == "unknown: lengths are in pixels"
    oblong = facts_of_scale({"pixel_edges_px": [2.0, 1.0]})["pixel size"]
    assert oblong == "unknown, 2 : 1 (y : x): lengths are in the shorter edge of a pixel"


def test_notes_on_files_are_rows_of_the_whole_plate() -> None:
    (row,) = files_in_doubt({"notes": ["two names of wells"]}, {})
    assert (row["kind"], row["where"], row["seen"]) == ("files", "plate", "two names of wells")
    assert row["do"] == "check that this is right"


def test_planes_that_are_blank_in_part_are_named_and_whole_ones_elsewhere() -> None:
    fields = pd.DataFrame({"well": ["B02", "B03"], "field": 1, "t": 0, "dna_blank": [1.0, 0.4]})
    fields["dna_flag"] = [f"{100 * share:.0f} % blank" for share in fields["dna_blank"]]
    (row,) = blank_parts({}, {"fields": fields})
    assert row["where"] == "channel dna: B03"
    assert row["seen"].startswith("up to 40 % of a plane")
    assert list(blank_parts({}, {"fields": fields[:1]})) == []


def textured(level: float, n: int = 20) -> pd.DataFrame:
    """Cells whose mean grey level is `level` of 255."""
    named = {"dna_mean": 200.0, "dna_max": 400.0, "dna_texture_sum_average_3_00": 2 * level}
    return nuclei(12, n, **named)


def test_textures_of_hardly_any_grey_levels_are_named_with_what_to_set() -> None:
    (row,) = plate_warnings({**KNOWN, "channels": ["dna"]}, {"cells": textured(1.5)}).itertuples()
    assert (row.kind, row.where) == ("coarse textures", "dna")
    assert "level 1.5 of 255" in row.seen
    assert "'measure.full_scale'" in row.do
    assert "400" in row.do


@pytest.mark.parametrize("cells", [textured(9), nuclei(12, dna_mean=200.0, dna_max=400.0)])
def test_textures_of_many_levels_and_tables_without_textures_are_not(cells: pd.DataFrame) -> None:
    assert kinds({**KNOWN, "channels": ["dna"]}, cells=cells) == []
