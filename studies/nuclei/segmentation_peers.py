"""StarDist and Cellpose 3, trained and run on the split of the shipped nuclei network.

Runs in the peer's own environment, which needs nothing of cellpipe:

    python -m venv stardist-env && stardist-env/bin/pip install stardist==0.9.2 \
        tensorflow-cpu==2.21.0 imageio
    stardist-env/bin/python studies/nuclei/segmentation_peers.py stardist --data path/to/data \
        --out peers/stardist --cpu-minutes 120

    python -m venv cellpose-env && cellpose-env/bin/pip install torch==2.13.0 && \
        cellpose-env/bin/pip install cellpose==3.1.1.3 imageio
    cellpose-env/bin/python studies/nuclei/segmentation_peers.py cellpose --data path/to/data \
        --out peers/cellpose --cpu-minutes 120

Each peer trains from fresh weights with the settings of its own documentation, for as many CPU
minutes as are asked. Then it segments the test side: labels go to `<out>/labels/<set>/<stem>.tif`,
which `segmentation.py --labels` judges, and megapixels per CPU second (network and post-processing)
to `<out>/speed.json`. Run it again without --cpu-minutes for the speed of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tifffile

FOLDERS = {"dsb2018-fluorescence": "nuclei-dsb2018", "bbbc039": "nuclei-bbbc039"}
CARD = Path(__file__).resolve().parents[2] / "cellpipe" / "weights" / "nuclei.json"
SEED = 20261121
PATCH_PX = 256
CELLPOSE_EPOCHS, CELLPOSE_BATCH = 120, 8  # above 100 epochs it halves its learning rate


def read(path: Path) -> np.ndarray:
    return tifffile.imread(path) if path.suffix in (".tif", ".tiff") else iio.imread(path)


def side_of(data: Path, side: str) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Set, file, pixels (Y, X) and labels (Y, X) of each image of one side of the split."""
    split = json.loads(CARD.read_text(encoding="utf-8"))["extra"]["split"]
    return [
        (
            of_set,
            file,
            read(data / folder / "images" / file),
            read(data / folder / "labels" / f"{Path(file).stem}.png").astype(np.int32),
        )
        for of_set, folder in FOLDERS.items()
        for file in split[f"{of_set}/{side}"]
    ]


class StarDist:
    """Config and augmentation of StarDist's example notebooks (2_training.ipynb)."""

    def __init__(self, out: Path) -> None:
        from csbdeep.utils import normalize
        from stardist.models import Config2D, StarDist2D

        self.normalised = lambda pixels: normalize(pixels.astype(np.float32), 1, 99.8)
        found = (out / "nuclei" / "weights_best.h5").exists()
        config = Config2D(
            n_rays=32,
            grid=(2, 2),
            train_patch_size=(PATCH_PX, PATCH_PX),
            train_batch_size=4,
            train_tensorboard=False,
        )
        self.model = StarDist2D(None if found else config, name="nuclei", basedir=str(out))

    def train(self, learn: list, validate: list, cpu_minutes: float) -> None:
        import tensorflow as tf

        tf.keras.utils.set_random_seed(SEED)
        rng = np.random.default_rng(SEED)
        ended = time.process_time() + 60 * cpu_minutes

        class Clock(tf.keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: object = None) -> None:
                self.model.stop_training = time.process_time() > ended

        def turned(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            quarter, flip = rng.integers(4), rng.integers(2)
            pixels, labels = np.rot90(pixels, quarter), np.rot90(labels, quarter)
            if flip:
                pixels, labels = pixels[::-1], labels[::-1]
            pixels = pixels * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2)
            return pixels + 0.02 * rng.uniform(0, 1) * rng.normal(size=pixels.shape), labels

        self.model.prepare_for_training()
        self.model.callbacks.append(Clock())
        scaled = [
            ([self.normalised(padded(p)) for _, _, p, _ in side], [padded(t) for *_, t in side])
            for side in (learn, validate)
        ]
        self.model.train(
            *scaled[0], validation_data=scaled[1], augmenter=turned, epochs=100000, seed=SEED
        )
        self.model.optimize_thresholds(*scaled[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return self.model.predict_instances(self.normalised(pixels))[0]


class Cellpose:
    """Training from fresh weights with the options of Cellpose's documentation."""

    def __init__(self, out: Path) -> None:
        from cellpose import models

        self.out = out
        kept = out / "models" / "nuclei"
        self.model = models.CellposeModel(pretrained_model=str(kept) if kept.exists() else None)

    def train(self, learn: list, validate: list, cpu_minutes: float) -> None:
        from cellpose import dynamics, train

        np.random.seed(SEED)  # noqa: NPY002 (Cellpose draws from it)
        ended = time.process_time() + 60 * cpu_minutes
        device = self.model.net.device
        options = {
            "train_data": [row[2] for row in learn],
            "train_labels": dynamics.labels_to_flows([row[3] for row in learn], device=device),
            "batch_size": CELLPOSE_BATCH,
            "test_data": [row[2] for row in validate],
            "test_labels": dynamics.labels_to_flows([row[3] for row in validate], device=device),
            "nimg_test_per_epoch": CELLPOSE_BATCH,
            "channels": [0, 0],
            "SGD": True,
            "learning_rate": 0.1,
            "weight_decay": 1e-4,
            "min_train_masks": 1,
            "save_path": str(self.out),
            "model_name": "nuclei",
        }

        def seconds(batches: int, epochs: int = 1) -> float:
            started = time.process_time()
            images = batches * CELLPOSE_BATCH
            train.train_seg(self.model.net, nimg_per_epoch=images, n_epochs=epochs, **options)
            return time.process_time() - started

        # Cellpose warms up and slows down by epochs: as many as it is used to, of fewer images
        seconds(1)  # the first batch allocates
        of_batch = (seconds(9) - seconds(1)) / 8
        left = ended - time.process_time()
        seconds(max(1, round(left / of_batch / CELLPOSE_EPOCHS)), CELLPOSE_EPOCHS)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return self.model.eval(pixels, channels=[0, 0], diameter=None)[0]


PEERS = {"stardist": StarDist, "cellpose": Cellpose}


def padded(image: np.ndarray) -> np.ndarray:
    """At least as large as a training patch, with nothing beyond the image."""
    missing = [(0, max(0, PATCH_PX - n)) for n in image.shape]
    return np.pad(image, missing) if any(after for _, after in missing) else image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cpu-minutes", type=float, help="of training; without it: segment only")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.cpu_minutes:
        learn, validate = (side_of(given.data, side) for side in ("train", "validation"))
        PEERS[given.peer](given.out).train(learn, validate, given.cpu_minutes)
    segment(PEERS[given.peer](given.out), given.data, given.out)


def segment(peer: StarDist | Cellpose, data: Path, out: Path) -> None:
    seconds, pixels_done = 0.0, 0
    for i, (of_set, file, pixels, _) in enumerate(side_of(data, "test")):
        if i == 0:
            peer(pixels)  # the first call allocates and compiles
        started = time.process_time()
        labels = peer(pixels)
        seconds += time.process_time() - started
        pixels_done += pixels.size
        (out / "labels" / of_set).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(out / "labels" / of_set / f"{Path(file).stem}.tif", labels)
    speed = {"megapixels": pixels_done / 1e6, "cpu_seconds": seconds,
             "megapixels_per_cpu_second": pixels_done / 1e6 / seconds}  # fmt: skip
    (out / "speed.json").write_text(json.dumps(speed, indent=1), encoding="utf-8")
    print(speed)


if __name__ == "__main__":
    if "--cpu-minutes" not in sys.argv:  # speed is that of one thread
        os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1",
                       "TF_NUM_INTEROP_THREADS": "1"}  # fmt: skip
    main()
