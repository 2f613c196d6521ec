"""A made-up plate as its tables show it, for the tests of figures and report.

     1    2    3 … 11      12        Rows A, B, E, F of a translocation assay: nine doses,
A   neg  neg  doses rise   pos       EC50 differs by row, two fields per well, one field was
B   neg  neg  doses rise   pos       quarantined and one well (F07) is empty.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from cellpipe.classify.cells import cross_validate, fit_classifier, training_set_from_controls
from cellpipe.config.plate_map import validate_plate_map
from cellpipe.profiles.wells import aggregate_wells, call_hits, normalise_wells
from cellpipe.statistics.plate import plate_statistics
from cellpipe.track import track_table
from cellpipe.wells import well_at

ROWS = (1, 2, 5, 6)
DOSES = np.geomspace(0.98, 250, 9)
EC50 = {1: 8.0, 2: 11.0, 5: 30.0, 6: 42.0}
READOUTS = ["gfp_ratio", "area_um2", "dna_mean"]
EMPTY = "F07"


def draw_plate_map() -> pd.DataFrame:
    rows = []
    for row in ROWS:
        for column in range(1, 13):
            control = "negative" if column < 3 else "positive" if column == 12 else ""
            dose = f"{DOSES[column - 3]:.4g}" if not control else ""
            drug = "wortmannin" if row < 5 else "LY294002"
            rows.append((well_at(row, column), drug if dose else "DMSO", dose, control))
    table = pd.DataFrame(rows, columns=["well", "condition", "dose", "control"])
    return validate_plate_map(table, table["well"])


def draw_cells(n_per_field: int = 55, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for _, well in draw_plate_map().iterrows():
        row = ord(well["row"]) - 64
        share = 1.0 if well["control"] == "positive" else 0.03
        if well["dose"] > 0:
            share = 0.03 + 0.94 / (1 + (EC50[row] / well["dose"]) ** 1.4)
        for field in (1, 2):
            n = 0 if well["well"] == EMPTY else int(rng.poisson(n_per_field))
            moved = rng.random(n) < share
            part = pd.DataFrame({"well": well["well"], "field": field, "t": 0}, index=range(n))
            part["label"] = np.arange(1, n + 1, dtype=np.uint32)
            part["y_um"], part["x_um"] = rng.uniform(0, 400, (2, n))
            part["touches_border"] = rng.random(n) < 0.08
            part["area_um2"] = rng.normal(210, 30, n)
            part["dna_mean"] = rng.normal(96, 9, n) + 2 * (row in (1, 6))
            part["gfp_ratio"] = np.exp(rng.normal(np.where(moved, 0.75, -0.2), 0.14, n))
            parts.append(part)
    cells = pd.concat(parts, ignore_index=True)
    cells.insert(0, "plate", "sbs-demo")
    return cells


def draw_plate(seed: int = 0) -> dict:
    """cells, wells, statistics, judged (CrossValidation), importance: a plate in tables."""
    cells, plate_map = draw_cells(seed=seed), draw_plate_map()
    taught = training_set_from_controls(cells, plate_map, positive="translocated", negative="not")
    classifier = fit_classifier(taught.features, taught.classes)
    judged = cross_validate(taught.features, taught.classes, taught.groups)
    cells = cells.assign(**classifier.predict(cells))
    fields = draw_fields(cells)
    wells = aggregate_wells(cells, fields, READOUTS, plate_map)
    readouts = [*READOUTS, "fraction_translocated"]
    wells = call_hits(normalise_wells(wells, readouts), "gfp_ratio")
    statistics = plate_statistics(wells, readouts, group_column="row")
    return {
        "cells": cells, "wells": wells, "statistics": statistics, "judged": judged,
        "importance": classifier.importance(), "fields": fields, "readouts": readouts,
    }  # fmt: skip


def draw_fields(cells: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """One row per field with counts and image quality; B05 field 2 is out of focus."""
    rng = np.random.default_rng(seed)
    rows = [
        {"plate": "sbs-demo", "well": well, "field": field, "t": 0}
        for well in draw_plate_map()["well"]
        for field in (1, 2)
    ]
    fields = pd.DataFrame(rows)
    counts = cells.groupby(["well", "field"]).size()
    fields["n_nuclei"] = [
        int(counts.get((w, f), 0)) for w, f in fields[["well", "field"]].to_numpy()
    ]
    fields["dna_focus"] = rng.normal(0.082, 0.006, len(fields))
    fields["dna_saturated_fraction"] = np.clip(rng.normal(0.001, 0.001, len(fields)), 0, None)
    fields["flag"] = ""
    blurred = (fields["well"] == "B05") & (fields["field"] == 2)
    fields.loc[blurred, "dna_focus"] = 0.012
    fields.loc[blurred, "flag"] = "dim"
    return fields


REACH_PX = 40  # of a cell: beyond it there is less than a grey value of it


def draw_scene(share: float, seed: int, shape: tuple[int, int] = (256, 256)):
    """(pixels (2, Y, X) float32, labels (Y, X)): round nuclei, reporter inside or around them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = rng.normal(0.04, 0.015, (2, *shape))
    labels = np.zeros(shape, np.uint32)
    centres: list[tuple[float, float]] = []
    for _ in range(400):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        if len(centres) > 34 or any((cy - a) ** 2 + (cx - b) ** 2 < 900 for a, b in centres):
            continue
        centres.append((cy, cx))
        a, b, angle = rng.uniform(7, 11), rng.uniform(7, 11), rng.uniform(0, np.pi)
        near = tuple(slice(max(0, int(c) - REACH_PX), int(c) + REACH_PX) for c in (cy, cx))
        dy, dx = y[near] - cy, x[near] - cx
        u = dy * np.cos(angle) + dx * np.sin(angle)
        v = dx * np.cos(angle) - dy * np.sin(angle)
        nucleus = (u / a) ** 2 + (v / b) ** 2
        cell = (u / (2.0 * a)) ** 2 + (v / (2.2 * b)) ** 2
        labels[near][nucleus <= 1] = len(centres)
        pixels[0][near] += 0.7 * expit(8 * (1 - nucleus)) * rng.uniform(0.8, 1.2)
        inside, around = (0.75, 0.2) if rng.random() < share else (0.16, 0.45)
        body = expit(5 * (1 - cell))
        core = expit(8 * (1 - nucleus))
        pixels[1][near] += body * (around * (1 - core) + inside * core) * rng.uniform(0.8, 1.2)
    return pixels.astype(np.float32), labels


def draw_tracks(n_frames: int = 30, seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(tracks, tracked cells) of two wells; some tracks divide once."""
    rng = np.random.default_rng(seed)
    points, next_id = [], 1
    for well in ("B02", "B03"):
        for _ in range(14):
            divides = bool(rng.random() < 0.4)
            end = int(rng.integers(10, 20)) if divides else n_frames - 1
            family = [(next_id, 0, 0, end, divides)]
            if divides:
                family += [(next_id + k, next_id, end + 1, n_frames - 1, False) for k in (1, 2)]
            start = rng.uniform(20, 180, 2)
            for track_id, parent, first, last, splits in family:
                steps = np.cumsum(rng.normal(0, 2.2, (last - first + 1, 2)), axis=0)
                path = start + steps
                if splits:
                    start = path[-1]
                points += [
                    {"plate": "movie", "well": well, "field": 1, "t": first + i, "y_um": p[0],
                     "x_um": p[1], "track_id": track_id, "parent_track_id": parent}
                    for i, p in enumerate(path)
                ]  # fmt: skip
            next_id += len(family)
    table = pd.DataFrame(points)
    return track_table(table, time_step_s=300), table
