"""Plant faults in finished results, and see whether `cellpipe verify` finds and mends them.

    a finished plate ── a copy ── faults of every kind ──► verify: each of them, and no other
                                                      └──► verify --mend ──► the undisturbed bytes

    python studies/faults/plant_faults.py --run FOLDER --faults 200 --rounds 5

FOLDER holds a config.yaml and finished results of the plate P in results/ (tests/running.py makes
such folders; movies with `denoise.keep`, `track.keep_labels` and exports have every kind). A round
plants its share of the faults in one copy, no two in one place.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.plate.plate import Plate
from cellpipe.run.faults import Found

# what is compared byte by byte with the undisturbed results; block tables, receipts and records
# hold seconds, and reports say when they were made
FINAL = (
    *("*.parquet", "*.tsv", "profiles/*.parquet", "classifier/*", "*.zarr/**/*", "ctc/**/*"),
    *("*.geff/**/*", "trackmate/*", "napari/*", "figures/*", "layout*.json", "inspection.json"),
)


@dataclass(frozen=True)
class Planted:
    """One fault: its kind, and by which of these places it may be reported.

    places : paths below the plate's folder, or "well field t layer" of frames
    listed_in : files that hold its digest; while one of them is damaged too, it is reported instead
    """

    kind: str
    places: frozenset[str]
    listed_in: frozenset[str] = frozenset()

    def is_in(self, reported: set[str]) -> bool:
        return bool((self.places | self.listed_in) & reported)


def reported(found: Found) -> set[str]:
    """Places of what verify reports, as `Planted` names them."""
    places = {fault.path for fault in found.faults if fault.path}
    for fault in found.faults:
        if fault.unit and fault.t is not None:
            places.add(f"{fault.unit.well} {fault.unit.field} {fault.t} {fault.kind}")
    return places


class Planter:
    """Plants faults in a plate's folder, no two in one place."""

    def __init__(self, root: Path, rng: np.random.Generator) -> None:
        self.root, self.rng = root, rng
        self.plate = Plate(root / "layout.json")
        kept = root / "layout_denoised.json"
        self.denoised = Plate(kept) if kept.is_file() else None
        self.used: set[str] = set()
        records = sorted((root / "digests").rglob("*.json"))
        self.listed = [(path, set(json.loads(path.read_text())["files"])) for path in records]
        self.kinds: list[Callable[[], Planted | None]] = [
            *(lambda layer=layer, how=how: self.chunk(layer, how)
              for layer in self.layers() for how in ("flip", "cut", "delete")),
            *(lambda layer=layer, how=how: self.swapped(layer, how)
              for layer in self.layers() for how in ("frames", "fields", "channels")),
            *(lambda how=how: self.metadata(how)
              for how in ("scale", "channel", "array", "gone", "consolidated")),
            *(lambda how=how: self.file("table", how)
              for how in ("flip", "cut", "value", "delete")),
            *(lambda what=what: self.file(what, "flip")
              for what in ("table", "geff", "ctc", "receipt", "block", "other", "record")),
            *(lambda what=what: self.file(what, "delete") for what in ("geff", "ctc", "table")),
        ]  # fmt: skip

    def plant(self, n_faults: int) -> list[Planted]:
        """Plant so many faults, kind by kind in turn."""
        planted: list[Planted] = []
        for attempt in range(50 * n_faults):
            if len(planted) == n_faults:
                return planted
            fault = self.kinds[attempt % len(self.kinds)]()
            if fault:
                planted.append(fault)
        raise SystemExit(f"room for {len(planted)} faults only: plant fewer in a round")

    def layers(self) -> list[str]:
        return ["pixels", *(["denoised"] if self.denoised else []), *self.plate.label_names]

    def chunks(self, layer: str) -> list[Path]:
        """Chunks of a layer, of all fields and levels."""
        plate = self.denoised if layer == "denoised" and self.denoised else self.plate
        inner = "" if layer in ("pixels", "denoised") else f"labels/{layer}/"
        found: list[Path] = []
        for where in plate.fields.values():
            for level in range(len(where.levels)):
                found += (plate.path / where.path / f"{inner}{level}").glob("c/**/[0-9]*")
        return sorted(path for path in found if path.is_file())

    def place(self, path: Path, layer: str) -> str:
        """The frame that a chunk is of, as `Planted` names it."""
        found = re.search(r"([A-Z]+)/(\d+)/(\d+)/(?:labels/\w+/)?\d+/c/(\d+)/", path.as_posix())
        assert found, path
        return f"{found[1]}{int(found[2]):02d} {found[3]} {found[4]} {layer}"

    def take(self, paths: list[Path], layer: str, n: int = 1) -> list[Path]:
        """Some chunks of frames that hold no fault yet; empty if there are not enough."""
        free = [p for p in paths if self.place(p, layer) not in self.used]
        array = {self.array(p) for p in paths} & self.used
        free = [p for p in free if self.array(p) not in array]
        if len(free) < n:
            return []
        picked = [free[i] for i in self.rng.permutation(len(free))[:n]]
        self.used |= {self.place(p, layer) for p in picked}
        return picked

    @staticmethod
    def array(path: Path) -> str:
        """The image or layer that a chunk or a file of metadata belongs to."""
        return re.sub(r"/\d+/(c/.*|zarr\.json)$", "", path.as_posix())

    def chunk(self, layer: str, how: str) -> Planted | None:
        picked = self.take(self.chunks(layer), layer)
        if not picked:
            return None
        damage(picked[0], how, self.rng)
        return Planted(
            f"{how} a chunk of {layer}",
            frozenset([self.place(picked[0], layer)]),
            self.tables_of(layer),
        )

    def swapped(self, layer: str, how: str) -> Planted | None:
        """Exchange two chunks that differ: of two frames, two fields, or two channels."""
        paths = self.chunks(layer)
        if how == "channels":
            if layer not in ("pixels", "denoised"):
                return None
            pairs = [(p, Path(re.sub(r"/c/(\d+)/0/", r"/c/\1/1/", p.as_posix()))) for p in paths]
            pairs = [(a, b) for a, b in pairs if a != b and b.is_file()]
        else:
            one = self.take(paths, layer)
            same = [p for p in paths if p.parts[-7:] != one[0].parts[-7:]] if one else []
            if how == "frames":
                same = [p for p in same if one and self.array(p) == self.array(one[0])]
            else:
                same = [p for p in same if one and self.array(p) != self.array(one[0])]
            pairs = [(one[0], p) for p in same if self.place(p, layer) not in self.used]
        self.rng.shuffle(pairs)
        for a, b in pairs:
            both = {self.place(a, layer), self.place(b, layer)}
            if a.read_bytes() == b.read_bytes() or (how == "channels" and both & self.used):
                continue
            first, second = a.read_bytes(), b.read_bytes()
            a.write_bytes(second)
            b.write_bytes(first)
            self.used |= both
            return Planted(f"exchange {how} of {layer}", frozenset(both), self.tables_of(layer))
        return None

    def metadata(self, how: str) -> Planted | None:
        """Edit the metadata of an image, or of an array whose chunks hold no fault."""
        arrays = sorted(self.plate.path.rglob("zarr.json"))
        groups = [p for p in arrays if '"multiscales"' in p.read_text()]
        if how in ("array", "gone"):
            groups = [p for p in arrays if '"chunk_grid"' in p.read_text()]
            hit = {self.image_and_layer(used) for used in self.used if used.count(" ") == 3}
            groups = [p for p in groups if self.of_array(p) not in hit]
        groups = [p for p in groups if self.relative(p) not in self.used]
        if how == "channel":
            groups = [p for p in groups if '"omero"' in p.read_text()]
        if not groups:
            return None
        path = groups[self.rng.integers(len(groups))]
        edit_metadata(path, how)
        self.used |= {self.relative(path), self.array(path)}
        return Planted(f"metadata: {how}", frozenset([self.relative(path)]))

    def image_and_layer(self, place: str) -> str:
        well, number, _, layer = place.split()
        where = self.plate.fields[well, int(number)]
        return f"{where.path} {layer}"

    def of_array(self, path: Path) -> str:
        found = re.search(r"([A-Z]+/\d+/\d+)/(?:labels/(\w+)/)?\d+/zarr\.json$", path.as_posix())
        assert found, path
        return f"{found[1]} {found[2] or 'pixels'}"

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def file(self, what: str, how: str) -> Planted | None:
        """Damage a file beside the stores."""
        patterns = {
            "table": ("*.parquet", "*.tsv", "profiles/*"),
            "geff": ("*.geff/**/*",),
            "ctc": ("ctc/**/*",),
            "receipt": ("receipts/*/*",),
            "block": ("blocks/*/*.parquet",),
            "other": ("figures/*", "report.html", "ro-crate-metadata.json", "classifier/*",
                      "trackmate/*", "napari/*"),
            "record": ("digests/*/*.json",),
        }[what]  # fmt: skip
        paths = sorted(p for g in patterns for p in self.root.glob(g) if p.is_file())
        paths = [p for p in paths if p.name != "manifest.parquet" and p.stat().st_size]
        paths = [p for p in paths if self.relative(p) not in self.used]
        if how == "value":
            paths = [p for p in paths if p.suffix == ".parquet" and len(pd.read_parquet(p))]
        if not paths:
            return None
        path = paths[self.rng.integers(len(paths))]
        damage(path, how, self.rng)
        self.used.add(self.relative(path))
        kind = f"{how} a {what} ({path.name})"
        return Planted(kind, frozenset([self.relative(path)]), self.records_of(path))

    def tables_of(self, layer: str) -> frozenset[str]:
        """Tables that hold the digests of a layer: those of tracks stand in no receipts."""
        tables = self.root.glob("blocks/track/*.parquet") if layer == "tracks" else ()
        return frozenset(self.relative(path) for path in tables)

    def records_of(self, path: Path) -> frozenset[str]:
        """Records that list a file."""
        own = self.relative(path)
        return frozenset(self.relative(record) for record, files in self.listed if own in files)


def damage(path: Path, how: str, rng: np.random.Generator) -> None:
    """Flip a bit, cut, delete, or alter a value of a table."""
    if how == "delete":
        path.unlink()
    elif how == "value":
        alter_value(path)
    else:
        content = bytearray(path.read_bytes())
        place = int(rng.integers(len(content)))
        if how == "flip":
            content[place] ^= 1 << int(rng.integers(8))
        else:
            del content[place:]
        path.write_bytes(bytes(content))


def alter_value(path: Path) -> None:
    """Write a table anew, as another program would, with one number changed."""
    table = pd.read_parquet(path)
    numbers = table.select_dtypes("number").columns
    if len(numbers):
        table[numbers[-1]] = table[numbers[-1]].astype(float)
        table.loc[0, numbers[-1]] = 12345.0
    table.to_parquet(path, index=False)


def edit_metadata(path: Path, how: str) -> None:
    """Change what a file of metadata says, as a person or another program would."""
    if how == "gone":
        path.unlink()
        return
    content = json.loads(path.read_text())
    ome = content.get("attributes", {}).get("ome", {})
    if how == "scale":
        transform = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]
        transform["scale"][-1] *= 2
    elif how == "channel":
        ome["omero"]["channels"][0]["label"] = "another"
    elif how == "array":
        content["fill_value"] = 7
    else:
        content["consolidated_metadata"] = {"kind": "inline", "must_understand": False,
                                            "metadata": {}}  # fmt: skip
    path.write_text(json.dumps(content, indent=1) + "\n")


def digests(root: Path) -> dict[str, str]:
    """sha256 of what results end with."""
    paths = {p for pattern in FINAL for p in root.glob(pattern) if p.is_file()}
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(paths)
        if "/." not in f"/{p.relative_to(root).as_posix()}"
    }


def main() -> None:
    from cellpipe.run.faults import find_faults

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", default="1")
    parser.add_argument("--no-mend", action="store_true", help="only find them")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    whole = digests(options.run / "results/P")
    total = n_found = n_mended = 0
    started = time.monotonic()
    first = find_faults(options.run / "results/P")
    spent = time.monotonic() - started
    print(f"undisturbed: {len(first.faults)} faults, {first.n_files} files, {spent:.1f} s")
    for number in range(options.rounds):
        copy = options.run.parent / f"{options.run.name}_faults"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(options.run, copy, symlinks=True)
        root = copy / "results/P"
        move_record(root, options.run, copy)
        planted = Planter(root, rng).plant(options.faults // options.rounds)
        places = reported(find_faults(root))
        missed = [fault for fault in planted if not fault.is_in(places)]
        total, n_found = total + len(planted), n_found + len(planted) - len(missed)
        print(f"round {number}: {len(planted)} planted, {len(planted) - len(missed)} found")
        for fault in missed:
            print(f"  missed: {fault.kind} {sorted(fault.places)}")
        if options.no_mend:
            continue
        command = [sys.executable, "-m", "cellpipe", "verify", "results/P", "--mend"]
        done = subprocess.run(
            [*command, "--cores", options.cores], cwd=copy, capture_output=True, text=True
        )
        (options.run.parent / f"mend_{number}.log").write_text(done.stdout + done.stderr)
        now = digests(root)
        differ = sorted(p for p in whole.keys() | now.keys() if whole.get(p) != now.get(p))
        left = find_faults(root).faults
        n_mended += len(planted) if not differ and not left else 0
        print(f"  mended: status {done.returncode}, {len(left)} faults left, "
              f"{len(differ)} files differ {differ[:5]}", flush=True)  # fmt: skip
    print(f"{n_found} of {total} found, {n_mended} mended")


def move_record(root: Path, old: Path, new: Path) -> None:
    """Let the copy's record of its run speak of the copy."""
    path = root / "run.json"
    path.write_text(path.read_text().replace(str(old.absolute()), str(new.absolute())))


if __name__ == "__main__":
    main()
