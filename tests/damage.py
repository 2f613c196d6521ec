"""Ways in which a folder of images and a plate map come to harm between microscope and analysis.

Each function takes the folder of a simulated plate (`images/`, `plate_map.tsv`) and a random
generator, does one harm, and returns what it did, with the wells whose numbers may change by it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile


@dataclass(frozen=True)
class Harm:
    """what : a sentence; wells : those whose numbers may change; all others must stay the same."""

    what: str
    wells: frozenset[str] = frozenset()


Damage = Callable[[Path, np.random.Generator], Harm]


def images_of(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.tif"))


def well_of(path: Path) -> str:
    return path.name[:3]


def _one(folder: Path, rng: np.random.Generator) -> Path:
    return images_of(folder)[rng.integers(len(images_of(folder)))]


def _field(folder: Path, rng: np.random.Generator) -> list[Path]:
    """All files of the field of a file."""
    stem = _one(folder, rng).name.split("_w")[0]
    return [path for path in images_of(folder) if path.name.startswith(f"{stem}_w")]


def _well(folder: Path, rng: np.random.Generator) -> list[Path]:
    well = well_of(_one(folder, rng))
    return [path for path in images_of(folder) if well_of(path) == well]


def _harm(what: str, *paths: Path) -> Harm:
    names = ", ".join(path.name for path in paths[:3])
    return Harm(f"{what}: {names}", frozenset(well_of(path) for path in paths))


def _rewrite(path: Path, image: np.ndarray, **options: object) -> None:
    path.unlink()  # it may be a hard link to the undamaged plate's
    tifffile.imwrite(path, image, metadata=None, **options)


# of files


def plane_removed(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    path.unlink()
    return _harm("removed", path)


def field_removed(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _field(folder, rng)
    for path in paths:
        path.unlink()
    return _harm("field removed", *paths)


def well_removed(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _well(folder, rng)
    for path in paths:
        path.unlink()
    return _harm("well removed", *paths)


def cut_short(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: int(len(content) * rng.uniform(0.0, 0.98))])
    return _harm("cut short", path)


def header_overwritten(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    content = bytearray(path.read_bytes())
    n = int(rng.integers(2, 64))
    content[:n] = rng.integers(0, 256, n, dtype=np.uint8).tobytes()
    path.unlink()
    path.write_bytes(content)
    return _harm(f"first {n} bytes overwritten", path)


def emptied(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    path.unlink()
    path.touch()
    return _harm("of no bytes", path)


def text_instead(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    path.unlink()
    path.write_text("<html>404 not found</html>\n")
    return _harm("a page of text instead of an image", path)


def folder_instead(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    path.unlink()
    path.mkdir()
    return _harm("a folder of that name", path)


def renamed(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    name = str(rng.choice(["copy of {}", "{}.bak", "{}~", "x{}", "old/{}.tmp", "{}.part"]))
    target = path.parent / name.format(path.name)
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    return _harm(f"renamed to {target.name}", path)


def renumbered(folder: Path, rng: np.random.Generator) -> Harm:
    """A file gets the number of a field that does not exist."""
    path = _one(folder, rng)
    target = path.with_name(path.name.replace("_s1", "_s8").replace("_s2", "_s9"))
    path.rename(target)
    return _harm(f"renumbered to {target.name}", path)


def doubled(folder: Path, rng: np.random.Generator) -> Harm:
    """The same bytes once more, under a name that may or may not be one of the series."""
    path = _one(folder, rng)
    name = str(rng.choice(["{} (1).tif", "copy/{}.tif", "{}.tiff", "Copy_{}.tif"]))
    target = path.parent / name.format(path.stem)
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, target)
    return Harm(f"doubled as {target.name}")


def doubled_otherwise(folder: Path, rng: np.random.Generator) -> Harm:
    """Another image for a place that has one."""
    path, other = _one(folder, rng), _one(folder, rng)
    target = path.parent / "again" / path.name
    target.parent.mkdir()
    tifffile.imwrite(target, tifffile.imread(other)[::-1], metadata=None)
    return _harm("another image of the same place", path)


def linked(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    (folder / "elsewhere").mkdir(exist_ok=True)
    target = folder / "elsewhere" / path.name
    path.rename(target)
    path.symlink_to(target)
    return _harm("behind a link", path)


def link_broken(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    path.unlink()
    path.symlink_to(folder / "nowhere" / path.name)
    return _harm("a link to nothing", path)


def hidden_files(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(200))
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (path.parent / name).write_bytes(b"\0" * 64)
    return Harm("files of systems")


# of pixels


def resized(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    image = tifffile.imread(path)
    cut = int(rng.integers(1, image.shape[0] // 2))
    image = image[cut:] if rng.random() < 0.5 else image[::2, ::2]
    _rewrite(path, image)
    return _harm(f"of {image.shape[0]} × {image.shape[1]} pixels", path)


def eight_bits(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    _rewrite(path, np.clip(tifffile.imread(path) / 16, 0, 255).astype(np.uint8))
    return _harm("exported in 8 bits", path)


def coloured(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    grey = np.clip(tifffile.imread(path) / 16, 0, 255).astype(np.uint8)
    _rewrite(path, np.stack([grey] * 3, axis=-1), photometric="rgb")
    return _harm("exported in colour", path)


def not_finite(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    image = tifffile.imread(path).astype(np.float32)
    image[:5, :5] = np.nan
    _rewrite(path, image)
    return _harm("with NaN", path)


def pages_added(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    image = tifffile.imread(path)
    _rewrite(path, np.stack([image[::-1], image]), photometric="minisblack")
    return _harm("of two pages", path)


def saturated(folder: Path, rng: np.random.Generator) -> Harm:
    """Overexposed on a camera of 12 bits."""
    path = _one(folder, rng)
    image = tifffile.imread(path).astype(float)
    gain = 2 * 4095 / np.percentile(image, 99)
    _rewrite(path, np.clip(image * gain, 0, 4095).astype(np.uint16))
    return _harm("overexposed", path)


def blanked(folder: Path, rng: np.random.Generator) -> Harm:
    path = _one(folder, rng)
    _rewrite(path, np.full_like(tifffile.imread(path), rng.choice([0, 100])))
    return _harm("blank", path)


def half_blank(folder: Path, rng: np.random.Generator) -> Harm:
    """As after a transfer that left the end of a file as zeros."""
    path = _one(folder, rng)
    image = tifffile.imread(path).copy()
    image[image.shape[0] // 3 :] = 0
    _rewrite(path, image)
    return _harm("zeros in the lower part", path)


def out_of_focus(folder: Path, rng: np.random.Generator) -> Harm:
    from scipy import ndimage

    paths = _field(folder, rng)
    for path in paths:
        blurred = ndimage.gaussian_filter(tifffile.imread(path).astype(float), 12)
        _rewrite(path, blurred.astype(np.uint16))
    return _harm("far out of focus", *paths)


# of movies: frames of one well; of plates, files that do not belong together in time


def _movie(folder: Path, rng: np.random.Generator) -> list[Path]:
    paths = _well(folder, rng)
    return sorted(paths)


def frames_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _movie(folder, rng)
    first = int(rng.integers(1, len(paths) - 2))
    lost = paths[first : first + int(rng.integers(1, 3))]
    for path in lost:
        path.unlink()
    return _harm("frames lost", *lost)


def end_lost(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _movie(folder, rng)
    lost = paths[-int(rng.integers(1, len(paths) // 2)) :]
    for path in lost:
        path.unlink()
    return _harm("movie ends early", *lost)


def time_point_lost(folder: Path, rng: np.random.Generator) -> Harm:
    """The same time point of every well."""
    token = _one(folder, rng).name.split("_")[2]
    lost = [path for path in images_of(folder) if f"_{token}_" in path.name]
    for path in lost:
        path.unlink()
    return _harm(f"time point {token} lost everywhere", *lost)


def frame_repeated(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _movie(folder, rng)
    k = int(rng.integers(1, len(paths)))
    paths[k].unlink()
    shutil.copyfile(paths[k - 1], paths[k])
    return _harm("repeats the frame before", paths[k])


def frames_swapped(folder: Path, rng: np.random.Generator) -> Harm:
    paths = _movie(folder, rng)
    a, b = paths[0], paths[-1]
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)
    return _harm("first and last frame swapped", a, b)


def stage_moved(folder: Path, rng: np.random.Generator) -> Harm:
    """From some frame on, all is seen 40 pixels farther."""
    paths = _movie(folder, rng)
    k = int(rng.integers(2, len(paths) - 2))
    for path in paths[k:]:
        _rewrite(path, np.roll(tifffile.imread(path), (40, -25), (0, 1)))
    return _harm("the stage jumps before", paths[k])


# of the plate map


def _map(folder: Path) -> str:
    return (folder / "plate_map.tsv").read_text()


def _write_map(folder: Path, content: str | bytes, what: str, *wells: str) -> Harm:
    path = folder / "plate_map.tsv"
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Harm(f"plate map {what}", frozenset(wells))


def map_of_excel(folder: Path, rng: np.random.Generator) -> Harm:
    """As Excel saves it: with a mark of its encoding, semicolons, decimal commas, blank rows."""
    kind = int(rng.integers(5))
    text = _map(folder)
    if kind == 0:
        return _write_map(folder, text.encode("utf-16"), "in UTF-16")
    if kind == 1:
        return _write_map(folder, b"\xef\xbb\xbf" + text.encode(), "with a BOM")
    if kind == 2:
        text = text.replace(".", ",").replace("\t", ";")
        return _write_map(folder, text, "with semicolons and decimal commas")
    if kind == 3:
        return _write_map(folder, text + "\t\t\t\n\n\t\t\t\n", "with blank rows at its end")
    rows = text.splitlines()
    return _write_map(folder, "\r\n".join(row + "\t" for row in rows), "with trailing separators")


def map_with_an_extra_cell(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    rows[k] = f"{rows[k]}\tunexpected"
    return _write_map(folder, "\n".join(rows) + "\n", f"with one more cell in row {k + 1}")


def map_without_a_row(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    gone = rows.pop(int(rng.integers(1, len(rows))))
    well = gone.split("\t")[0]
    return _write_map(folder, "\n".join(rows) + "\n", f"without well {well}", well)


def map_with_a_row_twice(folder: Path, rng: np.random.Generator) -> Harm:
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    return _write_map(folder, "\n".join([*rows, rows[k]]) + "\n", f"with row {k + 1} twice")


def map_with_a_wrong_word(folder: Path, rng: np.random.Generator) -> Harm:
    text = _map(folder)
    old, new = [("negative", "negativ"), ("control", "contrl"), ("well", "wll"), ("0.5", "0.5 uM")][
        int(rng.integers(4))
    ]
    return _write_map(folder, text.replace(old, new), f"with '{new}'")


def map_one_column_on(folder: Path, rng: np.random.Generator) -> Harm:
    """A row whose well was deleted, so that its cells moved to the left."""
    rows = _map(folder).splitlines()
    k = int(rng.integers(1, len(rows)))
    rows[k] = rows[k].partition("\t")[2]
    return _write_map(folder, "\n".join(rows) + "\n", f"with row {k + 1} moved to the left")


OF_PLATES: tuple[Damage, ...] = (
    plane_removed, field_removed, well_removed, cut_short, header_overwritten, emptied,
    text_instead, folder_instead, renamed, renumbered, doubled, doubled_otherwise, linked,
    link_broken, hidden_files, resized, eight_bits, coloured, not_finite, pages_added, saturated,
    blanked, half_blank, out_of_focus, map_of_excel, map_with_an_extra_cell, map_without_a_row,
    map_with_a_row_twice, map_with_a_wrong_word, map_one_column_on,
)  # fmt: skip
OF_MOVIES: tuple[Damage, ...] = (
    frames_lost, end_lost, time_point_lost, frame_repeated, frames_swapped, stage_moved,
    plane_removed, cut_short, emptied, resized, eight_bits, blanked, renamed, doubled, hidden_files,
    well_removed,
)  # fmt: skip
