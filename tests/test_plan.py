"""Forecasts: which fields are probed, lines through costs, jobs on cores, profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cellpipe.errors import BadConfig
from cellpipe.run.costs import Cost
from cellpipe.run.plan.command import written_config
from cellpipe.run.plan.cut import cuts, spread
from cellpipe.run.plan.forecast import forecast_plate, line_at
from cellpipe.run.plan.machine import Machine, read_machine
from cellpipe.run.plan.probe import Overhead, Probe, Sample
from cellpipe.run.plan.schedule import Job, ends

BLOCKS = {"frames_per_block": 10, "frames_per_unit": 100}


def fields_of(n_wells: int, n_t: int = 1, per_well: int = 1) -> list[dict[str, Any]]:
    """Fields of 1000 × 1000 pixels, in wells row by row."""
    shape = [n_t, 1, 1, 1000, 1000]
    return [
        {"well": f"{row}{column:02}", "field": k, "n_t": n_t, "axes": "tczyx", "shape": shape}
        for row in "ABCDEFGH"
        for column in range(1, 13)
        for k in range(1, per_well + 1)
    ][: n_wells * per_well]


def manifest_of(fields: list[dict[str, Any]]) -> pd.DataFrame:
    """A file for each frame, larger from field to field."""
    rows = [
        {"well": f["well"], "field": f["field"], "t": t, "bytes": 100 * i}
        for i, f in enumerate(fields)
        for t in range(f["n_t"])
    ]
    return pd.DataFrame(rows)


def cores(n: int, **resources: float) -> Machine:
    return Machine("test", remote=False, slots=n, resources=resources)


def test_fields_are_spread_from_sparse_to_crowded() -> None:
    sizes = {("A01", k): float(size) for k, size in enumerate([50, 10, 30, 20, 40, 60])}
    assert [sizes[place] for place in spread(sizes, 3)] == [20, 40, 60]


def test_each_group_has_a_field_in_every_cut() -> None:
    fields = fields_of(96, per_well=6)
    controls = [{("A01", 1)}, {("H12", 1)}, {("C05", 1), ("C06", 1)}]
    found = cuts({"fields": fields, "holes": []}, manifest_of(fields), controls)
    assert [len(inspection["fields"]) for inspection, _ in found] == [8, 24]
    for inspection, planes in found:
        places = {(field["well"], field["field"]) for field in inspection["fields"]}
        assert all(places & group for group in controls)
        assert set(zip(planes["well"], planes["field"], strict=True)) == places


def test_movies_are_cut_to_consecutive_frames() -> None:
    fields = fields_of(24, n_t=30)
    hole = {"well": "A01", "field": 1, "t": 20, "channel": "dna"}
    found = cuts({"fields": fields, "holes": [hole]}, manifest_of(fields), [])
    lengths = [[field["n_t"] for field in inspection["fields"]] for inspection, _ in found]
    assert lengths == [[3], [8, 8, 8]]
    large, planes = found[1]
    assert sorted(set(planes["t"])) == list(range(8))
    assert large["holes"] == []
    assert large["fields"][0]["shape"][0] == 8
    assert fields[0]["n_t"] == 30


def test_a_plate_of_few_frames_is_cut_once() -> None:
    for n, probed_fields in ((96, 12), (40, 5), (10, 4), (3, 2), (1, 1)):
        fields = fields_of(n)
        ((inspection, _),) = cuts({"fields": fields, "holes": []}, manifest_of(fields), [])
        assert len(inspection["fields"]) == probed_fields


@pytest.mark.parametrize(
    ("points", "x", "value"),
    [
        ([(2, 4.0), (6, 8.0)], 10, 12.0),  # 2 and 1 for each
        ([(2, 4.0), (6, 4.1)], 100, 4.05),  # noise
        ([(2, 4.0), (6, 2.0)], 100, 3.0),  # a cost does not fall
        ([(2, 2.0), (6, 12.0)], 8, 14.0),  # nothing that every job has
        ([(3, 6.0), (3, 8.0)], 6, 7.0),  # no rise is known,
        ([(1, 5.0)], 1, 5.0),
    ],
)
def test_a_line_through_costs(points: list, x: float, value: float) -> None:
    assert line_at(points, x) == pytest.approx(value)


def wall(jobs: list[Job], machine: Machine) -> float:
    return max(ends(jobs, machine))


def test_jobs_share_cores() -> None:
    jobs = [Job(10, ("a",)) for _ in range(4)] + [Job(5, ("b",), after=("a",))]
    assert wall(jobs, cores(1)) == 45
    assert wall(jobs, cores(2)) == 25
    assert wall(jobs, cores(9)) == 15


def test_jobs_wait_for_memory_and_threads() -> None:
    large = [Job(10, ("a",), resources={"mem_mb": 3000}) for _ in range(4)]
    assert wall(large, cores(8, mem_mb=6000)) == 20
    assert wall(large, cores(8, mem_mb=2000)) == 40  # more than there is: one by one
    assert wall([Job(10, ("a",), threads=4) for _ in range(4)], cores(8)) == 20
    cluster = Machine("test", remote=True, slots=8)
    assert wall(large, cluster) == 10


def test_a_block_does_not_wait_for_the_others() -> None:
    jobs = [Job(10, ("a", "a 0")), Job(30, ("a", "a 1"))]
    jobs += [Job(20, ("b", "b 0"), after=("a 0",)), Job(5, ("b", "b 1"), after=("a 1",))]
    assert wall(jobs, cores(2)) == 35


def probed(n: int) -> Sample:
    """A cut on which a block job costs 1 s and 2 s for each field, the report 3 s."""
    costs = [
        Cost("count_block", "0000", 1, 2 + 4 * n, 1 + 2 * n, 500, makes=("blocks/count/*",)),
        Cost("write_report", None, 2, 3, 3, 200, needs=("blocks/count/*",)),
    ]
    return Sample(fields_of(n), costs, frame_bytes=50 * n, other_bytes=1000)


def test_a_plate_is_forecast_from_two_cuts() -> None:
    found = Probe(
        fields={"P": fields_of(40)},
        inspected={"P": Cost("inspect_plate", None, 0, 6, 6, 100)},
        samples={"P": [probed(2), probed(6)]},
        overhead=Overhead(cpu_seconds=4, seconds=5, per_job_seconds=0.5),
        failed={"P": {}},
        notes={"P": []},
        cpu_seconds=1,
        seconds=1,
    )
    plate = forecast_plate("P", found, BLOCKS, cores(2))
    assert plate.jobs == 1 + 4 + 1
    # inspection, four blocks of ten fields, report, Snakemake
    assert plate.cpu_seconds == pytest.approx(6 + 4 * (1 + 2 * 10) + 3 + 4 + 6 * 0.5)
    assert plate.peak_mb == 500
    assert plate.n_bytes == pytest.approx(1000 + 50 * 40)
    # one core inspects and takes two blocks, the other one takes two as well
    assert plate.wall_seconds == pytest.approx(5 + 6.5 + 2 * 42.5 + 3.5)
    remote = forecast_plate("P", found, BLOCKS, Machine("test", remote=True, slots=100))
    assert remote.wall_seconds == pytest.approx(5 + 42.5 + 5 + 3.5 + 5)
    assert remote.cpu_seconds == pytest.approx(plate.cpu_seconds + 6 * 4)


def test_jobs_that_note_their_frames_need_one_cut() -> None:
    """Eight frames took 2.5 s each, the start 4 s; what does not note frames counts as seen."""
    noted = {"frames": 8, "frames_cpu_seconds": 16.0, "frames_seconds": 20.0}
    costs = [Cost("count_block", "0000", 1, 24, 20, 500, **noted), Cost("sum", None, 2, 3, 2, 9)]
    found = Probe(
        fields={"P": fields_of(40)},
        inspected={"P": Cost("inspect_plate", None, 0, 1, 1, 100)},
        samples={"P": [Sample(fields_of(8), costs, frame_bytes=800, other_bytes=7)]},
        overhead=Overhead(cpu_seconds=0, seconds=0, per_job_seconds=0),
        failed={"P": {}},
        notes={"P": []},
        cpu_seconds=1,
        seconds=1,
    )
    plate = forecast_plate("P", found, BLOCKS, cores(1))
    of_rule = {rule.rule: rule for rule in plate.rules}
    assert of_rule["count_block"].sizes == pytest.approx([4 + 25] * 4)
    assert of_rule["count_block"].cpu_seconds == pytest.approx(4 * (4 + 20))
    assert of_rule["sum"].cpu_seconds == 2
    assert plate.n_bytes == pytest.approx(4000 + 7)


def test_machines_are_those_of_the_profile(tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    (own / "config.yaml").write_text("executor: slurm\njobs: 7\ndefault-resources: {mem_mb: 99}\n")
    machine = read_machine(None, str(own))
    assert (machine.remote, machine.slots, machine.resources) == (True, 7, {})
    assert machine.of_jobs == {"default-resources": {"mem_mb": 99}}
    local = read_machine(None, None, cores="3", resources=["mem_mb=5000"])
    assert (local.remote, local.slots, local.resources["mem_mb"]) == (False, 3, 5000)
    assert read_machine(None, str(own), jobs="9").slots == 9
    with pytest.raises(BadConfig, match="no folder of the profile"):
        read_machine(None, str(tmp_path / "other"))
    with pytest.raises(BadConfig, match="'many'"):
        read_machine(None, None, cores="many")


def test_configs_are_put_together_as_snakemake_does(tmp_path: Path) -> None:
    for name, text in (("a", "seed: 1\nsegment: {nuclei: {channel: dna}}"), ("b", "seed: 2")):
        (tmp_path / f"{name}.yaml").write_text(text)
    config = written_config([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["device=cuda", "x=3"])
    assert config == {
        "seed": 2,
        "segment": {"nuclei": {"channel": "dna"}},
        "device": "cuda",
        "x": 3,
    }
    with pytest.raises(BadConfig, match="'seed'"):
        written_config([tmp_path / "a.yaml"], ["seed"])
