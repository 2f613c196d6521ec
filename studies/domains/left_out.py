"""What a network reaches on a kind of image that it never saw: one kind at a time is left out.

CELLPIPE_DATA=path/to/data python studies/domains/left_out.py --work folder
    [--folds histology …] [--steps 1000] [--out table.tsv]

The sets of config/training/nuclei_general.yaml are learned from for some steps, from the weights
of `nuclei` on, which saw fluorescence alone; in each fold without the sets of one kind, which is
judged then; in the fold "none" with all of them. A row per fold and domain: AP@0.5 at the scale
that is found, of all images that the fold did not learn from, and of those that fold "none" did not
learn from either (held back). A fold whose weights lie in the folder is not trained again.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from domains import DOMAINS, images
from judging import changes, judge, program
from sides import NOT_NEW, sides_of

from cellpipe.config.reading import read_yaml
from cellpipe.training.plan import Plan, read_plan
from cellpipe.training.run import train

RECIPE = Path(__file__).parents[2] / "config/training/nuclei_general.yaml"
INITIAL = "nuclei"
# fold → how the sets that it leaves out begin, and the domains of their kind
FOLDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()),
    "histology": (("dsb2018-histology",), ("nuclei-histology",)),
    "bright field": (("dsb2018-bright-field",), ("nuclei-bright-field",)),
    "tissue": (("tissue-",), ("nuclei-tissue", "nuclei-tissue-small")),
    "embryos": (("mouse-embryos",), ("nuclei-embryo", "nuclei-embryo-2")),
    "plants": (("plant-ovules",), ("nuclei-plant",)),
}
JUDGED = ("nuclei-fluorescence", "nuclei-u2os", *(d for _, of in FOLDS.values() for d in of))


def plan_of(fold: str, steps: int) -> Plan:
    """The training of a fold: fewer steps and simulated fields than the shipped network had."""
    plan = read_plan({**read_yaml(RECIPE, "training config"), "initial": INITIAL})
    assert isinstance(plan, Plan)
    left_out = FOLDS[fold][0]
    simulation = replace(plan.simulation, fields=400, held_out_fields=20, expectation_fields=20)
    schedule = replace(
        plan.schedule, steps=steps, warmup_steps=steps // 20, validate_every=steps // 2
    )
    return replace(
        plan,
        sets=tuple(s for s in plan.sets if not s.name.startswith(left_out or ("?",))),
        simulation=simulation,
        schedule=schedule,
    )


def main() -> None:
    options = _options()
    assert "none" in options.folds, "the fold that the others are compared with"
    torch.set_num_threads(1)
    data, rows = Path(os.environ["CELLPIPE_DATA"]), []
    for fold in options.folds:
        weights = options.work / f"{fold.replace(' ', '-')}.safetensors"
        started = time.process_time()
        if not weights.is_file():
            train(plan_of(fold, options.steps), data, weights, options.work / weights.stem)
            print(f"{fold}: {time.process_time() - started:.0f} CPU s", flush=True)
    engines = {"nuclei": INITIAL}
    engines |= {f: str(options.work / f"{f.replace(' ', '-')}.safetensors") for f in options.folds}
    sides = {name: sides_of(weights) for name, weights in engines.items()}
    for domain in (d for d in DOMAINS if d.name in JUDGED):
        pictures = list(images(domain, data))
        for name, weights in engines.items():
            new = [image for image in pictures if sides[name].of(image) not in NOT_NEW]
            if not new:
                continue
            scores, _ = judge(program(weights), new, changes()["unchanged"])
            held_back = [sides["none"].of(image) not in NOT_NEW for image in new]
            row = {"domain": domain.name, "fold": name, "images": len(new)}
            row["left_out"] = name in FOLDS and domain.name in FOLDS[name][1]
            row |= {"ap50": scores["ap50"].mean(), "f1": scores["f1"].mean()}
            rows.append({**row, "ap50_held_back": scores["ap50"][held_back].mean()})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)
    table = pd.DataFrame(rows)
    if options.out:
        table.to_csv(options.out, sep="\t", index=False, float_format="%.4f")
    print(table.pivot(index="domain", columns="fold", values="ap50_held_back").round(3).to_string())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folds", nargs="*", default=list(FOLDS), choices=list(FOLDS))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--work", type=Path, required=True, help="weights of the folds")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
