"""Tracks for viewers: written, read by another tool where there is one, and asked back."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadImage
from cellpipe.formats.geff import read_geff
from cellpipe.formats.napari import read_napari, write_napari
from cellpipe.formats.trackmate import write_trackmate


def cells() -> pd.DataFrame:
    """Track 1 divides at t = 1 into 2 and 3; 3 is missed at t = 3; 4 is alone; 0 is untracked."""
    frames = {1: [0, 1], 2: [2, 3, 4], 3: [2, 4], 4: [0], 0: [3]}
    parents = {2: 1, 3: 1}
    rows = [(t, k, parents.get(k, 0), 10.0 * k, 5.0 + t) for k, ts in frames.items() for t in ts]
    table = pd.DataFrame(rows, columns=["t", "track_id", "parent_track_id", "y_um", "x_um"])
    table["label"] = table.groupby("t").cumcount() + 1
    table["area_um2"] = np.pi * 9.0
    return table


def test_napari_gets_data_graph_and_properties(tmp_path: Path) -> None:
    write_napari(tmp_path / "tracks.csv", cells().sample(frac=1, random_state=1))
    tracks = read_napari(tmp_path / "tracks.csv")
    assert tracks.graph == {2: [1], 3: [1]}
    assert tracks.data[:, 0].tolist() == [1, 1, 2, 2, 2, 3, 3, 4]  # sorted, as napari wants it
    assert tracks.data[2].tolist() == [2, 2, 20, 7]
    assert set(tracks.properties) == {"parent_track_id", "label", "area_um2"}


def test_napari_file_without_tracks_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("t,y_um\n0,1\n")
    with pytest.raises(BadImage, match="track_id"):
        read_napari(tmp_path / "x.csv")


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    path = tmp_path / "tracks.xml"
    write_trackmate(
        path, cells(), pixel_size_um=0.5, time_step_s=60, shape=(100, 200), image='a "b" & <c>.tif'
    )
    return path


def test_trackmate_holds_spots_lineages_and_scales(xml: Path) -> None:
    root = ElementTree.parse(xml).getroot()
    spots = {s.get("ID"): s for s in root.iter("Spot")}
    assert len(spots) == len(cells())
    assert {float(s.get("RADIUS", 0)) for s in spots.values()} == {3.0}
    assert {(int(s.get("FRAME", 0)), float(s.get("POSITION_T", 0))) for s in spots.values()} == {
        (t, 60.0 * t) for t in range(5)
    }
    tracks = list(root.iter("Track"))
    assert len(tracks) == 1  # one family; who is alone is a spot without a track
    links = [
        tuple(
            int(spots[e.get(k, "")].get("CELLPIPE_TRACK", 0))
            for k in ("SPOT_SOURCE_ID", "SPOT_TARGET_ID")
        )
        for e in tracks[0]
    ]
    assert sorted(links) == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 2), (3, 3)]
    image = next(root.iter("ImageData"))
    assert (image.get("filename"), image.get("width")) == ('a "b" & <c>.tif', "200")


@pytest.mark.filterwarnings("ignore")  # of the other reader's
def test_another_reader_finds_the_same_links(xml: Path, tmp_path: Path) -> None:
    from geff.convert import from_trackmate_xml_to_geff

    from_trackmate_xml_to_geff(xml, tmp_path / "x.geff", zarr_format=3)
    table = read_geff(tmp_path / "x.geff")
    mine = cells().sort_values(["t", "label"], ignore_index=True)
    theirs = table.sort_values(["t", "y_um"], ignore_index=True)
    assert len(theirs) == len(mine)
    assert sorted(theirs["parent_track_id"]) == sorted([0] * 4 + [1] * 5)


def test_no_cells_is_a_file_too(tmp_path: Path) -> None:
    write_trackmate(
        tmp_path / "x.xml", cells().iloc[:0], pixel_size_um=1, time_step_s=1, shape=(4, 4)
    )
    assert not list(ElementTree.parse(tmp_path / "x.xml").getroot().iter("Spot"))
    write_napari(tmp_path / "x.csv", cells().iloc[:0])
    assert read_napari(tmp_path / "x.csv").graph == {}
