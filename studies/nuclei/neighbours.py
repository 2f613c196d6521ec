"""Whether a nucleus measures the same whatever else its image holds.

    python studies/nuclei/neighbours.py simulated
    python studies/nuclei/neighbours.py alone --data path/to/data --most 12
    python studies/nuclei/neighbours.py exposures
    python studies/nuclei/neighbours.py crowd

`simulated` puts 1 to 160 nuclei into fields of 2048²; `alone` sets nuclei of BBBC039's test side,
that touch no other, one by one into a field of their own background; `exposures` puts bright nuclei
beside dim ones, `crowd` a few bright ones among as many dim ones as there is room for. Each prints
areas and means as ratios to the truth, or to those in the whole image; `crowd` what was found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from cellpipe.metrics.labels import matches, overlap
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.pairs import read_pair

RADIUS_PX, BLUR_PX, BACKGROUND, OFFSET, READ_NOISE = 12.0, 1.5, 30.0, 100.0, 3.0
BOX = 30  # half of the square that holds a nucleus


def field(heights: np.ndarray, rng: np.random.Generator, edge: int) -> tuple[np.ndarray, ...]:
    """Pixels uint16 and labels uint16 (Y, X) of round nuclei on a jittered grid; counts."""
    side = int(np.ceil(np.sqrt(len(heights))))
    places = np.linspace(2 * BOX, edge - 2 * BOX, side) if side > 1 else np.array([edge / 2])
    sharp, labels = np.zeros((edge, edge)), np.zeros((edge, edge), np.uint16)
    yy, xx = np.mgrid[-BOX : BOX + 1, -BOX : BOX + 1]
    for k, height in enumerate(heights):
        y, x = (places[i] + rng.uniform(-BOX, BOX) / 2 for i in divmod(k, side))
        top, left = int(y) - BOX, int(x) - BOX
        long, short = RADIUS_PX * rng.uniform(0.9, 1.1, 2)
        angle = rng.uniform(0, np.pi)
        v, u = yy - (y - int(y)), xx - (x - int(x))
        along, across = (
            np.cos(angle) * u + np.sin(angle) * v,
            np.cos(angle) * v - np.sin(angle) * u,
        )
        inside = (along / long) ** 2 + (across / short) ** 2 <= 1
        box = np.s_[top : top + 2 * BOX + 1, left : left + 2 * BOX + 1]
        sharp[box][inside], labels[box][inside] = height, k + 1
    light = ndimage.gaussian_filter(sharp, BLUR_PX) + BACKGROUND
    pixels = rng.poisson(light) + rng.normal(OFFSET, READ_NOISE, light.shape)
    return np.clip(np.round(pixels), 0, 65535).astype(np.uint16), labels


def ratios(pixels: np.ndarray, truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the matched objects: their true labels, areas and means over those of the truth."""
    pairs = matches(table := overlap(truth, found))
    true, seen = table.truth[pairs.truth], table.predicted[pairs.predicted]
    above = pixels - np.median(pixels[(truth == 0) & (found == 0)])
    area = [np.bincount(labels.ravel()) for labels in (truth, found)]
    total = [np.bincount(labels.ravel(), above.ravel()) for labels in (truth, found)]
    means = [t / np.maximum(a, 1) for t, a in zip(total, area, strict=True)]
    return true, area[1][seen] / area[0][true], means[1][seen] / means[0][true]


def simulated(engine, seed: int) -> None:
    for height in (300.0, 2000.0):
        for n in (1, 5, 20, 160):
            rng = np.random.default_rng([seed, n])
            pixels, truth = field(np.full(n, height), rng, 2048)
            found = segment_nuclei(pixels, 1.0, engine=engine).labels
            _, area, mean = ratios(pixels, truth, found)
            print(f"height {height:5.0f}, {n:3d} nuclei: {found.max():3d} found, "
                  f"area {area.mean():.3f}, mean {mean.mean():.3f}", flush=True)  # fmt: skip


def exposures(engine, seed: int) -> None:
    for times in (4, 20, 100):
        for n_bright in (1, 8, 15):
            rng = np.random.default_rng([seed, times, n_bright])
            heights = rng.permutation(np.repeat([300.0 * times, 300.0], [n_bright, 16 - n_bright]))
            pixels, truth = field(heights, rng, 768)
            found = segment_nuclei(pixels, 1.0, engine=engine).labels
            true, area, _ = ratios(pixels, truth, found)
            bright = heights[true - 1] > 300
            parts = [
                f"{name} {np.sum(part)} of {wanted}, area {np.median(area[part]):.3f}"
                for name, part, wanted in (
                    ("bright", bright, n_bright),
                    ("dim", ~bright, 16 - n_bright),
                )
                if part.any()
            ]
            print(f"{times:3d} times: {'; '.join(parts)}; {found.max()} found", flush=True)


def crowd(engine, seed: int) -> None:
    for radius, pitch in ((4, 14), (6, 16), (8, 19), (8, 24), (12, 27)):
        for times, n_bright in ((30, 3), (100, 20)):
            rng = np.random.default_rng([seed, radius, pitch, times])
            y, x = np.mgrid[:512, :512]
            rows = np.arange(pitch, 512 - pitch / 2, pitch)
            places = rng.uniform(-0.15, 0.15, (len(rows) ** 2, 2)) * pitch
            places += np.stack(np.meshgrid(rows, rows, indexing="ij"), -1).reshape(-1, 2)
            heights = np.full(len(places), 300.0)
            heights[rng.choice(len(places), n_bright, replace=False)] *= times
            sharp, truth = np.zeros((512, 512)), np.zeros((512, 512), np.uint16)
            for k, (v, u) in enumerate(places):
                inside = np.hypot(y - v, x - u) <= radius
                sharp[inside], truth[inside] = heights[k], k + 1
            light = ndimage.gaussian_filter(sharp, 1.2) + BACKGROUND
            pixels = rng.poisson(light) + rng.normal(OFFSET, READ_NOISE, light.shape)
            pixels = np.clip(np.round(pixels), 0, 65535).astype(np.uint16)
            found = segment_nuclei(pixels, 1.0, engine=engine).labels
            true, _, _ = ratios(pixels, truth, found)
            dim = int((heights[true - 1] == 300).sum())
            print(f"radius {radius}, {pitch} apart, {n_bright} of them {times} times as bright: "
                  f"{dim} of {len(places) - n_bright} dim ones found", flush=True)  # fmt: skip


def alone(engine, data: Path, most: int, edge: int, seed: int) -> None:
    rng, found = np.random.default_rng(seed), []
    folder = data / "nuclei-bbbc039"
    names = load_card("nuclei").extra["split"]["bbbc039/test"]
    for name in names:
        labels_file = folder / "labels" / f"{Path(name).stem}.png"
        pixels, truth = read_pair(folder / "images" / name, labels_file)
        pixels = pixels if pixels.ndim == 2 else pixels[0]
        whole = segment_nuclei(pixels, 1.0, engine=engine).labels
        empty = (truth == 0) & (whole == 0)
        background = pixels[ndimage.distance_transform_edt(empty) > 12]
        left = -(-most // len(names))
        for value in rng.permutation(np.unique(truth)[1:]):
            set_apart = _alone(pixels, truth, value, whole, background, edge, rng) if left else None
            if set_apart is None:
                continue
            left -= 1
            image, usual = set_apart
            found.append((segment_nuclei(image, 1.0, engine=engine).labels > 0).sum() / usual)
            print(f"{name}, nucleus {value}: area {found[-1]:.3f}", flush=True)
    area = np.array(found)
    share = np.mean(np.abs(area - 1) < 0.03)
    print(f"{len(area)} nuclei: median {np.median(area):.3f}, {area.min():.3f} to "
          f"{area.max():.3f}, {100 * share:.0f} % within 3 %")  # fmt: skip


def _alone(
    pixels: np.ndarray,
    truth: np.ndarray,
    value: int,
    whole: np.ndarray,
    background: np.ndarray,
    edge: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, int] | None:
    """A nucleus in a field of background, and its area in pixels in the whole image.

    None for a nucleus with a neighbour within 12 pixels, at the rim, small, or not found.
    """
    own = truth == value
    around = ndimage.binary_dilation(own, iterations=12)
    y, x = np.nonzero(around)
    last = np.array(own.shape) - 1
    at_rim = min(y.min(), x.min()) == 0 or y.max() == last[0] or x.max() == last[1]
    values = whole[own]
    if own.sum() < 100 or at_rim or truth[around & ~own].any() or not values.any():
        return None
    label = np.bincount(values[values > 0]).argmax()
    image = rng.choice(background, (edge, edge))
    image[y - int(y.mean()) + edge // 2, x - int(x.mean()) + edge // 2] = pixels[y, x]
    return image, int((whole == label).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("simulated", "alone", "exposures", "crowd"))
    parser.add_argument("--data", type=Path, help="folder of real images, for `alone`")
    parser.add_argument("--most", type=int, default=24, help="nuclei, for `alone`")
    parser.add_argument("--edge", type=int, default=2048, help="of the field, for `alone`")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    engine = load_engine("cellpipe", "nuclei", threads=1)
    if options.what == "alone":
        if options.data is None:
            parser.error("alone needs --data")
        alone(engine, options.data, options.most, options.edge, options.seed)
    else:
        {"simulated": simulated, "exposures": exposures, "crowd": crowd}[options.what](
            engine, options.seed
        )


if __name__ == "__main__":
    main()
