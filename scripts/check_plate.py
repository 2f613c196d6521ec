"""Pass a finished plate, or fail: too much was left out, or something was not made."""

import json
from pathlib import Path

from cellpipe.files.publish import publish_text
from cellpipe.run.job import speaking
from cellpipe.run.summary import not_whole

with speaking(snakemake):
    summary = json.loads(Path(snakemake.input.summary).read_text(encoding="utf-8"))
    fault = not_whole(summary, snakemake.params.max_left_out)
    if fault:
        raise fault
    publish_text(snakemake.output.complete, "Everything that was requested was made.\n")
