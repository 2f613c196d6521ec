"""Give every cell of a block its class and the probability of it."""

from safetensors import safe_open

from cellpipe.classify.cells import Classifier, classify_cells
from cellpipe.run.job import speaking
from cellpipe.run.receipts import read_receipts, read_rows, write_receipts

PLACE = ["plate", "well", "field", "t", "label"]

with speaking(snakemake):
    with safe_open(snakemake.input.classifier, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        classifier = Classifier.from_tensors(tensors, file.metadata())
    cells = read_rows([snakemake.input.measure_table])
    rows = classify_cells(classifier, cells)[[*PLACE, "class", "class_probability"]]
    write_receipts(snakemake.output.table, rows, read_receipts(snakemake.input.measure_table))
