"""How long jobs take together: each starts as soon as what it needs is there, and a place is free.

cores   1  [inspect][lay out][ingest 0][segment 0      ][measure 0]…[gather][profile][report]
        2                    [ingest 1][segment 1    ][measure 1]            [figures]
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellpipe.run.plan.machine import Machine


@dataclass(frozen=True)
class Job:
    """One job. `after` are groups of jobs that must have ended; it is a member of `groups`."""

    seconds: float
    groups: tuple[str, ...]
    after: tuple[str, ...] = ()
    threads: int = 1
    resources: Mapping[str, float] = field(default_factory=dict)


def ends(jobs: Sequence[Job], machine: Machine) -> list[float]:
    """When each of `jobs` ends, in seconds after the start of the first one.

    Of jobs that could start, the first in the list does. On a cluster every job takes one of the
    machine's slots; on one machine, its threads, and what it asks for of shared resources, where
    more than there is counts as all there is (as Snakemake has it).
    """
    left: dict[str, int] = defaultdict(int)  # members of a group that have not ended
    for job in jobs:
        for group in job.groups:
            left[group] += 1
    unmet = [{group for group in job.after if left[group]} for job in jobs]
    waiting: dict[str, list[int]] = defaultdict(list)
    for i, groups in enumerate(unmet):
        for group in groups:
            waiting[group].append(i)
    ready = [i for i, groups in enumerate(unmet) if not groups]
    heapq.heapify(ready)
    total = {"slots": float(machine.slots), **machine.resources}
    free, now = dict(total), 0.0
    ended = [0.0] * len(jobs)
    running: list[tuple[float, int]] = []
    while ready or running:
        held_back = []
        while ready and free["slots"] > 0:
            i = heapq.heappop(ready)
            taken = _taken(jobs[i], machine, total)
            if any(amount > free[name] for name, amount in taken.items()):
                held_back.append(i)
                continue
            for name, amount in taken.items():
                free[name] -= amount
            heapq.heappush(running, (now + jobs[i].seconds, i))
        for i in held_back:
            heapq.heappush(ready, i)
        now, i = heapq.heappop(running)
        ended[i] = now
        for name, amount in _taken(jobs[i], machine, total).items():
            free[name] += amount
        for group in jobs[i].groups:
            left[group] -= 1
            if not left[group]:
                for other in waiting.pop(group, []):
                    unmet[other].discard(group)
                    if not unmet[other]:
                        heapq.heappush(ready, other)
    return ended


def _taken(job: Job, machine: Machine, total: Mapping[str, float]) -> dict[str, float]:
    if machine.remote:
        return {"slots": 1.0}
    asked = {"slots": float(job.threads), **job.resources}
    return {name: min(asked.get(name, 0.0), there) for name, there in total.items()}
