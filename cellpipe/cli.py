"""The command `cellpipe`: inspect images, check a config, plan a run, run it, verify results.

cellpipe inspect FOLDER             what a microscope wrote, and a config that runs it
cellpipe check my.yaml              every option and name, of a run or of a training
cellpipe run --configfile my.yaml   snakemake with cellpipe's Snakefile, and with its arguments
cellpipe plan --configfile my.yaml  what a run will cost, from a probe of a few fields
cellpipe verify results/P           every fault, with its place and block
cellpipe verify results/P --mend    and make exactly those again
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.run.job import stopped


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 all is well, 1 there are faults, 2 misuse."""
    parser = _parser()
    options, others = parser.parse_known_args(words)
    if options.run in (_run, _plan):
        options.words = others
    elif others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    try:
        return options.run(options)
    except CellpipeError as fault:
        print(stopped(fault), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted (Ctrl-C)", file=sys.stderr)
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cellpipe", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser(
        "run",
        add_help=False,
        help="run the workflow: arguments are those of snakemake (`cellpipe run --help`)",
    )
    run.set_defaults(run=_run)
    _add_inspect(commands)
    check = commands.add_parser(
        "check",
        help="check a config, its sheet of plates and every name in them, without a run",
        description="Check the config of a run, with its sheet of plates, plate maps, annotations "
        "and weights, or the config of a training. Exit status 2 if there is a fault.",
    )
    check.add_argument("config", type=Path, nargs="*", default=[Path("config/config.yaml")])
    check.set_defaults(run=_check)
    planned = commands.add_parser(
        "plan",
        help="forecast jobs, core hours, memory, disk and wall time from a probe of a few fields",
        description="Run the workflow on a few fields of each plate in a temporary folder, and "
        "forecast jobs, core hours, peak memory of a job, disk and wall time of the whole. "
        "Options are those of `snakemake`; further ones are handed to the probe. Exit status 2 if "
        "the probe fails.",
    )
    planned.add_argument(
        "--configfile", nargs="+", type=Path, default=[], help="of the run; -: standard input"
    )
    planned.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE")
    planned.add_argument("--cores", "-c", help="of the run (default: those of the profile)")
    planned.add_argument("--jobs", "-j", help="at once, on a cluster")
    planned.add_argument("--executor", "-e", help="of the run; the probe runs here")
    planned.add_argument("--resources", nargs="+", default=[], metavar="NAME=INT")
    planned.add_argument("--profile", help="of the run")
    planned.add_argument("--workflow-profile", help="of the run (default: profiles/default)")
    planned.add_argument(
        "--plate", nargs="+", default=[], help="plates of the sheet (default: all)"
    )
    planned.set_defaults(run=_plan)
    verify = commands.add_parser(
        "verify",
        help="compare every file and chunk of a plate's results with what was recorded",
        description="Compare every file, chunk and label of a plate's results with the digests "
        "that were recorded when it was written. Exit status 1 if there is a fault.",
    )
    verify.add_argument("folder", type=Path, nargs="+", help="results of a plate: results/P")
    verify.add_argument("--mend", action="store_true", help="make exactly the faults again")
    verify.add_argument("--dry-run", action="store_true", help="with --mend: show what it would do")
    verify.add_argument("--cores", default=os.cpu_count() or 1, help="for --mend: jobs at once")
    verify.add_argument(
        "--configfile", nargs="+", default=[], help="for --mend, if another than in the last run"
    )
    verify.set_defaults(run=_verify)
    return parser


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser(
        "inspect",
        help="report what is in a folder of images, without a config; --write makes one",
        description="Report format, wells, fields, channels, sizes and units of one or more "
        "plates, each with where it was read, and what is missing. No config is needed. Exit "
        "status 2 if there is nothing to read.",
    )
    parser.add_argument(
        "folder", type=Path, help="what the microscope wrote, of one or more plates"
    )
    parser.add_argument("--layout", metavar="NAME", help="of config/README.md; default: recognised")
    parser.add_argument(
        "--nuclei",
        metavar="CHANNEL",
        action="append",
        default=[],
        help="the channel that shows nuclei; once for each name, if plates have several",
    )
    parser.add_argument(
        "--columns", type=int, help="of the plate, where wells are running numbers: 12, 24 or 48"
    )
    parser.add_argument(
        "--follow-links", action="store_true", help="to folders, and out of the folder"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write a config and a sheet of plates there"
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="write pictures there (default: where --write goes)",
    )
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    from cellpipe.inspect.command import inspect

    return inspect(options)


def _run(options: argparse.Namespace) -> int:
    """Become snakemake with the Snakefile of this package: of the checkout, or of the wheel."""
    from cellpipe.files.workflow import IS_CHECKOUT, SNAKEFILE

    conda = {"--sdm", "--software-deployment-method", "--use-conda"} & {
        word.partition("=")[0] for word in options.words
    }
    if conda and not IS_CHECKOUT:
        raise BadConfig(
            seen=f"{conda.pop()} with a package that pip installed",
            wanted="a checkout of cellpipe, whose code environments of conda can import",
            do="clone the repository and run snakemake in it, or leave the option out",
        )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), *options.words]
    os.execv(sys.executable, command)


def _check(options: argparse.Namespace) -> int:
    from cellpipe.config.checked import check_file

    for path in options.config:
        print(f"{path}: no fault found. {check_file(path)}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from cellpipe.run.plan.command import plan

    return plan(options, options.words)


def _verify(options: argparse.Namespace) -> int:
    worst = 0
    for folder in options.folder:
        _refuse_other(folder)
        worst = max(worst, _verify_plate(folder, options))
    return worst


def _refuse_other(folder: Path) -> None:
    """Only the folder of a plate can be verified."""
    if not folder.is_dir() or not any(
        (folder / name).exists() for name in ("layout.json", "digests", "inspection.json")
    ):
        raise BadConfig(
            seen=f"no results of a plate in {folder}",
            wanted="the folder of one plate, such as results/P",
            do="name the folder that holds report.html and the tables of the plate",
        )


def _verify_plate(root: Path, options: argparse.Namespace) -> int:
    from cellpipe.run import mend
    from cellpipe.run.faults import METADATA, find_faults

    found = find_faults(root)
    _print_found(root, found)
    if not options.mend or not found.faults:
        return 1 if found.faults else 0
    record, images = _source(root, options.configfile)
    if any(fault.kind == METADATA for fault in found.faults) and not options.dry_run:
        # data under damaged metadata can be verified once these are repaired
        plan = mend.plan_mending(root, found.faults, images)
        mend.put_metadata_back(root, plan)
        print(f"{len(plan.restore)} file(s) of metadata were put back")
        found = find_faults(root)
    plan = mend.plan_mending(root, found.faults, images)
    for fault, why in plan.hopeless:
        print(f"cannot be made again: {fault.where}: {why}")
    command = record.command(
        [os.path.join(record.results, root.name, t) for t in mend.targets(root, plan)],
        options.cores,
        "--keep-going",
        "--rerun-triggers",
        "input",
    )
    if options.dry_run:
        for path in sorted(plan.remove):
            print(f"would be removed and made again: {path}")
        print(shlex.join(command))
        return 1
    mend.carry_out(root, plan)
    if plan.remove:
        print(f"making {len(plan.remove)} file(s) again: {shlex.join(command[:9])} …", flush=True)
        status = subprocess.run(command, check=False).returncode
        if status:
            print(f"snakemake ended with status {status}", file=sys.stderr)
    after = find_faults(root)
    _print_found(root, after)
    return 1 if after.faults else 0


def _source(root: Path, configfiles: Sequence[str]):  # type: ignore[no-untyped-def]
    """The record of the run, and the folder of the images if it is known."""
    from cellpipe.run.run_record import read_run

    record = read_run(root, configfiles)
    return record, Path(record.images) if record.images else None


def _print_found(root: Path, found) -> None:  # type: ignore[no-untyped-def]
    """A line for each fault, then how much was compared."""
    for note in found.notes:
        print(f"note: {note}")
    for fault in found.faults:
        block = f" (block {fault.block})" if fault.block else ""
        print(f"fault: {fault.where}{block}, of {fault.rule}: {fault.fault}")
    looked = f"{found.n_files} files and {found.n_frames} frames compared"
    print(f"{root}: {len(found.faults)} fault(s); {looked}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
