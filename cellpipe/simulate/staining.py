"""Fluorescence of a static field, channel by channel, in camera counts before the lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellpipe.simulate.population import Population
from cellpipe.simulate.shapes import grain, random_grain

# Two spots closer than this cannot be distinguished, so none are placed closer.
MIN_SPOT_DISTANCE_PX = 4.5
# Spots keep away from the cell's rim and the nucleus, so that whose they are is beyond doubt.
SPOT_RIM_RHO = 0.82


@dataclass(frozen=True)
class Spots:
    """Simulated spots: image (Y, X) in counts; position in pixels, owner and peak of each spot."""

    image: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    label: np.ndarray
    intensity: np.ndarray


def stain_dna(rng: np.random.Generator, people: Population) -> np.ndarray:
    """Nuclei with chromatin texture and dark nucleoli, shape (Y, X)."""
    image = np.zeros(people.nuclei.shape)
    for place, inside in enumerate(people.nucleus_inside, start=1):
        mask = people.nuclei[inside.window] == place
        level = 1100 * np.exp(rng.normal(0, 0.15))
        u, v = inside.u[mask], inside.v[mask]
        brightness = grain(u, v, random_grain(rng, 0.12)) * (1 - 0.25 * inside.rho[mask] ** 4)
        for centre_v, centre_u in rng.uniform(-0.5, 0.5, (int(rng.integers(1, 4)), 2)):
            distance2 = (v - centre_v) ** 2 + (u - centre_u) ** 2
            brightness *= 1 - 0.4 * np.exp(-distance2 / (2 * 0.14**2))
        image[inside.window][mask] = level * brightness
    return image


def stain_reporter(rng: np.random.Generator, people: Population, ratios: np.ndarray) -> np.ndarray:
    """A protein shared between nucleus and cytoplasm, shape (Y, X).

    Each cell's amount is kept while it moves: the mean over its nucleus divided by the mean over
    its cytoplasm is exactly ``ratios[i]``.
    """
    image = np.zeros(people.nuclei.shape)
    for place, inside in enumerate(people.cell_inside, start=1):
        cell = people.cells[inside.window] == place
        nucleus = people.nuclei[inside.window] == place
        cytoplasm = cell & ~nucleus
        n_nucleus, n_cytoplasm = nucleus.sum(), cytoplasm.sum()
        amount = 1500 * np.exp(rng.normal(0, 0.2)) * (n_nucleus + n_cytoplasm)
        level = amount / (ratios[place - 1] * n_nucleus + n_cytoplasm)
        waves = random_grain(rng, 0.08)
        for part, mean in ((nucleus, level * ratios[place - 1]), (cytoplasm, level)):
            # a cell is thickest over its nucleus and thins out towards its rim
            texture = grain(inside.u[part], inside.v[part], waves)
            texture *= 1 - 0.75 * np.clip(inside.rho[part], 0, 1) ** 2
            image[inside.window][part] = mean * texture / max(texture.sum(), 1e-9) * len(texture)
    return image


def stain_spots(
    rng: np.random.Generator,
    people: Population,
    wanted: np.ndarray,
    *,
    sigma_px: float,
    counts: float,
) -> Spots:
    """Vesicles in the cytoplasm on a faint cell body; as many as fit of those wanted per cell."""
    body = np.where(people.cells > 0, 90 * (1 - 0.7 * people.cell_rho**2), 0.0)
    # only the body is blurred: a spot's width is its image behind the lens already
    image = ndimage.gaussian_filter(body, 1.0)
    positions, labels = place_spots(rng, people, wanted)
    peaks = counts * np.exp(rng.normal(0, 0.2, len(labels)))
    add_gaussians(image, positions, peaks, sigma_px)
    return Spots(image, positions[:, 0], positions[:, 1], labels.astype(np.uint32), peaks)


def place_spots(
    rng: np.random.Generator, people: Population, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (S, 2) in pixels and owners (S,) of spots that keep their distance."""
    allowed = (people.cell_rho < SPOT_RIM_RHO) & (people.nuclei == 0)
    border = int(np.ceil(MIN_SPOT_DISTANCE_PX))
    inner = np.zeros_like(allowed)
    inner[border:-border, border:-border] = True
    y, x = np.nonzero(allowed & inner)
    owner = people.cells[y, x]
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(1, people.n + 2))
    taken = np.zeros((0, 2))
    labels = []
    for cell in range(people.n):
        own = order[starts[cell] : starts[cell + 1]]
        candidates = own[rng.permutation(len(own))[: 4 * int(wanted[cell])]]
        left = int(wanted[cell])
        for pixel in candidates:
            if left == 0:
                break
            spot = np.array([y[pixel], x[pixel]]) + rng.uniform(-0.5, 0.5, 2)
            if (np.hypot(*(taken - spot).T) >= MIN_SPOT_DISTANCE_PX).all():
                taken = np.vstack([taken, spot])
                labels.append(cell + 1)
                left -= 1
    return taken, np.array(labels, dtype=np.int64)


def add_gaussians(
    image: np.ndarray, positions: np.ndarray, peaks: np.ndarray, sigma_px: float
) -> None:
    """Add a Gaussian of each peak height at each (y, x) to the image, in place."""
    half = int(np.ceil(4 * sigma_px))
    step = np.arange(-half, half + 1)
    centre = np.rint(positions).astype(np.int64)
    rows = centre[:, :1] + step  # (S, w)
    columns = centre[:, 1:] + step
    along_y = np.exp(-((rows - positions[:, :1]) ** 2) / (2 * sigma_px**2))
    along_x = np.exp(-((columns - positions[:, 1:]) ** 2) / (2 * sigma_px**2))
    light = peaks[:, None, None] * along_y[:, :, None] * along_x[:, None, :]
    shape = image.shape
    inside = ((rows >= 0) & (rows < shape[0]))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < shape[1]))[:, None, :]
    y, x = np.broadcast_arrays(rows[:, :, None], columns[:, None, :])
    np.add.at(image, (y[inside], x[inside]), light[inside])
