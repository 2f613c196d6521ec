"""What a dry run cannot list yet, as text: the jobs on blocks of a plate that is not laid out.

How many blocks a plate has is known when its images are listed, so `snakemake -n` on a new plate
lists the first jobs and the last, and not those between, which take nearly all of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FIRST = ("inspect_plate", "lay_out_plate", "lay_out_denoised")


def jobs_ahead(
    waiting: Mapping[str, Sequence[str]],
    stages: Sequence[str],
    frames_per_block: int,
    until: str,
) -> str:
    """Lines for each plate that is still to be laid out; "" if there is none.

    Parameters
    ----------
    waiting : plate → the rules of its jobs that a dry run lists, in the order of the rules
    stages : stages on blocks, in the order in which they run
    frames_per_block : fields × frames that one job works on
    until : name of the rule that lays out a plate, as it is typed
    """
    lines: list[str] = []
    for plate, rules in waiting.items():
        if "lay_out_plate" not in rules:
            continue
        first, last = (
            [rule for rule in rules if (rule in FIRST) == of_first] for of_first in (True, False)
        )
        lines += [
            f"{plate}: its blocks are known when its images have been listed",
            f"  first          {_named(first)}",
            f"  on each block  {_named([*stages, 'verify'])}: "
            f"a job each for about {frames_per_block} fields × frames",
            f"  then           {_named(last)}",
        ]
    if lines:
        lines.append(
            f"To list every job: snakemake --until {until} (reads file headers and a few images), "
            "then snakemake -n"
        )
    return "\n".join(lines)


def _named(rules: Sequence[str]) -> str:
    return ", ".join(rule.replace("_", " ") for rule in rules) or "nothing"
