"""Small models of other projects' engines, made on the spot: discs, and nets that learn them.

Runs where the package of an engine is; `CELLPIPE_ENGINE_MODELS` names a folder in which a trained
model is kept for the next run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cellpipe.metrics.labels import average_precision
from cellpipe.segment.engines import FOREIGN, Engine

DIAMETER_PX = 18
PACKAGES = {name: distribution.partition(".")[0] for name, (distribution, _) in FOREIGN.items()}


# tensors by which a file of Cellpose 4 is known
CELLPOSE_4 = dict.fromkeys(("W2", "encoder.patch_embed.proj.weight", "out.weight"), None)


def there(engine: str) -> bool:
    """Whether the package of an engine is here, in the version that it wants (Cellpose has two)."""
    if engine not in FOREIGN:
        return True
    if find_spec(PACKAGES[engine]) is None:
        return False
    distribution, version = FOREIGN[engine]
    return metadata.version(distribution).partition(".")[0] == version.partition(".")[0]


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


def finds_discs(engine: Engine) -> None:
    """In one piece and in tiles; fewer where a greater probability is asked."""
    image, shown = disc_image(100)
    labels, probability = engine(image, 1.0, diameter_um=DIAMETER_PX)
    assert average_precision(shown, labels, [0.5])[0] > 0.9
    assert (probability > 0.4).all()
    pixels, truth = disc_image(7, edge_px=640)
    tiled, _ = engine(pixels, 1.0, diameter_um=DIAMETER_PX, tile_px=512)
    assert average_precision(truth, tiled, [0.5])[0] > 0.9
    shy, _ = engine(image, 1.0, diameter_um=DIAMETER_PX, probability_threshold=0.999)
    assert (shy > 0).sum() < (labels > 0).sum()


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


def reduced_sam() -> None:
    """Cellpose 4 builds its encoder small from now on, in this process.

    It takes the encoder from the registry of segment_anything (300 M weights), and the rest of the
    network from the encoder's own shapes.
    """
    from segment_anything import sam_model_registry
    from segment_anything.modeling import ImageEncoderViT
    from torch import nn

    def small(checkpoint: str | None) -> SimpleNamespace:
        encoder = ImageEncoderViT(
            embed_dim=96,
            depth=1,
            num_heads=2,
            out_chans=512,
            use_rel_pos=True,
            global_attn_indexes=(0,),
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        return SimpleNamespace(image_encoder=encoder)

    sam_model_registry["vit_l"] = small


def cellpose_sam_model(folder: Path, n_images: int) -> Path:
    """A small Cellpose 4 network: as it is born, or with a last layer fitted to discs.

    The encoder stays random; the last layer is linear, so that least squares fit it.
    """
    import torch
    from cellpose.vit import CPSAM

    reduced_sam()
    path = kept(f"cellpose_sam_{n_images}", folder)
    if not path.is_file():
        torch.manual_seed(0)
        net = CPSAM().eval()
        if n_images:
            known, wanted = zip(*(_of_tokens(net, seed) for seed in range(n_images)), strict=True)
            x, y = np.concatenate(known), np.concatenate(wanted)
            x = np.pad(x, ((0, 0), (0, 1)), constant_values=1)
            fitted = np.linalg.solve(x.T @ x + 1e-7 * len(x) * np.eye(x.shape[1]), x.T @ y)
            with torch.no_grad():
                net.out.weight.copy_(torch.from_numpy(fitted[:-1].T[:, :, None, None]))
                net.out.bias.copy_(torch.from_numpy(fitted[-1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        net.save_model(str(path))
    return path


def _of_tokens(net, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of an image of discs: what its 32 x 32 tokens hold, and flows and logits of their pixels."""
    import torch
    from cellpose.dynamics import labels_to_flows

    from cellpipe.segment.engines import scaled

    edge = 256 - 96 * (seed % 2)  # smaller images are padded by Cellpose, with zeros
    pixels, labels = disc_image(seed, edge_px=edge)
    _, _, *flows = labels_to_flows([labels.astype(np.int32)])[0]
    maps = np.stack([5 * flows[0], 5 * flows[1], np.where(labels > 0, 6, -6)])
    pad = (256 - edge) // 2
    plane = np.pad(scaled(pixels[None], 1, 99), ((0, 0), (pad, pad), (pad, pad)))
    maps = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
    maps[2][np.pad(labels, pad) == 0] = -6
    seen: list = []
    hook = net.out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        net(torch.from_numpy(plane[None]))
    hook.remove()
    tokens = seen[0][0].flatten(1).T.double().numpy()
    return tokens, maps.reshape(3, 32, 8, 32, 8).transpose(1, 3, 0, 2, 4).reshape(1024, 192)


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
