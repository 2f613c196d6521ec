"""`engine: auto` on the panel: which engine is chosen for each domain, and what the others reach.

CELLPIPE_DATA=path/to/data python studies/domains/chosen.py [--of nuclei cells] [--domains …]
    [--pairs folder] [--images 8] [--out chosen.tsv]

The shipped candidates are compared on a sample of a domain as a plate's are, and all are scored on
all of its images that are new to every one of them (`panel.py --sides`); domains without such are
left out. `loss` is AP@0.5 of the best candidate less that of the chosen one, `over_classical` that
of the chosen one less that of the classical engine.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from domains import DOMAINS, Image
from judging import Program, changes, judge, program
from panel import taken
from sides import NOT_NEW

from cellpipe.config.candidates import SHIPPED
from cellpipe.correct.sample import spread
from cellpipe.run.plates.engine import EDGE_PX, middle, reason
from cellpipe.segment.comparison import Candidate, seen_by_all, weighed
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import Segmentation, segment_nuclei


def candidates(kind: str) -> dict[str, Program]:
    """The shipped candidates for objects of a kind, by name."""
    names = [each.get("weights", "classical") for each in SHIPPED[kind]]
    return {name: program(name) for name in names}


def finder(name: str) -> Candidate:
    classical = name == "classical"
    engine = load_engine("classical" if classical else "cellpipe", name, threads=1)

    def find(pixels: np.ndarray, zoom: float) -> Segmentation:
        return segment_nuclei(pixels, 1 / zoom, engine=engine)

    return Candidate(name, find)


def new_to_all(pictures: list[Image], programs: dict[str, Program]) -> list[Image]:
    return [
        image
        for image in pictures
        if not any(each.sides.of(image) in NOT_NEW for each in programs.values())
    ]


def of_domain(pictures: list[Image], programs: dict[str, Program], most: int) -> dict[str, Any]:
    """The choice on a sample of the images, and the AP@0.5 of each candidate on all."""
    finders = [finder(name) for name in programs]
    sample = [pictures[k] for k in spread(range(len(pictures)), most)]
    seen = [seen_by_all(finders, middle(image.pixels[None], EDGE_PX)[0]) for image in sample]
    compared = weighed(list(programs), seen)
    change = changes()["unchanged"]
    tables = {name: judge(each, pictures, change)[0] for name, each in programs.items()}
    ap = {name: float(table["ap50"].mean()) for name, table in tables.items()}
    chosen = list(programs)[compared.best]
    row = {"images": len(pictures), "chosen": chosen, "ap50": ap[chosen]}
    row |= {"loss": max(ap.values()) - ap[chosen], "over_classical": ap[chosen] - ap["classical"]}
    row |= {f"ap50 {name}": value for name, value in ap.items()}
    row |= {f"score {each.name}": each.score for each in compared.judged}
    return {**row, "why": reason(compared)}


def main() -> None:
    options = _options()
    data, rows = Path(os.environ["CELLPIPE_DATA"]), []
    for kind in options.of:
        programs = candidates(kind)
        asked = [d for d in DOMAINS if d.kind == kind]
        asked = [d for d in asked if not options.domains or d.name in options.domains]
        for domain, pictures in zip(asked, taken(asked, data, options.pairs), strict=True):
            new = new_to_all(pictures, programs)
            if not new:
                print(f"{domain.name}: no image is new to all candidates", flush=True)
                continue
            rows.append({"domain": domain.name, **of_domain(new, programs, options.images)})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, float_format="%.3f"), flush=True)
    table = pd.DataFrame(rows)
    if options.out:
        table.to_csv(options.out, sep="\t", index=False, float_format="%.4f")
    print(table.drop(columns="why").to_string(index=False, float_format="%.3f", na_rep=""))
    print(table[["ap50", "loss", "over_classical"]].agg(["mean", "min", "max"]).to_string())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--of", nargs="*", default=["nuclei", "cells"], choices=list(SHIPPED))
    parser.add_argument("--domains", nargs="*", choices=[d.name for d in DOMAINS])
    parser.add_argument("--pairs", type=Path, help="folder of pairs that were cut for a training")
    parser.add_argument("--images", type=int, default=8, help="of the sample")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
