"""One frame in even light: its pixels corrected by the light that was found for its plate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cellpipe.correct.light import Light


def read_light(path: str | Path | Sequence[str]) -> Light:
    """The light of a plate as its `light.json` holds it; nothing is corrected without a path."""
    return Light.read(Path(str(path)).read_text(encoding="utf-8")) if path else Light()
