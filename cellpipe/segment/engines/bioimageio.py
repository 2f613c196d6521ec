"""Model packages of bioimage.io (Ouyang et al., bioRxiv 2022.06.07.495102), run by its core.

Weights are TorchScript or ONNX. Other formats run Python that comes with the package, or need
another framework, and are refused. So are packages that do not state what they give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Tile, stitch, tile_grid
from cellpipe.networks.load import torch_device
from cellpipe.segment.engines import Engine, as_channels, required
from cellpipe.segment.engines.package_outputs import DECODE, meaning
from cellpipe.segment.engines.rdf import image_in, image_out, read_rdf
from cellpipe.segment.engines.scale import at_diameter, brought_back
from cellpipe.segment.engines.weights import foreign_path

FORMATS = ("torchscript", "onnx")  # the first that a package has is used
ONNX_RUNTIME = "1.32.0"
HALO_PX = 128


def load(
    weights: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    output: str = "auto",
    trained_diameter_px: float | None = None,
) -> Engine:
    """A model package from disk.

    Parameters
    ----------
    weights : path of a .zip, or of a folder with rdf.yaml; nothing it refers to is downloaded
    output : what the model gives: a key of `DECODE`; or "auto", what the package states
    trained_diameter_px : typical object in the model's training images; None for what the package
        states, which ours do. With it, images of another diameter are rescaled.

    Raises BadConfig for a missing package, no weights that can be run, a model of volumes or of
    several inputs or outputs, or an output whose meaning nobody states.
    """
    path = foreign_path("bioimageio", weights)
    stated = read_rdf(path)
    kind = _format_of(stated, weights)
    taken = image_in(path, stated)
    if taken.channels is None:
        raise BadConfig(
            seen=f"{path}: a model of any number of channels",
            wanted="a model whose number of channels is stated",
            do="of InstanSeg: set 'segment.nuclei.engine' to instanseg; else choose another model",
        )
    given = image_out(path, stated)
    ours = (stated.get("config") or {}).get("cellpipe") or {}
    decode = DECODE[output if output != "auto" else ours.get("output") or meaning(given, path)]
    torch_device(device, threads)
    required("bioimageio")
    model = Model(str(path), kind, _places(kind, device))
    if trained_diameter_px is not None:
        ours = {**ours, "diameter_px": (trained_diameter_px, trained_diameter_px)}

    def segment(
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As many channels as the model was trained on, in its order."""
        channels = as_channels(pixels, (model.channels,), "bioimageio")
        diameter_px = None if diameter_um is None else diameter_um / pixel_size_um
        # what is taken from the image (percentiles) is taken from the unscaled image
        planes = model.preprocessed(channels)
        planes = at_diameter(planes, diameter_px, _nearest_in(diameter_px, ours))
        size = (planes.shape[1], planes.shape[2])
        probability = 0.5 if probability_threshold is None else probability_threshold

        def of_tile(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
            return decode(model.maps(planes[:, *tile.outer]), probability)

        edge_px = min(tile_px, model.most_px or tile_px)
        halo_px = min(HALO_PX, edge_px // 4 // 16 * 16)
        labels, objects = stitch(size, tile_grid(size, edge_px, halo_px), of_tile)
        return brought_back(np.asarray(labels), objects, pixels.shape[-2:])

    return segment


def _format_of(stated: Mapping[str, Any], weights: str) -> str:
    """The format of the weights that are run: on disk, and none that runs Python of the package."""
    entries = stated.get("weights") or {}
    sources = {kind: str(entry.get("source", "")) for kind, entry in entries.items()}
    there = [kind for kind in FORMATS if kind in sources and "://" not in sources[kind]]
    if there:
        return there[0]
    remote = any(kind in sources for kind in FORMATS)
    raise BadConfig(
        seen=f"{weights} with weights {'elsewhere' if remote else 'as ' + ', '.join(sources)}",
        wanted=f"weights as {' or '.join(FORMATS)}, in the package itself",
        do="download the whole package"
        if remote
        else "convert them (bioimageio add-weights), or choose another package",
    )


def _places(kind: str, device: str) -> list[str]:
    """Where the weights are run, in the words of their framework. There is no silent fall back."""
    if kind != "onnx":
        return [device]
    try:
        import onnxruntime
    except ImportError as error:
        raise BadConfig(
            seen=f"weights as ONNX, but {error}",
            wanted=f"the package onnxruntime {ONNX_RUNTIME}",
            do=f"install onnxruntime=={ONNX_RUNTIME} next to bioimageio.core, or run with "
            "--sdm conda",
        ) from error
    provider = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise BadConfig(
            seen=f"device {device!r}, and an onnxruntime without {provider}",
            wanted="an onnxruntime that runs there, or cpu",
            do="set the device to cpu, or install onnxruntime-gpu where a GPU is",
        )
    return [provider]


def _nearest_in(diameter_px: float | None, ours: Mapping[str, Any]) -> float | None:
    """The diameter nearest to that of the image which the model was trained on."""
    if diameter_px is None or not ours.get("diameter_px"):
        return None
    low, high = ours["diameter_px"]
    return min(max(diameter_px, low), high)


class Model:
    """A package's network with its own preprocessing and postprocessing, for one image at a time.

    path, kind, places : the package, the format of its weights, and where they are run
    channels : of the input
    most_px : edge of the input, where it is fixed; None where it is free
    """

    def __init__(self, path: str, kind: str, places: Sequence[str]) -> None:
        from bioimageio.core import create_prediction_pipeline
        from bioimageio.spec import load_model_description

        described = load_model_description(path, format_version="latest", perform_io_checks=False)
        self.pipeline = create_prediction_pipeline(described, devices=places, weights_format=kind)
        (self.input,) = described.inputs
        self.dims = [str(axis.id) for axis in self.input.axes]
        axes = dict(zip(self.dims, self.input.axes, strict=True))
        self.channels = int(axes["channel"].size) if "channel" in axes else 1
        self.sizes = [axes[name].size for name in ("y", "x")]
        fixed = [size for size in self.sizes if isinstance(size, int)]
        self.most_px = min(fixed) if fixed else None

    def preprocessed(self, planes: np.ndarray) -> np.ndarray:
        """(C, Y, X) as the network wants it; what the package takes from an image, from all."""
        sample = self._sample(planes.astype(np.float32))
        self.pipeline.apply_preprocessing(sample)
        return self._as_channels(sample.members[self.input.id])

    def maps(self, planes: np.ndarray) -> np.ndarray:
        """The output (C, Y, X) for one preprocessed tile."""
        height, width = planes.shape[1:]
        pad = [_padding(n, size) for n, size in zip((height, width), self.sizes, strict=True)]
        padded = np.pad(planes, ((0, 0), *pad), mode="symmetric")
        found = self.pipeline.predict_sample_without_blocking(
            self._sample(padded),
            skip_preprocessing=True,
            skip_input_padding=True,
            skip_output_cropping=True,
        )
        (output,) = found.members.values()
        return self._as_channels(output)[:, :height, :width]

    def _sample(self, planes: np.ndarray) -> Any:
        from bioimageio.core import Sample, Tensor

        order = {"channel": 0, "y": 1, "x": 2}
        taken = [order[name] for name in self.dims if name in order]
        array = planes if "channel" in self.dims else planes[0]
        array = array.transpose(taken) if "channel" in self.dims else array
        for at, name in enumerate(self.dims):
            if name not in order:
                array = np.expand_dims(array, at)
        tensor = Tensor.from_numpy(np.ascontiguousarray(array), dims=self.dims)
        return Sample(members={self.input.id: tensor}, stat={}, id=None)

    @staticmethod
    def _as_channels(tensor: Any) -> np.ndarray:
        """A tensor of any order of axes as (C, Y, X)."""
        dims = [str(name) for name in tensor.dims]
        array = np.asarray(tensor.data)
        for name in [name for name in dims if name not in ("channel", "y", "x")]:
            array = array.take(0, axis=dims.index(name))  # the batch of one
            dims.remove(name)
        if "channel" not in dims:
            array, dims = array[None], ["channel", *dims]
        return array.transpose([dims.index(name) for name in ("channel", "y", "x")])


def _padding(edge_px: int, size: Any) -> tuple[int, int]:
    """Pixels after the end that bring an edge to a size which the model takes."""
    if isinstance(size, int):
        return 0, size - edge_px
    least, step = getattr(size, "min", 1), getattr(size, "step", 1)
    return 0, max(least - edge_px, 0) or -(edge_px - least) % step
