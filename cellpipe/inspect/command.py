"""`cellpipe inspect FOLDER`: what is in it, without a config; and one that runs it."""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.inspect.channels import nuclei
from cellpipe.inspect.disk import disk_of
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.pictures import pixels_of_a_field, plot
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.inspect.text import lines
from cellpipe.inspect.written import CONFIG, names, write


def inspect(options: argparse.Namespace) -> int:
    """Print what is in the folder; write what is wanted. Returns the exit status."""
    for folder in (options.write, options.pictures):
        if folder is not None:
            _refuse_no_writing(folder)
    found = find_plates(
        options.folder,
        options.layout,
        follow_links=options.follow_links,
        columns=options.columns,
    )
    if options.write:
        _refuse_results_in_images([one.folder for one in found])
    plates = []
    called = names([one.folder for one in found])
    pictures = options.pictures or options.write
    for one, name in zip(found, called, strict=True):
        plate = inspect_plate(one)
        place, pixels = pixels_of_a_field(plate)
        print("\n".join(lines(plate, disk_of(plate, list(pixels.values())), options.nuclei)))
        for channel, plane in pixels.items():
            if plane.min() == plane.max():
                where = f"well {place[0]} field {place[1]}"
                print(f"  {'note':<14}{where}: every pixel of '{channel}' is {plane.min():g}")
        plates.append(plate)
        if pictures:
            for path in plot(plate, place, pixels, pictures / name):
                print(f"  {'picture':<14}{path}")
    _refuse_other_channel(options.nuclei, plates)
    if len(plates) > 1:
        print(f"{len(plates)} plates: {', '.join(called)}")
    if not options.write:
        return 0
    if not any(plate.sizes for plate in plates):
        raise BadConfig(
            seen=f"none of the images that were opened in {options.folder} can be read",
            wanted="images that a run can use",
            do="copy them again from the microscope",
        )
    files, notes = write(
        plates,
        options.write,
        named=options.nuclei,
        follow_links=options.follow_links,
        columns=options.columns,
    )
    print("written: " + ", ".join(str(path) for path in files))
    for note in notes:
        print(f"note: {note}")
    here = Path("Snakefile").is_file()  # a checkout of cellpipe; elsewhere, the package has its own
    run = "snakemake" if here else "cellpipe run --cores all"
    unset = [note.split("'")[1] for note in notes if "must be set" in note]
    before = "set " + ", ".join(f"'{name}'" for name in unset) + ", then " if unset else ""
    print(f"next: {before}{run} --configfile {shlex.quote(str(options.write / CONFIG))}")
    return 0


def _refuse_no_writing(folder: Path) -> None:
    """Raise BadConfig for a folder that cannot be made, or written to. Nothing is made here."""
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    why = ""
    if not there.is_dir():
        why = f"{there} is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        why = "Permission denied"
    if why:
        raise BadConfig(
            seen=f"{folder}, in which nothing can be written ({why})",
            wanted="a folder for the config and the pictures that this account may write",
            do="name another one, such as one in your home folder",
        )


def _refuse_results_in_images(folders: Sequence[Path]) -> None:
    """Raise BadConfig where a run from here would put its results into the images of a plate."""
    here = Path.cwd()
    for folder in (folder.resolve() for folder in folders):
        if here == folder or here.is_relative_to(folder):
            to, own = shlex.quote(str(folder.parent)), shlex.quote(folder.name)
            raise BadConfig(
                seen=f"{here} is in the images of the plate {folder}, and a run puts its results "
                "where it starts",
                wanted="results outside of the images",
                do=f"cd {to} && cellpipe inspect {own} --write {shlex.quote(f'{folder.name}-run')}",
            )


def _refuse_other_channel(named: Sequence[str], plates: Sequence[Inspected]) -> None:
    """Raise BadConfig where a person names a channel of nuclei that no plate has."""
    unknown = [
        one for one in named if not any(nuclei(plate.channels, [one])[0] for plate in plates)
    ]
    if not unknown:
        return
    there = {c.name.lower(): c.name for plate in plates for c in plate.channels}
    near = difflib.get_close_matches(unknown[0].lower(), there, n=1, cutoff=0.5)
    raise BadConfig(
        seen=f"no channel '{unknown[0]}' (--nuclei)",
        wanted="one of " + ", ".join(f"'{name}'" for name in there.values()),
        do=f"did you mean '{there[near[0]]}'?" if near else "name one of them, or its token",
    )
