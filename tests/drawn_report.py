"""The contents of a report, made up: a full dose plate with a movie's tracks beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from drawn_tables import draw_plate, draw_scene, draw_tracks

from cellpipe.figures import thumbnail_with_outlines
from cellpipe.profiles.ranking import ranked_hits
from cellpipe.report import ReportContent
from cellpipe.run.made import StageMade

DIGEST = "b1946ac92492d2347c6235b4d2611184" * 2 + "+0123456789abcdef"


def draw_thumbnails(wells: pd.DataFrame) -> dict[str, np.ndarray]:
    pictures = {}
    for i, (_, well) in enumerate(wells.iterrows()):
        share = well["fraction_translocated"]
        pixels, labels = draw_scene(0.0 if np.isnan(share) else share, seed=i)
        if well["n_cells"] == 0:
            pixels, labels = pixels * 0 + 0.04, labels * 0
        pictures[well["well"]] = thumbnail_with_outlines(
            pixels, labels, limits=[(0.02, 0.9), (0.02, 0.95)], size_px=160
        )
    return pictures


def draw_content() -> ReportContent:
    plate = draw_plate()
    tracks, _ = draw_tracks()
    quarantine = pd.DataFrame(
        [
            ("C04", 2, 0, "ingest", "Channel1-16-C-04.tif: the file ends after 12,288 of 409,600"
             " bytes", "copy the file again from the microscope; the run takes it up by itself"),
            ("F07", 1, 0, "ingest", "channel 'gfp' is missing", "add the image or accept the hole"),
        ],
        columns=["well", "field", "t", "stage", "reason", "remedy"],
    )  # fmt: skip
    stages = [
        StageMade("ingest", 96, 14.2, ("8f3a0c1d22e94b7a",), {"zarr": ("3.1.6",)}, {}),
        StageMade("segment", 96, 73.4, ("51d0aa94cc0f3e1b",),
                  {"numpy": ("2.4.6",), "torch": ("2.12.0", "2.13.0")}, {"nuclei": (DIGEST,)}),
        StageMade("measure", 96, 9.1, ("0be7724ad1903f65",), {"numpy": ("2.4.6",)}, {}),
        StageMade("classify", 48, 1.3, ("c2290d5be8a1f704",), {"scikit-learn": ("1.8.0",)}, {}),
        StageMade("profile_plate", 0, float("nan"), ("77aa19e3b02f4c58",), {}, {}),
    ]  # fmt: skip
    options = {
        "ingest": {"ngff_version": "0.5"},
        "segment": {
            "nuclei": {"engine": "cellpipe", "diameter_um": None, "min_area_um2": 30},
            "cells": {"method": "ring", "max_distance_um": 3},
        },
        "measure": {"ratios": {"gfp": "nucleus/ring"}},
    }
    return ReportContent(
        plate="BBBC013 translocation",
        facts={"Channels": "dna, gfp", "Pixel size": "0.65 µm", "Layout": "filename pattern",
               "Format": "OME-Zarr 0.5"},
        wells=plate["wells"],
        readouts=plate["readouts"],
        hits=ranked_hits(plate["wells"], "gfp_ratio", "both"),
        statistics=plate["statistics"],
        group_column="row",
        dose_unit="nM",
        confusion=plate["judged"].confusion,
        classifier_scores={"accuracy": plate["judged"].accuracy,
                           "balanced_accuracy": plate["judged"].balanced_accuracy,
                           "f1_macro": plate["judged"].f1_macro, "brier": plate["judged"].brier},
        importance=plate["importance"],
        thumbnails=draw_thumbnails(plate["wells"]),
        fields=plate["fields"],
        tracks=tracks,
        evaluation={"SEG": 0.871, "DET": 0.985, "TRA": 0.981, "LNK": 0.962, "AP@0.5": 0.953,
                    "Division F1": 0.9},
        quarantine=quarantine,
        stages=stages,
        options=options,
        networks=[{"name": "nuclei", "digest": DIGEST, "sha256": DIGEST.partition("+")[0],
                   "licence": "BSD-3-Clause", "trained_on": "nuclei-dsb2018, nuclei-bbbc039"}],
    )  # fmt: skip
