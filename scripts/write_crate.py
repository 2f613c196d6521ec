"""Describe the results of a plate as an RO-Crate: what was run on what, with what."""

from pathlib import Path

from cellpipe import __version__
from cellpipe.formats.ro_crate import write_crate
from cellpipe.models.card import load_card
from cellpipe.workflow import provenance
from cellpipe.workflow.job import speaking

with speaking(snakemake):
    cards = [load_card(name) for name in snakemake.params.networks]
    write_crate(
        Path(snakemake.output.crate),
        {Path(path).name: Path(path) for path in snakemake.input},
        plate=snakemake.wildcards.plate,
        images=snakemake.params.images,
        stages=snakemake.params.made,
        weights={card.name: {"sha256": card.sha256, "license": card.licence} for card in cards},
        versions={"cellpipe": __version__, **provenance.versions()},
    )
