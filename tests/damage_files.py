"""Damages of files: removed, cut, renamed, doubled, linked, something else in their place."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tifffile
from harm import Harm, any_field, any_image, any_well, harm_to


def plane_removed(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    path.unlink()
    return harm_to("removed", path)


def field_removed(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_field(folder, rng)
    for path in paths:
        path.unlink()
    return harm_to("field removed", *paths)


def well_removed(folder: Path, rng: np.random.Generator) -> Harm:
    paths = any_well(folder, rng)
    for path in paths:
        path.unlink()
    return harm_to("well removed", *paths)


def cut_short(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: int(len(content) * rng.uniform(0.0, 0.98))])
    return harm_to("cut short", path)


def header_overwritten(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    content = bytearray(path.read_bytes())
    n = int(rng.integers(2, 64))
    content[:n] = rng.integers(0, 256, n, dtype=np.uint8).tobytes()
    path.unlink()
    path.write_bytes(content)
    return harm_to(f"first {n} bytes overwritten", path)


def emptied(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    path.unlink()
    path.touch()
    return harm_to("of no bytes", path)


def text_instead(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    path.unlink()
    path.write_text("<html>404 not found</html>\n")
    return harm_to("a page of text instead of an image", path)


def folder_instead(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    path.unlink()
    path.mkdir()
    return harm_to("a folder of that name", path)


def renamed(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    name = str(rng.choice(["copy of {}", "{}.bak", "{}~", "x{}", "old/{}.tmp", "{}.part"]))
    target = path.parent / name.format(path.name)
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    return harm_to(f"renamed to {target.name}", path)


def renumbered(folder: Path, rng: np.random.Generator) -> Harm:
    """A file gets the number of a field that does not exist."""
    path = any_image(folder, rng)
    target = path.with_name(path.name.replace("_s1", "_s8").replace("_s2", "_s9"))
    path.rename(target)
    return harm_to(f"renumbered to {target.name}", path)


def doubled(folder: Path, rng: np.random.Generator) -> Harm:
    """The same bytes once more, under a name that may or may not be one of the series."""
    path = any_image(folder, rng)
    name = str(rng.choice(["{} (1).tif", "copy/{}.tif", "{}.tiff", "Copy_{}.tif"]))
    target = path.parent / name.format(path.stem)
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, target)
    return Harm(f"doubled as {target.name}")


def doubled_otherwise(folder: Path, rng: np.random.Generator) -> Harm:
    """Another image for a place that has one."""
    path, other = any_image(folder, rng), any_image(folder, rng)
    target = path.parent / "again" / path.name
    target.parent.mkdir()
    tifffile.imwrite(target, tifffile.imread(other)[::-1], metadata=None)
    return harm_to("another image of the same place", path)


def linked(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    (folder / "elsewhere").mkdir(exist_ok=True)
    target = folder / "elsewhere" / path.name
    path.rename(target)
    path.symlink_to(target)
    return harm_to("behind a link", path)


def link_broken(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    path.unlink()
    path.symlink_to(folder / "nowhere" / path.name)
    return harm_to("a link to nothing", path)


def hidden_files(folder: Path, rng: np.random.Generator) -> Harm:
    path = any_image(folder, rng)
    (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(200))
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (path.parent / name).write_bytes(b"\0" * 64)
    return Harm("files of systems")
