"""A panel of domains: engines judged on every published set of outlined nuclei and cells.

CELLPIPE_DATA=path/to/data python studies/domains/panel.py [--engines nuclei cells_phase classical]
    [--weights cells=path/cells.safetensors …] [--domains phase yeast …] [--sides] [--pairs folder]
    [--photons 30 …] [--scale 0.5 2 …] [--at-px 14 …] [--inverted] [--diameter-given]
    [--out panel.tsv] [--each images.tsv] [--pictures folder]

--sides leaves out what a network learned from, or what chose its step, image by image. Without it
all is judged, and marked. --pairs takes, of the domains that it has, the parts that were held back
(`scripts/cut_training_pairs.py` writes them). --photons, --scale and --inverted judge images with
noise, resized with their labels, and with dark for bright, too. --at-px judges them resized so that
the median true diameter is so many pixels, with what is found brought back to the true labels.
--diameter-given gives an engine that median. Scores are means over the images of a domain, counts
are sums; the same command prints the same, but for CPU seconds (one thread).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from domains import DOMAINS, MOST_IMAGES, Domain, Image, images, listed, parts
from judging import COUNTS, SCORES, Program, changes, judge, of_domain, program
from sides import NOT_NEW

from cellpipe.figures.style import figure_bytes
from cellpipe.figures.training import worst_images
from cellpipe.training.trained import Shown


def means(panel: pd.DataFrame) -> pd.DataFrame:
    """Mean and worst domain of each engine, for nuclei, cells and all.

    Over the domains that are new to every engine of the panel, so that all have the same ones.
    """
    judged = panel[panel["ap50"].notna() & ~panel["seen"].str.contains("|".join(NOT_NEW))]
    n_engines = panel.groupby("images")["engine"].nunique()
    shared = judged.groupby(["images", "domain"])["engine"].transform("nunique")
    judged = judged[shared == judged["images"].map(n_engines)]
    groups = {
        "nuclei": judged["kind"] == "nuclei",
        "cells": judged["kind"] == "cells",
        "all": judged["kind"] != "",
        "all, outlined by people": judged["truth"] == "human",
    }
    rows = []
    for group, own in groups.items():
        for (engine, changed), of_engine in judged[own].groupby(["engine", "images"], sort=False):
            worst = of_engine.loc[of_engine["ap50"] == of_engine["ap50"].min(), "domain"]
            others = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
            row = {"of": group, "engine": engine, "images": changed, "domains": len(of_engine)}
            row |= {score: of_engine[score].mean() for score in SCORES}
            row |= {"worst_ap50": of_engine["ap50"].min(), "worst": worst.iloc[0] + others}
            rows.append(row)
    return pd.DataFrame(rows)


def expectations(images: pd.DataFrame) -> pd.DataFrame:
    """How well F1 is expected of unchanged images that are new to an engine, by kind of object.

    spearman : rank correlation with the true F1; error : mean absolute one; within : share of
    images in the interval; not_predicted : images in which no object was kept
    """
    if "expected_f1" not in images or images["expected_f1"].isna().all():
        return pd.DataFrame()
    new = images[(images["images"] == "unchanged") & ~images["seen"].isin(NOT_NEW)]
    rows = []
    for engine, of_engine in new.groupby("engine", sort=False):
        for kind in ("nuclei", "cells", "all"):
            own = of_engine if kind == "all" else of_engine[of_engine["kind"] == kind]
            known = own.dropna(subset="expected_f1")
            if known.empty:
                continue
            within = known["f1"].between(known["expected_low"], known["expected_high"])
            row = {"engine": engine, "of": kind, "images": len(known)}
            row |= {
                "spearman": known["f1"].corr(known["expected_f1"], method="spearman"),
                "error": (known["f1"] - known["expected_f1"]).abs().mean(),
                "within": within.mean(),
                "not_predicted": len(own) - len(known),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def taken(domains: Iterable[Domain], data: Path, pairs: Path | None) -> Iterator[list[Image]]:
    """The images of each domain: the parts held back where there are such, else all."""
    for domain in domains:
        held_back = list(parts(domain, pairs)) if pairs else []
        yield held_back or list(images(domain, data))


def draw(
    path: Path, title: str, pixels: np.ndarray, truth: np.ndarray, found: dict[str, np.ndarray]
) -> None:
    """One image, with true outlines and with those of each engine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    panels = [("truth", pixels, truth)]
    panels += [(name, pixels, labels) for name, labels in found.items()]
    path.write_bytes(figure_bytes(worst_images([Shown(title, tuple(panels))]), "png"))


def judged(
    programs: dict[str, Program], pictures: list[Image], options: argparse.Namespace
) -> pd.DataFrame:
    """A row per engine, change and image of one domain; draws its middle image if that is asked."""
    asked = {"sides": options.sides, "diameter_given": options.diameter_given}
    others = changes(options.photons, options.scale, options.at_px, options.inverted)
    middle, outlines, tables = len(pictures) // 2, {}, []
    for name, engine in programs.items():
        for changed, change in others.items():
            table, labels = judge(engine, pictures, change, **asked)
            table.insert(0, "engine", name)
            table.insert(1, "images", changed)
            tables.append(table)
            if changed == "unchanged":
                outlines[name] = labels[middle]
    if options.pictures:
        shown, name = pictures[middle], pictures[middle].domain.name
        path = options.pictures / f"{name}.png"
        draw(path, f"{name}\n{shown.name}", shown.pixels, shown.truth, outlines)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    options = _options()
    data = Path(os.environ["CELLPIPE_DATA"])
    named = dict(pair.split("=", 1) for pair in options.weights)
    weights = {e: e for e in options.engines} | named
    programs = {n: program(w, options.scale_by_size) for n, w in weights.items()}
    chosen = [d for d in DOMAINS if not options.domains or d.name in options.domains]
    rows: list[dict[str, Any]] = []
    each = []
    for domain, pictures in zip(chosen, taken(chosen, data, options.pairs), strict=True):
        if not pictures[0].part and (n := len(listed(domain, data))) > MOST_IMAGES:
            print(f"{domain.name}: {MOST_IMAGES} of {n} images, evenly", flush=True)
        if not rows:
            for engine in programs.values():  # the first call allocates and compiles
                engine.found(pictures[0].pixels, None)
        table = judged(programs, pictures, options)
        of_images = table.drop(columns="distances", errors="ignore")
        each.append(of_images.assign(domain=domain.name, kind=domain.kind))
        for (name, changed), own in table.groupby(["engine", "images"], sort=False):
            rows.append({"engine": name, "images": changed, **of_domain(domain, own)})
    # engines and changes in the order in which they were asked for, domains within them
    panel = pd.concat(
        own for _, own in pd.DataFrame(rows).groupby(["engine", "images"], sort=False)
    ).astype(dict.fromkeys(COUNTS, "Int64"))  # a domain that was not judged has no counts
    of_images = pd.concat(each, ignore_index=True)
    for path, table in ((options.out, panel), (options.each, of_images)):
        if path:
            table.to_csv(path, sep="\t", index=False, float_format="%.4f")
    for table, without in (
        (panel, ""),
        (means(panel), "no means: no domain is new to every engine"),
        (expectations(of_images), "no F1 is expected by any engine"),
    ):
        shown = table.to_string(index=False, na_rep="", float_format="%.3f")
        print(without if table.empty else shown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", nargs="*", default=["nuclei", "cells_phase", "classical"])
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--domains", nargs="*", choices=[d.name for d in DOMAINS])
    parser.add_argument("--sides", action="store_true", help="leave out what was learned from")
    parser.add_argument("--pairs", type=Path, help="folder of pairs that were cut for a training")
    parser.add_argument("--photons", nargs="*", type=float, default=[])
    parser.add_argument("--scale", nargs="*", type=float, default=[])
    parser.add_argument("--at-px", nargs="*", type=float, default=[])
    parser.add_argument("--inverted", action="store_true", help="dark for bright, too")
    parser.add_argument("--diameter-given", action="store_true")
    parser.add_argument("--scale-by-size", action="store_true", help="not by the expected F1")
    parser.add_argument("--out", type=Path, help="TSV of the panel")
    parser.add_argument("--each", type=Path, help="TSV of every image")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each domain")
    return parser.parse_args()


if __name__ == "__main__":
    main()
