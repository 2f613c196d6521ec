"""What a rule needs from a training config before it runs; loads no torch.

The config is checked here, before any job: Snakemake removes the weights of an earlier training
before the job that would refuse it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from cellpipe.config.training import read_training, refuse_absent_sets


def initial_file(config: str | Path) -> list[str]:
    """The weights that a training starts from, where they are a file; shipped ones are always
    there."""
    initial = str(_read(config).get("initial") or "")
    return [initial] if initial.endswith(".safetensors") else []


def data_folder(config: str | Path, folder: str, made: bool = False) -> list[str]:
    """The folder of the data; none for a training whose images are all simulated.

    `made`: another rule makes what is in it. Raises BadConfig for a set that is not there.
    """
    content = _read(config)
    if not content.get("sets"):
        return []
    if not made:
        refuse_absent_sets(content, Path(folder), str(config))
    return [folder]


def gpus(config: str | Path) -> int:
    """GPUs that a training requires."""
    return int(_read(config).get("schedule", {}).get("device") == "cuda")


def _read(config: str | Path) -> dict[str, Any]:
    """The checked config; empty where there is none, but weights that it might have made are.

    Raises BadConfig.
    """
    path = Path(config)
    if not path.is_file() and Path("training", path.stem, f"{path.stem}.safetensors").is_file():
        return {}
    return _checked(str(path), path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache
def _checked(path: str, changed_ns: int) -> dict[str, Any]:
    """Checked once, though each rule needs several values; and again when it has changed."""
    return read_training(path)
