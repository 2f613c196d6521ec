"""Train a network to remove noise: clean images in, simulated camera noise on top.

Poisson-Gaussian noise (Foi et al. 2008, doi:10.1109/TIP.2008.2001399) of a strength sampled per
crop; the network returns the noise itself, as in DnCNN (Zhang et al. 2017, arXiv:1608.03981).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cellpipe.image.normalise import GreyScale, intensity_range, normalise
from cellpipe.networks.predict import image_maps
from cellpipe.networks.unet import channels_last
from cellpipe.training.augment import Augmentation, crop, random_affine, random_bend
from cellpipe.training.loop import fit
from cellpipe.training.pairs import read_all
from cellpipe.training.plan import Plan
from cellpipe.training.schedule import Schedule
from cellpipe.training.simulated import simulate_fields
from cellpipe.training.start import fresh_or_known
from cellpipe.training.trained import Shown, Trained, worst

log = logging.getLogger(__name__)
PHOTONS = (8.0, 400.0)  # at the image's 99.8th percentile
READ_SIGMA = (0.002, 0.06)  # of the image's range


def add_noise(
    image: np.ndarray, photons: float, read_sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Poisson noise of a camera that counts `photons` at grey value 1, and read noise."""
    counts = rng.poisson(np.clip(image, 0, None) * photons) / photons
    return (counts + read_sigma * rng.standard_normal(image.shape)).astype(np.float32)


def sample_batch(
    images: Sequence[Tensor],
    schedule: Schedule,
    settings: Augmentation,
    step: int,
    simulated: Sequence[Tensor] = (),
    share: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy crops (B, 1, P, P), their noise (B, 1, P, P), and where both are real.

    `share` of the crops come from `simulated` images.
    """
    rng = np.random.default_rng([schedule.seed, step])
    picked = [images[i] for i in rng.integers(len(images), size=schedule.batch)]
    if share:
        for i in np.flatnonzero(rng.random(schedule.batch) < share):
            picked[i] = simulated[int(rng.integers(len(simulated)))]
    crops = []
    for image in picked:  # (1, Y, X)
        matrix = random_affine(rng, settings, 20.0)
        bend = random_bend(rng, settings, schedule.crop_px)
        nothing = torch.zeros(5, *image.shape[1:])
        clean, _, valid = crop(image, nothing, matrix, schedule.crop_px, rng, bend)
        clean = clean * float(np.exp(rng.uniform(-1.2, 0.3))) + float(rng.uniform(0, 0.15))
        photons = float(np.exp(rng.uniform(*np.log(PHOTONS))))
        read_sigma = float(np.exp(rng.uniform(*np.log(READ_SIGMA))))
        noisy = torch.from_numpy(add_noise(clean.numpy(), photons, read_sigma, rng))
        crops.append((noisy, noisy - clean, valid))
    predicted, noise, valid = (torch.stack(parts) for parts in zip(*crops, strict=True))
    return predicted, noise, valid


def noise_loss(predicted: Tensor, noise: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Root mean square error per crop over the noise's own: every strength counts alike."""
    weight = valid.sum((1, 2, 3)).clamp_min(1.0)
    error = ((predicted - noise).square() * valid).sum((1, 2, 3)) / weight
    power = (noise.square() * valid).sum((1, 2, 3)) / weight
    return {"noise": torch.sqrt((error + 1e-8) / (power + 1e-8)).mean()}


def psnr(truth: np.ndarray, image: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the truth's percentile range."""
    low, high = intensity_range(truth)
    error = float(np.mean((truth.astype(np.float64) - image) ** 2))
    return float("inf") if error == 0 else 10 * np.log10((high - low) ** 2 / error)


def noisy_copy(pixels: np.ndarray, photons: float, read_sigma: float, seed: int) -> np.ndarray:
    """A clean image as a dim exposure would show it, on its own scale; float32 (Y, X)."""
    low, high = intensity_range(pixels)
    clean = normalise(pixels, (low, high))
    rng = np.random.default_rng(seed)
    return add_noise(clean, photons, read_sigma, rng) * np.float32(high - low) + np.float32(low)


def score_images(network: nn.Module, pairs: pd.DataFrame) -> pd.DataFrame:
    """PSNR before and after at 30 photons and 2 % read noise: set, side, file, noisy, learned."""
    rows = []
    for pair in pairs.itertuples():
        truth = normalise(pair.pair.read()[0][0])
        noisy, clean = denoised_copy(network, truth, seed=int(pair.Index))
        rows.append((pair.set, pair.side, pair.file, psnr(truth, noisy), psnr(truth, clean)))
    return pd.DataFrame(rows, columns=["set", "side", "file", "psnr_noisy", "psnr_learned"])


def denoised_copy(
    network: nn.Module, truth: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A normalised image (Y, X) with the noise of a dim exposure, and that without what is seen."""
    noisy = noisy_copy(truth, 30.0, 0.02, seed)
    low, high = intensity_range(noisy)
    noise = image_maps(network, normalise(noisy, (low, high)))[0] * (high - low)
    return noisy, noisy - noise


def worst_images(network: nn.Module, pairs: pd.DataFrame, scores: pd.DataFrame) -> list[Shown]:
    """The validation images that gain least: noisy, denoised, and clean."""
    held_out = scores[scores["side"] == "validation"]
    shown = []
    for row, gain in worst(held_out, held_out["psnr_learned"] - held_out["psnr_noisy"]):
        at = pairs.index[(pairs["set"] == row["set"]) & (pairs["file"] == row["file"])][0]
        truth = normalise(pairs.loc[at, "pair"].read()[0][0])
        noisy, clean = denoised_copy(network, truth, seed=int(at))
        panels = (("noisy", noisy[None], None), ("denoised", clean[None], None))
        name = f"{row['set']} {row['file']}\n{gain:+.1f} dB"
        shown.append(Shown(name, (*panels, ("truth", truth[None], None))))
    return shown


def train_denoising(plan: Plan, pairs: pd.DataFrame, checkpoint: Path) -> Trained:
    """Train on the side "train", choose on "validation", score both held-out sides."""
    learn = pairs[pairs.side == "train"]
    images = [torch.from_numpy(normalise(p[0]))[None] for p, *_ in read_all(learn, channels=1)]
    fields = simulate_fields(plan.simulation, plan.schedule.seed)
    simulated = [torch.from_numpy(normalise(pixels[0]))[None] for pixels, _ in fields]
    share = plan.simulation.share
    validation = pairs[pairs.side == "validation"]

    def score(network: nn.Module) -> float:
        return float(score_images(network, validation)["psnr_learned"].mean())

    network, progress = fit(
        channels_last(fresh_or_known(plan)),
        lambda step: sample_batch(images, plan.schedule, plan.augmentation, step, simulated, share),
        noise_loss,
        score,
        plan.schedule,
        checkpoint,
        plan.freeze,
    )
    scores = score_images(network, pairs[pairs.side != "train"])
    return Trained(network, scores, progress, GreyScale(), worst_images(network, pairs, scores))
