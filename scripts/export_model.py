"""Write the nuclei network as a bioimage.io model package."""

from pathlib import Path

from cellpipe.formats.bioimage_io import write_package
from cellpipe.models.load import load_network
from cellpipe.workflow.job import speaking
from cellpipe.workflow.publish import published

with speaking(snakemake):
    network = load_network(snakemake.input.weights)
    with published(Path(snakemake.output.package)) as aside:
        write_package(aside, network)
