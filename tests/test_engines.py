"""Engines behind one interface: what each finds, what it says when something is missing.

The engines of other projects run where their packages are, each in an environment of its own:

    python3.11 -m venv /tmp/cellpose; /tmp/cellpose/bin/pip install torch==2.13.0
    /tmp/cellpose/bin/pip install torch==2.13.0 cellpose==3.1.1.3 numba pandas scikit-image \
        safetensors jsonschema pyyaml pytest
    PYTHONPATH=. /tmp/cellpose/bin/python -m pytest tests/test_engines.py \
        tests/test_cellpose.py tests/test_model_packages.py -m engine

For Cellpose 4 install `cellpose==4.2.1.1 torchvision==0.28.0` (from the source of torch), for
StarDist `stardist==0.9.2 tensorflow-cpu==2.21.0`, for packages of bioimage.io
`bioimageio.core==0.11.0 pydantic==2.12.5`. Elsewhere those tests skip, and say which package they
lack. Small nets are trained for the slow ones; `CELLPIPE_ENGINE_MODELS` names a folder that keeps
them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_models import (
    CELLPOSE_4,
    DIAMETER_PX,
    cellpose_model,
    cellpose_sam_model,
    disc_image,
    finds_discs,
    marks,
    only_with,
    stardist_model,
    there,
)
from instanseg_models import write_package

from cellpipe.config.candidates import AUTO
from cellpipe.config.files import load_yaml, validated
from cellpipe.errors import BadConfig, BadImage, CellpipeError
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import Network
from cellpipe.segment.engines import (
    FOREIGN,
    NAMES,
    OTHERS,
    as_channels,
    load_engine,
    numbered,
    scaled,
)
from cellpipe.segment.engines.bioimageio import _padding
from cellpipe.segment.engines.cellpipe import CellpipeEngine
from cellpipe.segment.engines.package_outputs import DECODE
from cellpipe.segment.engines.scale import at_diameter, brought_back
from cellpipe.segment.engines.weights import weights_card
from cellpipe.segment.nuclei import segment_nuclei

ROOT = Path(__file__).parents[1]
PIXELS, TRUTH = disc_image(100)
OPTIONS = {"instanseg": {"target": "nuclei"}}  # of a model of nuclei and cells
EVERY = [pytest.param(name, marks=marks(name)) if name in FOREIGN else name for name in NAMES]


@pytest.fixture(scope="session")
def models(package: Path, tmp_path_factory: pytest.TempPathFactory):
    """Engine → weights that it reads; those of Cellpose and StarDist know nothing yet."""
    folder = tmp_path_factory.mktemp("models")

    def weights(engine: str) -> str:
        made = {
            "cellpose": lambda: cellpose_model(folder, 0),
            "cellpose_sam": lambda: cellpose_sam_model(folder, 0),
            "stardist": lambda: stardist_model(folder, 0),
            "bioimageio": lambda: package,
            "instanseg": lambda: write_package(folder / "instanseg"),
        }
        return str(made[engine]()) if engine in made else "nuclei"

    return weights


@pytest.mark.parametrize("name", EVERY)
def test_every_engine_keeps_the_contract(name: str, models) -> None:
    engine = load_engine(name, models(name), threads=1, **OPTIONS.get(name, {}))
    labels, probability = engine(PIXELS[:96, :120], 0.5, diameter_um=DIAMETER_PX / 2)
    assert labels.shape == (96, 120)
    assert labels.dtype == np.uint32
    assert probability.dtype == np.float32
    assert np.unique(labels[labels > 0]).tolist() == list(range(1, len(probability) + 1))
    known = probability[~np.isnan(probability)]
    assert ((known >= 0) & (known <= 1)).all()
    stacked, _ = engine(PIXELS[None, :96, :120], 0.5, diameter_um=DIAMETER_PX / 2)
    assert (stacked == labels).all()


@pytest.mark.parametrize("name", EVERY)
def test_every_engine_refuses_more_channels_than_it_sees(name: str, models) -> None:
    engine = load_engine(name, models(name), threads=1, **OPTIONS.get(name, {}))
    with pytest.raises(CellpipeError, match="channel"):
        engine(np.stack([PIXELS] * 4), 0.5)


@pytest.mark.parametrize("name", EVERY)
def test_flat_images_have_no_nuclei(name: str, models) -> None:
    engine = load_engine(name, models(name), threads=1, **OPTIONS.get(name, {}))
    assert segment_nuclei(np.full((40, 50), 7, np.uint16), 1.0, engine=engine).labels.max() == 0


@pytest.mark.parametrize("name", ["cellpipe", "classical"])
def test_engines_without_other_packages_find_the_discs(name: str) -> None:
    labels, _ = load_engine(name)(PIXELS, 1.0, diameter_um=DIAMETER_PX)
    assert average_precision(TRUTH, labels, [0.75])[0] == 1


def test_the_default_is_ours_with_the_shipped_weights(shipped: Network) -> None:
    found = segment_nuclei(PIXELS, 1.0)
    expected, probability, *_ = find_objects(PIXELS, shipped)
    assert (found.labels == expected).all()
    assert (found.probability == probability).all()


def test_options_of_an_engine_reach_it(shipped: Network) -> None:
    bold, _ = CellpipeEngine(shipped)(PIXELS, 1.0, probability_threshold=0.1)
    shy, _ = CellpipeEngine(shipped)(PIXELS, 1.0, probability_threshold=0.95)
    assert (bold > 0).sum() > (shy > 0).sum() > 0


def test_loading_an_engine_imports_no_other() -> None:
    code = (
        "import sys; from cellpipe.segment.nuclei import segment_nuclei;"
        "from cellpipe.segment.engines import load_engine; load_engine('classical');"
        "print([m for m in ('torch', 'cellpose', 'tensorflow', 'bioimageio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


# --- what is missing -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_missing_weights_are_asked_for_and_never_fetched(name: str, tmp_path: Path) -> None:
    for weights in ("nuclei", str(tmp_path)):  # the default, and a folder with nothing in it
        with pytest.raises(BadConfig) as caught:
            load_engine(name, weights)
        assert weights in caught.value.seen
        assert "path" in caught.value.wanted
        assert "download" in caught.value.do


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_a_missing_package_is_named_with_its_version(name: str, package: Path, tmp_path) -> None:
    if there(name):
        pytest.skip(f"{name} is installed here")
    torch.save({"downsample.down.0": torch.zeros(1)}, tmp_path / "cellpose")
    torch.save(CELLPOSE_4, tmp_path / "cpsam")
    (tmp_path / "config.json").write_text('{"n_dim": 2}')
    (tmp_path / "weights_best.h5").write_bytes(b"")
    weights = {"cellpose": tmp_path / "cellpose", "cellpose_sam": tmp_path / "cpsam"}
    weights |= {"stardist": tmp_path, "bioimageio": package}
    with pytest.raises(BadConfig) as caught:
        load_engine(name, str(weights[name]))
    distribution, version = FOREIGN[name]
    assert f"{distribution} {version}" in caught.value.wanted
    assert f"{distribution}=={version}" in caught.value.do
    assert "--sdm conda" in caught.value.do


@pytest.mark.parametrize(
    ("engine", "path", "said"),
    [
        ("cellpose", "nothing", "nothing is there"),
        ("cellpose_sam", "folder", "a folder"),
        ("stardist", "file", "a file"),
        ("stardist", "folder", "a folder without config.json"),
        ("stardist", "half", "a folder without weights_*.h5"),
        ("bioimageio", "file", "a file that is no .zip"),
        ("instanseg", "folder", "a folder without rdf.yaml"),
    ],
)
def test_why_a_path_is_no_model_is_said(engine: str, path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/config.json").write_text('{"n_dim": 2}')
    with pytest.raises(BadConfig) as caught:
        load_engine(engine, str(tmp_path / path))
    assert caught.value.seen.endswith(f": {said}")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_config_of_stardist_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "weights_best.h5").write_bytes(b"")
    with pytest.raises(BadConfig, match=r"config\.json"):
        load_engine("stardist", str(tmp_path))


def test_a_model_of_volumes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"n_dim": 3}')
    (tmp_path / "weights_best.h5").write_bytes(b"")
    with pytest.raises(BadConfig, match="3 dimensions"):
        load_engine("stardist", str(tmp_path))


# --- the config ----------------------------------------------------------------------------------


def checked(nuclei: dict) -> dict:
    from cellpipe.config.sheets import checked_config

    config = {"plates": "p.tsv", "channels": {"dna": {"source": "1"}}}
    return checked_config(
        {**config, "segment": {"nuclei": {"channel": "dna", **nuclei}}}, ROOT / "config/schemas"
    )


def test_options_of_other_engines_do_not_reach_the_fingerprint() -> None:
    plain = checked({})
    other = checked({"cellpose": {"flow_threshold": 0.8}})
    assert plain["segment"] == other["segment"]


def test_options_of_the_engine_in_use_have_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"a model")
    weights = str(tmp_path / "model")
    nuclei = checked({"engine": "cellpose", "weights": weights})["segment"]["nuclei"]
    assert nuclei["cellpose"] == {"flow_threshold": 0.4, "n_iterations": None}
    assert not {"cellpipe", "stardist", "bioimageio"} & nuclei.keys()


def test_an_engine_without_its_weights_stops_before_the_first_job() -> None:
    with pytest.raises(BadConfig, match=r"'nuclei' for 'segment.nuclei.weights'"):
        checked({"engine": "stardist"})


def test_the_schema_knows_the_engines() -> None:
    schema = load_yaml(ROOT / "config/schemas/config.schema.yaml")
    nuclei = schema["properties"]["segment"]["properties"]["nuclei"]["properties"]
    assert [name for name in nuclei["engine"]["enum"] if name != AUTO] == list(NAMES)
    compared = nuclei["auto"]["properties"]["candidates"]["items"]["properties"]
    assert compared["engine"]["enum"] == list(NAMES)
    assert nuclei["bioimageio"]["properties"]["output"]["enum"] == ["auto", *DECODE]
    assert validated({}, nuclei["cellpose"], source="x")["flow_threshold"] == 0.4


def test_extras_are_the_versions_that_are_asked_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, (distribution, version) in FOREIGN.items():
        assert f"{distribution}=={version}" in project["optional-dependencies"][name]


def test_weights_of_other_projects_have_a_digest_of_all_their_files(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"n_dim": 2}')
    (model / "weights_best.h5").write_bytes(b"one")
    before = weights_card("stardist", str(model))
    (model / "thresholds.json").write_text('{"prob": 0.4, "nms": 0.3}')
    after = weights_card("stardist", str(model))
    assert before.name == "model"
    assert before.licence == "not stated"
    assert before.sha256 != after.sha256


def test_a_package_states_its_licence(package: Path) -> None:
    assert weights_card("bioimageio", str(package)).licence == "CC0-1.0"


# --- parts ---------------------------------------------------------------------------------------


def test_numbers_have_no_gaps_and_keep_their_order() -> None:
    labels, old = numbered(np.array([[0, 5], [9, 5]]))
    assert labels.tolist() == [[0, 1], [2, 1]]
    assert old.tolist() == [5, 9]


def test_each_channel_is_scaled_by_its_own_percentiles() -> None:
    ramp = np.linspace(0, 100, 10_000).reshape(100, 100)
    planes = scaled(np.stack([ramp, 7 * ramp + 3, np.full_like(ramp, 4)]), 1, 99)
    assert np.percentile(planes[0], (1, 99)) == pytest.approx([0, 1], abs=1e-3)
    assert planes[1] == pytest.approx(planes[0], abs=1e-4)
    assert not planes[2].any()


def test_channels_are_counted() -> None:
    assert as_channels(PIXELS, (1, 2), "x").shape == (1, *PIXELS.shape)
    with pytest.raises(BadImage, match="1 or 2 channel"):
        as_channels(np.zeros((3, 4, 4)), (1, 2), "x")
    with pytest.raises(BadImage):
        as_channels(np.zeros((1, 1, 4, 4)), (1,), "x")


def test_an_image_goes_to_the_trained_diameter_and_labels_come_back() -> None:
    planes = at_diameter(PIXELS[None], diameter_px=20.0, trained_diameter_px=10.0)
    assert planes.shape == (1, 80, 80)
    oblong = at_diameter(np.zeros((2, 60, 200)), diameter_px=10.0, trained_diameter_px=20.0)
    assert oblong.shape == (2, 120, 400)
    assert at_diameter(PIXELS[None], None, 10.0).shape == (1, 160, 160)
    small = np.zeros((80, 80), np.uint32)
    small[10:20, 30:40] = 1
    labels, _ = brought_back(small, np.ones(1, np.float32), (160, 160))
    assert np.flatnonzero(labels.any(1))[[0, -1]].tolist() == [20, 39]


def maps_of(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a good model would draw for labels: foreground, and boundary between objects."""
    from skimage.segmentation import find_boundaries

    return (truth > 0).astype(np.float32), find_boundaries(truth).astype(np.float32)


def test_outputs_of_packages_become_labels() -> None:
    #  .--.--.
    #  |1 |2 |
    #  '--'--'   3, by itself, lies below
    touching = np.zeros((100, 100), np.int64)
    touching[20:40, 20:40], touching[20:40, 40:60], touching[60:80, 20:40] = 1, 2, 3
    foreground, boundary = maps_of(touching)
    split, probability = DECODE["foreground_boundary"](np.stack([foreground, boundary]), 0.5)
    assert average_precision(touching, split, [0.7])[0] == 1
    assert probability == pytest.approx(1, abs=1e-4)
    merged, _ = DECODE["foreground"](foreground[None], 0.5)
    assert (split.max(), merged.max()) == (3, 2)
    touching[22:38, 72:75], touching[62:98, 44:98] = 4, 5  # a small one, and a large one
    found, _ = DECODE["foreground_boundary"](np.stack(maps_of(touching)), 0.5)
    assert average_precision(touching, found, [0.7])[0] == 1
    same, unknown = DECODE["labels"](touching[None], 0.5)
    assert average_precision(touching, same, [0.99])[0] == 1
    assert np.isnan(unknown).all()


def test_images_are_padded_to_a_size_that_the_model_takes() -> None:
    sizes = SimpleNamespace(min=64, step=16)
    after = {10: 54, 64: 0, 65: 15, 80: 0}
    assert {edge_px: _padding(edge_px, sizes) for edge_px in after} == {
        edge_px: (0, n) for edge_px, n in after.items()
    }
    assert _padding(100, 128) == (0, 28)


# --- with the packages of other projects ---------------------------------------------------------


@only_with("stardist")
@pytest.mark.slow
def test_stardist_finds_the_discs_it_was_shown(tmp_path: Path) -> None:
    weights = str(stardist_model(tmp_path, 300))
    finds_discs(load_engine("stardist", weights, threads=1))
    tuned = shutil.copytree(weights, tmp_path / "tuned")  # as published models are
    (tuned / "thresholds.json").write_text('{"prob": 0.9999, "nms": 0.3}')
    shy, _ = load_engine("stardist", str(tuned), threads=1)(PIXELS, 1.0)
    assert shy.max() < TRUTH.max()
    rescaled = load_engine("stardist", weights, threads=1, trained_diameter_px=DIAMETER_PX)
    large = np.kron(PIXELS, np.ones((2, 2), np.float32))
    labels, _ = rescaled(large, 0.5, diameter_um=DIAMETER_PX)
    assert average_precision(np.kron(TRUTH, np.ones((2, 2), int)), labels, [0.5])[0] > 0.9
