"""Where a run would take place: what the profile of Snakemake, or its own words, say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cellpipe.config.reading import read_yaml
from cellpipe.errors import BadConfig
from cellpipe.files.workflow import FOLDER

OF_JOBS = ("default-resources", "set-resources", "set-threads")  # what jobs ask for
LOCAL = ("local", "touch", "dryrun")


@dataclass(frozen=True)
class Machine:
    """Cores of one machine, or jobs at once of a cluster.

    profile : where it was read, as a person calls it
    remote : jobs go to a cluster, each to cores and memory of its own
    slots : cores, or jobs at once
    resources : what jobs share, such as mem_mb and gpu; none of a cluster
    of_jobs : settings of the profile for what jobs ask for
    """

    profile: str
    remote: bool
    slots: int
    resources: dict[str, float] = field(default_factory=dict)
    of_jobs: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "of_jobs"}


def read_machine(
    profile: str | None,
    workflow_profile: str | None,
    *,
    cores: str | None = None,
    jobs: str | None = None,
    executor: str | None = None,
    resources: Sequence[str] = (),
) -> Machine:
    """The machine of Snakemake's options of the same names, which go before the profiles'.

    Raises BadConfig for a profile that is not there, and a number that is none.
    """
    found: dict[str, Any] = {}
    folders = [_folder(profile), _folder(workflow_profile) or _default(workflow_profile)]
    for folder in folders:
        if folder is not None:
            found |= read_yaml(_file(folder))
    named = [folder.as_posix() for folder in folders if folder is not None]
    remote = (executor or found.get("executor", "local")) not in LOCAL
    asked = jobs or found.get("jobs") if remote else cores or found.get("cores") or jobs
    slots = read_cores() if asked in (None, "all", "unlimited") else _whole(asked, "jobs or cores")
    shared = _pairs(found.get("resources", {})) | _pairs(resources)
    limits = {} if remote else {k: float(v) for k, v in shared.items() if _is_number(v)}
    return Machine(
        profile=" and ".join(named) or "no profile",
        remote=remote,
        slots=slots,
        resources=limits,
        of_jobs={key: found[key] for key in OF_JOBS if key in found},
    )


def _folder(name: str | None) -> Path | None:
    """The folder of a profile that is named: a path, or one of Snakemake's own folders."""
    if not name or name == "none":
        return None
    own = Path.home() / ".config/snakemake"
    for folder in (Path(name), own / name, Path("/etc/xdg/snakemake") / name):
        if folder.is_dir():
            return folder
    raise BadConfig(
        seen=f"no folder of the profile {name}",
        wanted="a folder with the config.yaml of a profile of Snakemake",
        do="correct the path, such as profiles/slurm",
    )


def _default(named: str | None) -> Path | None:
    """The workflow profile that Snakemake takes where none is named."""
    places = (Path("profiles/default"), FOLDER / "profiles/default")
    return None if named == "none" else next((p for p in places if p.is_dir()), None)


def _file(folder: Path) -> Path:
    versioned = sorted(folder.glob("config.v*+.yaml"))
    return versioned[-1] if versioned else folder / "config.yaml"


def _pairs(given: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Resources as a profile writes them, by name or as name=value."""
    if isinstance(given, Mapping):
        return dict(given)
    return {name: value for name, _, value in (str(word).partition("=") for word in given)}


def _is_number(value: Any) -> bool:
    return str(value).replace(".", "", 1).isdecimal()


def _whole(value: Any, what: str) -> int:
    if not str(value).isdecimal() or int(value) < 1:
        raise BadConfig(
            seen=f"{value!r} for {what}", wanted="a whole number of 1 or more", do="correct it"
        )
    return int(value)


def read_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
