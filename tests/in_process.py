"""The whole workflow in forked processes that have everything imported already.

A job of a small plate computes for milliseconds and imports for seconds. Here Snakemake itself
runs as it always does, with its own rules, scripts and files, and each script runs in a process of
its own; only what a new interpreter would import is spared: processes are forks of one that has
imported it.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import runpy
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@cache
def preload() -> None:
    """Import what jobs import, once, before the first fork."""
    import ngio  # noqa: F401
    import snakemake.cli
    import snakemake.persistence
    import snakemake.script  # noqa: F401
    import torch  # noqa: F401

    for path in sorted((ROOT / "cellpipe").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        foreign = "engines" in name and not name.endswith(("engines", "classical", "cellpipe"))
        if foreign or name.endswith("__main__"):
            continue  # packages of other projects
        with contextlib.suppress(ImportError):
            __import__(name)


def run_forked(
    command: list[str], folder: Path, timeout_s: int = 600, checkout: Path | None = None
) -> tuple[int, str]:
    """Run a snakemake command (as of `Run.command`) in a fork; exit code and what it printed.

    timeout_s : after which it is killed, with its jobs
    checkout : another copy of the repository, whose package is imported instead of this one
    """
    preload()
    arguments = command[command.index("snakemake") + 1 :]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        signal.alarm(timeout_s)
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
    for name in [name for name in os.environ if name.startswith("SLURM_JOB")]:
        del os.environ[name]  # of a job in which the test itself may run
    try:
        with _jobs_started_by() as place:
            import snakemake.benchmark
            import snakemake.script
            from snakemake.cli import main

            def execute_script(self: Any, fname: str, edit: bool = False) -> None:
                _execute(fname, place)

            # no process to be measured: the record would lack its times
            snakemake.benchmark.BenchmarkRecord.data_collected = False
            snakemake.benchmark.write_benchmark_records = _write_no_benchmark
            script: Any = snakemake.script.PythonScript
            script.execute_script = execute_script
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


@contextlib.contextmanager
def _jobs_started_by() -> Iterator[str]:
    """A process of one thread that forks a process for each script, and where it listens.

    Snakemake runs jobs in threads, and a process of several threads must not be forked.
    """
    place = f"\0cellpipe-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        starter = os.fork()
        if starter == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no job is waited for: its socket closes
            while True:
                asked, _ = listener.accept()
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    asked.sendall(struct.pack("i", _run_script(*pickle.load(asked.makefile("rb")))))
                    os._exit(0)
                asked.close()
    try:
        yield place
    finally:
        os.kill(starter, signal.SIGKILL)
        os.waitpid(starter, 0)


def _execute(script: str, place: str) -> None:
    """Run a script of Snakemake's, with the preamble that it put before it, to its end."""
    import subprocess

    with socket.socket(socket.AF_UNIX) as job:
        job.connect(place)
        job.sendall(pickle.dumps((script, os.getcwd(), dict(os.environ))))
        job.shutdown(socket.SHUT_WR)
        answer = job.recv(4)
    code = struct.unpack("i", answer)[0] if answer else -int(signal.SIGKILL)
    if code:
        raise subprocess.CalledProcessError(code, script)


def _run_script(script: str, folder: str, environment: dict[str, str]) -> int:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
