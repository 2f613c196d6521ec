"""The whole workflow in a forked process that has everything imported already.

A job of a small plate computes for milliseconds and imports for seconds. Here Snakemake itself
runs as it always does, with its own rules, scripts and files; only the interpreter that it would
start for each script is spared: the script runs in the process of Snakemake.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any


def preload() -> None:
    """Import what jobs import, once, before the first fork."""
    import ngio  # noqa: F401
    import snakemake.cli
    import snakemake.persistence
    import snakemake.script  # noqa: F401

    root = Path(__file__).parents[1]
    for path in sorted((root / "cellpipe").rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        foreign = "engines" in name and not name.endswith(("engines", "classical"))
        if "training" in name or foreign or name.endswith("__main__"):
            continue  # torch, and packages of other projects
        with contextlib.suppress(ImportError):
            __import__(name)


def run_forked(
    command: list[str], folder: Path, timeout_s: int = 600, checkout: Path | None = None
) -> tuple[int, str]:
    """Run a snakemake command (as of `Run.command`) in a fork; exit code and what it printed.

    checkout : another copy of the repository, whose package is imported instead of this one
    """
    arguments = command[command.index("snakemake") + 1 :]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        if checkout is not None:
            _import_from(checkout)
        os._exit(_in_child(arguments, folder))
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        printed = pipe.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), printed


def _import_from(checkout: Path) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cellpipe"]:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    os.environ["PYTHONPATH"] = str(checkout)


def _in_child(arguments: list[str], folder: Path) -> int:
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0), write_through=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0), write_through=True)
    os.chdir(folder)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        import snakemake.benchmark
        import snakemake.script
        from snakemake.cli import main

        # no process to be measured: the record would lack its times
        snakemake.benchmark.BenchmarkRecord.data_collected = False
        snakemake.benchmark.write_benchmark_records = _write_no_benchmark
        snakemake.script.PythonScript.execute_script = _execute_here  # type: ignore[method-assign]
        main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _write_no_benchmark(records: Any, path: str, extended: bool) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("s\n")


def _execute_here(self: Any, fname: str, edit: bool = False) -> None:
    """In place of a new interpreter: the script, with the preamble that Snakemake put before it."""
    import subprocess

    path = list(sys.path)
    try:
        runpy.run_path(fname, run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise subprocess.CalledProcessError(1, fname) from None
    finally:
        sys.path[:] = path
