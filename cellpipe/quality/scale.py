"""Signs that the size of a pixel or the time between frames is wrong or unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.image.units import in_words, is_square

if TYPE_CHECKING:
    import pandas as pd

POSSIBLE_UM = (2.0, 60.0)  # median diameter of nuclei: those of yeast, those of giant cells
CAMERA_UM = 3.0  # pixels of cameras begin here; those in the sample are smaller above 2.5x
SET_SIZE = "set 'ingest.pixel_size_um' in the config"
SET_STEP = "set 'ingest.time_step_s' in the config"
Row = dict[str, str]


def facts_of_scale(inspection: Mapping[str, Any]) -> dict[str, str]:
    """Pixel size, z step, projection and time step of a plate, with their sources, as text."""
    y, x = inspection.get("pixel_size_y_um"), inspection.get("pixel_size_x_um")
    if y and x:
        size = f"{in_words(y, x)} ({inspection['pixel_size_source']})"
    else:
        edges = inspection.get("pixel_edges_px") or [1.0, 1.0]
        shape = "" if is_square(*edges) else f", {edges[0]:g} : {edges[1]:g} (y : x)"
        unit = "the shorter edge of a pixel" if shape else "pixels"
        size = f"unknown{shape}: lengths are in {unit}"
    facts = {"pixel size": size}
    fields = inspection.get("fields", [])
    if any(int(field.get("n_z", 1)) > 1 for field in fields):
        z = inspection.get("z_step_um")
        facts["z step"] = f"{z:g} µm ({inspection['z_step_source']})" if z else "unknown"
        depth = max(int(field.get("n_z", 1)) for field in fields)
        method = inspection.get("projection", "max")
        facts["projection"] = f"{_in_words(method)}, of up to {depth} planes"
    if any(int(field.get("n_t", 1)) > 1 for field in fields):
        step = inspection.get("time_step_s")
        source = inspection.get("time_step_source")
        facts["time step"] = f"{step:g} s ({source})" if step else "unknown: times are in frames"
    return facts


def _in_words(projection: str) -> str:
    word, _, number = projection.partition(" ")
    if word == "plane":
        return f"plane {number} in z alone"
    return "the sharpest plane in z" if word == "best_focus" else f"{word} over z"


def unknown_units(inspection: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[Row]:
    """Lengths in pixels, times in frames: where the images do not give the scale."""
    if not inspection.get("pixel_size_known", True):
        seen = inspection.get("pixel_size_seen") or "no pixel size in the images' metadata"
        yield {
            "kind": "pixel size",
            "where": "plate",
            "seen": f"{seen}; lengths are in pixels, and options in µm were taken as pixels",
            "likely_cause": "the files do not state the pixel size in the sample",
            "do": SET_SIZE,
        }
    movie = any(int(field.get("n_t", 1)) > 1 for field in inspection.get("fields", []))
    if movie and not inspection.get("time_step_known", True):
        yield {
            "kind": "time step",
            "where": "plate",
            "seen": "no time between frames in the images' metadata; times are in frames",
            "likely_cause": "the files do not state it",
            "do": SET_STEP,
        }


def odd_scale(inspection: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[Row]:
    """A pixel size that cameras have, or that programs write if they do not know it."""
    source = str(inspection.get("pixel_size_source", "config"))
    if not inspection.get("pixel_size_known", True):
        return
    seen = str(inspection.get("pixel_size_seen", ""))
    if source == "config" and "unlike the config" in seen:
        own = in_words(inspection["pixel_size_y_um"], inspection["pixel_size_x_um"])
        yield {
            "kind": "pixel size",
            "where": "plate",
            "seen": f"{own} in the config; {seen}",
            "likely_cause": "the config is for another objective or binning, or the metadata are",
            "do": "correct 'ingest.pixel_size_um', or leave it out",
        }
    if source == "config":
        return
    y, x = inspection["pixel_size_y_um"], inspection["pixel_size_x_um"]
    if seen:
        yield {
            "kind": "pixel size",
            "where": "plate",
            "seen": f"{in_words(y, x)} ({source}); but {seen}",
            "likely_cause": "files that were written or altered by different programs",
            "do": f"compare with the microscope's software; where it is wrong, {SET_SIZE}",
        }
    if max(y, x) >= CAMERA_UM:
        cause = "the size of the camera's pixel, not of a pixel in the sample"
    elif y == x == 1.0:
        cause = "a program that did not know the size and wrote 1"
    else:
        return
    yield {
        "kind": "pixel size",
        "where": "plate",
        "seen": f"{in_words(y, x)} ({source})",
        "likely_cause": cause,
        "do": f"compare with the microscope's software; where it is wrong, {SET_SIZE}",
    }


def impossible_objects(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Nuclei whose median diameter, at the known pixel size, no nucleus has."""
    cells = tables.get("cells")
    if cells is None or "area_um2" not in cells or not inspection.get("pixel_size_known", True):
        return
    if "object" in cells:
        cells = cells[cells["object"] == "nuclei"]
    area = cells["area_um2"].to_numpy(float)
    area = area[np.isfinite(area) & (area > 0)]
    if not len(area):
        return
    diameter = 2 * float(np.sqrt(np.median(area) / np.pi))
    low, high = POSSIBLE_UM
    if low <= diameter <= high:
        return
    size = in_words(inspection["pixel_size_y_um"], inspection["pixel_size_x_um"])
    source = inspection.get("pixel_size_source", "config")
    yield {
        "kind": "size of objects",
        "where": "plate",
        "seen": f"nuclei of {diameter:.3g} µm in diameter (median of {len(area)}); "
        f"plausible are {low:g} to {high:g} µm",
        "likely_cause": f"the pixel size: {size} ({source})"
        + ("; or debris taken for nuclei" if diameter < low else "; or nuclei not separated"),
        "do": f"{SET_SIZE}, and look at the outlines in the report",
    }


def empty_columns(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Columns of the cell table in which no cell has a value."""
    cells = tables.get("cells")
    if cells is None or cells.empty:
        return
    numbers = cells.select_dtypes("number")
    empty = [str(c) for c in numbers if numbers[c].isna().all() and c not in MAY_BE_EMPTY]
    empty += [c for c in inspection.get("empty_columns", ()) if c not in empty]
    parts: dict[str, list[str]] = {"cytoplasm_": [], "cell_": [], "": []}
    for name in empty:
        parts[next(part for part in parts if name.startswith(part))].append(name)
    for part, of_part in parts.items():
        if not of_part:
            continue
        cause, do = _empty_because(part)
        more = f" and {len(of_part) - 4} more" if len(of_part) > 4 else ""
        yield {
            "kind": "column without values",
            "where": "cells.parquet",
            "seen": f"{', '.join(of_part[:4])}{more}: no value in any of {len(cells)} rows",
            "likely_cause": cause,
            "do": do,
        }


# of engines that do not know them; of plates without a classifier, or without positions of fields,
# which is reported elsewhere
MAY_BE_EMPTY = {
    *("foreground_probability", "object_probability", "class_probability", "novelty"),
    *("well_y_um", "well_x_um"),
}


def _empty_because(part: str) -> tuple[str, str]:
    if part:
        return (
            "no cell reaches beyond its nucleus: the pixel size is too large, or the largest "
            "distance of cells too small",
            "check the pixel size ('ingest.pixel_size_um'), then 'segment.cells.max_distance_um'",
        )
    return (
        "no cell has the values that the column needs",
        "check the channels and ratios of the config",
    )
