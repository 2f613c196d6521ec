"""`cellpipe plan`: jobs, core hours, peak memory, disk and wall time of a run, before it starts.

plates  ──►  probe: a few fields  ──►  forecast  ──►  printed, results/P/plan.json, plan.tsv
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cellpipe.config.checked import checked_run
from cellpipe.config.reading import read_yaml
from cellpipe.errors import BadConfig
from cellpipe.run.job import duration
from cellpipe.run.plan import written
from cellpipe.run.plan.forecast import forecast_plate, together
from cellpipe.run.plan.machine import read_machine
from cellpipe.run.plan.probe import probe

STANDARD_INPUT = Path("-")


def plan(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Probe, forecast, print and write; `words` are further arguments of Snakemake.

    Raises CellpipeError for a fault of the config, and for a probe that failed.
    """
    files = options.configfile or [Path("config/config.yaml")]
    if files == [STANDARD_INPUT]:  # from the workflow, which has read the files
        config, files = yaml.safe_load(sys.stdin.read()), []
    else:
        config = written_config(files, options.config)
    checked, rows = checked_run(config, files=files, say=_say)
    rows = {plate: rows[plate] for plate in _asked(options.plate, rows)}
    machine = read_machine(
        options.profile,
        options.workflow_profile,
        cores=options.cores,
        jobs=options.jobs,
        executor=options.executor,
        resources=options.resources,
    )
    print(f"probing {', '.join(rows)} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="cellpipe-plan-") as folder:
        found = probe(Path(folder), config, rows, machine, words)
    took = duration(found.seconds)
    print(f"probed in {took} ({found.cpu_seconds:.0f} s of CPU)", file=sys.stderr)
    forecasts = {p: forecast_plate(p, found, checked["blocks"], machine) for p in rows}
    for plate, forecast in forecasts.items():
        content = written.as_dict(forecast, machine, found.failed[plate], found.notes[plate])
        written.publish(Path(checked["results"], plate), content)
        print(written.in_words(content))
    if len(rows) > 1:
        rules = {plate: forecast.rules for plate, forecast in forecasts.items()}
        wall = together(rules, found, checked["blocks"], machine)
        hours = sum(forecast.cpu_seconds for forecast in forecasts.values()) / 3600
        disk = sum(forecast.n_bytes for forecast in forecasts.values()) / 1e6
        print(
            f"all {len(rows)} plates in one run: {written.core_hours(hours)}, "
            f"{written.size(disk)}, {duration(wall)}"
        )
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def written_config(files: Sequence[Path], pairs: Sequence[str]) -> dict[str, Any]:
    """The config as Snakemake puts it together, without defaults: files, then KEY=VALUE.

    Raises BadConfig for a file that cannot be read, and a word that is no pair.
    """
    config: dict[str, Any] = {}
    for path in files:
        _update(config, read_yaml(path))
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadConfig(
                seen=f"'{pair}' after --config",
                wanted="KEY=VALUE",
                do="write it so, without blanks",
            )
        _update(config, {key: yaml.safe_load(value)})
    return config


def _update(config: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), dict):
            _update(config[key], value)
        else:
            config[key] = value


def _asked(plates: Sequence[str], rows: Mapping[str, Any]) -> list[str]:
    for plate in plates:
        if plate not in rows:
            raise BadConfig(
                seen=f"no plate '{plate}' in the sheet",
                wanted=f"one of {', '.join(rows)}",
                do="correct --plate",
            )
    return [plate for plate in rows if not plates or plate in plates]
