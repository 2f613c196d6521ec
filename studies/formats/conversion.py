"""What it costs to convert a plate to OME-Zarr, compared with a raw copy and with other converters.

    python studies/formats/conversion.py --wells 96 [--uzh python] [--ngff python] [--memory]

A simulated plate, as Harmony exports it (two fields in a well, two channels, 1080 × 1080, uint16),
is written to OME-Zarr by

    copy           tifffile, then the chunks of full resolution with the codecs that cellpipe's have
    floor          the same with the levels of the pyramid: every chunk that cellpipe writes
    ingest         cellpipe's ingest of all blocks in one process, from a plate that is laid out
    shards         the same with `ingest.shards`, a file for all channels of a field and level
    workflow       inspection, layout and ingest by Snakemake, and what starts them
    uzh            fractal-uzh-converters (`convert_operetta`), in the environment of `--uzh`
    ngff           ngff-zarr (`to_multiscales`, `to_ngff_zarr` of each field), in that of `--ngff`

in turn in each round, each in a process of its own with one thread for each library. The figure is
CPU seconds of all its processes without those of its imports, because machines are shared. Chunks
of `ingest` are compared with those of `floor` byte for byte, and pixels of the others with the
images. `--memory`: peak of the largest process for a quarter, all and four times the wells.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SIDE, FIELDS, CHANNELS, UM = 1080, 2, ("HOECHST 33342", "Alexa 488"), 0.598
ENTRY = (
    '<Image Version="1"><id>{id}</id><State>Ok</State><URL>{url}</URL><Row>{row}</Row><Col>{column}'
    "</Col><FieldID>{field}</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>"
    "{channel}</ChannelID><FlimID>1</FlimID><ChannelName>{name}</ChannelName><ImageResolutionX "
    'Unit="m">{m}</ImageResolutionX><ImageResolutionY Unit="m">{m}</ImageResolutionY>'
    "<ImageSizeX>{side}</ImageSizeX><ImageSizeY>{side}</ImageSizeY><MaxIntensity>65535"
    '</MaxIntensity><PositionX Unit="m">{x}</PositionX><PositionY Unit="m">0</PositionY>'
    '<PositionZ Unit="m">0</PositionZ>'
    '<AbsPositionZ Unit="m">0.13</AbsPositionZ><MeasurementTimeOffset Unit="s">0'
    '</MeasurementTimeOffset><MainEmissionWavelength Unit="nm">{nm}</MainEmissionWavelength>'
    '<ObjectiveMagnification Unit="">20</ObjectiveMagnification><ObjectiveNA Unit="">0.8'
    "</ObjectiveNA></Image>"
)
CONFIG = """
plates: plates.tsv
channels:
  dna: {source: "1", color: "0000FF"}
  reporter: {source: "2", color: "00FF00"}
segment:
  nuclei: {channel: dna, engine: classical}
  cells: {method: "off"}
profile: {readouts: [area_um2], hit_readout: null}
"""


def wells_of(n: int) -> list[tuple[int, int]]:
    """(row, column) of n wells, row by row of 24."""
    return [(1 + i // 24, 1 + i % 24) for i in range(n)]


def url_of(row: int, column: int, field: int, channel: int) -> str:
    return f"r{row:02d}c{column:02d}f{field:02d}p01-ch{channel}sk1fk1fl1.tiff"


def write_plate(folder: Path, n_wells: int) -> None:
    """Images that differ: simulated fields, shifted, with noise of their own."""
    import numpy as np
    import tifffile

    from cellpipe.simulate import PlateDesign, simulate_field

    design = PlateDesign(shape=(SIDE, SIDE))
    base = [simulate_field(design, well, 1).pixels[:2] for well in ("B02", "C05", "D08")]
    images = folder / "Images"
    images.mkdir(parents=True)
    rng, entries = np.random.default_rng(0), []
    for n, (row, column) in enumerate(wells_of(n_wells)):
        for field in range(1, FIELDS + 1):
            for channel, name in enumerate(CHANNELS, start=1):
                plane = np.roll(base[n % 3][channel - 1], (37 * n, 91 * field), (0, 1))
                plane = (plane + rng.integers(0, 4, plane.shape)).astype(np.uint16)
                url = url_of(row, column, field, channel)
                tifffile.imwrite(images / url, plane, metadata=None)
                entries.append(
                    ENTRY.format(
                        id=f"{row:02d}{column:02d}K1F{field}P1R{channel}", url=url, row=row,
                        column=column, field=field, channel=channel, name=name, m=UM * 1e-6,
                        side=SIDE, x=(field - 1.5) * SIDE * UM * 1e-6, nm=(461, 519)[channel - 1],
                    )
                )  # fmt: skip
    head = '<EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"><Images>'
    (images / "Index.idx.xml").write_text(
        f"{head}{''.join(entries)}</Images></EvaluationInputData>"
    )


def raw(plate: Path, out: Path, n_wells: int, pyramid: bool) -> None:
    """The floor: a plane read, each level encoded as cellpipe's chunks are, and written."""
    import google_crc32c
    import numcodecs
    import numpy as np
    import tifffile

    numcodecs.blosc.use_threads = False
    codec = numcodecs.Blosc("zstd", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE)
    for row, column in wells_of(n_wells):
        for field in range(1, FIELDS + 1):
            image = out / chr(64 + row) / f"{column:02d}" / str(field)
            for channel in (1, 2):
                path = plate / "Images" / url_of(row, column, field, channel)
                level = total = tifffile.imread(path)
                total = total.astype(np.uint32)
                for k in range(4 if pyramid else 1):
                    if k:
                        y, x = (side // 2 * 2 for side in total.shape)
                        total = total[:y, :x]
                        total = (total[::2, ::2] + total[1::2, ::2]) + (
                            total[::2, 1::2] + total[1::2, 1::2]
                        )
                        level = ((total + 2 ** (2 * k - 1)) >> (2 * k)).astype(np.uint16)
                    packed = bytes(codec.encode(np.ascontiguousarray(level)))
                    chunk = image / str(k) / "c/0" / str(channel - 1) / "0/0/0"
                    chunk.parent.mkdir(parents=True, exist_ok=True)
                    checksum = google_crc32c.value(packed).to_bytes(4, "little")
                    chunk.write_bytes(packed + checksum)


def write_run(plate: Path, out: Path) -> None:
    """A folder with config and sheet, where the workflow runs."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(CONFIG)
    (out / "plates.tsv").write_text(f"plate\timages\tlayout\nP\t{plate / 'Images'}\tphenix\n")


def workflow(plate: Path, out: Path) -> None:
    write_run(plate, out)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "1", "--workflow-profile", "none"]
    first = [*command, "--until", "lay_out_plate", "--", "all"]  # blocks are known by then
    subprocess.run(first, cwd=out, check=True, capture_output=True)
    blocks = json.loads((out / "results/P/blocks.json").read_text())["blocks"]
    tables = [f"results/P/blocks/ingest/{block}.parquet" for block in blocks]
    subprocess.run([*command, "--", *tables], cwd=out, check=True, capture_output=True)


def ingest(made: Path, plate: Path, out: Path, shards: bool = False) -> None:
    """The script of the rule `ingest_block` on every block, from the workflow's manifest."""
    import runpy

    from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

    from cellpipe.plate.lay_out import lay_out

    done = made / "results/P"
    here = out / "results/P"
    here.mkdir(parents=True)
    inspection = json.loads((done / "inspection.json").read_text())
    lay_out(here / "layout.json", inspection, colors=["0000FF", "00FF00"], labels=["nuclei"],
            shards=shards)  # fmt: skip
    blocks = json.loads((done / "blocks.json").read_text())["blocks"]
    for block in blocks:
        made_of = {"layout": here / "layout.json", "blocks": done / "blocks.json",
                   "manifest": done / "manifest.parquet"}  # fmt: skip
        log = out / f"results/logs/ingest_block/P/{block}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        params = {"images": plate / "Images", "in_place": False, "on_bad_image": "quarantine",
                  "code": {"digest": "", "libraries": []}}  # fmt: skip

        class Job(NamedTuple):
            input: InputFiles
            output: OutputFiles
            params: Params
            wildcards: Wildcards
            log: Log
            rule: str = "ingest_block"
            config: dict = {}  # noqa: RUF012

        table = here / f"blocks/ingest/{block}.parquet"
        table.parent.mkdir(parents=True, exist_ok=True)
        job = Job(
            InputFiles(fromdict={k: str(v) for k, v in made_of.items()}),
            OutputFiles(fromdict={"table": str(table)}),
            Params(fromdict=params),
            Wildcards(fromdict={"plate": "P", "block": block}),
            Log(toclone=[str(log)]),
        )
        runpy.run_path(str(ROOT / "scripts/ingest_block.py"), {"snakemake": job})


def uzh(plate: Path, out: Path) -> None:
    from fractal_uzh_converters.operetta.api import OperettaAcquisitionModel, convert_operetta

    acquisition = OperettaAcquisitionModel(path=str(plate), plate_name="P", acquisition_id=0)
    convert_operetta(zarr_dir=str(out), acquisitions=[acquisition])


def ngff(plate: Path, out: Path, n_wells: int) -> None:
    import ngff_zarr
    import numpy as np
    import tifffile

    for row, column in wells_of(n_wells):
        for field in range(1, FIELDS + 1):
            urls = [url_of(row, column, field, c) for c in (1, 2)]
            pixels = np.stack([tifffile.imread(plate / "Images" / url) for url in urls])
            scale = {"c": 1.0, "y": UM, "x": UM}
            image = ngff_zarr.to_ngff_image(pixels, dims=["c", "y", "x"], scale=scale)
            levels = ngff_zarr.to_multiscales(
                image, scale_factors=[2, 4, 8], chunks={"c": 1, "y": SIDE, "x": SIDE}
            )
            to = out / chr(64 + row) / f"{column:02d}" / str(field)
            ngff_zarr.to_ngff_zarr(str(to), levels, version="0.5")


IMPORTS = (
    "import snakemake.iocontainers, zarr, tifffile, imagecodecs, pandas, cellpipe.plate.lay_out, "
    "cellpipe.run.block_job, cellpipe.run.frames.ingest, cellpipe.readers.pixels.reading"
)
STARTS = {  # what each imports
    "copy": "import numcodecs, tifffile, google_crc32c",
    "floor": "import numcodecs, tifffile, google_crc32c",
    "ingest": IMPORTS,
    "shards": IMPORTS,
    "uzh": "from fractal_uzh_converters.operetta.api import convert_operetta",
    "ngff": "import ngff_zarr, tifffile",
}


def do(name: str, plate: Path, out: Path, n_wells: int, made: Path) -> None:
    match name:
        case "plate":
            write_plate(plate, n_wells)
        case "copy" | "floor":
            raw(plate, out, n_wells, name == "floor")
        case "ingest":
            ingest(made, plate, out)
        case "shards":
            ingest(made, plate, out, shards=True)
        case "workflow":
            workflow(plate, out)
        case "uzh":
            uzh(plate, out)
        case "ngff":
            ngff(plate, out, n_wells)


class Cost(NamedTuple):
    cpu_s: float
    wall_s: float
    peak_mb: float  # of the largest of its processes


def measured(command: list[str]) -> Cost:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                   "BLOSC_NTHREADS": "1", "DASK_NUM_WORKERS": "1"}  # fmt: skip
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command}:\n{said.read().decode()[-3000:]}")
    wall_s = time.perf_counter() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss / 1024)


def files_and_bytes(folder: Path) -> tuple[int, float]:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes) / 2**20


def store_of(name: str, out: Path) -> Path:
    return out / "results/P/P.ome.zarr" if name in ("ingest", "shards", "workflow") else out


def compare_chunks(floor: Path, ours: Path) -> int:
    """Chunks that are the same bytes. Raises AssertionError for one that is not."""
    n = 0
    for path in floor.rglob("c/0/*/0/0/0"):
        own = ours / path.relative_to(floor)
        assert own.read_bytes() == path.read_bytes(), own
        n += 1
    return n


def compare_pixels(name: str, out: Path, plate: Path) -> None:
    """A field of another converter is the images. Raises AssertionError where it is not."""
    import numpy as np
    import tifffile
    import zarr

    arrays = [path for path in sorted(out.rglob("*")) if path.is_dir() and _is_array(path)]
    stored = np.squeeze(np.asarray(zarr.open_array(str(arrays[0]), mode="r")[:]))
    images = [tifffile.imread(plate / "Images" / url_of(1, 1, 1, c)) for c in (1, 2)]
    stored = stored[..., :SIDE, :SIDE]  # of a well, its first field
    assert stored.shape == (2, SIDE, SIDE), (name, stored.shape)
    for own, image in zip(stored, images, strict=True):
        assert (own == image).all(), name


def _is_array(path: Path) -> bool:
    if (path / ".zarray").is_file():
        return True
    about = path / "zarr.json"
    return about.is_file() and json.loads(about.read_text())["node_type"] == "array"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uzh", help="python of an environment with fractal-uzh-converters")
    parser.add_argument("--ngff", help="python of an environment with ngff-zarr")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary one")
    parser.add_argument("--do", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        name, plate, out, n_wells, made = options.do
        do(name, Path(plate), Path(out), int(n_wells), Path(made))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        here = Path(folder)
        if options.memory:
            memory(here, options.wells)
        else:
            speed(here, options)


def command_of(python: str, name: str, here: Path, plate: Path, n_wells: int) -> list[str]:
    out = here / name
    shutil.rmtree(out, ignore_errors=True)
    words = [name, str(plate), str(out), str(n_wells), str(here / "workflow")]
    return [python, str(Path(__file__).resolve()), "--do", *words]


def speed(here: Path, options: argparse.Namespace) -> None:
    plate, n = here / "plate", options.wells
    # a process of its own, so that this one stays small: its size would count for those it starts
    measured(command_of(sys.executable, "plate", here, plate, n))
    n_files, mb = files_and_bytes(plate / "Images")
    print(f"{n} wells, {n_files - 1:,} images, {mb:,.0f} MB, {options.rounds} round(s)\n")
    ours = ("copy", "floor", "workflow", "ingest", "shards")
    pythons = {**dict.fromkeys(ours, sys.executable), "uzh": options.uzh, "ngff": options.ngff}
    costs: dict[str, list[Cost]] = {}
    for _ in range(options.rounds):
        for name, python in pythons.items():
            if python:
                command = command_of(python, name, here, plate, n)
                costs.setdefault(name, []).append(measured(command))
    print("| | CPU s (least) | all rounds | without imports | × copy | × floor | wall s (least) "
          "| peak MB | files | MB |\n|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    net: dict[str, float] = {}
    for name, own in costs.items():
        start = STARTS.get(name)
        begun = [measured([pythons[name], "-c", start]).cpu_s for _ in range(3)] if start else [0.0]
        least = min(cost.cpu_s for cost in own)
        net[name] = least - min(begun)
        files, size = files_and_bytes(store_of(name, here / name))
        cells = [
            name,
            f"{least:.1f}",
            ", ".join(f"{cost.cpu_s:.1f}" for cost in own),
            f"{net[name]:.1f}",
            *(f"{net[name] / net[of]:.2f}" if of in net else "" for of in ("copy", "floor")),
            f"{min(cost.wall_s for cost in own):.1f}",
            f"{max(cost.peak_mb for cost in own):,.0f}",
            f"{files:,}",
            f"{size:,.0f}",
        ]
        print(f"| {' | '.join(cells)} |")
    same = compare_chunks(here / "floor", store_of("ingest", here / "ingest"))
    compare_chunks(here / "floor", store_of("workflow", here / "workflow"))
    for name in {"uzh", "ngff"} & set(costs):
        compare_pixels(name, here / name, plate)
    print(f"\n{same:,} chunks of ingest and workflow are those of floor, byte for byte; pixels of "
          "the others are those of the images")  # fmt: skip


def memory(here: Path, n_wells: int) -> None:
    print("| wells | peak of ingest, MB | peak of workflow, MB |\n|---|---|---|")
    for n in (n_wells // 4, n_wells, 4 * n_wells):
        plate = here / "plate"
        measured(command_of(sys.executable, "plate", here, plate, n))
        peaks = [
            measured(command_of(sys.executable, name, here, plate, n)).peak_mb
            for name in ("workflow", "ingest")
        ]
        print(f"| {n} | {peaks[1]:,.0f} | {peaks[0]:,.0f} |")


if __name__ == "__main__":
    main()
