"""Cut pairs of label-free cells to learn from, as a Snakemake script or from the command line."""

import argparse
import sys
from pathlib import Path

from cellpipe.errors import CellpipeError
from cellpipe.run.job import speaking
from cellpipe.training.label_free import COLUMNS, cut

if "snakemake" in globals():
    job = globals()["snakemake"]
    with speaking(job):
        cut(Path(job.input.data), Path(job.output.pairs))
elif __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of the sets")
    parser.add_argument("--out", required=True, type=Path, help="folder for the pairs")
    parser.add_argument("--leave-out", type=int, choices=COLUMNS, help="a field that tests whole")
    options = parser.parse_args()
    try:
        table = cut(options.data, options.out, options.leave_out)
    except CellpipeError as fault:
        sys.exit(f"seen: {fault.seen}\nwanted: {fault.wanted}\ndo: {fault.do}")
    print(table.groupby(["set", "side"])["cells"].agg(["size", "sum"]).to_string())
