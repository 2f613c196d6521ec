"""Channels that were not taken at some frames, or in some wells: their chunks are not there, and
read as zeros."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cellpipe.errors import BadImage

SHOWN = 6  # frames in a message


def refuse_lacking(
    lacking: Mapping[str, Collection[str]], channels: Iterable[str], well: str
) -> None:
    """Raise BadImage for a channel of which a well has no image (`lacking`: channel → wells)."""
    for channel in channels:
        if well in lacking.get(channel, ()):
            raise BadImage(
                seen=f"channel '{channel}' has no image in well {well}",
                wanted="a well that has the channel",
                do="nothing, if it was not taken there; else copy the missing files, then run "
                "again",
            )


def refuse_not_taken(
    not_taken: Mapping[str, Collection[int]],
    channels: Iterable[str],
    times: Collection[int],
    n_t: int,
    what: str,
) -> None:
    """Raise BadImage for a channel that was not taken at one of the frames `times`.

    not_taken : channel → frames without it, of the `n_t` of a plate; what : place, for the message
    """
    for channel in channels:
        own = not_taken.get(channel, ())
        if absent := sorted(set(own).intersection(times)):
            taken = [t for t in range(n_t) if t not in own]
            more = " …" if len(taken) > SHOWN else ""
            raise BadImage(
                seen=f"channel '{channel}' was not taken at frame {absent[0]} ({what})",
                wanted=f"a frame at which it was: {', '.join(map(str, taken[:SHOWN]))}{more}",
                do="nothing, if the microscope was set so; else copy the missing files, then run "
                "again",
            )
