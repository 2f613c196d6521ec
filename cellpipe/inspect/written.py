"""A config and a sheet of plates that run as they are: what `cellpipe inspect --write` makes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.files.publish import publish_text
from cellpipe.inspect.channels import Channel, colours, keys, nuclei
from cellpipe.inspect.plate import Inspected

CONFIG, SHEET = "config.yaml", "plates.tsv"
# folders that no plate is known by; MetaXpress: NAME/2023-02-21/1334
_VAGUE = re.compile(r"(?i)images?|img|raw|data|[\d_-]+|TimePoint_\d+|ZStep_\d+")
_HEADER = "plate\timages\tlayout\tplate_map\n"


def write(
    plates: Sequence[Inspected],
    folder: Path,
    *,
    named: str | None = None,
    follow_links: bool = False,
    columns: int | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the config and the sheet of plates into `folder`.

    Returns the files, and sentences on what was left out or must be chosen.
    Raises BadConfig where a file is there already, or the plates share no channel.
    """
    for name in (CONFIG, SHEET):
        if (folder / name).exists():
            raise BadConfig(
                seen=f"{folder / name}, which is there already",
                wanted="a folder without a config, so that nothing is lost",
                do="name another folder for --write, or remove the file",
            )
    channels, notes = _common(plates)
    chosen, why = nuclei(channels, named)
    if chosen is None:
        notes.append(f"'segment.nuclei.channel' in {folder / CONFIG} must be set: {why}")
    ingest = {
        **({"follow_links": "true"} if follow_links else {}),
        **({"plate_columns": str(columns)} if columns else {}),
        **({"colour_images": "channels"} if any(plate.in_colour for plate in plates) else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / CONFIG, folder / SHEET]
    text = _config(plates, channels, chosen, why, ingest, _seen_from_here(folder / SHEET))
    publish_text(files[1], _sheet(plates))
    publish_text(files[0], text)
    return files, notes


def _common(plates: Sequence[Inspected]) -> tuple[list[Channel], list[str]]:
    """Channels that all plates have, by their tokens; the others as sentences."""
    tokens = [{channel.token for channel in plate.channels} for plate in plates]
    shared = set.intersection(*tokens)
    notes = []
    if not shared:
        own = [f"{p.folder.name}: {sorted(t)}" for p, t in zip(plates, tokens, strict=True)]
        raise BadConfig(
            seen=f"plates that have no channel in common: {'; '.join(own)}",
            wanted="plates of one assay, with channels of the same names",
            do="inspect and run them one by one",
        )
    for plate in plates:
        if own := [c.name for c in plate.channels if c.token not in shared]:
            notes.append(f"{plate.folder}: not in the config, as not all plates have it: {own}")
    channels = [channel for channel in plates[0].channels if channel.token in shared]
    for plate in plates[1:]:
        for channel in plate.channels:
            first = next((c for c in channels if c.token == channel.token), channel)
            if first.name != channel.name:
                notes.append(
                    f"token '{channel.token}' is '{first.name}' in {plates[0].folder} and "
                    f"'{channel.name}' in {plate.folder}: the config has the first name for both"
                )
    return channels, notes


def names(plates: Sequence[Inspected]) -> list[str]:
    """Names of plates for the sheet, by their folders; no two alike."""
    found: list[str] = []
    for plate in plates:
        folder = plate.folder.resolve()
        while _VAGUE.fullmatch(folder.name) and folder.parent.name:
            folder = folder.parent
        word = re.sub(r"[^A-Za-z0-9_.-]+", "_", _stem(folder)).strip("_.-")
        name, n = word or "plate", 1
        while name.lower() in (other.lower() for other in found):
            n += 1
            name = f"{word or 'plate'}_{n}"
        found.append(name)
    return found


def _stem(folder: Path) -> str:
    return re.sub(r"(?:\.ome)?\.zarr$", "", folder.name)


def layouts(plates: Sequence[Inspected]) -> dict[str, str]:
    """Patterns that were derived from file names, with names for the config."""
    patterns = dict.fromkeys(plate.pattern for plate in plates if plate.pattern)
    return {p: f"own_{n}" if n > 1 else "own" for n, p in enumerate(patterns, start=1)}


def _sheet(plates: Sequence[Inspected]) -> str:
    own = layouts(plates)
    rows = zip(names(plates), plates, strict=True)
    lines = [
        f"{name}\t{_seen_from_here(p.folder)}\t{own.get(p.pattern, p.format.name)}\t\n"
        for name, p in rows
    ]
    return _HEADER + "".join(lines)


def _seen_from_here(path: Path) -> str:
    """A path as the config has it: relative below the folder of the run, else whole."""
    here, whole = Path.cwd(), path.resolve()
    return os.path.relpath(whole, here) if whole.is_relative_to(here) else str(whole)


def _config(
    plates: Sequence[Inspected],
    channels: Sequence[Channel],
    chosen: Channel | None,
    why: str,
    ingest: Mapping[str, str],
    sheet: str,
) -> str:
    """The config as YAML, with a comment on each value that is not plain."""
    own, colour = keys(channels), colours(channels)
    lines = [
        f"# Written by `cellpipe inspect {plates[0].folder}`. Every option: docs/options.md.",
        f"plates: {_quoted(sheet)}",
        "channels:",
    ]
    for channel in channels:
        spec = f'{{ source: {_quoted(channel.token)}, color: "{colour[channel.token]}" }}'
        lines.append(f"  {own[channel.token]}: {spec} # {_plain(channel.name)} ({channel.source})")
    if derived := layouts(plates):
        lines.append("layouts: # derived from the names of the files: see that they are right")
        lines += [f"  {name}:\n    pattern: {_quoted(text)}" for text, name in derived.items()]
    lines += ["segment:", "  nuclei:"]
    if chosen is None:
        options = ", ".join(own.values())
        lines += [f"    # {_plain(why)}", f"    channel: # set it: {options}"]
    else:
        lines.append(f"    channel: {own[chosen.token]} # {_plain(why)}")
    unknown = [plate for plate in plates if not plate.pixel_size.known]
    movie = any(plate.frames > 1 for plate in plates)
    if ingest or unknown or movie:
        lines.append("ingest:" if ingest else "#ingest:")
        lines += [f"  {name}: {value}" for name, value in ingest.items()]
    if unknown:
        lines.append("#  pixel_size_um: 0.5 # unknown: set it, or lengths are in pixels")
    if movie and not all(plate.time_step.known for plate in plates if plate.frames > 1):
        lines.append("#  time_step_s: 300 # unknown: set it, or times are in frames")
    if movie:
        lines += ["#track: # cells over time", "#  enabled: true"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text as YAML between double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """Text that stays on its line of comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
