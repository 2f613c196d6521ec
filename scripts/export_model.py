"""Write the nuclei network as a bioimage.io model package."""

from pathlib import Path

from cellpipe.exports.bioimage_io import write_package
from cellpipe.files.publish import published
from cellpipe.networks.load import load_network
from cellpipe.run.job import speaking

with speaking(snakemake):
    network = load_network(snakemake.input.weights)
    with published(Path(snakemake.output.package)) as aside:
        write_package(aside, network)
