"""Our networks as packages of bioimage.io: what is in them, and what the core makes of them.

The tests that need the core of bioimage.io run where it is installed, see tests/test_engines.py.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from engine_models import DIAMETER_PX, disc_image, only_with

from cellpipe.errors import CellpipeError
from cellpipe.exports.bioimage_io import (
    portable_scale,
    preprocessed,
    preprocessing,
    simulated_image,
    write_package,
)
from cellpipe.image.normalise import GreyScale
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import Network, load_network
from cellpipe.networks.torchscript import Portable, traced
from cellpipe.segment.engines import load_engine
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.engines.package_outputs import DECODE

ROOT = Path(__file__).parents[1]
PIXELS, _ = disc_image(100)


def test_torchscript_draws_the_same_maps_at_any_size(shipped: Network) -> None:
    script = traced(shipped)
    outputs = list(shipped.module.config.outputs)
    for shape in ((1, 1, 64, 64), (2, 1, 96, 160)):  # the first is what was traced
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            eager, scripted = shipped.module(x), script(x)
        foreground = torch.sigmoid(eager[:, outputs.index("foreground")])
        assert torch.allclose(scripted[:, 0], foreground, atol=1e-6)
        assert torch.allclose(scripted[:, 1], eager[:, outputs.index("distance")], atol=1e-5)


def test_a_network_for_denoising_is_no_package_of_nuclei(tmp_path: Path) -> None:
    with pytest.raises(CellpipeError, match="segmentation"):
        write_package(tmp_path / "denoise.zip", load_network("denoise"))


def test_a_package_names_its_files_by_digest_and_tells_nothing_of_this_machine(package) -> None:
    import hashlib

    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    stated = yaml.safe_load(files["rdf.yaml"])
    entries = [
        stated["documentation"],
        stated["inputs"][0]["test_tensor"],
        stated["outputs"][0]["test_tensor"],
        stated["weights"]["torchscript"],
    ]
    for entry in entries:
        assert hashlib.sha256(files[entry["source"]]).hexdigest() == entry["sha256"]
    assert {entry["source"] for entry in entries} | {"rdf.yaml"} == set(files)
    assert "## Validation" in files["README.md"].decode()
    with zipfile.ZipFile(io.BytesIO(files["weights.pt"])) as inner:
        content = b"".join(inner.read(name) for name in inner.namelist())
    assert str(ROOT).encode() not in content


def test_test_tensors_of_a_package_are_right(package: Path, shipped: Network) -> None:
    with zipfile.ZipFile(package) as archive:
        image, maps = (
            np.load(io.BytesIO(archive.read(f"test_{side}.npy"))) for side in ("input", "output")
        )
    scale = portable_scale(shipped.card)
    with torch.inference_mode():
        eager = Portable(shipped)(torch.from_numpy(preprocessed(image[0], scale))[None])
    assert maps == pytest.approx(eager.numpy(), abs=1e-4)
    labels, _ = DECODE["foreground_distance"](maps[0], 0.5)
    # by percentiles too: the specification has no word for the scale of an image's objects
    card = replace(shipped.card, normalisation=scale.for_card())
    direct, *_ = find_objects(image[0, 0], shipped._replace(card=card))
    assert average_precision(direct, labels, [0.95])[0] == 1


@pytest.mark.parametrize(
    "scale",
    [
        GreyScale(),
        GreyScale(method="mean_std"),
        GreyScale(per="data", fitted=((100.0, 900.0),)),
    ],
    ids=["percentiles", "mean and deviation", "fitted"],
)
def test_a_package_says_in_its_own_words_how_pixels_are_scaled(scale: GreyScale) -> None:
    planes = simulated_image(1, 96)
    expected = preprocessed(planes, scale)
    assert expected == pytest.approx(scale.bring(planes), abs=1e-4)
    assert applied(preprocessing(scale), planes) == pytest.approx(expected, abs=1e-4)


def applied(steps: list[dict], planes: np.ndarray) -> np.ndarray:
    """What the specification says that these steps do, for (C, Y, X)."""
    out = planes.astype(float)
    for step in steps:
        kwargs = step["kwargs"]
        if step["id"] == "scale_range":
            bounds = (kwargs["min_percentile"], kwargs["max_percentile"])
            low, high = np.percentile(out, bounds, axis=(1, 2), keepdims=True)
            out = (out - low) / (high - low + kwargs["eps"])
        elif step["id"] == "zero_mean_unit_variance":
            mean = out.mean((1, 2), keepdims=True)
            out = (out - mean) / (out.std((1, 2), keepdims=True) + kwargs["eps"])
        elif step["id"] == "scale_linear":
            gain, offset = (np.reshape(kwargs[name], (-1, 1, 1)) for name in ("gain", "offset"))
            out = gain * out + offset
        else:
            out = np.clip(out, kwargs["min"], kwargs["max"])
    return out


@only_with("bioimageio")
def test_the_core_s_own_test_passes(package: Path) -> None:
    from bioimageio.core import test_description

    summary = test_description(str(package))
    assert summary.status == "passed", summary.format()


@only_with("bioimageio")
def test_a_package_of_ours_finds_what_our_engine_finds(package: Path, shipped: Network) -> None:
    engine = load_engine("bioimageio", str(package), threads=1)
    # images that need no padding to the least size of the package
    wide, large = disc_image(100, edge_px=320)[0], np.kron(PIXELS, np.ones((4, 4)))
    for pixels, pixel_size_um, diameter_um in ((wide, 1.0, None), (large, 0.25, DIAMETER_PX)):
        ours = CellpipeEngine(shipped)(pixels, pixel_size_um, diameter_um=diameter_um)
        theirs = engine(pixels, pixel_size_um, diameter_um=diameter_um)
        assert average_precision(ours[0], theirs[0], [0.95])[0] == 1
        assert theirs[1] == pytest.approx(ours[1], abs=1e-3)


@only_with("bioimageio")
def test_tiles_of_a_package_do_not_show(package: Path) -> None:
    pixels, truth = disc_image(7, edge_px=640)
    engine = load_engine("bioimageio", str(package), threads=1)
    whole, tiled = (engine(pixels, 1.0, tile_px=edge)[0] for edge in (1024, 512))
    assert whole.max() == tiled.max() == truth.max()
    # a narrow last tile is padded to the package's least size, which moves outlines at the border
    assert average_precision(whole[:, :600], tiled[:, :600], [0.99])[0] == 1
    assert average_precision(whole, tiled, [0.9])[0] == 1


@only_with("bioimageio")
def test_a_package_unpacked_is_the_same(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    packed, unpacked = (load_engine("bioimageio", str(p))(PIXELS, 1.0) for p in (package, tmp_path))
    assert (packed[0] == unpacked[0]).all()
