"""What is known of a file of weights, without loading torch.

A card is a JSON file next to the weights: name, kind, architecture, sha256, licence, normalisation,
working scale, data, split and scores.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

from cellpipe.errors import CellpipeError


@dataclass(frozen=True)
class Card:
    """The card of one network. `extra` is for readers only (data, split, scores)."""

    name: str
    kind: str  # "segmentation" | "denoise" | "spots" | "linking"
    architecture: dict
    sha256: str
    licence: str
    normalisation: str | dict  # words: the usual grey scale; else see normalise.GreyScale
    diameter_px: tuple[float, float] | None  # object diameters that were trained on
    calibration: dict | None = None  # of the probability that an object is real; calibration.py
    expectation: dict | None = None  # of F1 without truth; expected.py
    extra: dict = field(default_factory=dict)

    @property
    def trained_on(self) -> str:
        """The sets of images that it was trained on, as text."""
        data = self.extra.get("data", "")
        return data if isinstance(data, str) else ", ".join(map(_named, data))

    @property
    def digest(self) -> str:
        """Distinguishes its results from those of other weights, scales or calibrations."""
        fitted = {k: v for k, v in (self.calibration or {}).items() if k != "scores"}
        known = [self.normalisation, self.diameter_px, fitted]
        if self.expectation is not None:
            known.append({k: v for k, v in self.expectation.items() if k != "scores"})
        told = json.dumps(known)
        return f"{self.sha256}+{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def _named(data: dict | str) -> str:
    """A set of images by its name, with its licence."""
    return data if isinstance(data, str) else f"{data.get('set', data)} ({data.get('licence')})"


def weights_path(name_or_path: str | Path) -> Path:
    """Where the weights are: a shipped name ("nuclei"), or a path to a .safetensors file."""
    text = str(name_or_path)
    if text.endswith(".safetensors"):
        path = Path(text)
    else:
        path = Path(str(resources.files("cellpipe"))) / "weights" / f"{text}.safetensors"
    if not path.is_file():
        near = difflib.get_close_matches(text, shipped(), n=1)
        raise CellpipeError(
            seen=f"no weights {text!r}",
            wanted=f"one of {', '.join(shipped()) or 'no shipped weights'}, or a .safetensors file",
            do=f"did you mean '{near[0]}'?"
            if near
            else "correct 'weights' in the config, or train them (snakemake train)",
        )
    return path


def shipped() -> list[str]:
    """Names of the weights that come with cellpipe."""
    folder = Path(str(resources.files("cellpipe"))) / "weights"
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def load_card(name_or_path: str | Path) -> Card:
    """Read the card next to the weights and check that it is theirs, by sha256."""
    weights = weights_path(name_or_path)
    path = weights.with_suffix(".json")
    try:
        fields = json.loads(path.read_text())
        card = Card(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise CellpipeError(
            seen=f"card {path.name}: {error}",
            wanted="a JSON card written by train_network next to the weights",
            do="copy the card together with the weights",
        ) from error
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != card.sha256:
        raise CellpipeError(
            seen=f"{weights.name} with sha256 {found[:12]}…",
            wanted=f"sha256 {card.sha256[:12]}… as its card says",
            do="fetch weights and card again, together",
        )
    return card
