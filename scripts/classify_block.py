"""Give every cell of a block its class and the probability of it."""

import time
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open

from cellpipe.classify.cells import Classifier, classify_cells
from cellpipe.files.digests import file_digest
from cellpipe.run.job import speaking
from cellpipe.run.made import Made
from cellpipe.run.provenance import fingerprint
from cellpipe.run.receipts import read_receipts, read_rows, write_receipts

PLACE = ["plate", "well", "field", "t", "label"]


def classified(receipt, seconds_per_frame):
    """The receipt of a unit that was measured, as that of its classification."""
    key = fingerprint(
        "classify",
        code=made.code,
        params={"unit": receipt.unit.as_dict()},
        inputs=[receipt.fingerprint],
        weights=" ".join(made.weights.values()),
    )
    frames = tuple(replace(f, seconds=seconds_per_frame, stored={}) for f in receipt.frames)
    return replace(receipt, key=key, fingerprint=key, frames=frames, made=made)


with speaking(snakemake):
    path = Path(snakemake.input.classifier)
    made = Made.here(snakemake.params.code, {"classifier": file_digest(path)})
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        classifier = Classifier.from_tensors(tensors, file.metadata())
    measured = read_receipts(snakemake.input.measure_table)
    started = time.perf_counter()
    cells = read_rows([snakemake.input.measure_table])
    rows = classify_cells(classifier, cells)[[*PLACE, "class", "class_probability", "novelty"]]
    seconds = time.perf_counter() - started
    n_frames = max(sum(len(receipt.frames) for receipt in measured), 1)
    receipts = [classified(receipt, seconds / n_frames) for receipt in measured]
    write_receipts(snakemake.output.table, rows, receipts)
