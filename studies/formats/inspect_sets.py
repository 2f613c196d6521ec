"""What `cellpipe inspect` finds in real folders, compared with what is in them.

CELLPIPE_DATA=path/to/data python studies/formats/inspect_sets.py [--speed]

Expected values are from the sets' own descriptions, their vendors' metadata read by hand, or the
number of files by name; found ones are those of the command. `--speed`: CPU seconds for a plate of
17,280 planes (384 wells, 9 fields, 5 channels) in several formats, whose files are one small TIFF,
linked; each in a process of its own, without its imports.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile

from cellpipe.errors import CellpipeError
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate


class Expected(NamedTuple):
    """A plate of a set: its format, wells, fields in all, channels, pixel size (µm) as text."""

    format: str
    wells: int
    fields: int
    channels: str
    pixel: str = "unknown"
    positions: int = 0  # fields whose position the vendor's files hold
    others: str = ""  # z step, time step, objective, as far as they are known


FLUORESCEIN = "Fluorescein (FITC)"
LAMBDA = "X Plan Apo Lambda / NA "
V5 = "Digital Phase Contrast, Brightfield high, 488 650, Alexa 488, Alexa 568, Alexa 647"
# folder → plates; a text: the beginning of the answer, where there is no plate
SETS: dict[str, list[Expected] | str] = {
    "hcs-harmony/operetta-compose": [
        Expected("phenix", 1, 2, FLUORESCEIN, "1.19595 µm", 2, "10x / NA 0.3")
    ],
    "hcs-harmony/pe2loaddata-v5": [Expected("phenix", 1, 1, V5, "0.597976 µm", 1, "20x / NA 1")],
    "hcs-harmony/pe2loaddata-v7": "names 7 image(s)",
    "hcs-faim/CV8000": [
        Expected(
            "cellvoyager", 3, 12, "405 (BP445/45), 488 (BP525/50)", "0.325 µm", 12, "3 µm, 20x v2"
        )
    ],
    "hcs-faim/ImageXpress/Projection-Mix": [
        Expected(
            "imagexpress",
            2,
            4,
            "FITC_05 (1), FITC_05 (2), FITC_05 (3), FITC_05 (4)",
            "1.3668 µm",
            0,
            f"20{LAMBDA}0.75",
        )
    ],
    "hcs-faim/ImageXpress/1well-3C-2S-Zmix-T": [
        Expected(
            "imagexpress",
            1,
            2,
            "FITC, Cy3, Texas Red",
            "13.5504 µm",
            0,
            "5.502 s, 4X Plan Apo / NA 0.2",
        )
    ],
    "hcs-faim/ImageXpress_exported": [
        Expected("imagexpress", 1, 1, "DAPI", "1.3672 µm", 0, f"40{LAMBDA}0.95"),
        Expected("imagexpress", 2, 4, "DAPI, FITC", "1.3672 µm", 0, f"30.029 s, 40{LAMBDA}0.95"),
    ],
    "hcs-faim/ome-tiff": "names no well",
    "hcs-cp-examples/ExampleHuman": [Expected("cellomics", 1, 1, "0, 1, 2")],
    "hcs-cp-examples/ScanR-cherry": [Expected("scanr", 1, 1, "cherry")],
    "hcs-cp-examples/StaphInfection": [Expected("imagexpress", 1, 1, "2")],
    "hcs-cp-examples/ExampleFly": [Expected("own", 1, 1, "D, F, R")],
    "hcs-cp-examples/ExampleSpeckles": [Expected("own", 1, 1, "1")],
    "hcs-cellpainting-nf1": [Expected("cytation", 3, 3, "DAPI, GFP, RFP")],
    "hcs-phenix-pediatric-cp": [Expected("phenix", 1, 1, "1, 2, 3, 4, 5, 6")],
    "hcs-transfluor-rowO": [Expected("cellomics", 8, 16, "2")],
    "hcs-plate-sbs-bbbc013/images": [Expected("bbbc", 48, 48, "1, 2")],
    "formats-real/nd2": [
        Expected(
            "nd2",
            4,
            4,
            "DAPI, FITC BP, GFP 488 nm, Mono, TRITC BP",
            "0.32339 µm",
            0,
            "6 µm, 0.50016 s, Plan Apo λ 20x",
        )
    ],
    "formats-real/czi": [Expected("czi", 1, 1, "AF488", "0.1 µm", 0, "Plan-Apochromat 5x/0.35")],
    "formats-real/lif": [
        Expected(
            "lif",
            1,
            3,
            "Green, Red",
            "0.14028 µm",
            0,
            "0.229062 µm, 0.53 s, HC PL APO CS2    63x/1.30 GLYC",
        )
    ],
    "tracking-formats": "names are of no known microscope",
    "zarr-fractal-cardio-v04": "has no pixels at full size",
}


def found_in(folder: Path) -> list[tuple[Expected, str]] | str:
    """What the command finds: plates with the source of their pixel size; else its answer."""
    try:
        plates = [inspect_plate(one) for one in find_plates(folder)]
    except CellpipeError as fault:
        return fault.seen
    return [
        (
            Expected(
                plate.format.name,
                len(plate.wells),
                len(plate.fields),
                ", ".join(channel.name for channel in plate.channels),
                plate.pixel_size.value,
                _positions(plate.positions.value),
                ", ".join(
                    each.value
                    for each in (plate.z_step, plate.time_step, plate.objective)
                    if each.known
                ),
            ),
            plate.pixel_size.source.split(" of ")[0],
        )
        for plate in plates
    ]


def _positions(text: str) -> int:
    """Fields whose position is in a vendor's file; those in tags are of a sample only."""
    words = text.split()
    return int(words[1].replace(",", "")) if words[0] == "of" else 0


def compare(data: Path) -> int:
    """Print a row for each plate; returns the number of values that are not as expected."""
    wrong = 0
    print("| folder | format | wells | fields | channels | pixel size (source) "
          "| z step, time step, objective | positions | as expected |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for name, expected in SETS.items():
        found = found_in(data / name)
        if isinstance(found, str) or isinstance(expected, str):
            alike = isinstance(found, str) and isinstance(expected, str) and expected in found
            answer = found if isinstance(found, str) else "; ".join(str(one) for one, _ in found)
            answer = answer.replace(f"{data}/", "")
            print(
                f"| {name} | none: {answer} | | | | | | | {'yes' if alike else f'no: {expected}'} |"
            )
            wrong += not alike
            continue
        for n, (one, source) in enumerate(found):
            wanted = expected[n] if n < len(expected) else None
            size = f"{one.pixel} ({source})" if source else one.pixel
            cells = [name, one.format, str(one.wells), str(one.fields), one.channels, size]
            cells += [one.others, str(one.positions)]
            print("| " + " | ".join([*cells, "yes" if one == wanted else f"no: {wanted}"]) + " |")
            wrong += one != wanted
        wrong += max(0, len(expected) - len(found))
    return wrong


IMAGE = (
    "<Image><id>1</id><State>Ok</State><URL>{url}</URL><Row>{r}</Row><Col>{c}</Col>"
    "<FieldID>{f}</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>{ch}"
    "</ChannelID><FlimID>1</FlimID><ChannelName>Channel {ch}</ChannelName><ImageType>Signal"
    '</ImageType><ImageResolutionX Unit="m">5.9E-07</ImageResolutionX><ImageResolutionY Unit="m">'
    "5.9E-07</ImageResolutionY><ImageSizeX>512</ImageSizeX><ImageSizeY>512</ImageSizeY><BinningX>1"
    '</BinningX><BinningY>1</BinningY><PositionX Unit="m">0.0{f}</PositionX><PositionY Unit="m">0'
    '</PositionY><PositionZ Unit="m">2E-05</PositionZ><MeasurementTimeOffset Unit="s">0'
    '</MeasurementTimeOffset><ObjectiveMagnification Unit="">20</ObjectiveMagnification>'
    '<ObjectiveNA Unit="">1</ObjectiveNA></Image>\n'
)
XDCE = (
    '<Image acquisition_time_ms="0" filename="{url}"><Well label="A - 1"><Row number="{r}"/>'
    '<Column number="{c}"/></Well><FocusPosition unit="um" z="7000"/>'
    '<OffsetFromWellCenter x="{f}" y="0"/><Exposure time="80"/><EmissionFilter name="C{ch}"/>'
    '<ExcitationFilter name="C{ch}"/><Identifier field_index="{f}" time_index="0" '
    'wave_index="{ch}" z_index="0"/></Image>\n'
)
OME = (
    '<Image ID="W{r}P{f}"><Pixels PhysicalSizeX="0.5" SizeX="512" SizeY="512" SizeZ="1" SizeC="5" '
    'SizeT="1"><Channel Name="C{ch}"/><Plane TheC="{ch}" TheT="0" TheZ="0" DeltaT="1" PositionX='
    '"{f}" PositionY="0" PositionZ="1"/><TiffData><UUID FileName="{url}"/></TiffData></Pixels>'
    "</Image>\n"
)
HARMONY = "r{r:02d}c{c:02d}f{f:02d}p01-ch{ch}sk1fk1fl1.tiff"
# name → pattern of the files; file of metadata and its entry for each image, "" without one
NAMES = {
    "phenix with its index": (HARMONY, "Index.idx.xml", IMAGE),
    "phenix": (HARMONY, "", ""),
    "imagexpress": ("TimePoint_1/P_{row}{c:02d}_s{f}_w{ch}.tif", "", ""),
    "cellvoyager": ("P_{row}{c:02d}_T0001F{f:03d}L01A01Z01C{ch:02d}.tif", "", ""),
    "incell with its .xdce": ("{row} - {c}(fld {f} wv C{ch} - C{ch}).tif", "P.xdce", XDCE),
    "scanr with its OME-XML": (
        "{row}{c}--W{c:05d}--P{f:05d}--Z00000--T00000--C{ch}.tif", "metadata.ome.xml", OME
    ),
}  # fmt: skip
TIMED = """
import sys, time
import cellpipe.cli, cellpipe.inspect.command, tifffile, imagecodecs  # imports are not counted
before = time.process_time()
cellpipe.cli.main(["inspect", sys.argv[1]])
print(f"{time.process_time() - before:.2f}", file=sys.stderr)
"""


def speed() -> None:
    """Print CPU seconds for large plates."""
    print("| format | planes | CPU seconds |\n|---|---|---|")
    for name, (pattern, file, entry) in NAMES.items():
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made, "plate")
            first = Path(made, "one.tif")
            rng = np.random.default_rng(0)
            tifffile.imwrite(first, rng.integers(0, 999, (512, 512), np.uint16), metadata=None)
            n, images = 0, []
            for r in range(16):
                for c in range(24):
                    for f in range(9):
                        for ch in range(5):
                            named = pattern.format(
                                r=r + 1, row=chr(65 + r), c=c + 1, f=f + 1, ch=ch + 1
                            )
                            path = folder / named
                            path.parent.mkdir(parents=True, exist_ok=True)
                            os.link(first, path)
                            n += 1
                            images.append(
                                entry.format(url=path.name, r=r + 1, c=c + 1, f=f + 1, ch=ch + 1)
                            )
            if file:
                (folder / file).write_text(f"<Images>{''.join(images)}</Images>")
            command = [sys.executable, "-c", TIMED, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"| {name} | {n:,} | {done.stderr.strip()} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", action="store_true")
    if parser.parse_args().speed:
        speed()
    else:
        sys.exit(min(1, compare(Path(os.environ["CELLPIPE_DATA"]))))
