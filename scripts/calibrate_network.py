"""Fit what a card says of results to weights that are there: how probable objects are, expected F1.

python scripts/calibrate_network.py --config config/training/nuclei.yaml --data data \
    --weights cellpipe/weights/nuclei.safetensors

The images are those of the training config, on the sides that the card recorded: the fit sees the
side "validation", and is scored on "test" too. So are the weights, since the objects that are
dropped change with it.
"""

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

import pandas as pd
import torch

from cellpipe.config.reading import read_yaml
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.networks.card import Card
from cellpipe.networks.load import load_network
from cellpipe.training.outputs import mean_scores
from cellpipe.training.plan import Plan, read_plan
from cellpipe.training.segmentation import judging, score_images
from cellpipe.training.split import read_split


def recorded_pairs(plan: Plan, data: Path, card: Card) -> pd.DataFrame:
    """Pairs of the training config that the card knows, on the sides that it recorded."""
    pairs = plan.split(data)
    simulated = pairs[pairs["set"] == "simulated"]  # held out by their numbers
    real = pairs.drop(columns="side").merge(read_split(card), on=["set", "file"])
    pairs = pd.concat([real[real["set"] != "simulated"], simulated], ignore_index=True)
    if not (pairs["side"] == "validation").any():
        raise BadConfig(
            seen=f"no image of {plan.name} on the side 'validation' of card {card.name}",
            wanted="the config that these weights were trained by",
            do="correct --config or --weights",
        )
    return pairs


def main(config: str, data: str, weights: str, threads: int) -> None:
    torch.set_num_threads(threads)
    network = load_network(weights)
    plan = read_plan(read_yaml(config, "training config"))
    if not isinstance(plan, Plan):
        raise BadConfig(
            seen=f"{config} of kind {plan.kind}",
            wanted="the config of a network that segments",
            do="correct --config",
        )
    pairs = recorded_pairs(plan, Path(data), network.card)
    network = judging(network, pairs, plan)
    card = network.card
    scores = score_images(network, pairs[pairs["side"] != "train"])
    card = dataclasses.replace(card, extra={**card.extra, "scores": mean_scores(scores)})
    card.write(Path(weights).with_suffix(".json"))
    print(json.dumps({"calibration": card.calibration, "expectation": card.expectation}, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, help="the training config of the weights")
    parser.add_argument("--data", required=True, help="folder that contains the sets")
    parser.add_argument("--weights", required=True, help="the .safetensors, its card next to it")
    parser.add_argument("--threads", type=int, default=2)
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        main(**given)
    except CellpipeError as fault:
        sys.exit(f"seen: {fault.seen}\nwanted: {fault.wanted}\ndo: {fault.do}")
