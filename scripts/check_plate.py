"""Pass a finished plate, or fail in words: more was left out than may be, or something not made."""

import json
from pathlib import Path

from cellpipe.errors import CellpipeError
from cellpipe.workflow.job import speaking
from cellpipe.workflow.publish import publish_text
from cellpipe.workflow.summary import faults_of

with speaking(snakemake):
    summary = json.loads(Path(snakemake.input.summary).read_text(encoding="utf-8"))
    most = snakemake.params.max_left_out
    faults = faults_of(summary, most)
    if faults:
        folder = Path(snakemake.input.summary).parent
        raise CellpipeError(
            seen=f"plate {summary['plate']}, finished but not whole: {'; '.join(faults)}",
            wanted=f"at most {most:.0%} of the frames left out ('max_left_out'), and all that the "
            "config asks for",
            do=f"see {folder / 'quarantine.tsv'} and the report for each remedy, then run again; "
            "if it cannot be mended, set 'max_left_out' in the config",
        )
    publish_text(snakemake.output.complete, "All that was asked for was made.\n")
