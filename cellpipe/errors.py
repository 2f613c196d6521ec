"""Errors a person can act on: what was seen, what was wanted, what to do."""

from __future__ import annotations


class CellpipeError(Exception):
    """A fault that a user can cause and mend.

    Parameters
    ----------
    seen, wanted, do : str
        Three short phrases: the value found (with its file or key), the value
        that would have been right, and the remedy.
    """

    def __init__(self, *, seen: str, wanted: str, do: str) -> None:
        self.seen, self.wanted, self.do = seen, wanted, do
        super().__init__(f"seen: {seen}; wanted: {wanted}; what to do: {do}")

    def __reduce__(self) -> tuple:
        # keyword-only arguments: plain pickling (process pools) would call __init__ with one string
        return (_rebuild, (type(self), self.seen, self.wanted, self.do))


class BadImage(CellpipeError):
    """One image cannot be used: its field is quarantined and the run continues."""


class Unreachable(CellpipeError):
    """A file cannot be read now (permission, disk, share): the job fails, and is made again."""


class BadConfig(CellpipeError):
    """The config, a sheet or a plate map is wrong: the run stops before any work."""


def _rebuild(kind: type[CellpipeError], seen: str, wanted: str, do: str) -> CellpipeError:
    return kind(seen=seen, wanted=wanted, do=do)
