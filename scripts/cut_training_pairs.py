"""Cut published images into training pairs, as a Snakemake script or from the command line."""

import argparse
import sys
from pathlib import Path

from cellpipe.errors import CellpipeError
from cellpipe.run.job import speaking
from cellpipe.training import domains, label_free

CUTS = {
    "cells": domains.cut,
    "cells_middle": domains.cut,
    "cells_start": domains.cut,
    "cells_phase": label_free.cut,
}

if "snakemake" in globals():
    job = globals()["snakemake"]
    with speaking(job):
        CUTS[job.wildcards.network](Path(job.input.data), Path(job.output.pairs))
elif __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--network", choices=CUTS, default="cells_phase", help="that learns from them"
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of the sets")
    parser.add_argument("--out", required=True, type=Path, help="folder for the pairs")
    parser.add_argument(
        "--leave-out", type=int, choices=label_free.COLUMNS, help="a field that tests whole"
    )
    options = parser.parse_args()
    if options.leave_out is not None and options.network != "cells_phase":
        parser.error("--leave-out names a field of cells_phase")
    try:
        more = () if options.leave_out is None else (options.leave_out,)
        table = CUTS[options.network](options.data, options.out, *more)
    except CellpipeError as fault:
        sys.exit(f"seen: {fault.seen}\nwanted: {fault.wanted}\ndo: {fault.do}")
    print(table.groupby(["set", "side"])["cells"].agg(["size", "sum"]).to_string())
