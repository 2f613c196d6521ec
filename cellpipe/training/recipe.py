"""What a rule has to know of a training config before it runs; loads no torch.

Anything that is wrong in a config is said by the training itself, which reads all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellpipe.config.files import load_yaml


def initial_file(config: str | Path) -> list[str]:
    """The weights that a training starts from, where they are a file; shipped ones always lie
    there."""
    initial = str(_read(config).get("initial") or "")
    return [initial] if initial.endswith(".safetensors") else []


def data_folder(config: str | Path, folder: str) -> list[str]:
    """The folder of the data; none for a training whose images are all drawn."""
    return [folder] if _read(config).get("sets") else []


def gpus(config: str | Path) -> int:
    """GPUs that a training asks for."""
    schedule = _read(config).get("schedule")
    return int(isinstance(schedule, dict) and schedule.get("device") == "cuda")


def _read(config: str | Path) -> dict[str, Any]:
    content = load_yaml(config) if Path(config).is_file() else None
    return content if isinstance(content, dict) else {}
