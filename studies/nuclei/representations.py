"""Which maps a network should draw so that objects can be told apart, measured.

CELLPIPE_DATA=path/to/data python studies/nuclei/representations.py train --work folder [--only …]
CELLPIPE_DATA=path/to/data python studies/nuclei/representations.py judge --work folder
CELLPIPE_DATA=path/to/data python studies/nuclei/representations.py ideal
CELLPIPE_DATA=path/to/data python studies/nuclei/representations.py train --work other --only both
    --initial training/nuclei_start/nuclei_start.safetensors --threads 2

One network per representation (`instance_maps.py`), of the same body, from fresh weights, on the
same crops, for as many steps; sets, split and augmentation are those of
config/training/nuclei.yaml, and no image is rescaled. Options of the way back from maps to objects
are chosen on the validation side.
With --initial, training goes on from weights of the same body as the second part of the shipped
training does, for 32 minutes: "both" draws distance and flows, and is judged by each.
"ideal" tells what each gives with maps of the truth itself: what no training can pass.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from instance_maps import REPRESENTATIONS, Representation, contact_objects
from safetensors.torch import load_file

from cellpipe.image.normalise import normalise
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.card import load_card
from cellpipe.networks.predict import image_maps
from cellpipe.networks.unet import UNet, UNetConfig, channels_last
from cellpipe.training.loop import fit
from cellpipe.training.plan import Plan, read_plan
from cellpipe.training.segmentation import Example, make_example, sample_batch

CONFIG = Path(__file__).parents[2] / "config/training/nuclei.yaml"
THRESHOLDS = (0.5, 0.75, 0.9)
SCORES = [f"ap{100 * t:.0f}" for t in THRESHOLDS]
FRESH = {"steps": 3000, "crop_px": 192, "learning_rate": 0.002, "max_seconds": None}
GOING_ON = {"steps": 7000, "max_seconds": 1900}
AT_THE_END = 10**9  # steps


def pairs_of(plan: Plan, side: str) -> pd.DataFrame:
    split = plan.split(Path(os.environ["CELLPIPE_DATA"]))
    return split[split.side == side]


def in_training(of: Representation, pixels: np.ndarray, labels: np.ndarray) -> Example:
    example = make_example(pixels, labels)
    maps = example.maps.clone()
    maps[2:4] = torch.from_numpy(of.vectors(labels))
    return replace(example, maps=maps)


def started(config: UNetConfig, initial: Path | None) -> UNet:
    """A network with fresh weights, or with those of another one where both draw the same."""
    network = UNet(config)
    if initial:
        known = UNet(UNetConfig.from_dict(load_card(initial).architecture))
        known.load_state_dict(load_file(initial))
        shared = tuple(name for name in known.config.outputs if name in config.outputs)
        network.start_from(known.with_outputs(shared).state_dict(), shared)
    return network


def train(name: str, plan: Plan, work: Path, initial: Path | None) -> None:
    of = REPRESENTATIONS[name]
    learn = pairs_of(plan, "train")["pair"]
    examples = [in_training(of, *pair.read()) for pair in learn]
    schedule = replace(
        plan.schedule,
        **(GOING_ON if initial else FRESH),
        validate_every=AT_THE_END,
        checkpoint_every=500,
    )
    torch.manual_seed(schedule.seed)
    network, progress = fit(
        channels_last(started(replace(plan.network, outputs=of.outputs), initial)),
        lambda step: sample_batch(examples, schedule, plan.augmentation, step),
        of.loss,
        lambda module: 0.0,  # the averaged weights at the end are those that are judged
        schedule,
        work / f"{name}.checkpoint",
    )
    torch.save(network.state_dict(), work / f"{name}.pt")
    print(f"{name}: {progress.seconds:.0f} s of training")


def scores(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return average_precision(truth, labels, THRESHOLDS)


def judged(name: str, of: Representation, network: UNet, plan: Plan) -> list[dict]:
    """The row of each side, with the options that are best on the validation side."""
    drawn = {}
    for side in ("validation", "test"):
        for row in pairs_of(plan, side).itertuples():
            pixels, truth = row.pair.read()
            maps = image_maps(network, normalise(pixels[0]))
            drawn[side, row.set, row.file] = maps, truth
    of.objects(maps, **of.choices[0])  # compiled, or loaded
    tables = []
    for options in of.choices:
        for (side, of_set, file), (maps, truth) in drawn.items():
            started = time.process_time()
            labels = of.objects(maps, **options)
            seconds = time.process_time() - started
            values = dict(zip(SCORES, scores(labels, truth), strict=True))
            key = {"options": str(dict(options)), "side": side, "set": of_set, "file": file}
            tables.append({**key, **values, "mpx": truth.size / 1e6, "s": seconds})
    table = pd.DataFrame(tables)
    means = table.groupby(["options", "side", "set"])[SCORES].mean()
    best = means.xs("validation", level="side")["ap50"].groupby("options").mean().idxmax()
    total = table[table.options == best][["mpx", "s"]].sum()
    rows = means.loc[best].reset_index()
    rows.insert(0, "representation", name)
    rows["options"], rows["mpx_per_cpu_s"] = best, total["mpx"] / total["s"]
    return rows.to_dict("records")


def judge(plan: Plan, work: Path) -> None:
    table: list[dict] = []
    for name, of in REPRESENTATIONS.items():
        weights = work / f"{name}.pt"
        if weights.exists():
            network = UNet(replace(plan.network, outputs=of.outputs))
            network.load_state_dict(torch.load(weights, weights_only=True))
            channels_last(network).folded()
            table += judged(name, of, network, plan)
            for other, way in other_ways(name).items():
                table += judged(other, way, network, plan)
            print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)


def other_ways(name: str) -> dict[str, Representation]:
    """Other ways back from the maps of a network that draws more than one needs."""
    if name == "both":
        by_flows = REPRESENTATIONS["flows"]
        return {"both, by flows": _of_maps(by_flows, [0, 3, 4])}
    if name != "distance, helped":
        return {}
    helped, offsets = REPRESENTATIONS["distance, helped"], REPRESENTATIONS["offsets"]
    lowered = tuple(
        {**given, "contact": weight} for given in helped.choices for weight in (0.2, 0.5, 1.0)
    )
    return {
        "same, less contact": replace(helped, objects=contact_objects, choices=lowered),
        "same, by offsets": _of_maps(offsets, [0, 3, 4]),
    }


def _of_maps(of: Representation, wanted: list[int]) -> Representation:
    return replace(of, objects=lambda maps, **given: of.objects(maps[wanted], **given))


def ideal(plan: Plan) -> None:
    """AP of what is made of maps of the truth."""
    validation = pairs_of(plan, "validation")
    table = []
    for name, of in REPRESENTATIONS.items():
        for row in validation.itertuples():
            pixels, truth = row.pair.read()
            maps = of.ideal(in_training(of, pixels, truth).maps[None])[0].numpy()
            # the best options for each image: what is asked is what maps can hold
            values = max(tuple(scores(of.objects(maps, **o), truth)) for o in of.choices)
            table.append((name, row.set, *values))
    means = pd.DataFrame(table, columns=["representation", "set", *SCORES])
    print(means.groupby(["representation", "set"]).mean().round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "judge", "ideal"))
    parser.add_argument("--work", type=Path, default=Path("training/representations"))
    parser.add_argument("--only", nargs="*", default=list(REPRESENTATIONS))
    parser.add_argument("--initial", type=Path, help="weights to go on from")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    plan = read_plan(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    options.work.mkdir(parents=True, exist_ok=True)
    if options.what == "train":
        for name in options.only:
            train(name, plan, options.work, options.initial)
    elif options.what == "judge":
        judge(plan, options.work)
    else:
        ideal(plan)


if __name__ == "__main__":
    main()
