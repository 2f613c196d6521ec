"""From what cuts of a plate cost to what the whole plate will cost.

A job's cost is a part that every job has and a part that grows with what it works on. Jobs that go
through frames note both. Of the others, a line through the jobs of the small cut and of the large
one is read off at the size of each job of the run; with one cut, of a plate of few frames, they
count as seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cellpipe.config import stages
from cellpipe.run.blocks import Cut, Unit
from cellpipe.run.costs import Cost
from cellpipe.run.plan.machine import Machine
from cellpipe.run.plan.probe import Probe, Sample
from cellpipe.run.plan.schedule import Job, ends

Fields = Sequence[Mapping[str, Any]]
Point = tuple[float, float]
# jobs that are alike differ so much on a machine that others use too: in seconds, and in memory
NOISE, NOISE_OF_MEMORY = 0.1, 0.01
BY_WELL = ("write_report", "plot_figures")  # a picture and a line of curves for each well
SAMPLED = ("estimate_light", "choose_engine")  # a sample of the fields, however many there are
BY_FIELD = (
    "lay_out_plate",
    "lay_out_denoised",
    "place_fields",
)  # arrays with metadata, whatever their frames


@dataclass(frozen=True)
class RuleForecast:
    """A rule on a plate: of all its jobs together, but `peak_mb`, of the largest one.

    sizes : seconds of each job
    ends_seconds : when the last job ends, after the start of the first job of the plate
    """

    rule: str
    jobs: int
    cpu_seconds: float
    seconds: float
    peak_mb: float
    sizes: tuple[float, ...]
    ends_seconds: float = 0.0


@dataclass(frozen=True)
class PlateForecast:
    """A plate. `cpu_seconds` and `jobs` include Snakemake's own share; n_bytes : of its results."""

    plate: str
    amounts: dict[str, float]
    probed: dict[str, float]
    rules: list[RuleForecast]
    jobs: int
    cpu_seconds: float
    peak_mb: float
    n_bytes: float
    wall_seconds: float


def amounts(fields: Fields) -> dict[str, float]:
    """Wells, fields, frames and megapixels (of one channel) of fields of an inspection."""
    return {
        "wells": len({field["well"] for field in fields}),
        "fields": len(fields),
        "frames": sum(field["n_t"] for field in fields),
        "mpx": sum(field["n_t"] * _mpx(field) for field in fields),
    }


def _mpx(field: Mapping[str, Any]) -> float:
    return field["shape"][-1] * field["shape"][-2] / 1e6


def line_at(points: Sequence[Point], x: float, noise: float = NOISE) -> float:
    """The value at `x` of a line through points, by least squares; never falling, never below 0.

    A rise within the points of less than `noise` of their mean is none, and of points that all
    have one x no rise is known: then it is the mean.
    """
    n = len(points)
    middle_x, middle_y = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    spread = sum((p[0] - middle_x) ** 2 for p in points)
    if not spread:
        return middle_y
    slope = sum((p[0] - middle_x) * (p[1] - middle_y) for p in points) / spread
    rise = slope * (max(p[0] for p in points) - min(p[0] for p in points))
    if rise < noise * middle_y:
        return middle_y
    start = middle_y - slope * middle_x
    return start + slope * x if start > 0 else middle_y * x / middle_x


def forecast_plate(
    plate: str, found: Probe, blocks: Mapping[str, int], machine: Machine
) -> PlateForecast:
    """The forecast of one plate; `blocks` is the section of the config."""
    fields, samples = found.fields[plate], found.samples[plate]
    whole, inspected = amounts(fields), found.inspected[plate]
    rules = [_once(inspected)]
    for rule in _rules(samples):
        rules.append(_of_rule(rule, samples, fields, blocks))
    n_jobs = sum(rule.jobs for rule in rules)
    own = found.overhead.cpu_seconds + n_jobs * found.overhead.per_job_seconds
    if machine.remote:  # there each job is a Snakemake of its own
        own += n_jobs * found.overhead.cpu_seconds
    mpx = [amounts(sample.fields)["mpx"] for sample in samples]
    of_frames = sum(sample.frame_bytes for sample in samples) * whole["mpx"] / sum(mpx)
    others = [(size, float(sample.other_bytes)) for size, sample in zip(mpx, samples, strict=True)]
    jobs = list(jobs_of(plate, rules, found, blocks, machine))
    ended: dict[str, float] = {}
    for job, end in zip(jobs, ends(jobs, machine), strict=True):
        ended[job.groups[0]] = max(end, ended.get(job.groups[0], 0.0))
    rules = [replace(rule, ends_seconds=ended[f"{plate} {rule.rule}"]) for rule in rules]
    return PlateForecast(
        plate=plate,
        amounts=whole,
        probed=amounts(samples[-1].fields),
        rules=rules,
        jobs=n_jobs,
        cpu_seconds=sum(rule.cpu_seconds for rule in rules) + own,
        peak_mb=max(rule.peak_mb for rule in rules),
        n_bytes=of_frames + line_at(others, whole["mpx"]),
        wall_seconds=found.overhead.seconds + max(ended.values()),
    )


def together(
    plates: Mapping[str, Sequence[RuleForecast]],
    found: Probe,
    blocks: Mapping[str, int],
    machine: Machine,
) -> float:
    """Wall time of several plates in one run, in seconds, with Snakemake's start and end."""
    jobs = [
        job
        for plate, rules in plates.items()
        for job in jobs_of(plate, rules, found, blocks, machine)
    ]
    return found.overhead.seconds + max(ends(jobs, machine))


def _once(cost: Cost) -> RuleForecast:
    """A job that the probe has run as the run will."""
    own = cost.cpu_seconds, cost.seconds, cost.peak_mb
    return RuleForecast(cost.rule, 1, *own, sizes=(cost.seconds,))


def _rules(samples: Sequence[Sample]) -> list[str]:
    """Rules that were run on the cuts, in the order in which they first started."""
    first: dict[str, float] = {}
    for cost in (cost for sample in samples for cost in sample.costs):
        first[cost.rule] = min(cost.started, first.get(cost.rule, cost.started))
    return sorted(first, key=lambda rule: first[rule])


def _of_rule(
    rule: str, samples: Sequence[Sample], fields: Fields, blocks: Mapping[str, int]
) -> RuleForecast:
    """A rule on all of its jobs."""
    seen = [(size, cost) for sample in samples for size, cost in _sized(rule, sample, blocks)]
    on_blocks = seen[0][1].block is not None
    sizes = list(_job_sizes(rule, on_blocks, fields, blocks).values())
    peak = [(size, cost.peak_mb) for size, cost in seen]
    cpu, seconds = _cost_at(seen, "cpu_seconds"), _cost_at(seen, "seconds")
    streams = on_blocks and not _by_field(rule)  # a few frames are in memory at once
    times = [seconds(size) for size in sizes]
    return RuleForecast(
        rule=rule,
        jobs=len(sizes),
        cpu_seconds=sum(map(cpu, sizes)),
        seconds=sum(times),
        peak_mb=max(mb for _, mb in peak)
        if streams
        else line_at(peak, max(sizes), NOISE_OF_MEMORY),
        sizes=tuple(times),
    )


def _cost_at(seen: Sequence[tuple[float, Cost]], name: str) -> Callable[[float], float]:
    """The cost of a job of a size, from jobs that were seen, with their sizes.

    Of jobs that went through frames one by one and noted it, the part that grows is known.
    """
    if any(cost.frames < 2 for _, cost in seen):
        points = [(size, getattr(cost, name)) for size, cost in seen]
        return lambda size: line_at(points, size)
    growing = [getattr(cost, f"frames_{name}") for _, cost in seen]
    start = sum(getattr(cost, name) for _, cost in seen) - sum(growing)
    slope = sum(growing) / sum(size for size, _ in seen)
    return lambda size: max(0.0, start) / len(seen) + slope * size


def _sized(rule: str, sample: Sample, blocks: Mapping[str, int]) -> Iterator[tuple[float, Cost]]:
    """The jobs of a rule on a cut, with what each worked on."""
    for cost in sample.costs:
        if cost.rule == rule:
            yield _job_sizes(rule, cost.block is not None, sample.fields, blocks)[cost.block], cost


def _job_sizes(
    rule: str, on_blocks: bool, fields: Fields, blocks: Mapping[str, int]
) -> dict[str | None, float]:
    """What each job of a rule works on, by block: megapixels, or fields or wells of a plate."""
    whole = amounts(fields)
    if not on_blocks:
        if rule in SAMPLED:
            return {None: 1.0}
        kind = "wells" if rule in BY_WELL else "fields" if rule in BY_FIELD else "mpx"
        return {None: whole[kind]}
    size = {(field["well"], field["field"]): _mpx(field) for field in fields}
    return {
        name: sum(unit.n_frames * size[unit.well, unit.field] for unit in units)
        for name, units in _blocks(rule, fields, blocks).items()
    }


def _blocks(rule: str, fields: Fields, blocks: Mapping[str, int]) -> dict[str, list[Unit]]:
    cut = Cut.of(fields, **blocks)
    return cut.field_blocks if _by_field(rule) else cut.blocks


def _by_field(rule: str) -> bool:
    return rule.removesuffix("_block") in stages.by_field()


def jobs_of(
    plate: str,
    rules: Sequence[RuleForecast],
    found: Probe,
    blocks: Mapping[str, int],
    machine: Machine,
) -> Iterator[Job]:
    """Jobs of a plate for the schedule: after the rules, or the blocks, that they need."""
    costs = {cost.rule: cost for cost in found.samples[plate][-1].costs}
    costs["inspect_plate"] = found.inspected[plate]
    makers = {name: cost.rule for cost in costs.values() for name in cost.makes}
    overhead = found.overhead
    each = overhead.per_job_seconds + (overhead.seconds if machine.remote else 0.0)
    for rule in (rule for rule in rules if rule.rule in costs):
        cost = costs[rule.rule]
        before = {makers[name] for name in cost.needs if name in makers} - {rule.rule}
        of_blocks = cost.block is not None
        names = list(_blocks(rule.rule, found.fields[plate], blocks)) if of_blocks else [""]
        for name, seconds in zip(names, rule.sizes, strict=True):
            after = []
            for other in before:
                same = of_blocks and costs[other].block is not None
                same = same and _by_field(other) == _by_field(rule.rule)
                after.append(f"{plate} {other} {name}" if same else f"{plate} {other}")
            yield Job(
                seconds=seconds + each,
                groups=(f"{plate} {rule.rule}", f"{plate} {rule.rule} {name}"),
                after=tuple(after),
                threads=cost.threads,
                resources={"mem_mb": cost.mem_mb, "gpu": float(cost.gpu)},
            )
