"""Faults of a config in words, before Snakemake reads it.

in     config/config.yaml, where no other config is given
out    nothing: it stops a run that could not begin
"""


include: "package.smk"


from snakemake.exceptions import WorkflowError

from cellpipe.config.reading import read_yaml
from cellpipe.errors import CellpipeError


def refuse_unreadable(path):
    """Stop with the line and what to type there, where a config is not there or is no YAML."""
    try:
        read_yaml(path)
    except CellpipeError as fault:
        raise in_words(fault) from None


def in_words(fault):
    """A fault that a person can mend, as Snakemake shows it."""
    return WorkflowError(
        f"seen: {fault.seen}", f"wanted: {fault.wanted}", f"do: {fault.do}"
    )
