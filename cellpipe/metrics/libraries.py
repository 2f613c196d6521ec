"""Common wrapper of the libraries that compute scores: no output, and floats."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses progress bars and prints of the libraries."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def number(value: Any) -> float:
    return np.nan if value is None else float(value)
