"""Packages of bioimage.io by others: what they state is used, what they do not state is asked for.

Descriptions are read without the core of bioimage.io. The tests that need it run where it is
installed, with onnx, which writes the network; see tests/test_engines.py.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from engine_models import disc_image, only_with

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.segment.engines import load_engine
from cellpipe.segment.engines.package_outputs import DECODE, meaning
from cellpipe.segment.engines.rdf import image_in, image_out, read_rdf, tensors
from cellpipe.segment.engines.weights import channel_counts

PIXELS, TRUTH = disc_image(100)
HERE = {"source": "weights.pt"}


def space(**facts: Any) -> list[dict[str, Any]]:
    return [{"type": "space", "id": name, "size": 64, **facts} for name in "yx"]


def tensor(name: str, *channel_names: str, kind: str = "float32", **facts: Any) -> dict[str, Any]:
    channel = {"type": "channel", "channel_names": list(channel_names)}
    return {
        "id": name,
        "axes": [{"type": "batch"}, channel, *space(**facts)],
        "data": {"type": kind},
    }


def described(folder: Path, **changes: Any) -> Path:
    stated: dict[str, Any] = {
        "name": "x",
        "inputs": [tensor("raw", "c0")],
        "outputs": [tensor("maps", "foreground", "boundary")],
        "weights": {"torchscript": HERE},
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(stated | changes))
    return folder


def refused(folder: Path, **options: Any) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        load_engine("bioimageio", str(folder), **options)
    return caught.value


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"pytorch_state_dict": {"source": "w.pt"}}, "convert"),
        ({"torchscript": {"source": "https://example.org/w.pt"}}, "download the whole package"),
        ({}, "convert"),
    ],
    ids=["runs python of the package", "elsewhere", "none"],
)
def test_weights_that_would_be_fetched_or_run_code_are_refused(weights, said, tmp_path) -> None:
    assert said in refused(described(tmp_path, weights=weights)).do


def test_both_formats_of_the_specification_are_read(tmp_path: Path) -> None:
    new = tensor("raw", "dna", "actin", unit="micrometer", scale=0.5)
    new["preprocessing"] = [{"id": "scale_range", "kwargs": {"min_percentile": 1}}]
    old = {
        "name": "raw",
        "axes": "bcyx",
        "shape": [1, 2, 64, 64],
        "data_type": "float32",
        "preprocessing": [{"name": "scale_range", "kwargs": {"min_percentile": 1}}],
    }
    stated = {"inputs": [new, old]}
    modern, earlier = tensors(stated, "inputs")
    assert modern.channel_names == ("dna", "actin")
    assert modern.pixel_size_um == (0.5, 0.5)
    assert earlier == modern._replace(channel_names=(), pixel_size_um=None)
    assert earlier.steps == (("scale_range", {"min_percentile": 1}),)


def test_axes_without_channels_are_of_one_and_an_index_is_of_any_number(tmp_path: Path) -> None:
    plain = {"id": "raw", "axes": [{"type": "batch"}, *space()]}
    free = {"id": "raw", "axes": [{"type": "batch"}, {"type": "index"}, *space()]}
    assert [t.channels for t in tensors({"inputs": [plain, free]}, "inputs")] == [1, None]
    two = described(tmp_path, inputs=[tensor("raw", "a", "b")])
    assert channel_counts("bioimageio", str(two)) == (2,)


def test_a_model_of_volumes_or_of_other_axes_is_refused(tmp_path: Path) -> None:
    volume = tensor("raw", "c0")
    volume["axes"].append({"type": "space", "id": "z", "size": 8})
    assert "z" in refused(described(tmp_path, inputs=[volume])).seen
    assert "b, 9" not in refused(described(tmp_path, inputs=[{"id": "raw", "axes": "b9"}])).wanted


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("n", [0, 2, 3])
def test_more_inputs_or_outputs_than_one_are_refused_by_name(n: int, side: str, tmp_path) -> None:
    several = [tensor(f"t{i}", "foreground") for i in range(n)]
    fault = refused(described(tmp_path, **{side: several}))
    assert f"{n} {side}" in fault.seen
    assert all(f"t{i}" in fault.seen for i in range(n))


def test_a_number_of_channels_that_is_not_stated_is_not_guessed(tmp_path: Path) -> None:
    free = {"id": "raw", "axes": [{"type": "batch"}, {"type": "index"}, *space()]}
    assert "instanseg" in refused(described(tmp_path, inputs=[free])).do


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (tensor("m", "foreground"), "foreground"),
        (tensor("m", "Foreground", "Boundaries"), "foreground_boundary"),
        (tensor("m", "c0", kind="int64"), "labels"),
        (tensor("m", "instances"), "labels"),
    ],
)
def test_an_output_is_what_the_package_states(output: dict, expected: str, tmp_path: Path) -> None:
    package = described(tmp_path, outputs=[output])
    assert meaning(image_out(package, read_rdf(package)), package) == expected


def test_an_output_that_nobody_names_is_asked_for(tmp_path: Path) -> None:
    fault = refused(described(tmp_path, outputs=[tensor("maps", "c0", "c1")]))
    assert "c0, c1" in fault.seen
    assert "bioimageio.output" in fault.do
    assert all(name in fault.wanted for name in DECODE)


@pytest.mark.parametrize(
    ("output", "maps"),
    [
        ("labels", np.full((1, 4, 4), 0.5)),
        ("labels", np.zeros((2, 4, 4))),
        ("foreground", np.full((1, 4, 4), 7.0)),
        ("foreground_boundary", np.zeros((1, 4, 4))),
        ("foreground_boundary", np.full((2, 4, 4), -3.0)),
        ("foreground_distance", np.zeros((3, 4, 4))),
    ],
)
def test_maps_that_are_not_what_they_are_said_to_be_are_refused(output, maps) -> None:
    with pytest.raises(BadConfig, match=r"bioimageio\.output"):
        DECODE[output](maps, 0.5)


@pytest.mark.parametrize("content", ["[1, 2", "just words", ""])
def test_a_description_that_cannot_be_read_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / "rdf.yaml").write_text(content)
    assert str(tmp_path) in refused(tmp_path).seen
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("other.txt", "x")
    assert "rdf.yaml" in refused(tmp_path / "empty.zip").wanted


@only_with("bioimageio")
def test_onnx_without_its_runtime_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where it is not installed
    fault = refused(onnx_package(tmp_path))
    assert "onnxruntime==" in fault.do


@only_with("bioimageio")
def test_onnx_gives_what_its_network_does(tmp_path: Path) -> None:
    package = onnx_package(tmp_path)
    taken = image_in(package, read_rdf(package))
    assert "scale_range" in dict(taken.steps)
    engine = load_engine("bioimageio", str(package), threads=1)
    for edge_px in (160, 640):  # in one piece, and in tiles
        pixels, truth = disc_image(7, edge_px=edge_px)
        labels, probability = engine(pixels, 1.0, tile_px=512)
        assert average_precision(truth, labels, [0.7])[0] == 1
        assert (probability > 0.5).all()


def onnx_package(folder: Path) -> Path:
    """A package that the core of bioimage.io writes: ONNX, foreground by a smoothed threshold."""
    pytest.importorskip("onnx", reason="needs onnx, which writes the network")
    from bioimageio.spec import save_bioimageio_package
    from bioimageio.spec.model import v0_5 as spec

    blur = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    write_onnx(folder / "weights.onnx", blur)
    np.save(folder / "in.npy", PIXELS[None, None, :64, :64])
    low, high = np.percentile(PIXELS[:64, :64], (1, 99))
    np.save(folder / "out.npy", applied((PIXELS[:64, :64] - low) / (high - low), blur))
    (folder / "README.md").write_text("# Discs\n## Validation\nby its test\n")
    free = spec.ParameterizedSize(min=64, step=16)
    axes = [spec.SpaceInputAxis(id=spec.AxisId(name), size=free) for name in "yx"]
    steps = [
        spec.ScaleRangeDescr(
            kwargs=spec.ScaleRangeKwargs(
                axes=(spec.AxisId("y"), spec.AxisId("x")), min_percentile=1, max_percentile=99
            )
        )
    ]
    raw = spec.InputTensorDescr(
        id=spec.TensorId("raw"),
        axes=[spec.BatchAxis(), spec.ChannelAxis(channel_names=[spec.Identifier("dna")]), *axes],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
        test_tensor=spec.FileDescr(source=folder / "in.npy"),
        preprocessing=steps,
    )
    like = [
        spec.SpaceOutputAxis(
            id=spec.AxisId(name),
            size=spec.SizeReference(tensor_id=spec.TensorId("raw"), axis_id=spec.AxisId(name)),
        )
        for name in "yx"
    ]
    names = [spec.Identifier("foreground")]
    maps = spec.OutputTensorDescr(
        id=spec.TensorId("maps"),
        axes=[spec.BatchAxis(), spec.ChannelAxis(channel_names=names), *like],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
        test_tensor=spec.FileDescr(source=folder / "out.npy"),
    )
    model = spec.ModelDescr(
        name="discs",
        description="foreground of discs",
        authors=[spec.Author(name="nobody")],
        cite=[spec.CiteEntry(text="none", url="https://example.org")],
        license=spec.LicenseId("CC-BY-NC-4.0"),
        documentation=spec.FileDescr(source=folder / "README.md"),
        inputs=[raw],
        outputs=[maps],
        weights=spec.WeightsDescr(
            onnx=spec.OnnxWeightsDescr(source=folder / "weights.onnx", opset_version=17)
        ),
    )
    return Path(save_bioimageio_package(model, output_path=folder / "discs.zip"))


def applied(plane: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """What the network of `write_onnx` does to (Y, X); (1, 1, Y, X)."""
    from scipy.ndimage import correlate

    smooth = correlate(plane.astype(np.float32), blur[0, 0], mode="constant")
    return (1 / (1 + np.exp(-(20 * smooth - 8))))[None, None].astype(np.float32)


def write_onnx(path: Path, blur: np.ndarray) -> None:
    """sigmoid(20 blur(x) - 8), at any size of image."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel = numpy_helper.from_array(20 * blur, "kernel")
    offset = numpy_helper.from_array(np.array([-8], np.float32), "offset")
    nodes = [
        helper.make_node("Conv", ["raw", "kernel", "offset"], ["sum"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["sum"], ["maps"]),
    ]
    shape = ["b", 1, "y", "x"]
    value = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("raw", "maps")}
    graph = helper.make_graph(nodes, "discs", [value["raw"]], [value["maps"]], [kernel, offset])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
