"""Describe the results of a plate as an RO-Crate: what was run on what, with what."""

import json
from pathlib import Path

from cellpipe import __version__
from cellpipe.exports.ro_crate import write_crate
from cellpipe.quality.scale import facts_of_scale
from cellpipe.run import provenance
from cellpipe.run.job import speaking

with speaking(snakemake):
    write_crate(
        Path(snakemake.output.crate),
        {Path(path).name: Path(path) for path in snakemake.input},
        plate=snakemake.wildcards.plate,
        images=snakemake.params.images,
        stages=snakemake.params.made,
        networks=snakemake.params.networks,
        scale=facts_of_scale(json.loads(Path(snakemake.input.inspection).read_text())),
        versions={"cellpipe": __version__, **provenance.versions()},
    )
