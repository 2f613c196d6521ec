"""F1 of spot detectors at 3 pixels, image by image, on spots-insta-smfish, and CPU seconds.

python studies/spots/spots.py path/to/spots-insta-smfish [--diameter-px 4] [--weights path]

cellpipe's three engines, trackpy.locate and scikit-image's blob_log, all at their defaults: nothing
is tuned to an image. A diameter is asked for by all but blob_log; one is given for all images (4
pixels as a spot looks, which is 2.8 sigma; trackpy's mask holds 4 sigma, odd).

The columns with a number are each detector at the one threshold, of ten tried, at which its mean
F1 over these very images is highest: a best case for each, which shows what is left when none is
held back by its default.

The last rows are means: over all images, and over those of each kind. The network of "cellpipe
learned" has seen drawn crops only, none of these images.
"""

from __future__ import annotations

import argparse
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.detect.filters import DIAMETER_TO_SIGMA
from cellpipe.detect.spots import detect_spots
from cellpipe.metrics.points import point_scores
from cellpipe.networks.load import load_network

TOLERANCE_PX = 3.0
Detector = Callable[..., np.ndarray]
Image = tuple[str, np.ndarray, np.ndarray]  # name, pixels (Y, X), true places (N, 2)


def images(folder: Path) -> Iterator[Image]:
    """Every image with truth."""
    import imageio.v3 as imageio

    def pixels(path: Path) -> np.ndarray:
        image = imageio.imread(path)
        return image[..., 0] if image.ndim == 3 else image

    beads = folder / "beads_real"
    table = pd.read_csv(beads / "bead_annotations_20180517.csv")
    at = table[["row_fit", "col_fit"]].to_numpy() - 1  # fitted in MATLAB, which counts from 1
    yield "beads", pixels(beads / "beads_300pxroi.png"), at
    for path in sorted((folder / "smFISH_real").glob("*.png")):
        size = path.stem.split("_")[-1]
        table = pd.read_csv(path.with_name(f"{size}.csv"))
        # picked by hand, 2 pixels below and right of the spots: seen as a median over each image
        yield f"smFISH {size}", pixels(path), table[["row", "col"]].to_numpy() - 2
    for path in sorted((folder / "semi_synthetic_SNR_test/spot_images").glob("*/*.png")):
        name = path.name.replace("spot_img.png", "coord_snr_list.csv")
        listed = path.parents[2] / "spot_data" / path.parent.name / name
        table = pd.read_csv(listed, names=["x", "y", "snr"])
        said = re.sub(r"^.*_(nspots\d+)_.*_(snr\d+)_.*$", r"\1 \2", path.stem)
        yield (
            f"{path.parent.name} {said}",
            pixels(path),
            table[["y", "x"]].apply(pd.to_numeric, errors="coerce").dropna().to_numpy(),
        )
    for path in sorted((folder / "synthetic_density_test/spot_images").glob("*.png")):
        name = path.name.replace("spot_img.png", "coord_snr_list.csv")
        table = pd.read_csv(path.parents[1] / "spot_data" / name)
        said = path.stem.replace("_spot_img", "")
        yield f"drawn {said}", pixels(path), table[["row", "col"]].to_numpy()


def by_engine(engine: str, **options: Any) -> Detector:
    """An engine of ours."""

    def detect(
        pixels: np.ndarray, diameter_px: float, threshold: float | None = None
    ) -> np.ndarray:
        found = detect_spots(
            pixels,
            pixel_size_um=1,
            diameter_um=diameter_px,
            engine=engine,
            threshold=threshold,
            **options,
        )
        return found[["y_um", "x_um"]].to_numpy()

    return detect


def by_trackpy(pixels: np.ndarray, diameter_px: float, share: float = 0) -> np.ndarray:
    """`share` of the image's range, times the area of the mask, is the least mass (default: 0)."""
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    mask_px = 2 * round(2 * diameter_px / DIAMETER_TO_SIGMA) + 1
    least = share * np.ptp(pixels.astype(float)) * mask_px**2
    found = trackpy.locate(pixels, mask_px, minmass=least, engine="python")
    return found[["y", "x"]].to_numpy()


def by_blob_log(pixels: np.ndarray, diameter_px: float, share: float = 0) -> np.ndarray:
    """With a `share` of the highest peak as threshold, of the one sigma; else at its defaults."""
    from skimage.feature import blob_log

    if not share:
        return blob_log(pixels)[:, :2]
    sigma = diameter_px / DIAMETER_TO_SIGMA
    one = {"min_sigma": sigma, "max_sigma": sigma, "num_sigma": 1}
    return blob_log(pixels, **one, threshold=None, threshold_rel=share)[:, :2]


DETECTORS: dict[str, Detector] = {
    "cellpipe log": by_engine("log"),
    "cellpipe trackpy": by_engine("trackpy"),
    "trackpy.locate": by_trackpy,
    "blob_log": by_blob_log,
}
THRESHOLDS = {
    "cellpipe learned": (2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8),
    "cellpipe log": (3, 4, 4.5, 5, 5.5, 6, 7, 8, 10, 14),
    "cellpipe trackpy": (3, 4, 4.5, 5, 5.5, 6, 7, 8, 10, 14),
    "trackpy.locate": (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.25),
    "blob_log": (0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5),
}


def scored(detect: Callable[[np.ndarray], np.ndarray], drawn: list[Image]) -> list[float]:
    """F1 of each image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            point_scores(truth, detect(pixels), TOLERANCE_PX)["f1"] for _, pixels, truth in drawn
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--diameter-px", type=float, default=4.0)
    parser.add_argument("--weights", default="spots", help="of the learned engine")
    options = parser.parse_args()
    network = load_network(options.weights)
    learned = by_engine("learned", network=network)
    detectors = {"cellpipe learned": learned, **DETECTORS}
    drawn, diameter = list(images(options.folder)), options.diameter_px
    table = pd.DataFrame({"spots": [len(truth) for *_, truth in drawn]}, [n for n, *_ in drawn])
    seconds = {}
    for name, detect in detectors.items():
        start = time.process_time()
        table[name] = scored(partial(detect, diameter_px=diameter), drawn)
        seconds[name] = round(time.process_time() - start, 2)
    for name, detect in detectors.items():
        key = "threshold" if name.startswith("cellpipe") else "share"
        tried = {
            value: scored(partial(detect, diameter_px=diameter, **{key: value}), drawn)
            for value in THRESHOLDS[name]
        }
        best = max(tried, key=lambda value: float(np.mean(tried[value])))
        table[f"{name}, {best:g}"] = tried[best]
    kinds = table.groupby([name.split()[0] for name in table.index]).mean()
    table = pd.concat([table, table.mean().to_frame("mean").T, kinds.rename("mean {}".format)])
    print(table.round(3).astype({"spots": int}).to_string())
    print("CPU s, all images, defaults:", seconds)


if __name__ == "__main__":
    main()
