"""Tracks for viewers: written, read by another tool where there is one, and asked back."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadImage
from cellpipe.exports.geff import read_geff
from cellpipe.exports.napari import read_napari, write_napari
from cellpipe.exports.trackmate import read_trackmate, write_trackmate
from cellpipe.track.lineage import links_of


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
    left_early = cells()[cells()["t"] < 2]  # all cells leave, the movie goes on
    write_trackmate(
        tmp_path / "y.xml", left_early, pixel_size_um=1, time_step_s=1, shape=(4, 4), n_frames=9
    )
    image = next(ElementTree.parse(tmp_path / "y.xml").getroot().iter("ImageData"))
    assert image.get("nframes") == "9"
    write_napari(tmp_path / "x.csv", cells().iloc[:0])
    assert read_napari(tmp_path / "x.csv").graph == {}


def test_what_was_written_is_read(xml: Path) -> None:
    read = read_trackmate(xml)
    mine = cells().sort_values(["t", "label"], ignore_index=True)
    assert read.pixel_size_um == 0.5
    assert (read.cells["radius_um"] == 3.0).all()
    columns = ["t", "label", "y_um", "x_um", "track_id", "parent_track_id"]
    pd.testing.assert_frame_equal(read.cells[columns], mine[columns], check_dtype=False)


SPOTS = """
 <SpotsInFrame frame="0"><Spot ID="7" FRAME="0" POSITION_X="2" POSITION_Y="4" VISIBILITY="1"/>
  <Spot ID="9" FRAME="0" POSITION_X="20" POSITION_Y="4" VISIBILITY="1"/></SpotsInFrame>
 <SpotsInFrame frame="1"><Spot ID="3" FRAME="1" POSITION_X="3" POSITION_Y="4" VISIBILITY="1"/>
  <Spot ID="4" FRAME="1" POSITION_X="3" POSITION_Y="6" VISIBILITY="0"/></SpotsInFrame>
 <SpotsInFrame frame="2"><Spot ID="5" FRAME="2" POSITION_X="1" POSITION_Y="4" VISIBILITY="1"/>
  <Spot ID="6" FRAME="2" POSITION_X="5" POSITION_Y="4" VISIBILITY="1"/>
  <Spot ID="8" FRAME="2" POSITION_X="40" POSITION_Y="4" VISIBILITY="1"/></SpotsInFrame>
"""
#          7 ─ 3 ┬ 5          9 · · 8 is a track that the person filtered away;
#                └ 6          4 was made invisible
TRACKS = """
 <Track TRACK_ID="0"><Edge SPOT_SOURCE_ID="3" SPOT_TARGET_ID="7"/>
  <Edge SPOT_SOURCE_ID="3" SPOT_TARGET_ID="5"/><Edge SPOT_SOURCE_ID="3" SPOT_TARGET_ID="6"/></Track>
 <Track TRACK_ID="1"><Edge SPOT_SOURCE_ID="9" SPOT_TARGET_ID="8"/></Track>
"""


def saved_by_fiji(path: Path, tracks: str = TRACKS, unit: str = "micron") -> Path:
    path.write_text(
        f'<TrackMate version="7.11.1"><Model spatialunits="{unit}" timeunits="sec">'
        f"<AllSpots>{SPOTS}</AllSpots><AllTracks>{tracks}</AllTracks>"
        '<FilteredTracks><TrackID TRACK_ID="0"/></FilteredTracks></Model><Settings><ImageData '
        'pixelwidth="0.5" pixelheight="0.5" nframes="3"/></Settings></TrackMate>'
    )
    return path


def test_a_file_of_fiji_divides_and_hides_what_was_filtered(tmp_path: Path) -> None:
    read = read_trackmate(saved_by_fiji(tmp_path / "x.xml"))
    assert read.pixel_size_um == 0.5
    assert read.cells[["t", "x_um"]].to_numpy().tolist() == [[0, 2], [1, 3], [2, 1], [2, 5]]
    assert read.cells["track_id"].tolist() == [1, 1, 2, 3]
    assert read.cells["parent_track_id"].tolist() == [0, 0, 1, 1]
    in_mm = read_trackmate(saved_by_fiji(tmp_path / "mm.xml", unit="mm"))
    assert in_mm.cells["x_um"].tolist() == [2000, 3000, 1000, 5000]


def test_of_two_that_merge_the_nearer_goes_on(tmp_path: Path) -> None:
    own = TRACKS[: TRACKS.index("</Track>")]
    merged = own + '<Edge SPOT_SOURCE_ID="9" SPOT_TARGET_ID="3"/></Track>'
    read = read_trackmate(saved_by_fiji(tmp_path / "x.xml", merged))
    tracks = read.cells.set_index(["t", "x_um"])["track_id"]
    assert tracks[0, 2] == tracks[1, 3] != tracks[0, 20]


def test_tracks_exported_by_fiji_s_action_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(
        '<?xml version="1.0"?><Tracks nTracks="2" spaceUnits="pixel" frameInterval="1.0">'
        '<particle nSpots="2"><detection t="0" x="1.5" y="2" z="0"/>'
        '<detection t="2" x="2.5" y="2" z="0"/></particle>'
        '<particle nSpots="1"><detection t="0" x="9" y="8" z="0"/></particle></Tracks>'
    )
    read = read_trackmate(tmp_path / "x.xml")
    assert read.pixel_size_um == 1
    assert read.cells["track_id"].tolist() == [1, 2, 1]
    assert read.cells["x_um"].tolist() == [1.5, 9, 2.5]
    assert set(read.cells["parent_track_id"]) == {0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<TrackMate>", "no element found"),
        ("<svg/>", "<svg> without a <Model>"),
        ('<TrackMate><Model spatialunits="parsec"/></TrackMate>', "parsec"),
        (
            '<TrackMate><Model><AllTracks><Track TRACK_ID="1"><Edge SPOT_SOURCE_ID="1" '
            'SPOT_TARGET_ID="2"/></Track></AllTracks><FilteredTracks><TrackID TRACK_ID="1"/>'
            "</FilteredTracks></Model></TrackMate>",
            "an edge to spot 1",
        ),
        ('<TrackMate><Model><AllSpots><Spot ID="1"/></AllSpots></Model></TrackMate>', "FRAME"),
        ('<Tracks><particle><detection t="1"/></particle></Tracks>', "no 'x'"),
    ],
)
def test_files_that_are_none_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.xml").write_text(text)
    with pytest.raises(BadImage, match=message) as fault:
        read_trackmate(tmp_path / "x.xml")
    assert "x.xml" in str(fault.value)


def test_a_link_within_a_frame_is_refused(tmp_path: Path) -> None:
    wrong = TRACKS.replace('SOURCE_ID="3" SPOT_TARGET_ID="7"', 'SOURCE_ID="5" SPOT_TARGET_ID="6"')
    with pytest.raises(BadImage, match="two objects of frame 2"):
        read_trackmate(saved_by_fiji(tmp_path / "x.xml", wrong))


@pytest.mark.data
def test_the_sample_of_trackmate_has_its_edges_but_the_merge(real_data: Path) -> None:
    folder = real_data / "tracking-formats/trackmate"
    name = "trackmate_tracks_with_splitting_merging"
    edges = pd.read_csv(folder / f"{name}_edges.csv")
    spots = pd.read_csv(folder / f"{name}_spots.csv").set_index("id")
    read = read_trackmate(folder / f"{name}.xml").cells
    assert len(read) == len(spots)
    source, target = links_of(read)

    def places(table: pd.DataFrame, rows: object, names: list[str]) -> list[tuple]:
        return [tuple(np.round(r, 6)) for r in table.loc[rows, names].to_numpy(float)]

    mine = set(
        zip(*(places(read, rows, ["t", "y_um", "x_um"]) for rows in (source, target)), strict=True)
    )
    own = ["frame", "position_y", "position_x"]
    ends = (edges["spot_source_id"], edges["spot_target_id"])
    theirs = set(zip(*(places(spots, end, own) for end in ends), strict=True))
    assert mine < theirs
    merged = edges["spot_target_id"].duplicated().sum()
    assert len(theirs - mine) == merged == 1
    assert (read.drop_duplicates("track_id")["parent_track_id"] > 0).sum() == 4  # two splits
