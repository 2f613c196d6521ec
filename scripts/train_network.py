"""Train a network from a config, as a Snakemake script or from the command line."""

import argparse
import logging
import sys
from pathlib import Path

import torch

from cellpipe.config.reading import read_yaml
from cellpipe.errors import CellpipeError
from cellpipe.run.job import speaking
from cellpipe.training.plan import read_plan
from cellpipe.training.run import train


def main(config: str, data: str, out: str, work: str, threads: int) -> None:
    torch.set_num_threads(threads)
    plan = read_plan(read_yaml(config, "training config"))
    train(plan, Path(data), Path(out), Path(work))


if "snakemake" in globals():
    job = globals()["snakemake"]
    with speaking(job):
        out = job.output.weights
        work = str(Path(out).with_name("run"))
        main(job.input.config, job.params.data, out, work, job.threads)
elif __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", required=True, help="folder that the sets lie below")
    parser.add_argument("--out", required=True, help="the .safetensors; the rest goes next to it")
    parser.add_argument("--work", required=True, help="folder for the checkpoint and the split")
    parser.add_argument("--log")
    parser.add_argument("--threads", type=int, default=2)
    given = vars(parser.parse_args())
    logging.basicConfig(
        filename=given.pop("log"), level=logging.INFO, format="%(asctime)s %(message)s"
    )
    try:
        main(**given)
    except CellpipeError as fault:
        sys.exit(f"seen: {fault.seen}\nwanted: {fault.wanted}\ndo: {fault.do}")
