"""What a damage of a plate's folder is: a function that does one harm and returns what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile


@dataclass(frozen=True)
class Harm:
    """What was done to a plate's folder.

    what : a sentence
    wells : wells whose numbers may change; all others must stay the same
    word : what the words about a touched well must contain, a regular expression; "": any new word
    changes : of the config, by section
    stops : the run must stop before any job
    not_knowable : why nothing in the data can show the damage; "" where it must be named
    """

    what: str
    wells: frozenset[str] = frozenset()
    word: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    stops: bool = False
    not_knowable: str = ""


Damage = Callable[[Path, np.random.Generator], Harm]


def images_of(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.tif"))


def well_of(path: Path) -> str:
    return path.name[:3]


def any_image(folder: Path, rng: np.random.Generator) -> Path:
    return images_of(folder)[rng.integers(len(images_of(folder)))]


def any_field(folder: Path, rng: np.random.Generator) -> list[Path]:
    """All files of the field of a file."""
    stem = any_image(folder, rng).name.split("_w")[0]
    return [path for path in images_of(folder) if path.name.startswith(f"{stem}_w")]


def any_well(folder: Path, rng: np.random.Generator) -> list[Path]:
    """All files of a well, sorted: of a movie, its frames."""
    well = well_of(any_image(folder, rng))
    return [path for path in images_of(folder) if well_of(path) == well]


def harm_to(what: str, *paths: Path, **more: Any) -> Harm:
    """A harm to the wells of some files."""
    names = ", ".join(path.name for path in paths[:3])
    return Harm(f"{what}: {names}", frozenset(well_of(path) for path in paths), **more)


def rewrite(path: Path, image: np.ndarray, **options: Any) -> None:
    path.unlink()  # it may be a hard link to the undamaged plate's
    tifffile.imwrite(path, image, metadata=None, **options)


def exchange(a: Path, b: Path) -> None:
    """Two files swap their names."""
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)
