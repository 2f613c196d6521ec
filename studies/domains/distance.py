"""Whether `domain_distance` tells domains that a network learned from from those it did not.

CELLPIPE_DATA=path/to/data python studies/domains/distance.py [--weights nuclei] [--images 6]

Known: images of the test sides of its sets, on which nothing was fitted. New: images of the other
domains. Prints the share of images beyond 1, the share of pairs in which the known image is nearer
(AUC), the rank correlation with the true F1 in new images, and each domain's median.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from domains import DOMAINS, images
from judging import judge_image
from sides import NOT_NEW, PART, sides_of

from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei

KNOWN = ("nuclei-fluorescence", "nuclei-u2os")  # the test sides of the sets of `nuclei`


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", default="nuclei")
    parser.add_argument("--images", type=int, default=6, help="of a new domain, at most")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = load_engine("cellpipe", options.weights, threads=1)
    sides, rows = sides_of(options.weights), []
    for domain in DOMAINS:
        pictures = list(images(domain, Path(os.environ["CELLPIPE_DATA"])))
        known = domain.name in KNOWN
        step = 1 if known else max(1, -(-len(pictures) // options.images))
        for image in pictures[::step]:
            if sides.of(image) in (*NOT_NEW, PART):
                continue
            found = segment_nuclei(image.pixels, 1.0, engine=engine)
            f1 = judge_image(image.truth, np.asarray(found.labels))["f1"]
            rows.append((domain.name, known, found.distance, f1))
    table = pd.DataFrame(rows, columns=["domain", "known", "distance", "f1"])
    without = int(table["distance"].isna().sum())
    table = table.dropna()
    own, new = (table[table["known"] == known] for known in (True, False))
    nearer = own["distance"].to_numpy()[:, None] < new["distance"].to_numpy()
    of_domains = new.groupby("domain").agg(
        images=("f1", "size"), distance=("distance", "median"), f1=("f1", "mean")
    )
    print(of_domains.to_string(float_format="%.2f"))
    print(
        f"{len(own)} known images, {(own['distance'] > 1).mean():.2f} beyond 1; {len(new)} of "
        f"{len(of_domains)} new domains, {(new['distance'] > 1).mean():.2f} beyond 1; AUC "
        f"{nearer.mean():.3f}; rank correlation with F1 "
        f"{new['distance'].corr(new['f1'], method='spearman'):.2f}; without objects {without}"
    )


if __name__ == "__main__":
    main()
