"""Does a network that judges candidate links track better? The same movies with it and without.

    CELLPIPE_DATA=… python studies/tracks/track_learned.py
    CELLPIPE_DATA=… python studies/tracks/track_learned.py --weights path/to/own.safetensors

Drawn movies of two difficulties (seeds by which nothing was chosen) and, where CELLPIPE_DATA
names the folder of real images, real movies: HeLa cells as another tracker linked them and T98G
cells with silver identities, whole and by halves; cells of Lineage Mapper's reference, of
btrack's checked sample, and TrackMate's example with splits. Pixel sizes are assumed. `--share`
overrides how much of each gain the network says.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skimage.io import imread
from track import IMPERFECT, WHOLE, reach_um, show
from track_scores import links, score, summed

from cellpipe.exports.trackmate import read_trackmate
from cellpipe.readers.truth.ctc import read_ctc
from cellpipe.simulate import DIFFICULTIES, detect
from cellpipe.track import link_cells
from cellpipe.track.linking import LinkNetwork, load_link_network

MAX_GAP_FRAMES = 2
DETECTED = {"every cell detected": WHOLE, "2.5 % missed, 1 % false": IMPERFECT}
SEEDS = (2001, 2002)  # by 1001 and 1002 was chosen how the network is trained
REACH_UM = 15.0
MEASURED = ["t", "label", "y_um", "x_um", "area_um2", "dna_mean"]


def linked(points: pd.DataFrame, reach: float, judge: LinkNetwork | None) -> pd.DataFrame:
    known = points[[name for name in MEASURED if name in points]]
    return link_cells(known, max_distance_um=reach, max_gap_frames=MAX_GAP_FRAMES, judge=judge)


def drawn(judges: dict[str, LinkNetwork | None], seeds: list[int]) -> None:
    for level in (DIFFICULTIES["middle"], DIFFICULTIES["hard"]):
        for title, errors in DETECTED.items():
            movies = [detect(level.design(seed=seed), "A01", errors) for seed in seeds]
            rows = {}
            for name, judge in judges.items():
                start = time.process_time()
                found = [linked(m, reach_um(level), judge) for m in movies]
                seconds = time.process_time() - start
                scores = [score(m, f) for m, f in zip(movies, found, strict=True)]
                rows[name] = summed(scores) | {"CPU s": seconds}
            show(f"{level.name}: {title}; {len(seeds)} seeds", pd.DataFrame(rows).T)


def real(data: Path, judges: dict[str, LinkNetwork | None]) -> None:
    for movie, points in real_movies(data):
        truth, rows = links(points, points), {}
        for name, judge in judges.items():
            claimed = links(points, linked(points, REACH_UM, judge))
            hits, both = len(truth & claimed), divided(truth) & divided(claimed)
            rows[name] = {
                "precision": hits / len(claimed),
                "recall": hits / len(truth),
                "missed": len(truth) - hits,
                "false": len(claimed) - hits,
                "divisions": len(divided(truth)),
                "of these found": len(both),
            }
        show(f"{movie}: {len(truth)} links", pd.DataFrame(rows).T)


def divided(pairs: set[tuple[int, int]]) -> set[int]:
    sources, n = np.unique([a for a, _ in pairs], return_counts=True)
    return set(sources[n > 1].tolist())


def real_movies(data: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Tables of real movies, with the tracks that they come with."""
    samples = data / "tracking-formats"
    hela = read_ctc(samples / "ctc-Fluo-N2DL-HeLa-01_RES")
    parent = hela.tracks.set_index("track_id")["parent_track_id"]
    movie = pd.concat([objects(labels, t, 0.645) for t, labels in hela.labels()])
    yield from with_halves("HeLa", movie, parent.to_dict())
    t98g = sorted((data / "tracking-t98g-phase/labels_tracked_ids").glob("*.png"))
    movie = pd.concat([objects(imread(path), t, 0.5) for t, path in enumerate(t98g)])
    yield from with_halves("T98G", movie, {})
    folder = samples / "nist-lineage-mapper/ref_track_results/division"
    frames = sorted(folder.glob("trk-seg_*.tif"))
    movie = pd.concat([objects(imread(path), t, 0.65) for t, path in enumerate(frames)])
    mothers = pd.read_csv(folder / "trk-division.csv").to_numpy()
    yield "Lineage Mapper", named(movie, {d: row[1] for row in mothers for d in row[2:4]})
    yield "btrack", btrack_sample(samples / "btrack")
    cells = read_trackmate(samples / "trackmate/trackmate_tracks_with_splitting_merging.xml").cells
    yield "TrackMate", cells.reset_index(drop=True)


def with_halves(
    name: str, movie: pd.DataFrame, parent: dict[int, int]
) -> Iterator[tuple[str, pd.DataFrame]]:
    points = named(movie, parent)
    half = points["t"].nunique() // 2
    yield name, points
    yield f"{name}, first half", points[points["t"] < half].reset_index(drop=True)
    yield f"{name}, second half", points[points["t"] >= half].reset_index(drop=True)


def named(movie: pd.DataFrame, parent: dict[int, int]) -> pd.DataFrame:
    return movie.reset_index(drop=True).assign(
        parent_track_id=[parent.get(k, 0) for k in movie["track_id"].tolist()]
    )


def objects(labels: np.ndarray, t: int, pixel_um: float) -> pd.DataFrame:
    y, x = np.nonzero(labels)
    track, inverse, n_px = np.unique(labels[y, x], return_inverse=True, return_counts=True)
    return pd.DataFrame(
        {
            "t": t,
            "label": np.arange(1, len(track) + 1),
            "y_um": pixel_um * np.bincount(inverse, y) / n_px,
            "x_um": pixel_um * np.bincount(inverse, x) / n_px,
            "area_um2": n_px * pixel_um**2,
            "track_id": track.astype(np.int64),
        }
    )


def btrack_sample(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "test_data.csv")
    tracks = json.loads((folder / "test_ground_truth.json").read_text())
    parents = json.loads((folder / "test_graph.json").read_text())
    cells = pd.DataFrame({"t": rows["t"], "y_um": 0.33 * rows["y"], "x_um": 0.33 * rows["x"]})
    cells["label"] = cells.groupby("t").cumcount() + 1
    cells[["track_id", "parent_track_id"]] = 0
    for track, its_rows in tracks.items():
        cells.loc[its_rows, "track_id"] = int(track)
        cells.loc[its_rows, "parent_track_id"] = parents.get(track, [0])[0]
    return cells.astype({"t": int})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", default="linking")
    parser.add_argument("--share", type=float, help="of the network in each gain")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--only", choices=["drawn", "real"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load_link_network(args.weights)
    if args.share is not None:
        network.share.fill_(args.share)
    print(f"share of the network: {float(network.share)}")
    judges = {"statistics": None, "learned": network}
    if args.only != "real":
        drawn(judges, args.seeds)
    if args.only != "drawn" and os.environ.get("CELLPIPE_DATA"):
        real(Path(os.environ["CELLPIPE_DATA"]), judges)


if __name__ == "__main__":
    main()
