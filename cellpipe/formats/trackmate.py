"""TrackMate's XML: cells are spots, lineages are its tracks (Ershov et al., Nature Methods
19:829, 2022). "Load a TrackMate file" in Fiji opens it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd

from cellpipe.track.cells import name_tracks
from cellpipe.track.lineage import first_ancestors, links_of
from cellpipe.workflow.publish import published

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


def write_trackmate(
    path: str | Path,
    cells: pd.DataFrame,
    *,
    pixel_size_um: float,
    time_step_s: float,
    shape: tuple[int, int],
    image: str = "",
) -> None:
    """Write linked cells of one field as TrackMate XML, whole or not at all.

    Parameters
    ----------
    path : path
    cells : DataFrame
        t, label, y_um, x_um, track_id, parent_track_id and, where present, area_um2 (a spot's
        radius is that of a disk of the same area). One lineage is one TrackMate track.
    pixel_size_um, time_step_s : float
    shape : (rows, columns) of the field, in pixels
    image : str
        File name of the movie, which TrackMate looks for beside the XML.
    """
    nodes = cells.sort_values(["t", "label"], kind="stable", ignore_index=True)
    with published(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="{VERSION}">\n')
        file.write('  <Model spatialunits="micrometer" timeunits="second">\n')
        file.writelines(_features())
        file.writelines(_spots(nodes, time_step_s))
        file.writelines(_tracks(nodes))
        file.write("  </Model>\n")
        n_frames = int(nodes["t"].max()) + 1 if len(nodes) else 1
        file.writelines(_settings(shape, n_frames, pixel_size_um, time_step_s, image))
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
    shape: tuple[int, int], n_frames: int, pixel_size_um: float, time_step_s: float, image: str
) -> Iterator[str]:
    height, width = shape
    size = f'pixelwidth="{pixel_size_um}" pixelheight="{pixel_size_um}" voxeldepth="1.0"'
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
