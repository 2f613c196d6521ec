"""StarDist 2D (Schmidt et al., MICCAI 2018, arXiv:1806.03535)."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Tile, stitch, tile_grid
from cellpipe.segment.engines import Engine, as_channels, numbered, required, scaled
from cellpipe.segment.engines.scale import at_diameter, brought_back
from cellpipe.segment.engines.weights import foreign_path, stardist_config

PERCENTILES = (1.0, 99.8)  # to 0 and 1, as StarDist's examples and models have it
HALO_PX = 128


def load(
    weights: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    nms_threshold: float | None = None,
    trained_diameter_px: float | None = None,
) -> Engine:
    """A StarDist 2D model from its folder.

    Parameters
    ----------
    weights : path of the folder with config.json, weights_*.h5 and, if tuned, thresholds.json
    nms_threshold : greatest overlap of two objects; None for what the model was tuned to
    trained_diameter_px : typical object in the model's training images; with it, images of
        another diameter are rescaled

    Raises BadConfig for a missing package, no model, a model of volumes, or no GPU for "cuda".
    """
    path = foreign_path("stardist", weights)
    stardist_config(path)
    required("stardist")
    _prepare_tensorflow(device, threads)
    from stardist.models import StarDist2D

    folder = path.resolve()
    with redirect_stdout(io.StringIO()):  # it prints what it reads
        model = StarDist2D(None, name=folder.name, basedir=str(folder.parent))

    def segment(
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As many channels as the model was trained on, in its order."""
        channels = as_channels(pixels, (model.config.n_channel_in,), "stardist")
        diameter_px = None if diameter_um is None else diameter_um / pixel_size_um
        planes = at_diameter(scaled(channels, *PERCENTILES), diameter_px, trained_diameter_px)
        size = (planes.shape[1], planes.shape[2])

        def of_tile(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
            found, details = model.predict_instances(
                np.moveaxis(planes[:, *tile.outer], 0, -1),
                axes="YXC",
                prob_thresh=probability_threshold,
                nms_thresh=nms_threshold,
                show_tile_progress=False,
            )
            labels, old = numbered(found)  # an object that others cover has no pixels
            return labels, np.asarray(details["prob"], np.float32)[old - 1]

        labels, probability = stitch(size, tile_grid(size, tile_px, HALO_PX), of_tile)
        return brought_back(np.asarray(labels), probability, pixels.shape[-2:])

    return segment


def _prepare_tensorflow(device: str, threads: int | None) -> None:
    """Choose device and threads before the first model. There is no silent fall back."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device.startswith("cuda") and not gpus:
        raise BadConfig(
            seen=f"device {device!r}, and a TensorFlow that sees no GPU",
            wanted="a CUDA build of TensorFlow and a GPU, or cpu",
            do="set the device to cpu, or install tensorflow[and-cuda] where a GPU is",
        )
    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow is at work already; it keeps what it was given first
        pass
