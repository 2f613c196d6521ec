"""Write a drawn movie as a Cell Tracking Challenge data set with its truth.

    python studies/tracks/track_movies.py --difficulty middle --seed 1 --out movies

    movies/middle/01/t000.tif …                 images, 16 bit
    movies/middle/01_GT/TRA/man_track000.tif …  masks in which a cell keeps its value, man_track.txt
    movies/middle/01_GT/SEG/man_seg000.tif …    the same outlines for SEG

Every pixel of the truth is known, so SEG and TRA masks are the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tifffile

from cellpipe.exports.ctc import write_ctc, write_seg
from cellpipe.simulate import DIFFICULTIES, simulate_movie


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--difficulty", choices=list(DIFFICULTIES), default="middle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", type=int, default=640, help="pixels of 0.65 µm along each side")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    level = DIFFICULTIES[args.difficulty]
    shape = (args.size, args.size)
    movie = simulate_movie(level.design(seed=args.seed, n_frames=args.frames, shape=shape), "A01")
    folder = args.out / args.difficulty
    images, truth = folder / f"{args.seed:02d}", folder / f"{args.seed:02d}_GT"
    images.mkdir(parents=True, exist_ok=True)
    truth.mkdir(exist_ok=True)
    for t, image in enumerate(movie.pixels):
        tifffile.imwrite(images / f"t{t:03d}.tif", image, metadata=None)
    parent = movie.lineage.set_index("track_id")["parent_track_id"]
    links = movie.objects[["t", "label"]].assign(
        track_id=movie.objects["label"].astype("int64"),
        parent_track_id=movie.objects["label"].map(parent),
    )
    write_ctc(truth / "TRA", enumerate(movie.labels), links, kind="truth")
    write_seg(truth / "SEG", enumerate(movie.labels))
    divisions = int((parent[parent > 0].value_counts() == 2).sum())
    print(f"{folder}: {args.frames} frames, {len(parent)} tracks, {divisions} divisions")


if __name__ == "__main__":
    main()
