"""Weights to a network that is ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.networks.card import Card, load_card, weights_path
from cellpipe.networks.memory import keep_freed_memory
from cellpipe.networks.unet import UNet, UNetConfig, channels_last


class Network(NamedTuple):
    """A network in inference form and what is known of it."""

    module: UNet
    card: Card

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device


def torch_device(device: str, threads: int | None = None) -> torch.device:
    """A device, with as many CPU threads as torch may use; None leaves them unchanged.

    Raises BadConfig for one that this machine does not have. There is no silent fall back.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadConfig(
            seen=f"device {device!r}",
            wanted="cpu, or a machine with a CUDA device",
            do="set the device to cpu, or run where a GPU is",
        )
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.device(device)


def load_network(name_or_path: str | Path, device: str = "cpu") -> Network:
    """Load weights (safetensors only, never pickles) as a network for inference.

    Parameters
    ----------
    name_or_path : a shipped name ("nuclei"), or a path to .safetensors with its card next to it
    device : "cpu", "cuda" or "cuda:1"

    Raises
    ------
    CellpipeError : no such weights, another file than the card describes, or another network.
    BadConfig : a device this machine does not have. There is no silent fall back to the CPU.
    """
    place = torch_device(device)
    card = load_card(name_or_path)
    path = weights_path(name_or_path)
    try:
        module = UNet(UNetConfig.from_dict(card.architecture))
        module.load_state_dict(load_file(path))
    except (SafetensorError, TypeError, RuntimeError) as error:
        raise CellpipeError(
            seen=f"{path.name}: {str(error).splitlines()[0]}",
            wanted=f"weights of the network its card describes ({card.architecture})",
            do="use weights and card that train_network wrote together",
        ) from error
    module.requires_grad_(False).folded()
    if device == "cpu":
        keep_freed_memory()
    return Network(channels_last(module.to(place)), card)
