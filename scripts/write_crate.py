"""Describe the results of a plate as an RO-Crate: what was run on what, with what."""

import json
from pathlib import Path

from cellpipe import __version__
from cellpipe.exports.ro_crate import write_crate
from cellpipe.quality.scale import facts_of_scale
from cellpipe.run import made
from cellpipe.run.job import speaking

with speaking(snakemake):
    root = Path(snakemake.output.crate).parent
    tables = snakemake.input.tables
    described = [Path(path) for path in snakemake.input if path not in tables]
    described += [root / "report.html", root / "figures"]  # made beside this
    write_crate(
        Path(snakemake.output.crate),
        {path.name: path for path in described},
        plate=snakemake.wildcards.plate,
        images=snakemake.params.images,
        version=__version__,
        stages=[*made.of_tables(tables), *made.of_rules(root, snakemake.params.steps)],
        options=snakemake.params.options,
        networks=snakemake.params.networks,
        scale=facts_of_scale(json.loads(Path(snakemake.input.inspection).read_text())),
    )
