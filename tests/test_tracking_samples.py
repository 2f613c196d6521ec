"""Samples of other trackers: read, their detections tracked again, links and divisions compared.

What they come with was checked by a person (btrack) or is another tracker's result (Lineage Mapper
of NIST, TrackMate, a result of the Cell Tracking Challenge): likeness, not truth.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tifffile import imread

from cellpipe.exports.trackmate import read_trackmate
from cellpipe.readers.truth.ctc import read_ctc
from cellpipe.track import link_cells
from cellpipe.track.lineage import links_of

pytestmark = pytest.mark.data


@pytest.fixture
def samples(real_data: Path) -> Path:
    return real_data / "tracking-formats"


def objects(labels: np.ndarray, t: int, pixel_um: float) -> pd.DataFrame:
    """Places and areas of the labels of a frame."""
    flat = labels.ravel()
    area = np.bincount(flat)
    table = pd.DataFrame({"t": t, "of": np.arange(len(area)), "area_um2": area * pixel_um**2})
    for axis, name in enumerate(("y_um", "x_um")):
        places = np.broadcast_to(
            np.expand_dims(np.arange(labels.shape[axis]), 1 - axis), labels.shape
        )
        table[name] = pixel_um * np.bincount(flat, places.ravel()) / np.maximum(area, 1)
    table = table[(table["of"] > 0) & (area > 0)].reset_index(drop=True)
    return table.assign(label=np.arange(1, len(table) + 1))


def edges(cells: pd.DataFrame) -> tuple[set, set]:
    """Links, and the objects that divide, by (t, label)."""
    nodes = cells.sort_values(["t", "label"], ignore_index=True)
    name = list(zip(nodes["t"].tolist(), nodes["label"].tolist(), strict=True))
    source, target = links_of(nodes)
    divides = np.flatnonzero(np.bincount(source, minlength=len(nodes)) > 1)
    return {(name[a], name[b]) for a, b in zip(source, target, strict=True)}, {
        name[k] for k in divides
    }


def likeness(theirs: pd.DataFrame) -> tuple[float, float, int, int]:
    """Precision and recall of our links, divisions in common, and theirs; default settings."""
    features = [c for c in ("t", "label", "y_um", "x_um", "area_um2") if c in theirs]
    found = link_cells(theirs[features])
    (links, divides), (own, own_divides) = edges(theirs), edges(found)
    common = len(links & own)
    return common / len(own), common / len(links), len(divides & own_divides), len(divides)


def test_btrack_s_family_is_found_again(samples: Path) -> None:
    rows = pd.read_csv(samples / "btrack/test_data.csv")
    tracks = json.loads((samples / "btrack/test_ground_truth.json").read_text())
    parents = json.loads((samples / "btrack/test_graph.json").read_text())
    pixel_um = 0.33  # assumed: the file counts in pixels
    cells = pd.DataFrame(
        {"t": rows["t"], "y_um": pixel_um * rows["y"], "x_um": pixel_um * rows["x"]}
    )
    cells["label"] = cells.groupby("t").cumcount() + 1
    for track, its_rows in tracks.items():
        cells.loc[its_rows, "track_id"] = int(track)
        cells.loc[its_rows, "parent_track_id"] = parents.get(track, [0])[0]
    precision, recall, common, divisions = likeness(cells.astype({"track_id": int}))
    assert min(precision, recall) > 0.995
    assert common == divisions == 3


def test_lineage_mapper_s_cells(samples: Path) -> None:
    folder = samples / "nist-lineage-mapper/ref_track_results/division"
    frames = [imread(path) for path in sorted(folder.glob("trk-seg_*.tif"))]
    cells = pd.concat([objects(f, t, 0.65) for t, f in enumerate(frames)], ignore_index=True)
    mothers = pd.read_csv(folder / "trk-division.csv").to_numpy()
    parent = {daughter: row[1] for row in mothers for daughter in row[2:4]}
    cells["track_id"] = cells["of"].astype(int)
    cells["parent_track_id"] = [parent.get(k, 0) for k in cells["track_id"]]
    precision, recall, common, divisions = likeness(cells)
    assert divisions == 2
    assert precision > 0.95
    assert recall > 0.94
    assert common >= 1


def test_trackmate_s_spots(samples: Path) -> None:
    path = samples / "trackmate/trackmate_tracks_with_splitting_merging.xml"
    precision, recall, _, divisions = likeness(read_trackmate(path).cells)
    assert divisions == 2
    assert precision > 0.95
    assert recall > 0.95


def test_a_challenge_result_s_cells(samples: Path) -> None:
    movie = read_ctc(samples / "ctc-Fluo-N2DL-HeLa-01_RES")
    parts = [objects(labels, t, 0.645) for t, labels in movie.labels() if t < 40]
    cells = pd.concat(parts, ignore_index=True)
    parent = movie.tracks.set_index("track_id")["parent_track_id"]
    cells["track_id"] = cells["of"].astype(int)
    cells["parent_track_id"] = cells["track_id"].map(parent)
    precision, recall, common, divisions = likeness(cells)
    assert precision > 0.97
    assert recall > 0.97
    assert common > 0.8 * divisions
