"""The whole workflow on drawn movies of spots: wells ranked by D, figures, a kymograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from running import Run

pytestmark = pytest.mark.slow

PIXEL_UM, STEP_S = 0.2, 0.1
DIFFUSION = {"B02": 0.05, "B03": 0.05, "C02": 0.2, "C03": 0.2}  # µm²/s
SPEED_UM_S = 1.6
N_FRAMES, SIDE, N_SPOTS = 20, 192, 40
NUCLEUS = (150, 150, 14)  # y, x and radius in pixels
CONFIG = {
    "plates": "plates.tsv",
    "seed": 1,
    "channels": {"dna": {"source": "1"}, "tips": {"source": "2"}},
    "layouts": {
        "drawn": {"pattern": r"(?P<well>[A-Z]\d\d)_t(?P<t>\d+)_w(?P<channel>\d)\.tif"},
    },
    "ingest": {"pixel_size_um": PIXEL_UM, "time_step_s": STEP_S},
    "segment": {
        "nuclei": {"channel": "dna", "engine": "classical", "min_area_um2": 5},
        "cells": {"method": "off"},
    },
    "detect": {"channel": "tips", "diameter_um": 0.8, "track": True, "max_distance_um": 1.2},
    "profile": {"readouts": ["spot_diffusion_um2_s", "n_spot_tracks"]},
    "kymographs": {"lines": "lines.tsv", "width_um": 0.6},
}


def simulate_movie(well: str, images: Path, rng: np.random.Generator) -> None:
    """A nucleus at rest, spots that diffuse, and one that runs along y = 4 µm."""
    y, x = np.mgrid[:SIDE, :SIDE]
    sigma_um = np.sqrt(2 * DIFFUSION[well] * STEP_S)
    # a grid, so that spots do not change places
    start = 4.0 * np.stack(np.divmod(np.arange(N_SPOTS), 8), axis=1) + [9.0, 4.0]
    paths = start + np.cumsum(rng.normal(0, sigma_um, (N_FRAMES, N_SPOTS, 2)), axis=0)
    nucleus = 800.0 * (np.hypot(y - NUCLEUS[0], x - NUCLEUS[1]) < NUCLEUS[2])
    for t, at in enumerate(paths):
        runner = [[4.0, 3.0 + SPEED_UM_S * STEP_S * t]]
        spots = np.zeros((SIDE, SIDE))
        for spot_y, spot_x in np.vstack([at, runner]) / PIXEL_UM:
            spots += 400 * np.exp(-((y - spot_y) ** 2 + (x - spot_x) ** 2) / (2 * 1.4**2))
        for channel, plane in ((1, nucleus), (2, spots)):
            counts = rng.poisson(100 + plane).astype(np.uint16)
            tifffile.imwrite(images / f"{well}_t{t:02d}_w{channel}.tif", counts)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("spot_movie")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for well in DIFFUSION:
        simulate_movie(well, folder / "images", rng)
    (folder / "plates.tsv").write_text(
        "plate\timages\tlayout\tplate_map\nP\timages\tdrawn\tplate_map.tsv\n"
    )
    conditions = [f"{w}\t{'slow' if d < 0.1 else 'fast'}\t" for w, d in DIFFUSION.items()]
    (folder / "plate_map.tsv").write_text("\n".join(["well\tcondition\tcontrol", *conditions]))
    corners = ["P\tC02\t1\ttips\trunner\t4\t2", "P\tC02\t1\ttips\trunner\t4\t12"]
    (folder / "lines.tsv").write_text(
        "\n".join(["plate\twell\tfield\tchannel\tline\ty_um\tx_um", *corners])
    )
    run = Run(folder, CONFIG)
    run.run("results/P/figures", "results/P/kymographs", "results/P/report.html")
    return run


def test_wells_are_ranked_by_the_diffusion_that_was_drawn(run: Run) -> None:
    wells = pd.read_parquet(run.plate / "wells.parquet").set_index("well")
    for well, diffusion in DIFFUSION.items():
        found = wells.loc[well, "spot_diffusion_um2_s"]
        assert found == pytest.approx(diffusion, rel=0.35)  # 40 spots and 20 frames
        assert wells.loc[well, "n_spot_tracks"] == pytest.approx(N_SPOTS + 1, abs=4)
    fields = pd.read_parquet(run.plate / "fields.parquet")
    assert fields["stage_from"].eq("spots").all()
    assert not fields["movie_flag"].str.contains("jumps").any()
    tracks = pd.read_parquet(run.plate / "spot_tracks.parquet")
    assert (tracks["n_frames"] == N_FRAMES).sum() > 0.9 * len(DIFFUSION) * (N_SPOTS + 1)
    runner = tracks[tracks["straightness"] > 0.9]
    assert len(runner) == len(DIFFUSION)
    assert runner["velocity_um_s"].to_numpy() == pytest.approx(SPEED_UM_S, rel=0.02)


def test_motion_is_drawn(run: Run) -> None:
    drawn = {path.name for path in (run.plate / "figures").iterdir()}
    assert {"msd_spots.svg", "spaghetti_spots.svg"} <= drawn
    text = (run.plate / "figures/msd_spots.svg").read_text(encoding="utf-8")
    assert "slow: " in text
    assert "fast: " in text


def test_kymograph_shows_the_runner(run: Run) -> None:
    (listed,) = pd.read_csv(run.plate / "kymographs/lines.tsv", sep="\t").to_dict("records")
    drawn = tifffile.imread(run.plate / "kymographs" / listed["file"])
    assert drawn.shape == (N_FRAMES, 51)  # 10 µm
    above = np.maximum(drawn - np.median(drawn) - 50, 0)
    centre = (above * np.arange(51)).sum(axis=1) / above.sum(axis=1)
    slope = np.polyfit(np.arange(N_FRAMES), centre, 1)[0]
    velocity = slope * listed["pixel_size_um"] / listed["time_step_s"]
    assert velocity == pytest.approx(SPEED_UM_S, rel=0.03)
    assert (run.plate / "kymographs" / listed["file"].replace(".tif", ".svg")).is_file()
