"""What `cellpipe inspect --write` makes: a config and a sheet of plates that run as they are.

my/config.yaml            channels (of each kind of plates), the one of nuclei, needed options
my/plates.tsv             a row per plate
my/P-plate_map.tsv        wells of each plate, to be filled in; empty, it changes nothing
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.files.publish import publish_text
from cellpipe.inspect.channels import Channel, colours, nuclei
from cellpipe.inspect.plate import Inspected
from cellpipe.inspect.sets import ChannelSet, channel_sets

CONFIG, SHEET, MAP = "config.yaml", "plates.tsv", "plate_map.tsv"
_MAP_HEADER = "well\tcondition\tdose\tcontrol\n"
# folders that no plate is known by; MetaXpress: NAME/2023-02-21/1334
_VAGUE = re.compile(r"(?i)images?|img|raw|data|[\d_-]+|TimePoint_\d+|ZStep_\d+")
_HEADER = "plate\timages\tlayout\tplate_map\n"


def write(
    plates: Sequence[Inspected],
    folder: Path,
    *,
    named: Sequence[str] = (),
    follow_links: bool = False,
    columns: int | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the config, the sheet of plates and plate maps to fill in into `folder`.

    Returns the files, and sentences on what was assumed or must be chosen.
    Raises BadConfig where a file that is there was changed.
    """
    sets, of_plates, notes = channel_sets(
        [plate.channels for plate in plates], names([plate.folder for plate in plates]), named
    )
    channels = sets[0].channels
    chosen, why = nuclei(channels, named)
    if chosen is None:
        notes.append(f"'segment.nuclei.channel' in {folder / CONFIG} must be set: {why}")
    ingest = {
        **({"follow_links": "true"} if follow_links else {}),
        **({"plate_columns": str(columns)} if columns else {}),
        **({"colour_images": "channels"} if any(plate.in_colour for plate in plates) else {}),
    }

    def config(chosen: Channel | None, why: str) -> str:
        return _config(plates, sets, chosen, why, ingest, _seen_from_here(folder / SHEET))

    maps = {
        folder / f"{name}-{MAP}": p
        for name, p in zip(names([plate.folder for plate in plates]), plates, strict=True)
    }
    texts = {
        **{path: _plate_map(plate) for path, plate in maps.items()},
        folder / SHEET: _sheet(plates, list(maps), of_plates),
        folder / CONFIG: config(chosen, why),  # last, so that a config implies the others
    }
    _refuse_changed(texts, config(*nuclei(channels)))
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        publish_text(path, text)
    return list(texts)[::-1], notes


def _refuse_changed(texts: Mapping[Path, str], unchosen: str) -> None:
    """Raise BadConfig for a file that is there, unless it would be written as it is.

    unchosen : the config before a person named the channel of nuclei, which may be replaced
    """
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") not in (
            text,
            unchosen,
        ):
            raise BadConfig(
                seen=f"{path}, which is there already, and different",
                wanted="a folder without one, so that nothing that a person wrote is lost",
                do="name another folder for --write, or remove the file",
            )


def _plate_map(plate: Inspected) -> str:
    """A row per well, to be filled in; with the position that became a well, where one did."""
    positions = _positions(plate)
    if not positions:
        return _MAP_HEADER + "".join(f"{well}\t\t\t\n" for well in plate.wells)
    rows = (f"{well}\t\t\t\t{_plain(positions.get(well, ''))}\n" for well in plate.wells)
    return _MAP_HEADER.replace("\n", "\tposition\n") + "".join(rows)


def _positions(plate: Inspected) -> dict[str, str]:
    """Well → position in the names of its files; empty where names hold wells."""
    expression = re.compile(plate.pattern)
    if "position" not in expression.groupindex:
        return {}
    named = plate.planes[plate.planes["path"] != ""].drop_duplicates("well")
    found = map(expression.fullmatch, named["path"])
    return {well: one["position"] for well, one in zip(named["well"], found, strict=True) if one}


def names(folders: Sequence[Path]) -> list[str]:
    """Names of plates for the sheet, by their folders; no two alike."""
    found: list[str] = []
    resolved = [folder.resolve() for folder in folders]
    for own in resolved:
        folder = own
        while _VAGUE.fullmatch(folder.name) and folder.parent.name:
            folder = folder.parent
        beside = [other.relative_to(folder).parts for other in resolved if folder in other.parents]
        named = _stem(folder)
        if folder != own and len(beside) > 1:  # of plates side by side a number is the name
            levels = enumerate(zip(*beside, strict=False))
            apart = next((k for k, level in levels if len(set(level)) > 1), 0)
            named = "_".join([named, *own.relative_to(folder).parts[apart : apart + 1]])
        word = re.sub(r"[^A-Za-z0-9_.-]+", "_", named).strip("_.-")
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


def _sheet(plates: Sequence[Inspected], maps: Sequence[Path], of_plates: Sequence[str]) -> str:
    """`of_plates` : names of the plates' sets of channels."""
    own, with_sets = layouts(plates), any(of_plates)
    rows = zip(names([plate.folder for plate in plates]), plates, maps, of_plates, strict=True)
    lines = [
        f"{name}\t{_seen_from_here(p.folder)}\t{own.get(p.pattern, p.format.name)}\t"
        f"{_seen_from_here(path)}" + (f"\t{of_set}\n" if with_sets else "\n")
        for name, p, path, of_set in rows
    ]
    header = _HEADER.replace("\n", "\tchannels\n") if with_sets else _HEADER
    return header + "".join(lines)


def _seen_from_here(path: Path) -> str:
    """A path as the config has it: relative below the folder of the run, else whole."""
    here, whole = Path.cwd(), path.resolve()
    return os.path.relpath(whole, here) if whole.is_relative_to(here) else str(whole)


def _config(
    plates: Sequence[Inspected],
    sets: Sequence[ChannelSet],
    chosen: Channel | None,
    why: str,
    ingest: Mapping[str, str],
    sheet: str,
) -> str:
    """The config as YAML, with a comment on each value that is not plain."""
    own = sets[0].keys
    lines = [
        f"# Written by `cellpipe inspect {shlex.quote(str(plates[0].folder))}`. Every option: "
        "docs/options.md.",
        f"plates: {_quoted(sheet)}",
        "channels:",
    ]
    lines += _specs(sets[0], "  ")
    if len(sets) > 1:
        lines.append("channel_sets: # of plates with other channels: see the sheet of plates")
    for one in sets[1:]:
        lines += [f"  {_quoted(one.name)}:", *_specs(one, "    ")]
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


def _specs(of_set: ChannelSet, indent: str) -> Iterator[str]:
    """A line of YAML per channel."""
    colour = colours(of_set.channels)
    for channel in of_set.channels:
        spec = f'{{ source: {_quoted(channel.token)}, color: "{colour[channel.token]}" }}'
        name = of_set.keys[channel.token]
        yield f"{indent}{name}: {spec} # {_plain(channel.name)} ({channel.source})"


def _quoted(text: str) -> str:
    """Text as YAML between double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """Text that stays on its line of comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
