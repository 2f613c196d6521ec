"""Our networks as model packages of bioimage.io, which its core and other programs run.

Specification: bioimage.io model description 0.5, https://bioimage.io/docs; a package is a .zip of
rdf.yaml, the weights (TorchScript), a test image with the maps that are right for it, and a page.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from cellpipe.image.normalise import BRIGHTEST, GreyScale
from cellpipe.networks.card import Card
from cellpipe.networks.infer import HALO_PX
from cellpipe.networks.load import Network
from cellpipe.networks.torchscript import LONG_AGO, MAPS, Portable, script_bytes

FORMAT_VERSION = "0.5.4"
EPSILON = 1e-6  # of the specification's scale_range and zero_mean_unit_variance
CITE = [
    {
        "text": "Ronneberger, Fischer & Brox: U-Net. MICCAI 2015",
        "doi": "10.1007/978-3-319-24574-4_28",
    }
]


def write_package(path: Path, network: Network) -> None:
    """Write the package of a network that segments, as a .zip.

    Raises CellpipeError for a network of another kind.
    """
    weights = script_bytes(network)
    config = network.module.config
    image = simulated_image(config.inputs, 2 * HALO_PX + 4 * config.stride_px)
    seen = preprocessed(image, portable_scale(network.card))
    with torch.inference_mode():
        maps = Portable(network)(torch.from_numpy(seen)[None]).numpy()
    files = {
        "weights.pt": weights,
        "test_input.npy": _npy(image[None]),
        "test_output.npy": _npy(maps),
        "README.md": page(network.card).encode(),
    }
    description = described(network, files)
    files["rdf.yaml"] = yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def described(network: Network, files: dict[str, bytes]) -> dict[str, Any]:
    """The content of rdf.yaml. `files` are those of the package, by name."""
    card, config = network.card, network.module.config

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    step = config.stride_px
    free = {"min": 2 * HALO_PX + step, "step": step}
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": f"cellpipe {card.name}",
        "description": "Foreground probability and distance to the border, of nuclei or cells",
        "authors": [{"name": "The cellpipe authors"}],
        "cite": CITE,
        "license": card.licence,
        "tags": ["unet2d", "instance-segmentation", "fluorescence-light-microscopy", "nuclei"],
        "documentation": file("README.md"),
        "inputs": [
            {
                "id": "pixels",
                "description": "intensities as the camera gave them",
                "axes": [
                    {"type": "batch"},
                    {
                        "type": "channel",
                        "channel_names": [f"channel{i}" for i in range(config.inputs)],
                    },
                    *({"type": "space", "id": name, "size": free} for name in "yx"),
                ],
                "data": {"type": "float32"},
                "test_tensor": file("test_input.npy"),
                "preprocessing": preprocessing(portable_scale(card)),
            }
        ],
        "outputs": [
            {
                "id": "maps",
                "description": "probability of foreground; distance to the border, 1 at the centre",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(MAPS)},
                    *(
                        {
                            "type": "space",
                            "id": name,
                            "size": {"tensor_id": "pixels", "axis_id": name},
                            "halo": HALO_PX,
                        }
                        for name in "yx"
                    ),
                ],
                "data": {"type": "float32"},
                "test_tensor": file("test_output.npy"),
            }
        ],
        "weights": {
            "torchscript": {
                **file("weights.pt"),
                "pytorch_version": torch.__version__.split("+")[0],
            }
        },
        "config": {
            "cellpipe": {
                "output": "foreground_distance",
                "diameter_px": list(card.diameter_px) if card.diameter_px else None,
                "weights_sha256": card.sha256,
            }
        },
    }


def portable_scale(card: Card) -> GreyScale:
    """The grey scale of a card, in the words of the specification.

    It has none for the scale of an image's objects; where they are not few, two percentiles of the
    image are nearly the same.
    """
    scale = GreyScale.of_card(card.normalisation)
    return replace(scale, method="percentiles") if scale.of_objects else scale


def preprocessing(scale: GreyScale) -> list[dict[str, Any]]:
    """Our grey scale in the words of the specification."""
    cut = {"id": "clip", "kwargs": {"min": -1.0, "max": BRIGHTEST}}
    if scale.fitted is not None:
        kwargs: dict[str, Any] = {
            "axis": "channel",
            "gain": [1 / (high - low) for low, high in scale.fitted],
            "offset": [-low / (high - low) for low, high in scale.fitted],
        }
        return [{"id": "scale_linear", "kwargs": kwargs}, cut]
    if scale.method == "mean_std":  # one deviation below the mean to 0, three above it to 1
        return [
            {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": EPSILON}},
            {"id": "scale_linear", "kwargs": {"gain": 0.25, "offset": 0.25}},
            cut,
        ]
    low, high = scale.percentiles
    kwargs = {"axes": ["y", "x"], "min_percentile": low, "max_percentile": high, "eps": EPSILON}
    return [{"id": "scale_range", "kwargs": kwargs}, cut]


def preprocessed(planes: np.ndarray, scale: GreyScale) -> np.ndarray:
    """(C, Y, X) as `preprocessing` brings it to the network, float32."""
    limits = np.array(scale.limits(planes), np.float32)[:, :, None, None]  # (C, 2, 1, 1)
    low, high = limits[:, 0], limits[:, 1]
    epsilon = np.float32(0 if scale.fitted is not None else EPSILON)
    return np.clip((planes - low) / (high - low + epsilon), -1, BRIGHTEST).astype(np.float32)


def simulated_image(channels: int, edge_px: int) -> np.ndarray:
    """Blurred discs in noise, float32 (C, Y, X)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:edge_px, :edge_px]
    discs = np.hypot((y + 20) % 40 - 20, (x + 20) % 40 - 20) < 11
    plane = 100 + gaussian_filter(800.0 * discs, 1.2)
    return (plane + 15 * rng.standard_normal((channels, edge_px, edge_px))).astype(np.float32)


def page(card: Card) -> str:
    """README.md of the package: what the network was trained on, and how good it is."""
    scores = card.extra.get("scores", {})
    lines = [
        f"# {card.name}",
        "",
        "A network of cellpipe: a light U-Net that predicts the probability of foreground, and the",
        "distance to the border in units of an object's own size. Objects are the basins of the",
        "distance within the foreground.",
        "",
        f"Trained on: {card.trained_on or 'not stated'}. Licence: {card.licence}.",
        f"Diameters in its training images, in pixels: {card.diameter_px or 'not stated'}.",
        "",
        "## Validation",
        "",
        "Average precision TP / (TP + FP + FN) per image, averaged over images, by the IoU asked:",
        "" if scores else "not stated.",
        *(f"- {name}: {value}" for name, value in sorted(scores.items())),
    ]
    return "\n".join(lines) + "\n"


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
