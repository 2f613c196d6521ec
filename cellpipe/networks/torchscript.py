"""A network as TorchScript: one file that runs without our code."""

from __future__ import annotations

import io
import warnings
import zipfile

import torch
from torch import Tensor, nn

from cellpipe.errors import CellpipeError
from cellpipe.networks.load import Network

MAPS = ("foreground", "distance")  # what labels are made from
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # files in archives have no time of their own


class Portable(nn.Module):
    """Normalised images (B, C, Y, X) to the maps of `MAPS`, with foreground as a probability."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.body = network.module
        outputs = list(network.module.config.outputs)
        self.foreground, self.distance = (outputs.index(name) for name in MAPS)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body(x)
        foreground = torch.sigmoid(maps[:, self.foreground])
        return torch.stack([foreground, maps[:, self.distance]], 1)


def traced(network: Network) -> torch.jit.ScriptModule:
    """The network as TorchScript, for images whose edges are multiples of its stride.

    Raises CellpipeError for a network that does not segment.
    """
    if network.card.kind != "segmentation":
        raise CellpipeError(
            seen=f"weights {network.card.name!r} of kind {network.card.kind!r}",
            wanted="weights of kind 'segmentation'",
            do="correct the name of the weights in the config",
        )
    config = network.module.config
    edge_px = 4 * config.stride_px
    example = torch.zeros(1, config.inputs, edge_px, edge_px, device=network.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is what packages are made of
        return torch.jit.trace(Portable(network).eval(), example)


def script_bytes(network: Network) -> bytes:
    """The file of `traced`, without information on this machine.

    TorchScript keeps the paths of the sources that were traced, and a digest over them.
    """
    whole, kept = io.BytesIO(), io.BytesIO()
    script = traced(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(script, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(kept, "w") as target:
        for name in source.namelist():
            if not name.endswith((".debug_pkl", "serialization_id")):
                target.writestr(zipfile.ZipInfo(name, LONG_AGO), source.read(name))
    return kept.getvalue()
