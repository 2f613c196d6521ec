"""Plugins of pytest for mutants.py: what tests run, and which of them are to run."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Traced:
    """A plugin of pytest: lines of the package that each test runs, and its seconds."""

    def __init__(self, folder: Path, longest_s: int) -> None:
        self.prefix, self.longest_s = f"{folder}/", longest_s
        self.lines: dict[str, set[int]] = {}
        self.tests: dict[str, dict[str, Any]] = {}
        signal.signal(signal.SIGALRM, self.stop)

    def stop(self, *_: Any) -> None:
        raise TimeoutError(f"more than {self.longest_s} s")

    def trace(self, frame: Any, event: str, arg: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(self.prefix) or code.co_name == "<module>":
            return None
        seen = self.lines.setdefault(code.co_filename[len(self.prefix) :], set())
        seen.add(frame.f_lineno)

        def inner(frame: Any, event: str, arg: Any) -> Any:
            seen.add(frame.f_lineno)
            return inner

        return inner

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.lines, start = {}, time.perf_counter()
        self.tests[item.nodeid] = {"passed": True, "setup": {}}
        signal.alarm(self.longest_s)
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        signal.alarm(0)
        own = self.tests[item.nodeid]
        own["seconds"] = round(time.perf_counter() - start, 3)
        own["lines"] = _of_package(self.lines)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        own = self.tests[report.nodeid]
        if report.when == "setup":
            own["setup"] = _of_package(self.lines)
        if report.outcome != "passed":
            own["passed"] = False


def _of_package(lines: dict[str, set[int]]) -> dict[str, list[int]]:
    return {name: sorted(own) for name, own in lines.items() if name.startswith("cellpipe/")}


class Chosen:
    """A plugin of pytest: only some tests, in this order; the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self.rank = {name: i for i, name in enumerate(tests)}
        self.failed, self.n_run, self.running = "", 0, ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        ranked = [(self.place(item.nodeid), i) for i, item in enumerate(items)]
        items[:] = [items[i] for place, i in sorted(ranked) if place < len(self.rank)]

    def place(self, name: str) -> int:
        """Where a test stands in the order, by its name, without parameters, or by its file."""
        names = (name, name.partition("[")[0], name.partition("::")[0])
        return next((self.rank[each] for each in names if each in self.rank), len(self.rank))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.n_run += report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} (import)"
