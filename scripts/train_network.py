"""Train a network from a config, as a Snakemake script or from the command line."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch
import yaml

from cellpipe.training.plan import read_plan
from cellpipe.training.run import train


def main(config: str, data: str, out: str, work: str, log: str | None, threads: int) -> None:
    logging.basicConfig(filename=log, level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    plan = read_plan(yaml.safe_load(Path(config).read_text()))
    train(plan, Path(data), Path(out), Path(work))


if "snakemake" in globals():
    job = globals()["snakemake"]
    main(
        job.input.config,
        job.input.data,
        job.output.weights,
        job.params.work,
        job.log[0],
        job.threads,
    )
elif __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", required=True, help="folder for checkpoint, split and scores")
    parser.add_argument("--log")
    parser.add_argument("--threads", type=int, default=2)
    main(**vars(parser.parse_args()))
