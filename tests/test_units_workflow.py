"""A movie whose files hold no scale: nothing that comes out is in µm or s.

TIFF without resolution ──► whole workflow ──► columns in pixels and frames, axes without unit
"""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import tifffile
from running import MOVIE, Run

pytestmark = pytest.mark.slow

TABLES = ("cells", "tracks", "msd", "wells", "fields", "profiles/augmented", "profiles/normalised")
OF_UNITS = re.compile(r"_um2?(?:_|$)|(?:lag|lifetime|cycle_time|um|um2|px|px2)_s$")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small movie, with images that hold no scale and a config that gives none."""
    readouts = ["area_um2", "median_speed_um_s"]
    config = {
        **MOVIE,
        "ingest": {},
        "classify": {"training": "off"},
        "export": {"formats": ["geff", "trackmate", "napari"]},
        "profile": {"readouts": readouts, "hit_readout": "median_speed_um_s"},
    }
    run = Run.drawn(tmp_path_factory.mktemp("unknown") / "run", "movie", config)
    for path in (run.folder / "images").glob("*.tif"):
        tifffile.imwrite(path, tifffile.imread(path), metadata=None)
    run.run()
    return run


def test_no_column_is_in_micrometres_or_seconds(unknown: Run) -> None:
    columns = {name: list(pd.read_parquet(unknown.plate / f"{name}.parquet")) for name in TABLES}
    wrong = {name: [c for c in found if OF_UNITS.search(c)] for name, found in columns.items()}
    assert not any(wrong.values()), wrong
    assert {"y_px", "x_px", "area_px2"} <= set(columns["cells"])
    assert {"speed_px_frame", "lifetime_frames", "n_frames"} <= set(columns["tracks"])
    assert {"msd_px2", "lag_frames"} <= set(columns["msd"])
    assert {"area_px2", "median_speed_px_frame_robust_z", "hit"} <= set(columns["wells"])
    statistics = pd.read_csv(unknown.plate / "statistics.tsv", sep="\t")
    assert set(statistics["readout"]) == {"area_px2", "median_speed_px_frame"}


def test_lengths_are_pixels_and_times_frames(unknown: Run) -> None:
    cells = pd.read_parquet(unknown.plate / "cells.parquet")
    tracks = pd.read_parquet(unknown.plate / "tracks.parquet")
    assert (cells["area_px2"] % 1 == 0).all()  # whole pixels
    assert cells["y_px"].max() > 150  # of 192
    assert (tracks["lifetime_frames"] == tracks["t_end"] - tracks["t_start"]).all()


def test_axes_have_no_unit_and_the_sources_are_unknown(unknown: Run) -> None:
    inspection = json.loads((unknown.plate / "inspection.json").read_text())
    names = ("pixel_size_source", "time_step_source", "pixel_size_um", "time_step_s")
    assert [inspection[name] for name in names] == ["unknown", "unknown", None, None]
    layout = json.loads((unknown.plate / "layout.json").read_text())
    assert (layout["pixel_size_um"], layout["time_step_s"]) == (None, None)
    image = next((unknown.plate / "P.ome.zarr").glob("*/*/1/zarr.json"))
    (multiscale,) = json.loads(image.read_text())["attributes"]["ome"]["multiscales"]
    assert not any("unit" in axis for axis in multiscale["axes"])


def test_exports_figures_and_report_speak_of_pixels(unknown: Run) -> None:
    trackmate = next((unknown.plate / "trackmate").glob("*.xml")).read_text()
    assert 'spatialunits="pixel" timeunits="frame"' in trackmate
    assert "y_px" in next((unknown.plate / "napari").glob("*.csv")).read_text().splitlines()[0]
    graph = next(unknown.plate.glob("*.geff"))
    axes = json.loads((graph / "zarr.json").read_text())["attributes"]["geff"]["axes"]
    assert {axis.get("scaled_unit") for axis in axes} == {None}
    page = (unknown.plate / "report.html").read_text()
    facts, _, rest = page.partition('<section id="warnings">')
    assert "unknown: lengths are in pixels" in facts
    assert "unknown: times are in frames" in facts
    warnings, _, rest = rest.partition("</section>")
    assert "options in µm were taken as pixels" in warnings
    rest = rest.partition('id="provenance"')[0]
    assert "µm" not in rest
    assert "px" in rest


def test_the_warnings_name_what_is_unknown(unknown: Run) -> None:
    warnings = pd.read_csv(unknown.plate / "warnings.tsv", sep="\t")
    assert {"pixel size", "time step"} <= set(warnings["kind"])
    assert "pixel_size_um" in " ".join(warnings["do"])
    crate = (unknown.plate / "ro-crate-metadata.json").read_text()
    assert "unknown: lengths are in pixels" in crate
