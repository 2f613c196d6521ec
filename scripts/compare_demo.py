"""Print what the workflow found on the simulated plates next to the true values."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.files.tables import read_table


def plate_rows(demo: Path, results: Path):
    truth = json.loads((demo / "plate/truth/truth.json").read_text())
    nuclei = pd.read_csv(demo / "plate/truth/nuclei.tsv", sep="\t")
    spots = pd.read_csv(demo / "plate/truth/spots.tsv", sep="\t")
    here = results / "demo-plate"
    cells, wells = read_table(here / "cells.parquet"), read_table(here / "wells.parquet")
    statistics = pd.read_csv(here / "statistics.tsv", sep="\t").set_index(["readout", "kind"])
    curve = statistics.loc[("translocation", "dose_response")]
    scores = read_scores(here)
    yield "nuclei", f"{len(cells):,}", f"{len(nuclei):,}"
    yield "nuclei, AP@0.5 (mean of fields)", f"{scores['ap_0.5']:.3f}", "1"
    yield "spots in cells", f"{int(cells['spot_count'].sum()):,}", f"{(spots['label'] > 0).sum():,}"
    yield "spots, F1 within 1 µm", f"{scores['spots_f1']:.3f}", "1"
    yield (
        "cells with the right class",
        f"{scores['class_accuracy']:.1%}",
        "100 %",
    )
    yield (
        "EC50 of the translocation (95 %)",
        f"{curve.ec50:.2f} ({curve.ec50_low:.2f} to {curve.ec50_high:.2f})",
        f"{truth['ec50']:g}",
    )
    yield (
        "Z′ of the translocation",
        f"{statistics.loc[('translocation', 'controls')].z_prime:.2f}",
        "",
    )
    yield (
        "wells without cells",
        ", ".join(wells.loc[wells["n_cells"] == 0, "well"]) or "none",
        ", ".join(truth["empty_wells"]),
    )


def movie_rows(demo: Path, results: Path):
    here = results / "demo-movie"
    tracks = read_table(here / "tracks.parquet")
    scores = read_scores(here)
    lineages = [
        np.loadtxt(path, dtype=int, ndmin=2)
        for path in sorted((demo / "movie/truth").glob("*_GT/TRA/man_track.txt"))
    ]
    divisions = sum(len(set(rows[:, 3]) - {0}) for rows in lineages)
    yield "tracks", f"{len(tracks):,}", f"{sum(map(len, lineages)):,}"
    yield "divisions", f"{int(tracks['divides'].sum())}", f"{divisions}"
    yield "division F1 (± 1 frame)", f"{scores['division_f1_1']:.3f}", "1"
    for name in ("SEG", "DET", "TRA", "LNK"):
        yield name, f"{scores[name]:.3f}", "1"
    yield "cells with the right class", f"{scores['class_accuracy']:.1%}", "100 %"


def read_scores(here: Path) -> dict[str, float]:
    table = pd.read_csv(here / "evaluation/scores.tsv", sep="\t")
    return dict(zip(table["score"], table["value"], strict=True))


def show(title: str, rows) -> None:
    print(f"\n{title:<36}{'found':>24}{'true':>12}")
    for name, found, true in rows:
        print(f"  {name:<34}{found:>24}{true:>12}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--demo", type=Path, required=True, help="folder that simulate_demo.py wrote"
    )
    parser.add_argument("--results", type=Path, required=True, help="folder of results")
    options = parser.parse_args()
    show("Simulated plate", plate_rows(options.demo, options.results))
    show("Simulated movies", movie_rows(options.demo, options.results))
    print("\nReports, to open in a browser:")
    for plate in ("demo-plate", "demo-movie"):
        print(f"  {(options.results / plate / 'report.html').resolve()}")
