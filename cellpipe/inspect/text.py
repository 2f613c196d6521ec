"""What is in a plate as lines of text: each value with where it was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from cellpipe.inspect.channels import nuclei
from cellpipe.inspect.disk import Disk
from cellpipe.inspect.known import Known, spacing
from cellpipe.inspect.plate import Inspected
from cellpipe.readers.accounting import account
from cellpipe.readers.layouts.numbers import listed
from cellpipe.readers.units.scales import UNKNOWN
from cellpipe.wells import row_and_column, row_number

SHOWN = 4
WIDTH = 14  # of the names of values


def lines(plate: Inspected, disk: Disk | None, named: Sequence[str] = ()) -> list[str]:
    """The whole inspection, a value a line.

    disk : of the results; None where no pixels could be read
    named : channel of nuclei that a person chose
    """
    own = plate.format
    return [
        str(plate.folder),
        _line("format", f"{own.name} ({own.title})"),
        _line("wells", _wells(plate)),
        _line("fields", _fields(plate)),
        *_channels(plate, named),
        _line("time points", f"{plate.frames}"),
        _line("z", _depth(plate)),
        _line("images", _sizes(plate)),
        _value("pixel size", plate.pixel_size),
        *([_value("z step", plate.z_step)] if max(plate.planes_z.values()) > 1 else []),
        *([_value("time step", plate.time_step)] if plate.frames > 1 else []),
        *_field_size(plate),
        _value("positions", plate.positions),
        _value("objective", plate.objective),
        *([_value("light", plate.light)] if plate.light.value != UNKNOWN else []),
        *_files(plate),
        *([_line("disk", disk.as_text())] if disk else []),
        *_faults(plate),
        *(_line("note", note) for note in plate.notes),
    ]


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}{text}"


def _value(name: str, value: Known) -> str:
    source = f" ({value.source})" if value.source else ""
    return _line(name, f"{value.value}{source}")


def _wells(plate: Inspected) -> str:
    """ "12: B02-B04, C02-C04 …", the columns of each row."""
    rows: dict[str, list[int]] = {}
    for well in plate.wells:
        row, column = row_and_column(well)
        rows.setdefault(row, []).append(column)
    parts = [f"{row} {listed(columns)}" for row, columns in sorted(rows.items(), key=_by_row)]
    more = f" … {parts[-1]}" if len(parts) > SHOWN else ""
    return f"{len(plate.wells)} (row and columns: {'; '.join(parts[:SHOWN])}{more})"


def _by_row(item: tuple[str, list[int]]) -> int:
    return row_number(item[0])


def _fields(plate: Inspected) -> str:
    per_well = Counter(plate.fields.groupby("well").size().tolist())
    return f"{len(plate.fields):,} ({_counted(per_well, 'per well')})"


def _counted(counts: Mapping[int, int], what: str) -> str:
    if len(counts) == 1:
        return f"{next(iter(counts))} {what}"
    several = sorted(counts.items(), key=lambda item: -item[1])
    parts = [f"{n} in {wells} wells" for n, wells in several[:SHOWN]]
    return f"{what}: {', '.join(parts)}{' …' if len(several) > SHOWN else ''}"


def _channels(plate: Inspected, named: Sequence[str]) -> list[str]:
    """A line per channel, and which shows nuclei."""
    chosen, why = nuclei(plate.channels, named)
    rows = []
    for channel in plate.channels:
        token = f" (token '{channel.token}')" if channel.token != channel.name else ""
        mark = " <- nuclei" if channel == chosen else ""
        rows.append(_line("channel", f"{channel.name}{token} ({channel.source}){mark}"))
    shown = f"'{chosen.name}' ({why})" if chosen else f"not chosen: {why}"
    return [*rows, _line("nuclei", shown)]


def _depth(plate: Inspected) -> str:
    depths = plate.planes_z
    if len(set(depths.values())) == 1:
        n = next(iter(depths.values()))
        return f"{n} plane{'s' * (n > 1)}"
    names = {channel.token: channel.name for channel in plate.channels}
    return ", ".join(f"{n} ({names.get(token, token)})" for token, n in depths.items())


def _sizes(plate: Inspected) -> str:
    if not plate.sizes:
        return f"none of the {plate.sampled} that were opened can be read"
    sizes = _shares({f"{y} × {x}": n for (y, x), n in plate.sizes.items()})
    kinds = _shares(plate.dtypes)
    of = "images" if plate.format.in_place else "files"
    return f"{sizes} px (y × x), {kinds} ({of} opened: {sum(plate.sizes.values())})"


def _field_size(plate: Inspected) -> list[str]:
    usual = plate.sizes.most_common(1)
    words = spacing(plate.placed, usual[0][0], plate.pixel_um) if usual else ""
    return [_line("field size", words)] if words else []


def _shares(counts: Mapping[Hashable, int] | Mapping[str, int]) -> str:
    """The values, with how often each occurs where there are several."""
    if len(counts) == 1:
        return str(next(iter(counts)))
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{value} ({n})" for value, n in ordered)


def _files(plate: Inspected) -> list[str]:
    if not plate.files:
        return []
    total, *groups = account.sentences(plate.files)
    where = total.replace("quarantined", "not there") if plate.files["quarantined"] else total
    text = where.replace(", 0 quarantined", "")
    return [_line("files", text), *(_line("", group) for group in groups)]


def _faults(plate: Inspected) -> list[str]:
    """Holes, missing fields, doubles and files that cannot be read."""
    found = []
    if plate.holes:
        found.append(_holes(plate))
    if plate.missing:
        places = [f"{fault['well']} field {fault['field']}" for fault in plate.missing]
        found.append(f"{len(places)} field(s) that most wells have: {_some(places)}")
    if plate.doubles:
        found.append(
            f"{plate.doubles} plane(s) for whose place there is another, such as "
            f"{' and '.join(plate.double)}"
        )
    if plate.unreadable:
        path, why = next(iter(plate.unreadable.items()))
        found.append(f"{len(plate.unreadable)} of {plate.sampled} files opened: {path}: {why}")
    names = ["missing"] * (bool(plate.holes) + bool(plate.missing))
    names += ["doubles"] * bool(plate.doubles) + ["unreadable"] * bool(plate.unreadable)
    planned = ", but as noted below" if plate.not_taken else ""
    return [_line(name, text) for name, text in zip(names, found, strict=True)] or [
        _line("missing", f"nothing: every field has every channel, time point and plane{planned}")
    ]


def _holes(plate: Inspected) -> str:
    """Frames that lack a channel, or planes of their stack."""
    names = {channel.token: channel.name for channel in plate.channels}
    per_channel = Counter(names.get(hole["channel"], hole["channel"]) for hole in plate.holes)
    places = [
        f"{hole['well']} field {hole['field']} t {hole['t']} {names.get(hole['channel'])}"
        for hole in plate.holes
    ]
    counts = ", ".join(f"{name} {n}" for name, n in per_channel.most_common(SHOWN))
    return f"{len(places):,} frame(s) without a channel or planes ({counts}): {_some(places)}"


def _some(places: Sequence[str]) -> str:
    return ", ".join(places[:SHOWN]) + (" …" if len(places) > SHOWN else "")
