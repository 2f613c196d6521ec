"""Domains of the panel: published images with outlined objects, by kind and microscope.

A domain says which files, what their objects are, and who outlined them. Stacks are judged plane by
plane. Left out are labels of a part of the objects (`nuclei-bbbc007`), of a threshold
(`xy_8bit_labels__noisy_nuclei` of `neubias-mixed`: 134 labels on 13 nuclei) or of a classical
segmentation (`tracking-cancer-migration-crop`, `tracking-laptrack-interactive`), and
`zarr-fractal-cardio-v04`, whose pixels are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio.v3 as iio
import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import BadConfig
from cellpipe.networks.card import load_card
from cellpipe.readers.truth.whole_labels import as_labels
from cellpipe.training.cut_pairs import whole
from cellpipe.training.pairs import compact, even_planes

MOST_IMAGES = 25  # of a domain
MOST_PLANES = 6  # of a stack
GREEN = 1
CUT = r"(_z\d+)?(_(train|validation|test))?$"  # what a pair that was cut adds to its file's stem

Files = dict[Path, Path]  # image → labels
Chosen = Callable[[Path], set[str]]  # data → names of the files that are judged


@dataclass(frozen=True)
class Domain:
    """Images of one kind.

    truth : who outlined the objects; a machine's outlines are no measure of accuracy
    files : below the folder of the data, pairs of a pattern of images and of what leads from an
        image to its labels, where {stem} is that of the image
    chosen : names of the files that are judged; None for all
    field : expression for the part of a name that all images of one field, or of one movie, share;
        without it each file is a field of its own
    related : expression for names of the same material in other sets
    twins : data → of a stem, the stems of files of other sets that show the same field
    channel : of an image of several
    """

    name: str
    kind: Literal["nuclei", "cells"]
    truth: Literal["human", "machine", "simulated"]
    files: tuple[tuple[str, str], ...]
    chosen: Chosen | None = None
    field: str | None = None
    related: str | None = None
    twins: Callable[[Path], dict[str, set[str]]] = lambda data: {}
    channel: int = GREEN

    def field_of(self, name: str) -> str:
        """What a name shares with the names of all parts and frames of its field."""
        stem = re.sub(CUT, "", name)
        found = re.search(self.field, stem) if self.field else None
        return found[0] if found else stem


@dataclass(frozen=True)
class Image:
    """One image that is judged.

    name : of its file, without suffix
    fields : names of its field, and of the same field in other sets
    part : it was cut from its field so that other parts of that could be learned from
    pixels, truth : (Y, X), labels 1..n
    """

    domain: Domain
    name: str
    fields: frozenset[str]
    part: bool
    pixels: np.ndarray
    truth: np.ndarray


def _test_side(of_set: str) -> Chosen:
    """Files that the shipped network of nuclei did not learn from; twins are on no other side."""
    return lambda data: set(load_card("nuclei").extra["split"][f"{of_set}/test"])


def _of_kind(kind: str) -> Chosen:
    def files(data: Path) -> set[str]:
        table = pd.read_csv(data / "nuclei-dsb2018" / "manifest.csv")
        return set(table.loc[table["kind"] == kind, "file"])

    return files


def _twins(data: Path) -> dict[str, set[str]]:
    """Fields that DSB 2018 and BBBC039 both have, either way."""
    table = pd.read_csv(data / "nuclei-dsb2018" / "manifest.csv").dropna(subset="bbbc039_twin")
    pairs = [(Path(a).stem, Path(b).stem) for a, b in table[["file", "bbbc039_twin"]].to_numpy()]
    return {a: {b} for a, b in pairs} | {b: {a} for a, b in pairs}


def _flat(folder: str, name: str = "*", suffix: str = "tif") -> tuple[tuple[str, str], ...]:
    """The layout of most sets: images/… and labels/… with the same stems."""
    return ((f"{folder}/images/{name}", f"../labels/{{stem}}.{suffix}"),)


_DSB, _EMBRYO = _flat("nuclei-dsb2018", suffix="png"), r"^Emb\d+_t|_cell_stage$"
_COLI, _TISSUE = "domain-bacteria-bf-fluo-colicoords", "domain-tissue-cellbindb"
_NEUBIAS = "neubias-mixed/nuclei"
DOMAINS = (
    Domain("nuclei-fluorescence", "nuclei", "human", _DSB, _test_side("dsb2018-fluorescence"),
           twins=_twins),
    Domain("nuclei-u2os", "nuclei", "human", _flat("nuclei-bbbc039", suffix="png"),
           _test_side("bbbc039"), twins=_twins),
    Domain("nuclei-histology", "nuclei", "human", _DSB, _of_kind("histology_rgb")),
    Domain("nuclei-bright-field", "nuclei", "human", _DSB, _of_kind("brightfield_grey")),
    # the same field as an image of DSB 2018, found by correlation
    Domain("nuclei-dense", "nuclei", "human",
           (("nuclei-stardist-samples/img2d.tif", "mask2d.tif"),),
           twins=lambda data: {"img2d": {"4dbbb275960ab9e4"}}),
    Domain("nuclei-3d-simulated", "nuclei", "simulated",
           (("nuclei-stardist-samples/img3d.tif", "mask3d.tif"),)),
    Domain("nuclei-close-up", "nuclei", "machine", (
        (f"{_NEUBIAS}/xy_8bit__mitocheck_incenp_t1.tif", "xy_8bit_labels__mitocheck_incenp_t1.tif"),
        (f"{_NEUBIAS}/xy_8bit__mitocheck_incenp_t70.tif",
         "xy_8bit_labels__mitocheck_incenp_t70.tif"),
        (f"{_NEUBIAS}/xy_16bit__h2b.tif", "xy_8bit_labels__h2b.tif"),
        (f"{_NEUBIAS}/xyc_16bit__nup_nuclei.tif",
         "xyc_16bit__nup_nuclei__xy_8bit_labels__nuclei.tif"),
        (f"{_NEUBIAS}/watershed__xyc_16bit__nuclei_tubulin.tif",
         "watershed__xy_8bit_labels__nuclei.tif"),
    )),
    Domain("nuclei-tissue", "nuclei", "human", _flat("domain-nuclei-tissue-kromp")),
    Domain("nuclei-tissue-small", "nuclei", "human",
           (*_flat(_TISSUE, "DAPI.tif"), *_flat(_TISSUE, "ssDNA.tif"))),
    Domain("nuclei-embryo", "nuclei", "human", _flat("domain-embryo-nuclei-3d-bbbc050"),
           related=_EMBRYO),
    Domain("nuclei-embryo-2", "nuclei", "human", _flat("domain-embryo-nuclei-3d-qcanet"),
           related=_EMBRYO),
    Domain("nuclei-plant", "nuclei", "human", _flat("domain-plant-nuclei-3d")),
    Domain("phase", "cells", "human",
           (("cells-phase-usiigaci/train_set*/raw.tif", "instances_ids.png"),), field=r"set\d+"),
    Domain("phase-silver", "cells", "machine",
           (("tracking-t98g-phase/images/*.tif", "../labels_maskrcnn/{stem}.png"),),
           field=r"20180101ef002xy01"),
    Domain("phase-quantitative", "cells", "human", _flat("domain-cells-qpi")),
    Domain("yeast", "cells", "human",
           (("cells-yeast-bf-yit/Various_LabelsBased/RawData/*.tif", "../GroundTruth/{stem}.tif"),),
           field=r"^time"),
    Domain("yeast-bright-field", "cells", "machine", _flat("domain-yeast-bf-baby"),
           field=r"^evolve_test[A-Z]"),
    Domain("bacteria-bright-field", "cells", "machine", _flat(_COLI, "*_bf.tif"), field=r"^\d{5}"),
    Domain("bacteria-fluorescence", "cells", "machine", _flat(_COLI, "*_fl.tif"), field=r"^\d{5}"),
    Domain("bacteria-phase", "cells", "machine", _flat("domain-bacteria-phase-omnipose")),
    Domain("epithelium", "cells", "machine", _flat("domain-epithelium-epitools")),
    Domain("plant-cells", "cells", "human", _flat("domain-plant-ovule-cells-3d")),
    Domain("tissue-cells", "cells", "human", _flat(_TISSUE, "mIF.tif")),
)  # fmt: skip


def listed(domain: Domain, data: Path) -> Files:
    """Every file of a domain with its labels, in the order of names.

    Raises BadConfig where an image or its labels are missing.
    """
    wanted = domain.chosen(data) if domain.chosen else None
    found: Files = {}
    for pattern, to_labels in domain.files:
        for path in sorted(data.glob(pattern)):
            if wanted is None or path.name in wanted:
                found[path] = path.parent / to_labels.format(stem=path.stem)
    missing = [str(path) for path in found.values() if not path.is_file()]
    missing += sorted((wanted or set()) - {path.name for path in found})
    if missing or not found:
        raise BadConfig(
            seen=f"domain {domain.name}: {len(found)} images, missing {missing[:3]}",
            wanted=f"images {', '.join(p for p, _ in domain.files)} below {data}, with labels",
            do="set CELLPIPE_DATA to the folder of the published sets",
        )
    return found


def images(domain: Domain, data: Path) -> Iterator[Image]:
    """What is judged of a domain: at most `MOST_IMAGES` files, evenly."""
    twins = domain.twins(data)
    for path, label in evenly(list(listed(domain, data).items()), MOST_IMAGES):
        # a folder's name is part of the name where all files have one
        name = path.stem if path.stem != "raw" else f"{path.parent.name}_raw"
        yield from _planes(domain, path, label, name, frozenset(twins.get(path.stem, ())), False)


def parts(domain: Domain, pairs: Path) -> Iterator[Image]:
    """The parts on the test side of pairs that were cut for a training; none without such a set."""
    manifest = pairs / domain.name / "manifest.csv"
    if not manifest.is_file():
        return
    table = pd.read_csv(manifest)
    for file in evenly(sorted(table.loc[table["side"] == "test", "file"]), MOST_IMAGES):
        path, label = (pairs / domain.name / kind / file for kind in ("images", "labels"))
        yield from _planes(domain, path, label, path.stem, frozenset(), True)


def evenly(items: list, most: int) -> list:
    """At most so many of them, at even distances: the middles of equal parts."""
    n = min(most, len(items))
    return [items[int((i + 0.5) * len(items) / n)] for i in range(n)]


def _planes(
    domain: Domain, path: Path, label: Path, name: str, twins: frozenset[str], part: bool
) -> Iterator[Image]:
    pixels, labels = _read(path), as_labels(_read(label), str(label))
    fields = twins | {domain.field_of(name)}
    if labels.ndim == 2:
        plane = _channel(pixels, labels.shape, domain.channel)
        yield Image(domain, name, fields, part, plane, compact(labels))
        return
    cut = [whole(plane) for plane in labels]
    for z in even_planes(np.stack(cut), MOST_PLANES):
        yield Image(domain, f"{name}_z{z:02d}", fields, part, pixels[z], cut[z])


def _channel(pixels: np.ndarray, shape: tuple[int, ...], channel: int) -> np.ndarray:
    """One channel (Y, X) of (Y, X), (C, Y, X) or of a colour image (Y, X, 3 or 4)."""
    if pixels.ndim == 3:
        return pixels[channel] if pixels.shape[1:] == shape else pixels[..., channel]
    return pixels


def _read(path: Path) -> np.ndarray:
    return tifffile.imread(path) if path.suffix == ".tif" else iio.imread(path)
