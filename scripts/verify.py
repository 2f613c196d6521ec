"""Compare all results of all plates with what was recorded, as `cellpipe verify` does."""

import sys

from cellpipe import cli
from cellpipe.workflow.job import speaking

with speaking(snakemake):
    status = cli.main(["verify", *snakemake.params.folders])
sys.exit(status)
