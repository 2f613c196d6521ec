"""Cellpose 3 and 4: each reads its own files, and finds the discs that its network learned.

Those that need a package run where it is installed, see tests/test_engines.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from engine_models import (
    CELLPOSE_4,
    cellpose_model,
    cellpose_sam_model,
    disc_image,
    finds_discs,
    only_with,
)

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.segment.engines import load_engine
from cellpipe.segment.engines.cellpose_models import halo_px

PIXELS, TRUTH = disc_image(100)


@pytest.mark.parametrize("engine", ["cellpose", "cellpose_sam"])
def test_a_file_that_is_no_model_of_cellpose_is_refused(engine: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a model")
    torch.save({"some.weight": torch.zeros(1)}, tmp_path / "other")
    torch.save([1, 2], tmp_path / "list")
    for name, said in {"text": "cannot read", "other": "no model", "list": "no model"}.items():
        with pytest.raises(BadConfig, match=said):
            load_engine(engine, str(tmp_path / name))


def test_a_model_of_another_cellpose_is_sent_to_its_engine(tmp_path: Path) -> None:
    torch.save({"downsample.down.res_down_0.conv": torch.zeros(1)}, tmp_path / "cyto3")
    torch.save(CELLPOSE_4, tmp_path / "cpsam")
    torch.save({"encoder.cls_token": torch.zeros(1)}, tmp_path / "cpdino")
    for engine, name, said in (
        ("cellpose", "cpsam", "engine' to cellpose_sam"),
        ("cellpose_sam", "cyto3", "engine' to cellpose,"),
        ("cellpose_sam", "cpdino", "cpsam"),
    ):
        with pytest.raises(BadConfig) as caught:
            load_engine(engine, str(tmp_path / name))
        assert name in caught.value.seen
        assert "model of Cellpose" in caught.value.seen
        assert said in caught.value.do + caught.value.wanted


@only_with("cellpose")
@pytest.mark.slow
def test_cellpose_finds_the_discs_it_was_shown(tmp_path: Path) -> None:
    weights = str(cellpose_model(tmp_path, 60))
    finds_discs(load_engine("cellpose", weights, threads=1))


@only_with("cellpose_sam")
@pytest.mark.slow
def test_cellpose_sam_finds_the_discs_it_was_fitted_to(tmp_path: Path) -> None:
    weights = str(cellpose_sam_model(tmp_path, 16))
    for precision in ("bfloat16", "float32"):
        engine = load_engine("cellpose_sam", weights, threads=1, precision=precision)
        labels, _ = engine(PIXELS, 1.0)
        assert average_precision(TRUTH, labels, [0.5])[0] > 0.9
    large = np.kron(PIXELS, np.ones((2, 2), np.float32))
    # Cellpose brings objects to 30 px; this network knows discs of 18
    labels, _ = engine(large, 1.0, diameter_um=60)
    assert average_precision(np.kron(TRUTH, np.ones((2, 2), int)), labels, [0.5])[0] > 0.9


@only_with("cellpose_sam")
def test_a_cellpose_sam_file_without_all_tensors_is_refused(tmp_path: Path) -> None:
    tensors = torch.load(cellpose_sam_model(tmp_path, 0), weights_only=True)
    del tensors["encoder.neck.0.weight"]
    torch.save(tensors, tmp_path / "cut")
    with pytest.raises(BadConfig, match=r"encoder\.neck\.0\.weight"):
        load_engine("cellpose_sam", str(tmp_path / "cut"))


@only_with("cellpose_sam")
@pytest.mark.slow
def test_cellpose_sam_of_full_size_is_read_and_run(monkeypatch, tmp_path: Path) -> None:
    from cellpose.vit import CPSAM
    from segment_anything import build_sam_vit_l, sam_model_registry

    monkeypatch.setitem(sam_model_registry, "vit_l", build_sam_vit_l)  # others reduce it
    CPSAM().save_model(str(tmp_path / "cpsam"))
    assert (tmp_path / "cpsam").stat().st_size > 1.2e9
    labels, probability = load_engine("cellpose_sam", str(tmp_path / "cpsam"))(PIXELS, 1.0)
    assert (labels.max(), labels.shape) == (len(probability), PIXELS.shape)


def test_cellpose_s_tiles_overlap_by_four_diameters_and_a_quarter_of_a_tile_at_most() -> None:
    assert [halo_px(diameter_px, 256) for diameter_px in (1, 8, 12, 100)] == [16, 32, 48, 64]
