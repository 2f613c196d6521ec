"""A network that scores candidate links and divisions between two frames of a movie.

Two small perceptrons, one for links and one for divisions, on the clues of `cellpipe.track.clues`.
Its scores are mixed with those of the movie's statistics; the proportion was chosen on
validation movies, and is kept with the weights. Links scored by a network, there a transformer over
several frames: Gallusser & Weigert, ECCV 2024, arXiv:2405.15700.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cellpipe.errors import CellpipeError
from cellpipe.networks.card import Card, load_card, weights_path
from cellpipe.networks.load import torch_device
from cellpipe.track.clues import DIVISION_CLUES, LINK_CLUES

SCALE = "each clue less its mean, over its standard deviation in the training"  # for the card


@dataclass(frozen=True)
class LinkNetworkConfig:
    """widths : units of the layers between the clues and the log-odds"""

    widths: tuple[int, ...] = (48, 32)

    def as_dict(self) -> dict[str, Any]:
        """For the card, with the input features of the network."""
        return {
            "widths": list(self.widths),
            "link_clues": LINK_CLUES,
            "division_clues": DIVISION_CLUES,
        }


class Perceptron(nn.Module):
    """Log-odds (N,) of clues (N, F), scaled as those that it learned from."""

    mean: Tensor
    scale: Tensor

    def __init__(self, clues: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(clues))
        self.register_buffer("scale", torch.ones(clues))
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((clues, *widths)):
            layers += [nn.Linear(fan_in, fan_out), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear((clues, *widths)[-1], 1))

    def forward(self, clues: Tensor) -> Tensor:
        logits: Tensor = self.layers((clues - self.mean) / self.scale)
        return logits[:, 0]


class LinkNetwork(nn.Module):
    """A `cellpipe.track.learned.Judge`.

    share : how much of a candidate's gain is the network's log-odds, 0 … 1; the rest is what the
        statistics of the movie say
    """

    share: Tensor

    def __init__(self, config: LinkNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.link = Perceptron(LINK_CLUES, config.widths)
        self.division = Perceptron(DIVISION_CLUES, config.widths)
        self.register_buffer("share", torch.tensor(0.5))

    def forward(self, clues: Tensor) -> Tensor:
        """Log-odds (B, 2) that a link and that a division is true.

        clues : (B, LINK_CLUES + DIVISION_CLUES), of a link and, unrelated, of a division
        """
        of_link, of_division = clues.split([LINK_CLUES, DIVISION_CLUES], dim=1)
        return torch.stack([self.link(of_link), self.division(of_division)], dim=1)

    def fit_scale(self, link_clues: np.ndarray, division_clues: np.ndarray) -> None:
        """Take the scale of the clues from those that are to be learned from."""
        for part, clues in ((self.link, link_clues), (self.division, division_clues)):
            part.mean.copy_(torch.from_numpy(clues.mean(axis=0)))
            # a clue that never changes in the training must not weigh heavily where it does
            part.scale.copy_(torch.from_numpy(np.maximum(clues.std(axis=0), 1e-2)))

    def links(self, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Gains (E,) of candidate links, in nats."""
        return self._mixed(self.link, clues, gain)

    def divisions(self, clues: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Gains (D,) of candidate divisions, in nats."""
        return self._mixed(self.division, clues, worth)

    @torch.no_grad()
    def _mixed(self, part: Perceptron, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
        share = float(self.share)
        log_odds = part(torch.from_numpy(clues)).double().numpy()
        return share * log_odds + (1 - share) * gain


def load_link_network(name_or_path: str | Path, threads: int | None = None) -> LinkNetwork:
    """Load weights (safetensors only) of a network that scores links.

    Parameters
    ----------
    name_or_path : a shipped name, or a path to .safetensors with its card next to it
    threads : that torch may use; None leaves them unchanged

    Raises
    ------
    CellpipeError : no such weights, another file than the card describes, or another network
    """
    torch_device("cpu", threads)
    card = load_card(name_or_path)
    if card.kind != "linking":
        raise CellpipeError(
            seen=f"weights {card.name!r} of kind {card.kind!r}",
            wanted="weights of kind 'linking'",
            do="correct 'track.weights'",
        )
    network = LinkNetwork(LinkNetworkConfig(tuple(card.architecture.get("widths", ()))))
    try:
        network.load_state_dict(load_file(weights_path(name_or_path)))
    except (SafetensorError, RuntimeError) as error:
        raise _other_network(card, error) from error
    return network.requires_grad_(False).eval()


def _other_network(card: Card, error: Exception) -> CellpipeError:
    return CellpipeError(
        seen=f"weights {card.name!r}: {str(error).splitlines()[0]}",
        wanted=f"a network of {LINK_CLUES} and {DIVISION_CLUES} clues, as this version tells them",
        do="train it again (kind: linking), or use the version that it was trained with",
    )
