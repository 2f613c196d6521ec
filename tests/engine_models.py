"""Small models of other projects' engines, made on the spot: discs, and nets that learn them.

Runs where the package of an engine is; `CELLPIPE_ENGINE_MODELS` names a folder in which a trained
model is kept for the next run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cellpipe.segment.engines import FOREIGN

DIAMETER_PX = 18
PACKAGES = {name: distribution.partition(".")[0] for name, (distribution, _) in FOREIGN.items()}


def there(engine: str) -> bool:
    return engine not in FOREIGN or find_spec(PACKAGES[engine]) is not None


def marks(engine: str) -> list[pytest.MarkDecorator]:
    distribution, version = FOREIGN[engine]
    lacking = f"needs {distribution} {version}, see the top of tests/test_engines.py"
    return [pytest.mark.engine, pytest.mark.skipif(not there(engine), reason=lacking)]


def only_with(engine: str) -> Callable[[Callable], Callable]:
    def decorated(test: Callable) -> Callable:
        for mark in marks(engine):
            test = mark(test)
        return test

    return decorated


def disc_image(seed: int, edge_px: int = 160, step_px: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float32 and labels uint16 (Y, X): soft discs in noise, none of them touching."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge_px, :edge_px]
    labels = np.zeros((edge_px, edge_px), np.uint16)
    for cy in range(step_px // 2, edge_px, step_px):
        for cx in range(step_px // 2, edge_px, step_px):
            if rng.random() < 0.8:
                dy, dx = rng.uniform(-4, 4, 2)
                inside = np.hypot(y - cy - dy, x - cx - dx) < DIAMETER_PX / 2
                labels[inside] = labels.max() + 1
    sharp = gaussian_filter(800.0 * (labels > 0), 1.0)
    noise = 15 * rng.standard_normal(labels.shape)
    return (100 + sharp + noise).astype(np.float32), labels


def kept(name: str, folder: Path) -> Path:
    """Where a model lies: in the folder of the last run, if there is one."""
    return Path(os.environ.get("CELLPIPE_ENGINE_MODELS") or folder) / name


def cellpose_model(folder: Path, n_epochs: int) -> Path:
    """A Cellpose 3 net (6.6 M weights): as it is born, or after some epochs on discs."""
    import torch
    from cellpose.models import CellposeModel
    from cellpose.train import train_seg

    path = kept(f"cellpose_{n_epochs}", folder)
    if not path.is_file():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - Cellpose draws from it
        model = CellposeModel(pretrained_model=False, diam_mean=DIAMETER_PX)
        path.parent.mkdir(parents=True, exist_ok=True)
        if n_epochs:
            images, labels = zip(*(disc_image(seed) for seed in range(8)), strict=True)
            train_seg(
                model.net,
                list(images),
                list(labels),
                channels=[0, 0],
                n_epochs=n_epochs,
                batch_size=4,
                bsize=96,
                rescale=False,
                learning_rate=0.005,
                save_path=str(folder),
                nimg_per_epoch=8,
            )
        model.net.save_model(str(path))
    return path


def stardist_model(folder: Path, n_steps: int) -> Path:
    """A small StarDist model: as it is born, or after some steps on discs."""
    import keras
    from stardist.models import Config2D, StarDist2D

    path = kept(f"stardist_{n_steps}", folder)
    if not (path / "weights_best.h5").is_file():
        keras.utils.set_random_seed(0)
        config = Config2D(
            n_rays=16,
            grid=(2, 2),
            unet_n_depth=2,
            unet_n_filter_base=8,
            net_conv_after_unet=16,
            train_patch_size=(96, 96),
            train_batch_size=4,
            train_learning_rate=2e-3,
            train_epochs=1,
            train_steps_per_epoch=n_steps,
            train_tensorboard=False,
        )
        path.mkdir(parents=True)
        model = StarDist2D(config, name=path.name, basedir=str(path.parent))
        if n_steps:
            low, high = 100, 900  # close to percentiles 1 and 99.8 of the discs
            pairs = [disc_image(seed) for seed in range(10)]
            images = [(pixels - low) / (high - low) for pixels, _ in pairs]
            labels = [truth for _, truth in pairs]
            held_out = (images[8:], labels[8:])
            model.train(images[:8], labels[:8], validation_data=held_out, workers=1)
        model.keras_model.save_weights(str(path / "weights_best.h5"))
    return path
