"""Model packages of bioimage.io (Ouyang et al., bioRxiv 2022.06.07.495102), run by its core.

Weights are TorchScript. Other formats run Python that comes with the package, or need another
framework, and are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Tile, stitch, tile_grid
from cellpipe.networks.instances import labels_from_maps, object_probability
from cellpipe.networks.load import torch_device
from cellpipe.segment.engines import Engine, as_channels, logit, numbered, required
from cellpipe.segment.engines.scale import at_diameter, brought_back
from cellpipe.segment.engines.weights import WANTED, foreign_path, read_rdf

FORMAT = "torchscript"
HALO_PX = 128
LEAST_AREA_PX = 20  # debris of a threshold

# raw output (C, Y, X) and least probability → labels uint32 (Y, X) and probability (n,)
Decode = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]


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
    output : what the model gives: a key of `DECODE`, or "auto"
    trained_diameter_px : typical object in the model's training images; None for what the package
        states, which ours do. With it, images of another diameter are rescaled.

    Raises BadConfig for a missing package, no weights that can be run, or a model of volumes.
    """
    path = foreign_path("bioimageio", weights)
    stated = read_rdf(path)
    _refuse_other_weights(stated, weights)
    torch_device(device, threads)
    required("bioimageio")
    model = Model(str(path), device)
    ours = stated.get("config", {}).get("cellpipe", {})
    if trained_diameter_px is not None:
        ours = {**ours, "diameter_px": (trained_diameter_px, trained_diameter_px)}
    if output != "auto":
        ours = {**ours, "output": output}

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
            maps = model.maps(planes[:, *tile.outer])
            return DECODE[ours.get("output") or _guessed(maps)](maps, probability)

        edge_px = min(tile_px, model.most_px or tile_px)
        halo_px = min(HALO_PX, edge_px // 4 // 16 * 16)
        labels, objects = stitch(size, tile_grid(size, edge_px, halo_px), of_tile)
        return brought_back(np.asarray(labels), objects, pixels.shape[-2:])

    return segment


def _refuse_other_weights(stated: Mapping[str, Any], weights: str) -> None:
    """Weights must be on disk, and of a format that runs no Python of the package."""
    entries = stated.get("weights", {})
    sources = {kind: str(entry.get("source", "")) for kind, entry in entries.items()}
    remote = "://" in sources.get(FORMAT, "")
    if FORMAT in sources and not remote:
        return
    raise BadConfig(
        seen=f"{weights} with weights {'elsewhere' if remote else 'as ' + ', '.join(sources)}",
        wanted=f"weights as {FORMAT}, in the package itself",
        do="download the whole package"
        if remote
        else "convert them (bioimageio add-weights), or choose another package",
    )


def _nearest_in(diameter_px: float | None, ours: Mapping[str, Any]) -> float | None:
    """The diameter nearest to that of the image which the model was trained on."""
    if diameter_px is None or not ours.get("diameter_px"):
        return None
    low, high = ours["diameter_px"]
    return min(max(diameter_px, low), high)


class Model:
    """A package's network with its own preprocessing and postprocessing, for one image at a time.

    channels : of the input
    most_px : edge of the input, where it is fixed; None where it is free
    """

    def __init__(self, path: str, device: str) -> None:
        from bioimageio.core import create_prediction_pipeline
        from bioimageio.spec import load_model_description

        described = load_model_description(path, format_version="latest", perform_io_checks=False)
        self.pipeline = create_prediction_pipeline(
            described, devices=[device], weights_format=FORMAT
        )
        (self.input,) = described.inputs  # models of several inputs are not for one image
        self.dims = [str(axis.id) for axis in self.input.axes]
        axes = dict(zip(self.dims, self.input.axes, strict=True))
        if "z" in axes or not {"y", "x"} <= axes.keys():
            raise BadConfig(
                seen=f"{path}: a model of the axes {', '.join(self.dims)}",
                wanted="a model of images with the axes y and x",
                do=WANTED["bioimageio"][1],
            )
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
        """The first output (C, Y, X) for one preprocessed tile."""
        height, width = planes.shape[1:]
        pad = [_padding(n, size) for n, size in zip((height, width), self.sizes, strict=True)]
        padded = np.pad(planes, ((0, 0), *pad), mode="symmetric")
        found = self.pipeline.predict_sample_without_blocking(
            self._sample(padded),
            skip_preprocessing=True,
            skip_input_padding=True,
            skip_output_cropping=True,
        )
        first = next(iter(found.members.values()))
        return self._as_channels(first)[:, :height, :width]

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


def _labels(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    labels, old = numbered(maps[0].astype(np.int64))
    return labels, np.full(len(old), np.nan, np.float32)


def _foreground(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Islands of foreground."""
    islands, _ = ndimage.label(maps[0] > probability)
    labels, _ = numbered(islands, np.bincount(islands.ravel()) >= LEAST_AREA_PX)
    return labels, object_probability(labels, logit(maps[0]))


def _foreground_boundary(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Islands of foreground less boundary, grown into the foreground by watershed."""
    from skimage.segmentation import watershed

    seeds, _ = ndimage.label(maps[0] - maps[1] > probability)
    grown = watershed(maps[1], seeds, mask=maps[0] > probability)
    labels, _ = numbered(grown, np.bincount(grown.ravel()) >= LEAST_AREA_PX)
    return labels, object_probability(labels, logit(maps[0]))


def _foreground_distance(maps: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of our own networks; the foreground as a probability."""
    predicted = np.stack([logit(maps[0]), maps[1]])
    labels = labels_from_maps(predicted, probability_threshold=probability)
    return labels, object_probability(labels, predicted[0])


DECODE: dict[str, Decode] = {
    "labels": _labels,
    "foreground": _foreground,
    "foreground_boundary": _foreground_boundary,
    "foreground_distance": _foreground_distance,
}


def _guessed(maps: np.ndarray) -> str:
    """What an output is most likely, from its type and its number of channels."""
    if maps.dtype.kind in "iu":
        return "labels"
    if len(maps) <= 2 and maps.min() >= -1e-3 and maps.max() <= 1 + 1e-3:
        return ("foreground", "foreground_boundary")[len(maps) - 1]
    raise BadConfig(
        seen=f"a model output of {len(maps)} channels, {maps.min():.3g} to {maps.max():.3g}",
        wanted="labels, or one or two channels of probabilities",
        do="name it in 'segment.nuclei.bioimageio.output', or use another model",
    )
