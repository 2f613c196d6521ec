"""Pairs of images and labels from folders.

Pairs of a plate are listed by `plates`; `split` assigns them to training, validation and test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import read_written
from cellpipe.readers.truth.whole_labels import as_labels
from cellpipe.training import weak

TIFF = (".tif", ".tiff")
MOST_COLOURS = 4  # red, green, blue and opacity
LABEL_SUFFIXES = (".png", *TIFF)


@dataclass(frozen=True)
class PairSet:
    """Folders of images and of labels with the same file stems.

    images : one folder, or one per channel in the network's order; an image with several channels
        may also be one file, (C, Y, X) or in colour (Y, X, C)
    channel : of files with several channels, the one that is learned from, counted from 0
    manifest : table with a column `file`; `keep` selects rows by column value; `group_column`
        names the twin of an image in another set
    weight : how often crops are sampled from here, against the other sets' 1
    planes : images of a stack (Z, Y, X) with labels (Z, Y, X), at most: planes at even distances
        between the first and the last with objects
    truth : what the labels are; of points and boxes one table for all images, with the column
        `file` and those of `weak.COLUMNS`, in pixels
    diameter_px : of the objects that points mark
    """

    name: str
    images: str | tuple[str, ...]
    labels: str
    licence: str
    manifest: str | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    group_column: str | None = None
    held_out: tuple[float, float] = (0.15, 0.15)  # shares of validation and test
    weight: float = 1.0
    planes: int = 8
    channel: int | None = None
    truth: weak.Truth = "outlines"
    diameter_px: float | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        return (self.images,) if isinstance(self.images, str) else self.images


@dataclass(frozen=True)
class FilePair:
    """Files of one image, one per channel, and of its labels; of stacks, one plane."""

    images: tuple[Path, ...]
    label: Path
    plane: int | None = None
    channel: int | None = None

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (C, Y, X), and labels (Y, X) uint32, relabelled 1..n."""
        labels = as_labels(_of_stack(_read(self.label), self.plane), str(self.label))
        return _channels(self.images, labels.shape, self.channel, self.plane), compact(labels)


@dataclass(frozen=True)
class MarkedPair:
    """Files of one image whose objects are marked, but not outlined.

    marks : points (n, 2), boxes (n, 4), or the path of an image of scribbles
    """

    images: tuple[Path, ...]
    truth: weak.Truth
    marks: np.ndarray | Path
    channel: int | None = None
    diameter_px: float | None = None

    def marked(self) -> tuple[np.ndarray, weak.Marked]:
        """Pixels (C, Y, X), and what is known of the objects."""
        if isinstance(self.marks, Path):
            scribbles = as_labels(_read(self.marks), str(self.marks))
            pixels = _channels(self.images, scribbles.shape, self.channel)
            return pixels, weak.of_scribbles(scribbles, pixels)
        pixels = _channels(self.images, None, self.channel)
        shape = (pixels.shape[1], pixels.shape[2])
        if self.truth == "boxes":
            return pixels, weak.of_boxes(self.marks, shape)
        return pixels, weak.of_points(self.marks, shape, float(self.diameter_px or 0))

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (C, Y, X), and guessed labels (Y, X)."""
        pixels, marked = self.marked()
        return pixels, marked.labels


def list_pairs(pair_set: PairSet, root: Path) -> pd.DataFrame:
    """Table of pairs: set, file, pair (what reads it), group, shape of the labels."""
    first = root / pair_set.folders[0]
    if pair_set.manifest is None:
        _refuse_absent(first, pair_set.name)
        table = pd.DataFrame({"file": sorted(p.name for p in first.iterdir() if p.is_file())})
    else:
        _refuse_absent(root / pair_set.manifest, pair_set.name)
        written = read_written(root / pair_set.manifest, "list of images", header=("file",))
        written.require(["file", *pair_set.keep])
        table = written.cells
    for column, value in pair_set.keep.items():
        table = table[table[column] == str(value)]
    stems = table["file"].map(lambda name: Path(name).stem)
    group = stems
    if pair_set.group_column:
        twin = table[pair_set.group_column]
        group = twin.where(twin != "", table["file"])
        group = group.map(lambda name: Path(name).stem)
    images = [tuple(root / f / name for f in pair_set.folders) for name in table["file"]]
    if pair_set.truth != "outlines":
        pairs = _marked(pair_set, root, table["file"].tolist(), images)
        listed = pd.DataFrame({"file": table["file"], "pair": pairs, "group": group})
        shapes = [pair.marked()[1].labels.shape for pair in pairs]
        return listed.assign(shape=shapes, set=pair_set.name, weight=pair_set.weight)
    labels = [_label_file(root / pair_set.labels, stem) for stem in stems]
    _refuse_missing(pair_set.name, [path for files in images for path in files] + labels)
    rows: list[tuple[str, FilePair, str, tuple[int, ...]]] = []
    for name, of_group, files, label in zip(table["file"], group, images, labels, strict=True):
        shape = _shape(label)
        if len(shape) == 2:
            rows.append((name, FilePair(files, label, None, pair_set.channel), of_group, shape))
            continue
        for z in even_planes(_read(label), pair_set.planes):
            # one stack is one group: its planes show the same objects
            pair = FilePair(files, label, z, pair_set.channel)
            rows.append((f"{name} z{z}", pair, of_group, shape[1:]))
    listed = pd.DataFrame(rows, columns=["file", "pair", "group", "shape"])
    return listed.assign(set=pair_set.name, weight=pair_set.weight)


def _marked(
    pair_set: PairSet, root: Path, names: Sequence[str], images: Sequence[tuple[Path, ...]]
) -> list[MarkedPair]:
    """Pairs of a set whose labels are points, boxes or scribbles."""
    marks: list[np.ndarray | Path]
    if pair_set.truth == "scribbles":
        marks = [_label_file(root / pair_set.labels, Path(name).stem) for name in names]
        files = [path for path in marks if isinstance(path, Path)]
    else:
        columns = weak.COLUMNS[pair_set.truth]
        _refuse_absent(root / pair_set.labels, pair_set.name)
        written = read_written(root / pair_set.labels, pair_set.truth, header=("file", *columns))
        written.require(["file", *columns])
        numbers = written.numbers(columns).to_numpy()
        of = written.cells["file"].to_numpy()
        _refuse_unmarked(pair_set, names, set(of))
        marks = [numbers[of == name] for name in names]
        files = []
    _refuse_missing(pair_set.name, [*(path for own in images for path in own), *files])
    return [
        MarkedPair(own, pair_set.truth, mark, pair_set.channel, pair_set.diameter_px)
        for own, mark in zip(images, marks, strict=True)
    ]


def _refuse_unmarked(pair_set: PairSet, names: Sequence[str], marked: set[str]) -> None:
    """An image without a mark would be learned from as one without objects."""
    without, unknown = sorted(set(names) - marked), sorted(marked - set(names))
    if without or unknown:
        few = ", ".join([*without, *unknown][:3])
        raise BadConfig(
            seen=f"set {pair_set.name}: {len(without)} image(s) without a row in "
            f"{pair_set.labels}, {len(unknown)} row(s) of no image: {few}",
            wanted="one or more rows for each image, with the name of its file",
            do="mark the objects of every image, or leave the image out",
        )


def even_planes(labels: np.ndarray, most: int) -> list[int]:
    """Planes of a stack of labels (Z, Y, X) at even distances, from those that hold objects.

    A stack without objects is learned from as an image without objects is: from all its planes.
    """
    held = np.flatnonzero(labels.reshape(len(labels), -1).any(axis=1))
    if not len(held):
        held = np.arange(len(labels))
    # the middles of equal parts: caps of objects at the ends are few pixels
    places = (np.arange(min(most, len(held))) + 0.5) * len(held) / min(most, len(held))
    return [int(held[int(place)]) for place in places]


def read_all(
    pairs: pd.DataFrame, channels: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Pixels (C, Y, X) and labels (Y, X) of each pair; and where these are certain, bool (Y, X),
    None for all of them.

    Raises BadConfig for an image of more or fewer channels, by name.
    """
    for row in pairs.itertuples():
        known = None
        if isinstance(row.pair, MarkedPair):
            pixels, (labels, known) = row.pair.marked()
        else:
            pixels, labels = row.pair.read()
        if len(pixels) != channels:
            raise BadConfig(
                seen=f"{row.file} of set {row.set} with {len(pixels)} channel(s)",
                wanted=f"{channels}, as 'network.inputs' is",
                do="correct inputs, or images or channels of the set",
            )
        yield pixels, labels, known


def read_pair(image: Path, label: Path) -> tuple[np.ndarray, np.ndarray]:
    """One image (Y, X) and its labels (Y, X) uint32, relabelled 1..n."""
    pixels, labels = FilePair((image,), label).read()
    return pixels[0], labels


def compact(labels: np.ndarray) -> np.ndarray:
    """Labels numbered 1..n in their old order, uint32; 0 stays 0."""
    values, places = np.unique(labels, return_inverse=True)
    if len(values) and values[0] != 0:  # no background: the first object is still an object
        places = places + 1
    return places.reshape(labels.shape).astype(np.uint32)


def _read(path: Path) -> np.ndarray:
    # imageio would take three planes of a TIFF for a colour image
    return tifffile.imread(path) if path.suffix in TIFF else iio.imread(path)


def _shape(path: Path) -> tuple[int, ...]:
    if path.suffix not in TIFF:
        return iio.improps(path).shape
    with tifffile.TiffFile(path) as file:
        return file.series[0].shape


def _of_stack(pixels: np.ndarray, plane: int | None) -> np.ndarray:
    return pixels if plane is None else pixels[plane]


def _channels(
    images: Sequence[Path], shape: tuple[int, ...] | None, channel: int | None, z: int | None = None
) -> np.ndarray:
    """Pixels (C, Y, X) of files, one per channel or with several, or one channel of each.

    shape : (Y, X) of the labels; without it, a short last axis is that of colours
    """
    planes = [_planes(path, _of_stack(_read(path), z), shape) for path in images]
    if channel is not None:
        planes = [_channel(path, of, channel) for path, of in zip(images, planes, strict=True)]
    return np.concatenate(planes)


def _channel(path: Path, planes: np.ndarray, channel: int) -> np.ndarray:
    if not 0 <= channel < len(planes):
        raise BadConfig(
            seen=f"{path.name} with {len(planes)} channel(s), and 'channel: {channel}'",
            wanted="a channel of the image, counted from 0",
            do="correct 'channel' of the set in the training config",
        )
    return planes[[channel]]


def _planes(path: Path, pixels: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    if shape is None:
        colours = pixels.ndim == 3 and pixels.shape[-1] <= MOST_COLOURS
        shape = pixels.shape[:2] if colours else pixels.shape[-2:]
    if pixels.shape == shape and pixels.ndim == 2:
        return pixels[None]
    if pixels.ndim == 3 and pixels.shape[1:] == shape:
        return pixels
    if pixels.ndim == 3 and pixels.shape[:2] == shape:
        return np.moveaxis(pixels, -1, 0)
    raise BadConfig(
        seen=f"{path.name} of shape {pixels.shape}, labels of shape {shape}",
        wanted="an image (Y, X), (C, Y, X) or in colour (Y, X, C), and labels of the same shape",
        do="leave the pair out, or convert it",
    )


def _label_file(folder: Path, stem: str) -> Path:
    found = (folder / f"{stem}{suffix}" for suffix in LABEL_SUFFIXES)
    return next((path for path in found if path.exists()), folder / f"{stem}.png")


def _refuse_absent(path: Path, name: str) -> None:
    if not path.exists():
        raise BadConfig(
            seen=f"set {name}: no {path}",
            wanted="images below the folder of the data",
            do="correct the set in the training config, or set CELLPIPE_DATA to the data's folder",
        )


def _refuse_missing(name: str, files: Sequence[Path]) -> None:
    missing = [path.name for path in files if not path.exists()]
    if missing or not files:
        raise BadConfig(
            seen=f"set {name}: {len(files)} files, {len(missing)} of them missing {missing[:3]}",
            wanted="images, each with one label image (PNG or TIFF, same stem)",
            do="correct images, labels or keep in the training config",
        )
