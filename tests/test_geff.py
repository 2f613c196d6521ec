"""Lineages written as GEFF, validated by geff itself, and asked back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadImage
from cellpipe.exports.geff import read_geff, write_geff

# one letter is one object; a track is a row of letters
#   t   0 1 2 3 4 5
#   1   a b
#   2       c d e f     daughter of 1
#   3       g h . i     daughter of 1, missed at t = 4
#   4   j               no relation
LINEAGE = {1: ("ab", 0, 0), 2: ("cdef", 2, 1), 3: ("gh.i", 2, 1), 4: ("j", 0, 0)}
LINKS = {"ab", "bc", "bg", "cd", "de", "ef", "gh", "hi"}


def cells() -> pd.DataFrame:
    rows = []
    for track, (letters, start, parent) in LINEAGE.items():
        for t, letter in enumerate(letters, start=start):
            if letter != ".":
                rows.append({"t": t, "track_id": track, "parent_track_id": parent, "name": letter})
    table = pd.DataFrame(rows)
    table["label"] = table.groupby("t").cumcount() + 1
    table["y_um"] = 6.5 * table["track_id"]
    table["x_um"] = 13.0 + table["t"]
    table["area_um2"] = np.linspace(100, 200, len(table), dtype=np.float32)
    table["class"] = np.where(table["name"] == "b", "mitotic", "interphase")
    table["touches_border"] = table["name"] == "f"
    return table.astype({"t": np.int32, "label": np.uint32})


def written(tmp_path: Path, table: pd.DataFrame, **more: object) -> Path:
    path = tmp_path / "tracks.geff"
    write_geff(path, table, pixel_size_um=0.65, time_step_s=300, **more)
    return path


def validated(path: Path) -> dict:
    from geff.core_io import read_to_memory
    from geff.validate.data import ValidationConfig

    checks = ValidationConfig(graph=True, lineage=True, tracklet=True)
    return read_to_memory(str(path), structure_validation=True, data_validation=checks)


def test_geff_accepts_graph_tracklets_and_lineages(tmp_path: Path) -> None:
    graph = validated(written(tmp_path, cells()))
    names = dict(zip(graph["node_ids"], graph["node_props"]["name"]["values"], strict=True))
    assert {names[a] + names[b] for a, b in graph["edge_ids"]} == LINKS
    division = graph["edge_props"]["division"]["values"]
    assert {names[a] + names[b] for a, b in graph["edge_ids"][division]} == {"bc", "bg"}
    lineage = graph["node_props"]["lineage_id"]["values"]
    assert len(set(lineage)) == 2
    assert graph["metadata"].track_node_props == {
        "lineage": "lineage_id",
        "tracklet": "tracklet_id",
    }


def test_axes_say_what_a_frame_and_a_pixel_are(tmp_path: Path) -> None:
    graph = validated(written(tmp_path, cells()))
    axes = {a.name: (a.type, a.scale, a.scaled_unit) for a in graph["metadata"].axes}
    assert axes == {
        "t": ("time", 300, "second"),
        "y": ("space", 0.65, "micrometer"),
        "x": ("space", 0.65, "micrometer"),
    }
    assert graph["node_props"]["y"]["values"].min() == pytest.approx(10.0)  # 6.5 µm in pixels


def test_it_is_zarr_v3_and_compressed(tmp_path: Path) -> None:
    one = cells()
    many = pd.concat([one] * 1000, ignore_index=True)
    many["field"] = np.repeat(np.arange(1000), len(one))
    path = written(tmp_path, many)
    assert '"zarr_format": 3' in (path / "zarr.json").read_text()
    values = path / "nodes" / "props" / "track_id" / "values" / "c"
    stored = sum(p.stat().st_size for p in values.rglob("*") if p.is_file())
    assert stored < 8 * len(many) / 4


def test_what_was_written_is_read(tmp_path: Path) -> None:
    table = cells()
    again = read_geff(written(tmp_path, table))
    assert set(again) == set(table)
    wanted = table.sort_values(["t", "label"], ignore_index=True)[list(again)]
    pd.testing.assert_frame_equal(again, wanted, check_dtype=False)
    assert again["label"].dtype == np.uint32


def test_labels_are_related_by_a_relative_path(tmp_path: Path) -> None:
    from geff_spec import GeffMetadata

    path = written(tmp_path, cells(), labels_path=tmp_path / "P.ome.zarr/B/03/0/labels/nuclei")
    related = GeffMetadata.read(str(path)).related_objects
    assert [(r.type, r.path, r.label_prop) for r in related] == [
        ("labels", "../P.ome.zarr/B/03/0/labels/nuclei", "label")
    ]


def test_labels_hold_every_node(tmp_path: Path) -> None:
    from geff.validate.segmentation import has_seg_ids_at_coords, has_valid_seg_id

    table = cells()
    labels = np.zeros((6, 60, 60), np.uint32)
    y, x = (np.rint(table[c] / 0.65).astype(int) for c in ("y_um", "x_um"))
    labels[table["t"], y, x] = table["label"]
    graph = validated(written(tmp_path, table))
    props = {n: p["values"] for n, p in graph["node_props"].items()}
    at = np.stack([props["t"], np.rint(props["y"]), np.rint(props["x"])], axis=1)
    assert has_valid_seg_id(graph, "label")[0]
    assert has_seg_ids_at_coords(labels, at, props["label"])[0]


def test_fields_are_kept_apart(tmp_path: Path) -> None:
    two = pd.concat([cells().assign(well="B02", field=f) for f in (1, 2)], ignore_index=True)
    graph = validated(written(tmp_path, two))
    assert len(graph["edge_ids"]) == 2 * len(LINKS)
    field = graph["node_props"]["field"]["values"]
    lineage = graph["node_props"]["lineage_id"]["values"]
    assert not set(lineage[field == 1]) & set(lineage[field == 2])


def test_a_single_daughter_is_the_same_tracklet(tmp_path: Path) -> None:
    # as in CTC tables, which cut a track at a gap: geff wants tracklets as long as they can be
    graph = validated(written(tmp_path, cells().query("track_id != 3")))
    tracklet = pd.Series(graph["node_props"]["tracklet_id"]["values"])
    assert tracklet.nunique() == 2


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_to_link(tmp_path: Path, rows: int) -> None:
    path = written(tmp_path, cells().iloc[:rows])
    assert len(validated(path)["edge_ids"]) == 0
    assert len(read_geff(path)) == rows


def test_untracked_cells_are_nodes_without_links(tmp_path: Path) -> None:
    graph = validated(written(tmp_path, cells().assign(track_id=0, parent_track_id=0)))
    assert len(graph["node_ids"]) == len(cells())
    assert len(graph["edge_ids"]) == 0


def test_same_tracks_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, cells().sample(frac=1, random_state=len(name)))
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_writers_file_is_read(tmp_path: Path) -> None:
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    axes = [("frame", "time", None), ("row", "space", 2.0), ("col", "space", 0.5)]
    write_arrays(
        str(tmp_path / "x.geff"),
        np.array([7, 3, 5, 9], np.uint64),
        {
            "frame": {"values": np.array([0, 1, 2, 2]), "missing": None},
            "row": {"values": np.array([1.0, 1.0, 2.0, 3.0]), "missing": None},
            "col": {"values": np.array([4.0, 4.0, 4.0, 4.0]), "missing": None},
            "score": {"values": np.arange(4.0), "missing": np.array([True, False, False, False])},
        },
        np.array([[7, 3], [3, 5], [3, 9]], np.uint64),
        {},
        GeffMetadata(
            directed=True,
            axes=[Axis(name=n, type=k, scale=s) for n, k, s in axes],
            node_props_metadata={},
            edge_props_metadata={},
        ),
    )
    table = read_geff(tmp_path / "x.geff")
    assert table["track_id"].tolist() == [1, 1, 2, 3]
    assert table["parent_track_id"].tolist() == [0, 0, 1, 1]
    assert table["y_um"].tolist() == [2, 2, 4, 6]
    assert table["x_um"].tolist() == [2, 2, 2, 2]
    assert np.isnan(table["score"][0])


def test_no_geff_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"none\.geff"):
        read_geff(tmp_path / "none.geff")


def of_another_writer(path: Path, edges: list[list[int]], directed: bool = True) -> Path:
    """Four nodes: 1 and 2 in frame 0, 3 in frame 1, 4 in frame 2."""
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    places = {"t": [0, 0, 1, 2], "y": [1.0, 9.0, 2.0, 3.0], "x": [4.0, 4.0, 4.0, 4.0]}
    kinds = {"t": "time", "y": "space", "x": "space"}
    write_arrays(
        str(path),
        np.array([1, 2, 3, 4], np.uint64),
        {name: {"values": np.array(v), "missing": None} for name, v in places.items()},
        np.array(edges, np.uint64).reshape(-1, 2),
        {},
        GeffMetadata(
            directed=directed,
            axes=[Axis(name=n, type=k) for n, k in kinds.items()],
            node_props_metadata={},
            edge_props_metadata={},
        ),
        zarr_format=3,
        structure_validation=False,
    )
    return path


def test_two_that_merge_and_links_back_in_time(tmp_path: Path) -> None:
    table = read_geff(of_another_writer(tmp_path / "x.geff", [[1, 3], [2, 3], [4, 3]]))
    assert table["track_id"].tolist() == [1, 2, 1, 1]  # the nearer of the two goes on
    assert table["parent_track_id"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("edges", "message"),
    [([[1, 2]], "two objects of frame 0"), ([[1, 9]], "not there|edges")],
)
def test_impossible_links_are_named(tmp_path: Path, edges: list, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        read_geff(of_another_writer(tmp_path / "x.geff", edges))


def damage_ids(path: Path) -> None:
    (path / "nodes" / "ids" / "zarr.json").unlink()


def damage_json(path: Path) -> None:
    (path / "zarr.json").write_text("{")


def damage_axes(path: Path) -> None:
    (path / "zarr.json").write_text((path / "zarr.json").read_text().replace('"time"', '"space"'))


def no_geff_at_all(path: Path) -> None:
    (path / "zarr.json").write_text((path / "zarr.json").read_text().replace('"geff"', '"graph"'))


@pytest.mark.filterwarnings("ignore:Spatial")  # of units of time that are called space
@pytest.mark.parametrize("damage", [damage_ids, damage_json, damage_axes, no_geff_at_all])
def test_malformed_files_are_named_and_never_a_traceback(tmp_path: Path, damage) -> None:
    path = written(tmp_path, cells())
    damage(path)
    with pytest.raises(BadImage, match=r"tracks\.geff"):
        read_geff(path)


def test_columns_of_any_name_become_properties(tmp_path: Path) -> None:
    table = cells().assign(**{"G2/M": 1.0, "G2-M": 2.0, "../up": 3.0})
    graph = validated(written(tmp_path, table))
    values = {name: prop["values"][0] for name, prop in graph["node_props"].items()}
    assert (values["G2-M"], values["G2-M-2"], values["up"]) == (1, 2, 3)
    assert not (tmp_path / "up").exists()
