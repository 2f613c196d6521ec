"""Segmentation engines behind one interface: pixels in; labels and probabilities out.

    engine = load_engine("cellpose", "models/nuclei_cp3", device="cpu", flow_threshold=0.4)
    labels, probability = engine(pixels, pixel_size_um, diameter_um=9.0)

One module per engine, imported when it is asked for. Those of other projects need a package that
is not part of our environment, and weights that a person has put on disk: nothing is downloaded.
"""

from __future__ import annotations

from importlib import import_module, metadata
from types import ModuleType
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.tiles import Plane
from cellpipe.networks.found import Found

EngineName = Literal[
    "cellpipe", "classical", "cellpose", "cellpose_sam", "stardist", "instanseg", "bioimageio"
]
NAMES: tuple[EngineName, ...] = get_args(EngineName)
# engines that need a package → distribution and version that they were written for and run with
FOREIGN = {
    "cellpose": ("cellpose", "3.1.1.3"),
    "cellpose_sam": ("cellpose", "4.2.1.1"),
    "stardist": ("stardist", "0.9.2"),
    "bioimageio": ("bioimageio.core", "0.11.0"),
}
# engines of other projects, whose weights a person has put on disk; torch runs InstanSeg by itself
OTHERS = (*FOREIGN, "instanseg")


class Engine(Protocol):
    """What `load_engine` returns."""

    def __call__(
        self,
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Instances in one image.

        Parameters
        ----------
        pixels : (Y, X), or (C, Y, X) for an engine that takes several channels
        pixel_size_um : edge of a pixel
        diameter_um : typical diameter of the objects; None leaves it to the engine
        probability_threshold : least probability of an object or of its pixels, 0 to 1; None
            leaves it to the engine
        tile_px : edge of the tiles in which a large image is worked through

        Returns
        -------
        labels : uint32 (Y, X), values 1..n without gaps, 0 background
        probability : float32 (n,), of label i + 1; NaN where the engine gives none

        Raises
        ------
        BadImage : an image with other channels than the engine can take
        """
        ...


@runtime_checkable
class BlockEngine(Protocol):
    """An engine that can also work through an image of several blocks."""

    def find(
        self,
        pixels: Plane,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> Found:
        """As a call, with all that is known of the objects.

        pixels : (Y, X) or (C, Y, X); an image of several blocks is read, and its labels are
            written, by slices
        """
        ...


def find(engine: Engine, pixels: Plane, pixel_size_um: float, **options: Any) -> Found:
    """What any engine finds in an image; options as in `Engine.__call__`."""
    if isinstance(engine, BlockEngine):
        return engine.find(pixels, pixel_size_um, **options)
    labels, probability = engine(np.asarray(pixels), pixel_size_um, **options)
    return Found(labels, probability, np.full(len(probability), np.nan, np.float32))


def load_engine(
    name: str,
    weights: str = "nuclei",
    *,
    device: str = "cpu",
    threads: int | None = None,
    **options: Any,
) -> Engine:
    """An engine that is ready to run.

    Parameters
    ----------
    name : one of `NAMES`
    weights : for "cellpipe", a shipped name or the path of a .safetensors file; for "classical"
        not used; for the others the path of the model on disk
    device : "cpu", "cuda" or "cuda:1"
    threads : CPU threads of the engine's framework; None leaves them as they are
    options : of that engine alone; its `load` names them

    Raises
    ------
    BadConfig : no such engine, its package or its weights are missing, or the device is.
    """
    if name not in NAMES:
        raise BadConfig(
            seen=f"engine {name!r}",
            wanted=f"one of: {', '.join(NAMES)}",
            do="correct segment.nuclei.engine",
        )
    # by name: the digest of the code, and the packages of an environment, are those of one engine
    module = import_module(f"cellpipe.segment.engines.{name}")
    engine: Engine = module.load(weights, device=device, threads=threads, **options)
    return engine


def required(engine: str) -> ModuleType:
    """The package of another project's engine, imported.

    Raises BadConfig where it is missing, or of a version with another interface.
    """
    distribution, version = FOREIGN[engine]
    remedy = (
        f"install {distribution}=={version} in an environment of its own (extra '{engine}' in "
        "pyproject.toml), or run with --sdm conda"
    )
    try:
        found = metadata.version(distribution)
        module = import_module(distribution)
    except (metadata.PackageNotFoundError, ImportError) as error:
        raise BadConfig(
            seen=f"engine '{engine}', but {error}",
            wanted=f"the package {distribution} {version}",
            do=remedy,
        ) from error
    if _series(found, version) != _series(version, version):
        raise BadConfig(
            seen=f"{distribution} {found}", wanted=f"{distribution} {version}", do=remedy
        )
    return module


def _series(found: str, wanted: str) -> list[str]:
    """The part of a version whose change may change an interface: 3 of 3.1, 0.9 of 0.9.2."""
    return found.split(".")[: 2 if wanted.startswith("0.") else 1]


def as_channels(pixels: np.ndarray, counts: tuple[int, ...], engine: str) -> np.ndarray:
    """Pixels as (C, Y, X). Raises BadImage for a number of channels that is not in `counts`."""
    planes = pixels[None] if pixels.ndim == 2 else pixels
    if planes.ndim != 3 or len(planes) not in counts:
        wanted = " or ".join(map(str, counts))
        raise BadImage(
            seen=f"pixels of shape {pixels.shape}",
            wanted=f"an image of {wanted} channel(s), (Y, X) or (C, Y, X), for engine '{engine}'",
            do="choose the channels, and project z first; or use another model",
        )
    return planes


def scaled(planes: np.ndarray, low_percentile: float, high_percentile: float) -> np.ndarray:
    """Two percentiles of each channel of (C, Y, X) to 0 and 1, float32; a flat one to zeros."""
    out = np.zeros(planes.shape, np.float32)
    for plane, into in zip(planes, out, strict=True):
        low, high = np.percentile(plane, (low_percentile, high_percentile))
        if not high > low:  # only a few pixels differ from one grey value
            low, high = plane.min(), plane.max()
        if high > low:
            into[:] = (plane.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return out


def logit(probability: np.ndarray | float) -> np.ndarray:
    """log(p / (1 - p)), float32; finite at 0 and 1."""
    clipped = np.clip(np.asarray(probability, np.float32), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def numbered(labels: np.ndarray, keep: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Objects numbered 1..n in their old order; those that `keep`, (values,), leaves out are gone.

    Returns labels uint32 (Y, X) and the old value of each new label, shape (n,).
    """
    there = np.bincount(labels.ravel(), minlength=1) > 0 if keep is None else keep
    table, old = numbering(there)
    return table[labels], old


def numbering(keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each value its new number, uint32 (values,), and of each new number its old value, (n,).

    keep : bool (values,); the rest, and the background, become 0
    """
    kept = keep.copy()
    kept[0] = False
    old = np.flatnonzero(kept)
    table = np.zeros(len(kept), np.uint32)
    table[old] = np.arange(1, len(old) + 1)
    return table, old
