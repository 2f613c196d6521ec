"""Two fields that overlap: how far the second lies from the first, by the pixels they share.

    first   ┌──────────┐
            │      ┌───┼──────┐ second      box: the overlap by the nominal positions,
            │      │▒▒▒│      │             widened by the reach on all sides
            └──────┼───┘      │
                   └──────────┘

1. Normalised cross-correlation of the shared pixels at every shift within the reach, by Fourier
   transforms with masks (Padfield, IEEE Trans. Image Process. 21:2706, 2012). Phase correlation
   (Kuglin and Hines, 1975) with a check of its peaks, as Preibisch et al. (Bioinformatics 25:1463,
   2009) have it, missed pairs that share a sixth of the box; see studies/wells.
2. The fraction of a pixel by least squares on the shared pixels, with a gain and an offset
   (Lucas and Kanade, IJCAI 1981): no window and no period, so the edges do not pull. The upsampled
   transform of Guizar-Sicairos et al. (Opt. Lett. 33:156, 2008) was off by 0.1 to 0.2 px.

Both see the images without uneven light and pixel noise: a difference of Gaussians.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from cellpipe.image.tiles import Plane

FINE_PX, COARSE_PX = 1.0, 12.0  # sigmas of the difference of Gaussians
APART_PX = COARSE_PX  # from a peak, within which the correlation is of the same match
ONE_PX = 3 * COARSE_PX  # radius that holds one structure: wider ones are filtered away
LEAST_SIDE_PX = 6  # of the shared pixels
LEAST_SHARE = 0.3  # of the pixels that the nominal positions let both share
COARSE_REACH = 40  # a longer reach is searched on coarser pixels first
MOST_LEFT_PX = 1.5  # of the fraction: more is no fraction
SETTLED_PX, STEPS = 0.002, 10
# turned by half or not, and rolled along the edge by a share of it
KINDS = ((1, 0), (0, 1 / 2), (1, 1 / 2), (0, 1 / 4), (1, 1 / 4), (0, 3 / 4), (1, 3 / 4), (0, 1 / 3))


@dataclass(frozen=True)
class Match:
    """What the pixels of two fields say.

    offset : (y, x) of the second field's corner from the first's, px
    ncc : normalised cross-correlation of the shared pixels, -1 … 1; NaN where nothing is shared
    score : atanh(ncc) times the root of the number of shared pixels: how unlikely it is by chance
    elsewhere : the largest score more than `APART_PX` away; -inf where nothing is that far
    ncc_without : ncc without the structure that agrees most (`ONE_PX`): near 0 where one object
        lies on one other; NaN where nothing is left
    """

    offset: tuple[float, float]
    ncc: float
    score: float
    elsewhere: float = float("-inf")
    ncc_without: float = float("nan")


@dataclass(frozen=True)
class Box:
    """The same rectangle in two fields, filtered; zero where a field has no pixels.

    first, second : (Y, X) float32
    have_first, have_second : windows of the box, in pixels, that the fields cover
    at : offset (y, x) of the second field's corner from the first's, as the box has it
    shared : number of pixels that both fields have at this offset
    """

    first: np.ndarray
    second: np.ndarray
    have_first: tuple[slice, slice]
    have_second: tuple[slice, slice]
    at: tuple[int, int]
    shared: int


def cut_box(first: Plane, second: Plane, nominal: np.ndarray, reach_px: int) -> Box | None:
    """The overlap of two fields by the nominal offset (y, x) in px, widened by the reach.

    None where there is none. Only these pixels are read.
    """
    at = np.rint(nominal).astype(int)
    sizes = [np.array(plane.shape[-2:]) for plane in (first, second)]
    low = np.maximum(0, at)
    high = np.minimum(sizes[0], at + sizes[1])
    if (high - low + 2 * reach_px < LEAST_SIDE_PX).any():
        return None
    start, stop = low - reach_px, high + reach_px
    parts: list[np.ndarray] = []
    windows: list[tuple[slice, slice]] = []
    for plane, corner, size in ((first, 0 * at, sizes[0]), (second, at, sizes[1])):
        begin, end = np.maximum(start, corner), np.minimum(stop, corner + size)
        if (end - begin < LEAST_SIDE_PX).any():
            return None
        own, window = _window(begin - corner, end - corner), _window(begin - start, end - start)
        box = np.zeros(stop - start, np.float32)
        box[window] = _filtered(np.asarray(plane[own], np.float32))
        parts.append(box)
        windows.append(window)
    shared = int(np.maximum(high - low, 1).prod())
    return Box(parts[0], parts[1], windows[0], windows[1], (int(at[0]), int(at[1])), shared)


def _window(low: np.ndarray, high: np.ndarray) -> tuple[slice, slice]:
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def by_chance(box: Box, kind: int) -> Box:
    """The box with the second field's part turned, rolled or both: nothing lies where it was.

    What a match finds in it, it finds by chance. `kind` is one of `len(KINDS)` ways.
    """
    turn, share = KINDS[kind]
    part = box.second[box.have_second]
    axis = int(np.argmax(part.shape))
    part = np.roll(part, round(share * part.shape[axis]), axis)
    second = np.zeros_like(box.second)
    second[box.have_second] = part[::-1, ::-1] if turn else part
    return replace(box, second=second)


def match(box: Box, reach_px: int, *, fraction: bool = True) -> Match:
    """Where the second field lies by the pixels of a box, within the reach of the nominal place."""
    coarse = max(1, reach_px // COARSE_REACH)
    best = _best_shift(_coarser(box, coarse), max(1, reach_px // coarse), APART_PX / coarse)
    if best is None:
        return Match((float(box.at[0]), float(box.at[1])), float("nan"), 0.0)
    shift, share = (best[0] * coarse, best[1] * coarse), best[2]
    if coarse > 1:
        shift = _climb(box, shift, 2 * coarse)
    one, other = _shared(box, shift)
    ncc = _ncc(one, other)
    left = _fraction(one, other) if fraction else (0.0, 0.0)
    y, x = (a + s + f for a, s, f in zip(box.at, shift, left, strict=True))
    score = float(_score(ncc, one.size))
    without = _ncc_without(one, other) if fraction else float("nan")
    return Match((float(y), float(x)), ncc, score, share * score, without)


def _ncc_without(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of what is further than `ONE_PX` from the place that agrees most."""
    product = (one - one.mean()) * (other - other.mean())
    agrees = ndimage.uniform_filter(product, int(2 * COARSE_PX) + 1, mode="constant")
    y, x = np.unravel_index(np.argmax(agrees), agrees.shape)
    rows, columns = np.ogrid[: one.shape[0], : one.shape[1]]
    left = np.hypot(rows - y, columns - x) > ONE_PX
    if left.sum() < LEAST_SIDE_PX**2:
        return float("nan")
    return _ncc(one[left], other[left])


def _score(ncc: np.ndarray | float, n: np.ndarray | float) -> np.ndarray:
    return np.arctanh(np.clip(ncc, -0.9999, 0.9999)) * np.sqrt(n)


def _filtered(pixels: np.ndarray) -> np.ndarray:
    fine = ndimage.gaussian_filter(pixels, FINE_PX, mode="nearest", truncate=3)
    return fine - ndimage.gaussian_filter(pixels, COARSE_PX, mode="nearest", truncate=3)


def _coarser(box: Box, by: int) -> Box:
    """The box with means of `by` × `by` pixels."""
    if by == 1:
        return box

    def means(part: np.ndarray) -> np.ndarray:
        whole = part[: part.shape[0] // by * by, : part.shape[1] // by * by]
        return whole.reshape(whole.shape[0] // by, by, -1, by).mean(axis=(1, 3))

    def window(own: tuple[slice, slice]) -> tuple[slice, slice]:
        rows, columns = (slice(-(-part.start // by), part.stop // by) for part in own)
        return rows, columns

    return Box(
        means(box.first),
        means(box.second),
        window(box.have_first),
        window(box.have_second),
        box.at,
        max(1, box.shared // by**2),
    )


def _best_shift(box: Box, reach_px: int, apart_px: float) -> tuple[int, int, float] | None:
    """The shift (y, x) of the second part whose shared pixels agree most; None if none can be.

    The third is the largest score more than `apart_px` away, as a share of the best.
    """
    shape = [fft.next_fast_len(side + reach_px, real=True) for side in box.first.shape]
    sides = [np.r_[0 : reach_px + 1, -reach_px:0] for _ in shape]
    of_first, of_second = (
        [fft.rfft2(image, shape) for image in (_mask(part.shape, have), *_powers(part, have))]
        for part, have in ((box.first, box.have_first), (box.second, box.have_second))
    )

    def correlated(one: int, other: int) -> np.ndarray:
        """Sums of products at every shift: of the mask (0), the pixels (1), their squares (2)."""
        surface = fft.irfft2(of_first[one] * np.conj(of_second[other]), shape)
        return surface[np.ix_(*sides)]

    n = np.maximum(np.rint(correlated(0, 0)), 1)
    sum_one, sum_other = correlated(1, 0), correlated(0, 1)
    spread_one = correlated(2, 0) - sum_one**2 / n
    spread_other = correlated(0, 2) - sum_other**2 / n
    least = 1e-6 * max(float(spread_one.max()), float(spread_other.max()), 1e-12)
    norm = np.sqrt(np.maximum(spread_one, least) * np.maximum(spread_other, least))
    score = _score((correlated(1, 1) - sum_one * sum_other / n) / norm, n)
    high, wide = (_lengths(box, axis, places) for axis, places in enumerate(sides))
    enough = (high[:, None] >= LEAST_SIDE_PX) & (wide[None, :] >= LEAST_SIDE_PX)
    score = np.where(enough & (n >= LEAST_SHARE * box.shared), score, -np.inf)
    row, column = np.unravel_index(np.argmax(score), score.shape)
    if not np.isfinite(score[row, column]):
        return None
    y, x = int(sides[0][row]), int(sides[1][column])
    away = np.hypot(sides[0][:, None] - y, sides[1][None, :] - x) > apart_px
    best, elsewhere = score[row, column], float(np.max(score, where=away, initial=-np.inf))
    return y, x, elsewhere / float(best) if best > 0 else float("-inf")


def _mask(shape: tuple[int, ...], window: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros(shape)
    mask[window] = 1
    return mask


def _powers(part: np.ndarray, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a window, less their mean, and their squares; 0 outside."""
    own = np.zeros(part.shape)
    own[window] = part[window] - part[window].mean(dtype=float)
    return own, own**2


def _lengths(box: Box, axis: int, shifts: np.ndarray) -> np.ndarray:
    """Rows, or columns, that both parts have, for each shift."""
    first, second = box.have_first[axis], box.have_second[axis]
    return np.minimum(first.stop, second.stop + shifts) - np.maximum(
        first.start, second.start + shifts
    )


def _climb(box: Box, start: tuple[int, int], most: int) -> tuple[int, int]:
    """The shift next to `start` from which every step makes the correlation worse."""
    known: dict[tuple[int, int], float] = {}

    def score(shift: tuple[int, int]) -> float:
        if shift not in known:
            one, other = _shared(box, shift)
            enough = one.size and min(one.shape) >= LEAST_SIDE_PX
            known[shift] = float(_score(_ncc(one, other), one.size)) if enough else -np.inf
        return known[shift]

    here = start
    for _ in range(most):
        around = [(here[0] + dy, here[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        best = max(around, key=score)
        if score(best) <= score(here):
            break
        here = best
    return here


def _shared(box: Box, shift: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of both fields that lie on each other if the second is moved by a shift."""
    one, other = [], []
    for first, second, s in zip(box.have_first, box.have_second, shift, strict=True):
        low = max(first.start, second.start + s)
        high = max(low, min(first.stop, second.stop + s))
        one.append(slice(low, high))
        other.append(slice(low - s, high - s))
    return box.first[tuple(one)], box.second[tuple(other)]


def _ncc(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a * a).sum(dtype=float) * (b * b).sum(dtype=float)))
    return float((a * b).sum(dtype=float)) / norm if norm > 0 else 0.0


def _fraction(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """What is left of the shift, (y, x), by Gauss-Newton steps; 0 where there is no fraction.

    one(y, x) ≈ gain · other(y - sy, x - sx) + offset; pixels at the edge are left out.
    """
    inner = tuple(slice(min(3, n // 4), n - min(3, n // 4)) for n in one.shape)
    target = one[inner].ravel().astype(float)
    spline = ndimage.spline_filter(other.astype(float), 3)
    shift = np.zeros(2)
    for _ in range(STEPS):
        moved = ndimage.shift(spline, shift, order=3, prefilter=False, mode="nearest")
        slopes = np.gradient(moved)
        terms = (moved, np.ones_like(moved), -slopes[0], -slopes[1])
        rows = np.stack([term[inner].ravel() for term in terms])
        gain, _, *step = np.linalg.lstsq(rows @ rows.T, rows @ target, rcond=None)[0]
        if gain <= 0:
            return 0.0, 0.0
        move = np.array(step) / gain
        shift = shift + move
        if np.abs(shift).max() > MOST_LEFT_PX:
            return 0.0, 0.0
        if np.abs(move).max() < SETTLED_PX:
            break
    return float(shift[0]), float(shift[1])
