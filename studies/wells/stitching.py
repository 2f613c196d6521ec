"""How well fields of simulated wells are placed by what they share, and objects counted once.

    python studies/wells/stitching.py                      # cellpipe alone
    python studies/wells/stitching.py --ashlar PYTHON      # with ashlar in its environment
    CELLPIPE_DATA=… python studies/wells/stitching.py --real  # fields of real plates
    CELLPIPE_DATA=… python studies/wells/stitching.py --null   # fields that share nothing

ashlar (Muhlich et al., Bioinformatics 38:4613, 2022): ``python -m venv a; a/bin/pip install
ashlar``; PYTHON is ``a/bin/python``. It gets the same arrays and positions through a reader of its
own interface; Bio-Formats is not used, so no Java is needed. `filter_sigma` 0 is its default, 1
smooths noisy images; the largest shift is that of cellpipe.

Each well is 4 × 4 fields of 512 × 512, cut at fractions of a pixel out of one scene with about 560
nuclei; the stage reports positions that are wrong by up to 10 px along each axis. Pairs are all 24
neighbours of a well, whether there is anything to align by or not. Objects are the true outlines
that each field cuts, of 30 pixels or more: what is counted twice or never is the fault of the
placement, or of the rule (`cellpipe.correct.once`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import null_pairs
import numpy as np
import pandas as pd

from cellpipe.correct import overlaps
from cellpipe.correct.once import counted_once
from cellpipe.correct.placing import LEAST_NCC, REACH, YES, place_fields
from cellpipe.measure.objects import measure_objects
from cellpipe.simulate.population import MIN_VISIBLE_PX
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

DATA = Path(os.environ.get("CELLPIPE_DATA", "data"))
REAL = {
    "hcs-harmony/operetta-compose": "phenix",
    "hcs-faim/ImageXpress_exported": "imagexpress",
    "hcs-faim/ImageXpress/Projection-Mix": "imagexpress",
}
WITHIN_PX = 0.5
CASES: dict[str, dict[str, Any]] = {
    "10 % overlap": {},
    "5 % overlap": {"overlap": 0.05},
    "a twentieth of the light": {"brightness": 0.05},
    "stage errors of 10 px (normal)": {"errors": "normal"},
    "corners at half the light": {"drop": 0.5},
    "two fields empty": {"empty": (5, 6)},
    "a tenth of the nuclei": {"nuclei_per_mm2": 60.0},
    "blank overlaps": {"blank_overlaps": True},
}
ASHLAR = """
import sys, time, types, unittest.mock
import numpy as np
np.float = float
sys.modules["jnius"] = unittest.mock.MagicMock()
sys.modules["jnius_config"] = types.SimpleNamespace(vm_running=True)
from ashlar import reg

class Metadata(reg.Metadata):
    def __init__(self, fields, positions):
        self.fields, self._positions = fields, np.array(positions, float)
    _num_images = property(lambda self: len(self.fields))
    num_channels = property(lambda self: 1)
    pixel_size = property(lambda self: 1.0)
    pixel_dtype = property(lambda self: self.fields.dtype)
    def tile_position(self, i): return self._positions[i]
    def tile_size(self, i): return np.array(self.fields.shape[1:])

class Reader(reg.Reader):
    def __init__(self, fields, positions):
        self.metadata = Metadata(fields, positions)
    def read(self, series, c): return self.metadata.fields[series]

for path in sys.argv[3:]:
    well = np.load(path)
    start = time.process_time()
    aligner = reg.EdgeAligner(Reader(well["fields"], well["nominal"]), max_shift=float(sys.argv[2]),
                              filter_sigma=float(sys.argv[1]), do_make_thumbnail=False)
    aligner.run()
    np.savez(path + f".{sys.argv[1]}.npz", corners=aligner.positions,
             seconds=time.process_time() - start)
"""


def pairs_of(design: WellDesign) -> np.ndarray:
    """(P, 2) numbers of the fields next to each other."""
    number = np.arange(np.prod(design.grid)).reshape(design.grid)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
    down = np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)
    return np.concatenate([across, down])


def errors_px(corners: np.ndarray, well: SimulatedWell, pairs: np.ndarray) -> np.ndarray:
    """(P,) how far the offset of two neighbours is from the true one."""
    wrong = corners - well.true
    return np.hypot(*(wrong[pairs[:, 1]] - wrong[pairs[:, 0]]).T)


def counted(corners: np.ndarray, well: SimulatedWell) -> int:
    """Objects, counted once."""
    parts = []
    for number, labels in enumerate(well.labels):
        none = np.zeros((0, *labels.shape), np.uint16)
        own = measure_objects(labels.astype(np.uint32), none, [], 1.0).assign(field=number)
        own[["y_um", "x_um"]] += corners[number]
        parts.append(own[own["area_um2"] >= MIN_VISIBLE_PX])
    seen = pd.concat(parts, ignore_index=True)
    middles = corners + (np.array(well.labels.shape[1:]) - 1) / 2
    counts = counted_once(
        seen["field"].to_numpy(),
        seen[["y_um", "x_um"]].to_numpy(),
        np.sqrt(seen["area_um2"].to_numpy() / np.pi),
        middles,
        cut=seen["touches_border"].to_numpy(),
        longest_px=seen["major_axis_um"].to_numpy(),
    )
    return int(counts.sum())


def upsampled_fraction(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The fraction of a pixel by scikit-image, in place of cellpipe's."""
    from skimage.registration import phase_cross_correlation

    taper = np.outer(*(np.hanning(n) for n in one.shape))
    left = phase_cross_correlation(
        one * taper, other * taper, upsample_factor=50, normalization=None
    )[0]
    return (float(left[0]), float(left[1])) if np.abs(left).max() < 1.5 else (0.0, 0.0)


def by_cellpipe(well: SimulatedWell, fraction: Any) -> tuple[np.ndarray, float, int]:
    """Corners, CPU seconds, and fields that are said to lie at the stage's position."""
    own, overlaps._fraction = overlaps._fraction, fraction
    start = time.process_time()
    placed = place_fields(list(well.fields), well.nominal)
    seconds = time.process_time() - start
    overlaps._fraction = own
    return placed.corners, seconds, placed.by.count("nominal")


def by_ashlar(python: str, sigma: float, paths: list[Path], shape: tuple[int, int]) -> list[tuple]:
    shift = str(REACH * min(shape) * np.sqrt(2))  # along both axes
    words = [python, "-W", "ignore", "-c", ASHLAR, str(sigma), shift, *map(str, paths)]
    subprocess.run(words, check=True)
    found = [np.load(f"{path}.{sigma}.npz") for path in paths]
    return [(one["corners"], float(one["seconds"]), 0) for one in found]


def real() -> None:
    """Neighbours of real plates: channels are placed one by one, and should agree."""
    from cellpipe.readers import manifest
    from cellpipe.readers.pixels.reading import read_plane
    from cellpipe.readers.vendor.centres import field_centres

    print("| set, well, channel | by the stage (y, x in px) | found | ncc | used |")
    print("|---|---|---|---|---|")
    for name, layout in REAL.items():
        folder = DATA / name
        planes = manifest.list_planes(layout, folder, {})
        centres = field_centres(planes, folder, layout)
        header = manifest.read_header_below(folder)(planes["path"].iat[0], planes["page"].iat[0])
        for (well, channel), own in planes.groupby(["well", "channel"]):
            first = own.drop_duplicates("field")
            at = [centres[well, int(field)] for field in first["field"]]
            nominal = np.array([[c.y_um, c.x_um] for c in at]) / header.pixel_size_um
            where = zip(first["path"], first["page"], strict=True)
            fields = [read_plane(folder / path, int(page)) for path, page in where]
            for row in place_fields(fields, nominal).pairs.itertuples():
                y, x = nominal[row.second] - nominal[row.first]
                print(
                    f"| {name} {well} {channel} | {y:.2f}, {x:.2f} | {row.offset_y_px:.2f}, "
                    f"{row.offset_x_px:.2f} | {row.ncc:.2f} | {row.used} |"
                )


def null(wells: int) -> None:
    """Pairs that share nothing: how many are believed, and how near the others come."""
    print(
        "| fields show | pairs | believed | by score alone | score, of chance | lead | ncc left |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, fields_of in null_pairs.kinds(DATA):
        tables = []
        for well in range(1, wells + 1):
            fields = [np.asarray(field) for field in fields_of(well)]
            if fields:
                placed = place_fields(fields, null_pairs.nominal(fields[0].shape[-2:]))
                chance = max(placed.chance_score, 1e-9)
                tables.append(placed.pairs.assign(times=placed.pairs["score"] / chance))
        if not tables:
            continue
        pairs = pd.concat(tables)
        near = pairs[(pairs["times"] > 1) & (pairs["ncc"] >= LEAST_NCC)]
        lead, left = near["score"] / near["elsewhere"], near["ncc_without"] / near["ncc"]
        print(
            f"| {name} | {len(pairs)} | {(pairs['used'] == YES).sum()} | {len(near)} "
            f"| {pairs['times'].max():.2f} | {_span(lead)} | {_span(left)} |",
            flush=True,
        )


def _span(values: pd.Series) -> str:
    return f"{values.min():.2f} to {values.max():.2f}" if len(values) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ashlar", metavar="PYTHON", help="of the environment with ashlar")
    parser.add_argument("--wells", type=int, default=5, help="of each case")
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--real", action="store_true", help="real plates instead")
    parser.add_argument("--null", action="store_true", help="fields that share nothing instead")
    args = parser.parse_args()
    if args.null:
        null(args.wells)
        return
    if args.real:
        real()
        return
    print("| wells | placed by | pairs within 0.5 px | median, largest error (px) | fields left at "
          "the stage's position | objects, of truth | CPU seconds a well |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for name in args.cases:
        found: dict[str, list[tuple]] = defaultdict(list)
        designs = [WellDesign(**CASES[name], seed=seed) for seed in range(1, args.wells + 1)]
        wells = [simulate_well(design) for design in designs]
        for well in wells:
            found["stage"].append((well.nominal, 0.0, 16))
            found["cellpipe"].append(by_cellpipe(well, overlaps._fraction))
            found["cellpipe, fraction by scikit-image"].append(
                by_cellpipe(well, upsampled_fraction)
            )
        if args.ashlar:
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder, f"{n}.npz") for n in range(len(wells))]
                for path, well in zip(paths, wells, strict=True):
                    np.savez(path, fields=well.fields, nominal=well.nominal)
                for sigma in (0.0, 1.0):
                    results = by_ashlar(args.ashlar, sigma, paths, designs[0].shape)
                    found[f"ashlar, sigma {sigma:g}"] = results
        for method, results in found.items():
            pairs = pairs_of(designs[0])
            wrong = np.concatenate(
                [errors_px(one[0], well, pairs) for one, well in zip(results, wells, strict=True)]
            )
            # ashlar starts at 0, 0; only differences count
            share = [
                counted(one[0], well) / well.n_nuclei - 1
                for one, well in zip(results, wells, strict=True)
            ]
            left = "" if method.startswith("ashlar") else f"{sum(one[2] for one in results)}"
            print(
                f"| {name} | {method} | {100 * (wrong <= WITHIN_PX).mean():.1f} % of {len(wrong)} "
                f"| {np.median(wrong):.2f}, {wrong.max():.2f} | {left} "
                f"| {100 * min(share):+.2f} to {100 * max(share):+.2f} % "
                f"| {np.mean([one[1] for one in results]):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
