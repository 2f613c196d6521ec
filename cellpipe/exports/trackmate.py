"""TrackMate's XML: cells are spots, lineages are its tracks (Ershov et al., Nature Methods
19:829, 2022). "Load a TrackMate file" in Fiji opens what is written here.

Two kinds are read: the file that TrackMate saves, <TrackMate> with spots and edges, and the one of
its action "Export tracks to XML file", <Tracks> with one <particle> per track and no divisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.exports.links import as_lineages
from cellpipe.files.publish import published
from cellpipe.image.units import KNOWN, PixelSize, Scale, edges
from cellpipe.track.cells import name_tracks
from cellpipe.track.lineage import first_ancestors, links_of

VERSION = "7.11.1"
_SPOT_FEATURES = (  # key, name, dimension, whole number
    ("QUALITY", "Quality", "QUALITY", "false"),
    ("POSITION_X", "X", "POSITION", "false"),
    ("POSITION_Y", "Y", "POSITION", "false"),
    ("POSITION_Z", "Z", "POSITION", "false"),
    ("POSITION_T", "T", "TIME", "false"),
    ("FRAME", "Frame", "NONE", "true"),
    ("RADIUS", "Radius", "LENGTH", "false"),
    ("VISIBILITY", "Visibility", "NONE", "true"),
    ("LABEL", "Label in the mask", "NONE", "true"),
    ("CELLPIPE_TRACK", "Track id in cellpipe", "NONE", "true"),
)
_EDGE_FEATURES = (
    ("SPOT_SOURCE_ID", "Source spot ID", "NONE", "true"),
    ("SPOT_TARGET_ID", "Target spot ID", "NONE", "true"),
)
_TRACK_FEATURES = (
    ("TRACK_INDEX", "Track index", "NONE", "true"),
    ("TRACK_ID", "Track ID", "NONE", "true"),
)
_UM = {
    **dict.fromkeys(("pixel", "pixels", "micron", "microns", "um", "µm", "micrometer", ""), 1.0),
    **{"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3},
}
_COUNTED = ("pixel", "pixels")


class TrackMate(NamedTuple):
    """What a TrackMate file holds.

    cells : DataFrame, t (int32), label (uint32), y_um, x_um, track_id, parent_track_id (int64),
        radius_um; a spot of no track is a track of its own. Of two cells that merge, the nearer
        one continues (see `formats.links`).
    pixel_size_um : 1 where the file counts in pixels, None where it does not state the unit
    """

    cells: pd.DataFrame
    pixel_size_um: float | None


def write_trackmate(
    path: str | Path,
    cells: pd.DataFrame,
    *,
    pixel_size_um: PixelSize,
    time_step_s: float,
    shape: tuple[int, int],
    n_frames: int | None = None,
    image: str = "",
    named: Scale = KNOWN,
) -> None:
    """Write linked cells of one field as TrackMate XML, whole or not at all.

    Parameters
    ----------
    path : path
    cells : DataFrame
        t, label, y_um, x_um, track_id, parent_track_id and, where present, area_um2 (a spot's
        radius is that of a disk of the same area). One lineage is one TrackMate track.
    pixel_size_um, time_step_s : float; (y, x) for pixels that are not square
    shape : (rows, columns) of the field, in pixels
    n_frames : frames of the movie; by default up to the last that holds a cell
    image : str
        File name of the movie, which TrackMate expects next to the XML.
    named : Scale
        Units that are known; others are pixels and frames.
    """
    nodes = cells.sort_values(["t", "label"], kind="stable", ignore_index=True)
    with published(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="{VERSION}">\n')
        length = "micrometer" if named.length_known else "pixel"
        time = "second" if named.time_known else "frame"
        file.write(f'  <Model spatialunits="{length}" timeunits="{time}">\n')
        file.writelines(_features())
        file.writelines(_spots(nodes, time_step_s))
        file.writelines(_tracks(nodes))
        file.write("  </Model>\n")
        frames = n_frames or (int(nodes["t"].max()) + 1 if len(nodes) else 1)
        file.writelines(_settings(shape, frames, pixel_size_um, time_step_s, image))
        file.write("</TrackMate>\n")


def _features() -> Iterator[str]:
    yield "    <FeatureDeclarations>\n"
    kinds = {
        "SpotFeatures": _SPOT_FEATURES,
        "EdgeFeatures": _EDGE_FEATURES,
        "TrackFeatures": _TRACK_FEATURES,
    }
    for kind, features in kinds.items():
        yield f"      <{kind}>\n"
        for key, name, dimension, whole in features:
            yield (
                f'        <Feature feature="{key}" name="{name}" shortname="{name}"'
                f' dimension="{dimension}" isint="{whole}" />\n'
            )
        yield f"      </{kind}>\n"
    yield "    </FeatureDeclarations>\n"


def _spots(nodes: pd.DataFrame, time_step_s: float) -> Iterator[str]:
    area_um2 = nodes["area_um2"] if "area_um2" in nodes else pd.Series(100.0, nodes.index)
    radius_um = np.sqrt(area_um2.to_numpy(float) / np.pi)
    yield f'    <AllSpots nspots="{len(nodes)}">\n'
    for t, rows in nodes.groupby("t", sort=True):
        yield f'      <SpotsInFrame frame="{t}">\n'
        for cell in rows.itertuples():
            yield (
                f'        <Spot ID="{cell.Index}" name="ID{cell.Index}" QUALITY="1.0"'
                f' POSITION_X="{cell.x_um:.6g}" POSITION_Y="{cell.y_um:.6g}" POSITION_Z="0.0"'
                f' POSITION_T="{t * time_step_s:.6g}" FRAME="{t}"'
                f' RADIUS="{radius_um[cell.Index]:.6g}" VISIBILITY="1" LABEL="{cell.label}"'
                f' CELLPIPE_TRACK="{cell.track_id}" />\n'
            )
        yield "      </SpotsInFrame>\n"
    yield "    </AllSpots>\n"


def _tracks(nodes: pd.DataFrame) -> Iterator[str]:
    """Lineages as tracks; a cell without any link is a spot that belongs to none."""
    source, target = links_of(nodes)
    lineage = first_ancestors(*name_tracks(source, target, len(nodes)))
    edges = pd.DataFrame({"source": source, "target": target, "lineage": lineage[target]})
    names = []
    yield "    <AllTracks>\n"
    for index, (name, links) in enumerate(edges.groupby("lineage", sort=True)):
        names.append(name)
        yield f'      <Track name="Track_{name}" TRACK_ID="{name}" TRACK_INDEX="{index}">\n'
        for a, b in zip(links["source"], links["target"], strict=True):
            yield f'        <Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" />\n'
        yield "      </Track>\n"
    yield "    </AllTracks>\n    <FilteredTracks>\n"
    yield from (f'      <TrackID TRACK_ID="{name}" />\n' for name in names)
    yield "    </FilteredTracks>\n"


def _settings(
    shape: tuple[int, int], n_frames: int, pixel_size_um: PixelSize, time_step_s: float, image: str
) -> Iterator[str]:
    height, width = shape
    y, x = edges(pixel_size_um)
    size = f'pixelwidth="{x}" pixelheight="{y}" voxeldepth="1.0"'
    yield "  <Settings>\n"
    yield (
        f'    <ImageData filename={quoteattr(image)} folder="" width="{width}" height="{height}"'
        f' nslices="1" nframes="{n_frames}" {size} timeinterval="{time_step_s}" />\n'
    )
    yield (
        f'    <BasicSettings xstart="0" xend="{width - 1}" ystart="0" yend="{height - 1}"'
        f' zstart="0" zend="0" tstart="0" tend="{n_frames - 1}" />\n'
    )
    yield "  </Settings>\n"


def read_trackmate(path: str | Path) -> TrackMate:
    """Read the tracks that a TrackMate file shows: filtered tracks, visible spots.

    Labels are the spots' own where cellpipe wrote them, else numbers within the frame.

    Raises
    ------
    BadImage
        If it is no XML of TrackMate, or a spot, an edge or a unit in it cannot be understood.
    """
    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
        if root.tag == "Tracks":
            return _read_particles(root)
        model = root.find("Model")
        if root.tag != "TrackMate" or model is None:
            raise ValueError(f"<{root.tag}> without a <Model>")
        return _read_model(root, model, str(path))
    except (ElementTree.ParseError, OSError, KeyError, TypeError, ValueError) as fault:
        what = f"no {fault}" if isinstance(fault, KeyError) else str(fault)
        raise BadImage(
            seen=f"{path}: {what}",
            wanted="a file that TrackMate saved, or its 'Export tracks to XML file'",
            do="save it again from TrackMate (version 4 or later)",
        ) from fault


def _read_model(root: ElementTree.Element, model: ElementTree.Element, what: str) -> TrackMate:
    unit = model.get("spatialunits", "")
    spots = [spot.attrib for spot in model.iter("Spot")]
    shown = {e.attrib["TRACK_ID"] for e in model.iterfind("FilteredTracks/TrackID")}
    edges: list[tuple[str, str]] = []
    hidden: set[str] = set()
    for track in model.iterfind("AllTracks/Track"):
        own = [(e.attrib["SPOT_SOURCE_ID"], e.attrib["SPOT_TARGET_ID"]) for e in track.iter("Edge")]
        if track.attrib["TRACK_ID"] in shown:
            edges += own
        else:
            hidden.update(spot for edge in own for spot in edge)
    unknown = {spot for edge in edges for spot in edge} - {s["ID"] for s in spots}
    if unknown:
        raise ValueError(f"an edge to spot {min(unknown)}, which is not there")
    hidden |= {s["ID"] for s in spots if s.get("VISIBILITY", "1") == "0"}
    spots = [s for s in spots if s["ID"] not in hidden]
    cells = _spots_table(spots, _UM[unit.lower()])
    row = {spot: i for i, spot in enumerate(cells.pop("ID"))}
    links = np.array([(row[a], row[b]) for a, b in edges if not hidden & {a, b}], int).reshape(
        -1, 2
    )
    ids, parent = as_lineages(cells, links[:, 0], links[:, 1], what)
    if "CELLPIPE_TRACK" in cells:  # our own file: its ids, and its single daughters
        own_id = cells.pop("CELLPIPE_TRACK").to_numpy(np.int64)
        mother = pd.Series(own_id[links[:, 0]], own_id[links[:, 1]])
        mother = mother[mother.to_numpy() != mother.index.to_numpy()]
        ids, parent = own_id, pd.Series(own_id).map(mother).fillna(0).to_numpy(np.int64)
    image = root.find("Settings/ImageData")
    pixel = None if image is None else float(image.attrib["pixelwidth"]) * _UM[unit.lower()]
    cells["track_id"], cells["parent_track_id"] = ids, parent
    return TrackMate(cells, 1.0 if unit.lower() in _COUNTED and pixel is None else pixel)


def _spots_table(spots: list[dict[str, str]], um: float) -> pd.DataFrame:
    """Spots sorted by time: t, label, y_um, x_um, radius_um, ID and, of our own, CELLPIPE_TRACK."""
    table = pd.DataFrame(
        {
            "t": [int(s["FRAME"]) for s in spots],
            "y_um": [float(s["POSITION_Y"]) * um for s in spots],
            "x_um": [float(s["POSITION_X"]) * um for s in spots],
            "radius_um": [float(s.get("RADIUS", "nan")) * um for s in spots],
            "ID": [s["ID"] for s in spots],
        }
    )
    for name in ("LABEL", "CELLPIPE_TRACK"):
        if spots and all(name in s for s in spots):
            table[name] = [int(s[name]) for s in spots]
    table = table.sort_values("t", kind="stable", ignore_index=True)
    label = table.pop("LABEL") if "LABEL" in table else table.groupby("t").cumcount() + 1
    table.insert(1, "label", label)
    types = {"t": np.int32, "label": np.uint32, "y_um": float, "x_um": float, "radius_um": float}
    return table.astype(types)


def _read_particles(root: ElementTree.Element) -> TrackMate:
    """The exported tracks: a particle is a track, its detections have t, x, y (and z)."""
    unit = root.get("spaceUnits", "").lower()
    spots = [
        {"ID": "", "FRAME": d.attrib["t"], "POSITION_X": d.attrib["x"], "POSITION_Y": d.attrib["y"]}
        | {"CELLPIPE_TRACK": str(track)}
        for track, particle in enumerate(root.iter("particle"), start=1)
        for d in particle.iter("detection")
    ]
    cells = _spots_table(spots, _UM[unit]).drop(columns="ID")
    ids = cells.pop("CELLPIPE_TRACK") if len(cells) else pd.Series(dtype=np.int64)
    cells["track_id"], cells["parent_track_id"] = ids.astype(np.int64), np.int64(0)
    return TrackMate(cells, 1.0 if unit in _COUNTED else None)
