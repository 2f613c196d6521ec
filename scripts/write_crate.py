"""Describe the results of a plate as an RO-Crate: what was run on what, with what."""

from pathlib import Path

from cellpipe import __version__
from cellpipe.formats.ro_crate import write_crate
from cellpipe.workflow import provenance
from cellpipe.workflow.job import speaking

with speaking(snakemake):
    write_crate(
        Path(snakemake.output.crate),
        {Path(path).name: Path(path) for path in snakemake.input},
        plate=snakemake.wildcards.plate,
        images=snakemake.params.images,
        stages=snakemake.params.made,
        weights={
            network["name"]: {"sha256": network["sha256"], "license": network["licence"]}
            for network in snakemake.params.networks
        },
        versions={"cellpipe": __version__, **provenance.versions()},
    )
