"""Bright objects beside dim ones: a region is looked at again where one exposure does not show all.

The grey scale of an image fits most of its objects (`object_levels`). What is far brighter is cut
there and seen too large, what is far dimmer is not seen at all:

    usual exposure ──► objects ──┬─ some are cut: those again, at 1/4 of the gain (1/16, 1/64)
                                 └─ dim things are left over: those, at 16 times the gain

Each object is taken from the exposure that shows it. Ordinary regions are looked at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cellpipe.models.calibration import FEATURES, Calibration
from cellpipe.models.look import Look
from cellpipe.models.normalise import Limits
from cellpipe.models.object_levels import BIN_PX, background, binned_means, supported
from cellpipe.tiles import Place, Plane

CONTRAST = FEATURES.index("contrast")
CUT = 1.5  # contrast, in spans of the grey scale, of an object that is seen too large
DARKER, DARKEST = 4.0, 64.0  # steps to exposures for what is brighter
BRIGHTER = 16.0  # the step to the exposure for what is dimmer
DIM = 1 / BRIGHTER  # contrast, in spans, of objects that the usual exposure misses
CLEAR = 8.0  # contrast of dim objects, in standard deviations of a pixel's noise: less is haze
SURE = 0.8  # least object probability of dim objects
LEAST_PX = 64  # of something dim, at the network's scale: smaller is debris
BESIDE_PX = 6  # beside a found object there is its own halo
OVERLAP = 0.2  # share of a dim object that may lie on objects that were found before
MARGIN_PX = 128  # as the halo of tiles: beyond it nothing changes what is seen
ALIGN_PX = 16

Objects = tuple[np.ndarray, np.ndarray]  # labels (Y, X) 1..n, features (n, F)


def objects_at_exposures(
    look: Look, image: Plane, place: Place, found: Objects | None = None
) -> Objects:
    """`Look.objects`, each object from the exposure that shows it right.

    found : what `Look.objects` gave, where it is there already
    """
    found = found or look.objects(image, place)
    if look.levels is None:
        return found
    return with_dim(look, image, place, with_bright(look, image, place, found))


def with_bright(
    look: Look, image: Plane, place: Place, found: Objects, step: float = DARKER
) -> Objects:
    """Objects that the exposure cuts are replaced by those that a darker one shows instead."""
    labels, features = found
    cut = features[:, CONTRAST] > CUT
    if not cut.any():
        return found
    part = _around(np.concatenate([[False], cut])[labels], place, look.scale)
    inner = tuple(
        slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, place, strict=True)
    )
    darker = replace(look, limits=[(low, low + DARKER * (high - low)) for low, high in look.limits])
    seen = darker.objects(image, part)
    if step < DARKEST:
        seen = with_bright(darker, image, part, seen, step * DARKER)
    own, own_features = seen
    there = labels[inner]
    cut_there = np.concatenate([[False], cut])[there]
    n = len(own_features)
    area = np.bincount(own.ravel(), minlength=n + 1)[1:]
    shared = np.bincount(own.ravel(), cut_there.ravel(), minlength=n + 1)[1:]
    # the same limit from both sides: what is brighter belongs to the darker exposure
    bright = DARKER * own_features[:, CONTRAST] > CUT
    taken = bright & (shared > (1 - OVERLAP) * area)
    if not taken.any():
        return found
    return _merged(found, inner, cut, seen, taken)


def _merged(
    found: Objects, inner: tuple[slice, ...], gone: np.ndarray, seen: Objects, taken: np.ndarray
) -> Objects:
    """Objects `gone` (n,) that touch those `taken` (m,) from another look leave their place."""
    labels, features = found
    own, own_features = seen
    new = np.concatenate([[False], taken])[own]
    replaced = np.zeros(len(features) + 1, bool)
    replaced[labels[inner][new]] = True
    replaced[0] = False
    replaced[1:] &= gone
    kept = np.flatnonzero(~replaced[1:]) + 1
    table = np.zeros(len(features) + 1, np.uint32)
    table[kept] = np.arange(1, len(kept) + 1)
    out = table[labels]
    add = np.zeros(len(own_features) + 1, np.uint32)
    add[1:][taken] = np.arange(len(kept) + 1, len(kept) + 1 + int(taken.sum()))
    region = out[inner]
    free = new & (region == 0)
    region[free] = add[own[free]]
    return out, np.concatenate([features[kept - 1], own_features[taken]])


def with_dim(look: Look, image: Plane, place: Place, found: Objects) -> Objects:
    """And objects that are too dim for the exposure: those that it missed, or hardly shows."""
    low, high = look.limits[0]
    assert look.levels is not None
    least, most = CLEAR * look.levels.noise, DIM * (high - low)
    if least >= most:
        return found
    labels, features = found
    least_px = LEAST_PX / look.scale**2
    contrast = features[:, CONTRAST] * (high - low)
    dim = (contrast > least) & (contrast < most)  # found, but at the end of what can be seen
    pixels = np.asarray(image[0:1, *place])[0]
    left = _left_over(pixels, labels, (least, most), least_px)
    if not (dim.any() or left):
        return found
    limits = [(low, low + DIM * (high - low)) for low, high in look.limits]
    brighter = replace(look, limits=limits)
    own, own_features = seen = brighter.objects(image, place)
    n = len(own_features)
    area = np.bincount(own.ravel(), minlength=n + 1)[1:]
    others = np.concatenate([[False], ~dim])[labels]
    shared = np.bincount(own.ravel(), others.ravel(), minlength=n + 1)[1:]
    contrast = own_features[:, CONTRAST] * most
    taken = (contrast > least) & (contrast < most)
    taken &= (shared < OVERLAP * area) & (area >= least_px)
    stored = look.network.card.calibration
    if stored is not None:  # haze and reflections are dim too
        taken &= Calibration.of_card(stored).probability(own_features) >= SURE
    if not left:  # nothing was missed, so what is dim is only seen better
        known = np.concatenate([[False], dim])[labels]
        taken &= np.bincount(own.ravel(), known.ravel(), minlength=n + 1)[1:] > OVERLAP * area
    if not taken.any():
        return found
    everywhere = (slice(None), slice(None))
    return _merged(found, everywhere, dim, seen, taken)


def _left_over(pixels: np.ndarray, labels: np.ndarray, limits: Limits, least_px: float) -> bool:
    """Whether something outside of objects is that bright above the background, and as large."""
    binned = binned_means(pixels)
    above = supported(binned - background(binned, 0.0))
    left = (above > limits[0]) & (above < limits[1])
    if left.sum() * BIN_PX**2 < least_px:
        return False
    covered = labels[: BIN_PX * len(above) : BIN_PX, : BIN_PX * above.shape[1] : BIN_PX] > 0
    left &= ~ndimage.maximum_filter(covered, 2 * (BESIDE_PX // BIN_PX) + 1)
    parts, n = ndimage.label(left)
    return n > 0 and int(np.bincount(parts.ravel())[1:].max()) * BIN_PX**2 >= least_px


def _around(mask: np.ndarray, place: Place, scale: float) -> Place:
    """What lies around a mask of a region, on whole steps of the image, within the region."""
    margin = int(np.ceil(MARGIN_PX / scale))
    cuts = []
    for axis, whole in enumerate(place):
        there = np.flatnonzero(mask.any(1 - axis)) + whole.start
        start = max(whole.start, (int(there[0]) - margin) // ALIGN_PX * ALIGN_PX)
        cuts.append(slice(start, min(whole.stop, int(there[-1]) + 1 + margin)))
    return cuts[0], cuts[1]
