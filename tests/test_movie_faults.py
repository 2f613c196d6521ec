"""A movie with everything that goes wrong, through the workflow: named, tracked, exported, scored.

B02   t   0 1 2 3 4 5 6 7 8 9 …       frame 3 repeats frame 2, five frames are out of focus,
                ↺     ~ ~ ~ ~ ~   ∅   and in frame 12 the shutter stayed closed
C02   a movie of one frame
"""

from __future__ import annotations

import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from running import MOVIE, Run
from scipy.ndimage import gaussian_filter
from tifffile import imread, imwrite

from cellpipe import simulate, track
from cellpipe.exports.ctc import write_ctc
from cellpipe.exports.geff import read_geff
from cellpipe.exports.napari import read_napari
from cellpipe.exports.trackmate import read_trackmate
from cellpipe.readers.truth.ctc import read_ctc
from cellpipe.run.blocks import Cut
from cellpipe.run.plates.gather import quarantine
from cellpipe.run.receipts import read_receipts, read_rows
from cellpipe.simulate import MovieDesign

pytestmark = pytest.mark.slow

BLURRED, DARK, COPY, N_FRAMES = range(5, 10), 12, 3, 15
EXPORTS = ("ctc", "geff.tsv", "trackmate", "napari")


def draw(folder: Path) -> Run:
    design = MovieDesign(wells=("B02",), slowed_wells=(), n_frames=N_FRAMES, shape=(160, 160))
    drawn = simulate.simulate_movie(replace(design, seed=4), "B02")
    (folder / "images").mkdir(parents=True)
    frames = [np.asarray(frame) for frame in drawn.pixels]
    frames[COPY] = frames[COPY - 1]
    noise = np.random.default_rng(0).normal(0, 6, frames[0].shape)
    for t in BLURRED:
        blurred = gaussian_filter(frames[t].astype(float), 5) + np.roll(noise, t, axis=0)
        frames[t] = np.clip(blurred, 0, 65535).astype(frames[t].dtype)
    frames[DARK] = np.zeros_like(frames[DARK])
    for t, frame in enumerate(frames):
        imwrite(folder / "images" / f"B02_s1_t{t + 1:03d}_w1.tif", frame)
    shutil.copy(folder / "images/B02_s1_t001_w1.tif", folder / "images/C02_s1_t001_w1.tif")
    tell_truth(folder / "truth", drawn)
    (folder / "plates.tsv").write_text(
        "plate\timages\tlayout\tplate_map\tannotations\ttruth\nP\timages\tdrawn\t\t\ttruth\n"
    )
    changes = {"classify": {"training": "off"}, "export": {"formats": ["ctc", "geff", "trackmate"]}}
    return Run(folder, {**MOVIE, **changes})


def tell_truth(truth: Path, drawn: simulate.Movie) -> None:
    """The drawn lineages; of C02, the first frame."""
    spans = drawn.lineage.set_index("track_id")
    for well, n_frames in (("B02", N_FRAMES), ("C02", 1)):
        labels = [np.asarray(frame) for frame in drawn.labels][:n_frames]
        rows = [
            (t, k, k, spans.loc[k, "parent_track_id"])
            for t, frame in enumerate(labels)
            for k in np.unique(frame)[1:].tolist()
        ]
        links = pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])
        write_ctc(truth / f"{well}_1_GT" / "TRA", enumerate(labels), links, kind="truth")


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = draw(tmp_path_factory.mktemp("faults"))
    outputs = ("fields.parquet", "evaluation/scores.tsv", "report.html", *EXPORTS)
    run.run(*(f"results/P/{name}" for name in outputs))
    return run.plate


def test_the_frames_are_named_and_no_others(plate: Path) -> None:
    fields = pd.read_parquet(plate / "fields.parquet")
    flagged = fields[fields["movie_flag"] != ""].set_index(["well", "t"])["movie_flag"]
    assert flagged["B02", COPY] == f"repeats frame {COPY - 1}"
    assert "no nuclei" in flagged["B02", DARK]
    assert {t for _, t in flagged.index} == {COPY, DARK, *BLURRED}
    assert all("out of focus" in flagged["B02", t] for t in BLURRED)
    assert f"repeat an earlier frame: {COPY}" in (plate / "report.html").read_text()
    log = (plate.parent / "logs/gather_plate/P.log").read_text()
    assert "doubtful frames, B02 field 1" in log


def test_every_export_tells_the_same_tracks(plate: Path) -> None:
    cells = pd.read_parquet(plate / "cells.parquet")
    for well, n_frames in (("B02", N_FRAMES), ("C02", 1)):
        own = cells[cells["well"] == well].sort_values(["t", "label"], ignore_index=True)
        assert len(own) > 0
        assert (own["t"] != DARK).all()
        ids = own[["t", "label", "track_id", "parent_track_id"]].to_numpy(int).tolist()
        for read in (
            read_geff(plate / f"P_{well}_1.geff"),
            read_trackmate(plate / f"trackmate/{well}_1.xml").cells,
        ):
            read = read.sort_values(["t", "label"])
            assert read[["t", "label", "track_id", "parent_track_id"]].to_numpy(int).tolist() == ids
        assert len(read_napari(plate / f"napari/{well}_1.csv").data) == len(own)
        movie = read_ctc(plate / f"ctc/{well}_1_RES")
        assert len(movie.frames) == N_FRAMES  # frames of C02 without a file hold no cells
        counts = [len(np.unique(labels)) - 1 for _, labels in movie.labels()]
        assert counts == [int((own["t"] == t).sum()) for t in range(N_FRAMES)]
        assert (own["t"] < n_frames).all()
        assert imread(movie.frames[0]).shape == (160, 160)


def test_movies_are_scored_one_by_one_and_what_has_no_score_says_why(plate: Path) -> None:
    movies = pd.read_csv(plate / "evaluation/movies.tsv", sep="\t").set_index("well")
    assert movies.loc["B02", "DET"] < movies.loc["C02", "DET"]
    assert 0 < movies.loc["B02", "LNK"] < 1
    assert np.isnan(movies.loc["C02", "LNK"])
    scores = pd.read_csv(plate / "evaluation/scores.tsv", sep="\t").set_index("score")
    assert scores.loc["LNK", "note"] == "mean of 1 of 2 movies; the others have none"
    assert scores.loc["SEG", "note"] == "the truth has no outlines (SEG)"
    assert np.isnan(scores.loc["SEG", "value"])


def test_tracked_labels_keep_a_cell_s_value(plate: Path) -> None:
    import zarr

    cells = pd.read_parquet(plate / "cells.parquet").query("well == 'B02' and t == 1")
    layers = plate / "P.ome.zarr/B/02/1/labels"
    nuclei, tracks = (
        np.squeeze(zarr.open_array(str(layers / name / "0"), mode="r")[1:2])
        for name in ("nuclei", "tracks")
    )
    for cell in cells.itertuples():
        assert set(np.unique(tracks[nuclei == cell.label])) == {cell.track_id}


class Named(dict):
    """Inputs, outputs or parameters of a rule, as its script sees them."""

    __getattr__ = dict.__getitem__

    def __iter__(self):
        return iter(self.values())


def test_a_movie_that_cannot_be_linked_is_left_out_by_name(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = track.link_cells

    def linked(cells: pd.DataFrame, **options: object) -> pd.DataFrame:
        if cells["t"].nunique() == 1:  # the movie of one frame, C02
            raise ZeroDivisionError("planted")
        return link(cells, **options)

    monkeypatch.setattr(track, "link_cells", linked)
    (units,) = Cut.read(plate / "blocks.json").field_blocks.values()
    assert [unit.well for unit in units] == ["B02", "C02"]
    options = {"max_distance_um": 15, "max_gap_frames": 2, "divisions": True}
    table = tmp_path / "blocks/track/0000.parquet"
    table.parent.mkdir(parents=True)
    measured = sorted(map(str, (plate / "blocks/measure").glob("*.parquet")))
    rule = SimpleNamespace(
        rule="track_block",
        log=[str(tmp_path / "track.log")],
        threads=1,
        wildcards={"plate": "P", "block": "0000"},
        input=Named(
            layout=str(plate / "layout.json"),
            blocks=str(plate / "blocks.json"),
            cells=measured,
            classes=[],
        ),
        output=Named(table=str(table)),
        params=Named(
            code={"digest": "c", "libraries": []},
            weights={},
            options={**options, "weights": None, "keep_labels": False},
        ),
    )
    script = Path(__file__).parent.parent / "scripts/track_block.py"
    runpy.run_path(str(script), init_globals={"snakemake": rule})
    rows = read_rows([table])
    assert (rows.loc[rows["well"] == "C02", "track_id"] == 0).all()
    assert (rows.loc[rows["well"] == "B02", "track_id"] > 0).all()
    assert len(rows) == len(pd.read_parquet(plate / "cells.parquet"))
    faults = quarantine("P", {"faults": []}, {"track": read_receipts(table)}, by_field=["track"])
    assert faults[["well", "field"]].to_numpy().tolist() == [["C02", 1]]
    assert "ZeroDivisionError: planted" in faults["reason"].item()
