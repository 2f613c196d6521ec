"""The whole workflow in forked processes that have everything imported already.

A job of a small plate computes for milliseconds and imports for seconds. Here Snakemake itself
runs as it always does, with its own rules, scripts and files, and each script runs in a process of
its own; only what a new interpreter would import is spared.

    test ──> server: has imported everything, one thread
               ├─ fork: snakemake ──> asks the server for each script
               ├─ fork: a script
               └─ …
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import pickle
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = "CELLPIPE_TEST_SERVER"
# what jobs import only where they first need it
PRELOADED = (
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "ngio",
    "PIL.WebPImagePlugin",
    "pycytominer",
    "rocrate.rocrate",
    "skimage.filters",
    "skimage.measure",
    "skimage.morphology",
    "skimage.segmentation",
    "snakemake.cli",
    "snakemake.persistence",
    "snakemake.script",
    "torch",
)


@dataclass
class Forked:
    """A fork at work; its jobs are in its process group."""

    pid: int
    asked: socket.socket

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit code, or minus a signal's number; None if it does not end within the time."""
        self.asked.settimeout(seconds)
        try:
            answer = self.asked.recv(4)
        except TimeoutError:
            return None
        self.asked.close()
        return struct.unpack("i", answer)[0] if answer else -int(signal.SIGKILL)


def run_forked(
    command: list[str], folder: Path, timeout_s: int = 600, checkout: Path | None = None
) -> tuple[int, str]:
    """Run a snakemake command (as of `Run.command`) in a fork; exit code and what it printed.

    timeout_s : after which it is killed
    checkout : another copy of the repository, whose package is imported instead of this one
    """
    reader, writer = os.pipe()
    forked = start_forked(command, folder, writer, timeout_s, checkout)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        printed = pipe.read()
    code = forked.wait()
    assert code is not None
    return code, printed


def start_forked(
    command: list[str],
    folder: Path,
    output: int,
    timeout_s: int = 600,
    checkout: Path | None = None,
) -> Forked:
    """Start a snakemake command that prints into a file descriptor, and go on."""
    arguments = command[command.index("snakemake") + 1 :]
    # of a job in which the test itself may run
    environment = {name: v for name, v in os.environ.items() if not name.startswith("SLURM_JOB")}
    environment |= {"OMP_NUM_THREADS": "1", PLACE: server()}
    return _ask(("run_snakemake", arguments, timeout_s), folder, environment, checkout, output)


@cache
def server() -> str:
    """Where the server of this process, or of one above it, listens; it ends with that process."""
    if PLACE in os.environ:
        return os.environ[PLACE]
    started = subprocess.Popen(
        [sys.executable, __file__, place := f"cellpipe-test-{os.getpid()}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert started.stdout
    assert started.stdout.readline() == b"ready\n"
    _kept.append(started)
    os.environ[PLACE] = place
    return place


_kept: list[subprocess.Popen[bytes]] = []  # its stdin stays open as long as this process lives


def _ask(
    work: tuple[Any, ...],
    folder: Path,
    environment: dict[str, str],
    checkout: Path | None,
    output: int,
    group: int = 0,
) -> Forked:
    """Ask the server to fork for some work, with this output, in this process group or its own."""
    asked = socket.socket(socket.AF_UNIX)
    asked.connect("\0" + environment[PLACE])
    message = pickle.dumps((work, str(folder), environment, checkout, group))
    socket.send_fds(asked, [struct.pack("q", len(message))], [output])
    asked.sendall(message)
    return Forked(struct.unpack("i", asked.recv(4))[0], asked)


# ---- the server and its forks


def serve(place: str) -> None:
    """Import everything, say "ready", and fork for whoever asks, until stdin is closed."""
    _preload()
    gc.collect()
    gc.freeze()  # forks share the memory of what was imported
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no fork is waited for: it says its code itself
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + place)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            asked, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                code = _work(asked)
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    asked.sendall(struct.pack("i", code))
                os._exit(0)
            asked.close()


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    for path in sorted((ROOT / "cellpipe").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        foreign = "engines" in name and not name.endswith(("engines", "classical", "cellpipe"))
        if foreign or name.endswith("__main__"):
            continue  # packages of other projects
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _work(asked: socket.socket) -> int:
    """Do what is asked for, as a program of its own would; returns its exit code."""
    size, sent, _, _ = socket.recv_fds(asked, 8, 1)
    if not sent:  # who asked was killed before it said for what
        return 1
    (output,) = sent
    with asked.makefile("rb") as file:
        message = file.read(struct.unpack("q", size)[0])
    work, folder, environment, checkout, group = pickle.loads(message)
    os.setpgid(0, group)
    asked.sendall(struct.pack("i", os.getpid()))
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    atexit._clear()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if checkout is not None:
        _import_from(checkout)
    function, *arguments = work
    try:
        {"run_snakemake": _run_snakemake, "run_script": _run_script}[function](*arguments, checkout)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        atexit._run_exitfuncs()  # such as the Snakefile's words after a dry run
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _import_from(checkout: Path) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cellpipe"]:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    os.environ["PYTHONPATH"] = str(checkout)


def _run_snakemake(arguments: list[str], timeout_s: int, checkout: Path | None) -> None:
    import snakemake.benchmark
    import snakemake.script
    from snakemake.cli import main

    def execute_script(self: Any, fname: str, edit: bool = False) -> None:
        work = "run_script", fname
        code = _ask(work, Path.cwd(), dict(os.environ), checkout, 1, os.getpgrp()).wait()
        if code:
            raise subprocess.CalledProcessError(code, fname)

    # no process to be measured: the record would lack its times
    snakemake.benchmark.BenchmarkRecord.data_collected = False
    snakemake.benchmark.write_benchmark_records = _write_no_benchmark
    script: Any = snakemake.script.PythonScript
    script.execute_script = execute_script
    signal.alarm(timeout_s)
    main(arguments)


def _write_no_benchmark(records: Any, path: str, extended: bool) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("s\n")


def _run_script(script: str, checkout: Path | None) -> None:
    """A script of Snakemake's, with the preamble that it put before it."""
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[1])
