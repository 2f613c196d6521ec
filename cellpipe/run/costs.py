"""What each job has cost, as a small file next to the results: forecasts are made from these.

    results/P/costs/<rule>.json              of a plate's rules
    results/P/costs/<rule>/<block>.json      of rules on blocks

A job that runs again replaces its file: the costs are those of its last run.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cellpipe.files.publish import publish_text
from cellpipe.run.job_facts import peak_memory_mb

FOLDER = "costs"
_BLOCK = re.compile(r"/\d{4}\.\w+$")


@dataclass(frozen=True)
class Cost:
    """One job.

    started : seconds since 1970
    seconds, cpu_seconds : from the start of its Python to its end, of all its threads
    peak_mb : most memory at once, in MB (10⁶ bytes)
    threads, mem_mb, gpu : what it asked for
    frames : which it went through, and what of the costs grows with them: without the start of the
        job, and without what the first frame takes longer than the others (imports, caches)
    needs, makes : its inputs and outputs below the plate's folder, ``*`` in place of a block
    """

    rule: str
    block: str | None
    started: float
    seconds: float
    cpu_seconds: float
    peak_mb: float
    threads: int = 1
    mem_mb: float = 0.0
    gpu: int = 0
    frames: int = 0
    frames_seconds: float = 0.0
    frames_cpu_seconds: float = 0.0
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


class FrameClock:
    """Measures how a job goes through its frames; the job that runs in this process notes it."""

    def __init__(self) -> None:
        self._started = time.monotonic(), time.process_time()
        self._computed: list[float] = []  # CPU seconds of each frame, in the thread that computes

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Around the computation of one frame."""
        before = time.thread_time()
        yield
        self._computed.append(time.thread_time() - before)

    def stop(self) -> None:
        """At the end of the last frame."""
        from statistics import median  # here: jobs without frames need not load it

        first, others = self._computed[:1], self._computed[1:]
        warming = max(0.0, first[0] - median(others)) if others else 0.0
        seconds = max(0.0, time.monotonic() - self._started[0] - warming)
        of_cpu = max(0.0, time.process_time() - self._started[1] - warming)
        _gone_through.append((len(self._computed), seconds, of_cpu))


_gone_through: list[tuple[int, float, float]] = []  # in this process


def cpu_seconds() -> float:
    """Seconds that this process, and what it has started and waited for, has computed so far."""
    return sum(os.times()[:4])


def note_cost(snakemake: Any, root: Path, rule: str, seconds: float) -> None:
    """Write the costs of this job; `seconds` since its Python was started."""
    frames, frames_seconds, frames_cpu = map(sum, zip((0, 0.0, 0.0), *_gone_through, strict=True))
    _gone_through.clear()
    resources = getattr(snakemake, "resources", None)
    asked = {} if resources is None else dict(resources.items())
    cost = Cost(
        rule=rule,
        block=snakemake.wildcards.get("block"),
        started=round(time.time() - seconds, 2),
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds(), 3),
        peak_mb=round(peak_memory_mb(), 1),
        threads=getattr(snakemake, "threads", 1),
        mem_mb=_number(asked.get("mem_mb")),
        gpu=int(_number(asked.get("gpu"))),
        frames=frames,
        frames_seconds=round(frames_seconds, 3),
        frames_cpu_seconds=round(frames_cpu, 3),
        needs=_patterns(root, getattr(snakemake, "input", ())),
        makes=_patterns(root, getattr(snakemake, "output", ())),
    )
    path = root / FOLDER / (f"{rule}/{cost.block}.json" if cost.block else f"{rule}.json")
    publish_text(path, json.dumps(asdict(cost)) + "\n", synced=False)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _patterns(root: Path, paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Paths below `root`, the names of blocks replaced: thousands of inputs are a few patterns."""
    below = f"{root.as_posix().rstrip('/')}/"
    found = (Path(path).as_posix() for path in paths)
    inside = {path.removeprefix(below) for path in found if path.startswith(below)}
    return tuple(sorted({_BLOCK.sub("/*", path) for path in inside}))


def read_costs(root: Path) -> list[Cost]:
    """Costs of every job of a plate's folder that noted them, by rule and block."""
    costs = []
    for path in sorted((root / FOLDER).rglob("[!.]*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content |= {name: tuple(content[name]) for name in ("needs", "makes")}
            costs.append(Cost(**content))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # cut off by a kill, or altered: the job is then not counted
    return costs
