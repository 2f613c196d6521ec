"""What results were made with: the code, the libraries and the weights, as receipts hold it.

A job notes what it runs with where it runs: stages have environments of their own, and results
that are kept from an earlier run were made by what was installed then. Report, RO-Crate and the
metadata of images read it from receipts, and from the records of the rules of a plate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpipe.files import digests

if TYPE_CHECKING:
    from cellpipe.run.receipts import Receipt

# distributions that are called otherwise than what is imported
DISTRIBUTIONS = {
    "PIL": "pillow",
    "bioimageio": "bioimageio.core",
    "ctc_metrics": "py-ctcmetrics",
    "geff_spec": "geff-spec",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


@dataclass(frozen=True)
class Made:
    """What one result was made with.

    code : digest of the code (`run.code`)
    libraries : distribution → version, of what that code imports and is installed
    weights : name of a network → digest of its weights and calibration
    """

    code: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def here(code: Mapping[str, Any], weights: Mapping[str, str] | None = None) -> Made:
        """Of this process. `code` is what `run.code.code_of` returned for its script."""
        return Made(code["digest"], versions(code["libraries"]), dict(weights or {}))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class StageMade:
    """What the units of a stage were made with; several values where units differ.

    n_units, seconds : units, and seconds on their frames; 0 and NaN for the rule of a plate
    """

    stage: str
    n_units: int
    seconds: float
    codes: tuple[str, ...]
    libraries: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, tuple[str, ...]]


def versions(imported: Iterable[str]) -> dict[str, str]:
    """Distribution → installed version, by names under which libraries are imported.

    Those that are not installed are left out: what is not there was not used.
    """
    found = {}
    for name in sorted({DISTRIBUTIONS.get(name, name) for name in imported}, key=str.lower):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def of_stage(stage: str, receipts: Iterable[Receipt]) -> StageMade:
    """What a stage was made with, by its receipts."""
    several = list(receipts)
    made = [receipt.made for receipt in several]
    return StageMade(
        stage=stage,
        n_units=len(several),
        seconds=sum(frame.seconds for receipt in several for frame in receipt.frames),
        codes=tuple(sorted({each.code for each in made})),
        libraries=_joined(each.libraries for each in made),
        weights=_joined(each.weights for each in made),
    )


def of_tables(tables: Iterable[Path | str]) -> list[StageMade]:
    """What stages were run with, from block tables in `blocks/<stage>/`."""
    from cellpipe.run.receipts import read_receipts  # which imports `Made`

    found: dict[str, list[Receipt]] = {}
    for path in tables:
        found.setdefault(Path(path).parent.name, []).extend(read_receipts(path))
    return [of_stage(stage, receipts) for stage, receipts in found.items()]


def of_rules(root: Path, rules: Iterable[str]) -> list[StageMade]:
    """What rules of a plate were run with, from the records in its folder `root`."""
    found = []
    for rule in rules:
        record = digests.read_record(root, rule)
        made = Made(**record.made) if record else Made()
        alone = [made.libraries], [made.weights]
        found.append(StageMade(rule, 0, math.nan, (made.code,), *map(_joined, alone)))
    return found


def _joined(several: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Name → its different values, sorted."""
    found: dict[str, set[str]] = {}
    for each in several:
        for name, value in each.items():
            found.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found[name])) for name in sorted(found, key=str.lower)}
