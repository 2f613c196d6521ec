"""Outlines of nuclei and cells: ellipses with a gentle waviness, and the pixels inside them.

An outline is described by its reduced radius rho: 0 in the centre, 1 on the outline. One function
of rho gives masks, brightness profiles and borders between neighbours (the smaller rho wins).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Outline:
    """An ellipse (semi-axes in pixels) whose radius waves by a few per cent around it."""

    y_px: float
    x_px: float
    major_px: float
    minor_px: float
    angle_rad: float = 0.0
    # (K, 3): order around the outline, amplitude, phase
    waves: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def moved(self, y_px: float, x_px: float) -> Outline:
        """The same outline, centred elsewhere."""
        return Outline(y_px, x_px, self.major_px, self.minor_px, self.angle_rad, self.waves)


@dataclass(frozen=True)
class Inside:
    """One outline's surroundings in an image: arrays over ``window``, shape (h, w)."""

    window: Window
    rho: np.ndarray
    # coordinates in the outline's own frame, in units of its semi-axes
    u: np.ndarray
    v: np.ndarray


def random_waves(rng: np.random.Generator, amplitude: float, orders: int = 3) -> np.ndarray:
    """Waviness of an outline, shape (orders, 3); higher orders are weaker."""
    order = np.arange(3, 3 + orders)
    return np.stack(
        [
            order,
            rng.normal(0, amplitude, orders) * 3 / order,
            rng.uniform(0, 2 * np.pi, orders),
        ],
        axis=1,
    )


def look_inside(outline: Outline, shape: tuple[int, int], reach: float = 1.25) -> Inside | None:
    """Reduced radius around an outline, on the pixels of the image that it can reach.

    ``None`` when the outline is entirely outside the image.
    """
    extent = outline.major_px * reach + 1
    top, left = (max(0, int(np.floor(c - extent))) for c in (outline.y_px, outline.x_px))
    bottom = min(shape[0], int(np.ceil(outline.y_px + extent)) + 1)
    right = min(shape[1], int(np.ceil(outline.x_px + extent)) + 1)
    if bottom <= top or right <= left:
        return None
    dy = np.arange(top, bottom)[:, None] - outline.y_px
    dx = np.arange(left, right)[None, :] - outline.x_px
    cosine, sine = np.cos(outline.angle_rad), np.sin(outline.angle_rad)
    u = (dx * cosine + dy * sine) / outline.major_px
    v = (dy * cosine - dx * sine) / outline.minor_px
    phi = np.arctan2(v, u)
    edge = np.ones_like(phi)
    for order, amplitude, phase in outline.waves:
        edge += amplitude * np.cos(order * phi + phase)
    return Inside((slice(top, bottom), slice(left, right)), np.hypot(u, v) / edge, u, v)


def owners(insides: list[Inside | None], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The owner of each pixel where outlines overlap: the one whose rho is smallest there.

    Returns
    -------
    labels : array, int64, shape (Y, X)
        1 + place in ``insides``, 0 where no outline reaches.
    rho : array, float64, shape (Y, X)
        The owner's reduced radius, 1 outside.
    """
    labels = np.zeros(shape, dtype=np.int64)
    rho = np.ones(shape)
    for place, inside in enumerate(insides, start=1):
        if inside is None:
            continue
        wins = inside.rho < rho[inside.window]
        labels[inside.window][wins] = place
        rho[inside.window][wins] = inside.rho[wins]
    return labels, rho


def grain(u: np.ndarray, v: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """A smooth texture that moves and turns with its object, mean about 1.

    ``waves`` (K, 4): wave numbers along u and v, phase, amplitude; see ``random_grain``.
    """
    texture = np.ones_like(u)
    for along_u, along_v, phase, amplitude in waves:
        texture += amplitude * np.cos(along_u * u + along_v * v + phase)
    return np.maximum(texture, 0.2)


def random_grain(rng: np.random.Generator, contrast: float, n_waves: int = 14) -> np.ndarray:
    """Plane waves for ``grain``: a standard deviation of ``contrast`` about 1, shape (K, 4)."""
    heading = rng.uniform(0, 2 * np.pi, n_waves)
    number = rng.uniform(3.0, 12.0, n_waves)
    return np.stack(
        [
            number * np.cos(heading),
            number * np.sin(heading),
            rng.uniform(0, 2 * np.pi, n_waves),
            np.full(n_waves, contrast * np.sqrt(2 / n_waves)),
        ],
        axis=1,
    )
