"""Bright objects next to dim ones: a region is examined again where one exposure does not show all.

The grey scale of an image fits most of its objects (`object_levels`). What is far brighter is cut
there and seen too large, what is far dimmer is not seen at all:

    usual exposure ──► objects ──┬─ some are cut: those again, at 1/4 of the gain (1/16, 1/64)
                                 └─ dim objects remain: those, at 16 times the gain

Each object is taken from the exposure that shows it. Ordinary regions are examined once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cellpipe.image.normalise import Limits
from cellpipe.image.object_levels import BIN_PX, background, binned_means, supported
from cellpipe.image.tiles import Place, Plane
from cellpipe.networks.calibration import FEATURES, Calibration
from cellpipe.networks.look import Look

CONTRAST = FEATURES.index("contrast")
CUT = 1.5  # contrast, in spans of the grey scale, of an object that is seen too large
DARKER, DARKEST = 4.0, 64.0  # steps to exposures for what is brighter
BRIGHTER = 16.0  # the step to the exposure for what is dimmer
DIM = 1 / BRIGHTER  # contrast, in spans, of objects that the usual exposure misses
CLEAR = 8.0  # contrast of dim objects, in standard deviations of a pixel's noise: less is haze
SURE = 0.8  # least object probability of dim objects
LEAST_PX = 64  # of something dim, at the network's scale: smaller is debris
BESIDE_PX = 6  # next to a found object there is its own halo
THICK = 0.75  # of the edge of a square of that area: thinner strings and arcs are haze
CROWD = 48.0  # times that area is more than the spread light of one object
RIM_BINS = 4  # around something dim,
DARKER_RIM = 0.5  # where most is less than so many times as bright: else it is haze,
BRIGHTER_RIM, RIM_SHARE = 1.5, 0.03  # and hardly anything as much brighter: else spread light
OVERLAP = 0.2  # share of a dim object that may overlap objects that were found before
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
    part, inner = _around(np.concatenate([[False], cut])[labels], place, look.scale)
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
    found: Objects, inner: Place, gone: np.ndarray, seen: Objects, taken: np.ndarray
) -> Objects:
    """Objects `gone` (n,) that touch those `taken` (m,) from another exposure are removed."""
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
    """And objects that are too dim for the exposure: those that it missed, or hardly shows.

    Only those that are brighter than a dark background: next to a bright object there is its
    spread light.
    """
    low, high = look.limits[0]
    assert look.levels is not None
    least, most = CLEAR * look.levels.dark_noise, DIM * (high - low)
    if least >= most:
        return found
    labels, features = found
    least_px = LEAST_PX / look.scale**2
    contrast = features[:, CONTRAST] * (high - low)
    dim = (contrast > least) & (contrast < most)  # found, but at the end of what can be seen
    binned = binned_means(np.asarray(image[0:1, *place])[0])
    above = supported(binned - background(binned, 0.0))
    there = _dim_things(above, labels, dim, (least, most), least_px / BIN_PX**2)
    if not there.any():
        return found
    part, inner = _around(there, place, look.scale)
    limits = [(low, low + DIM * (high - low)) for low, high in look.limits]
    brighter = replace(look, limits=limits)
    own, own_features = seen = brighter.objects(image, part)
    n = len(own_features)
    area = np.bincount(own.ravel(), minlength=n + 1)[1:]

    def share_on(mask: np.ndarray) -> np.ndarray:
        return np.bincount(own.ravel(), mask.ravel(), minlength=n + 1)[1:] / np.maximum(area, 1)

    contrast = own_features[:, CONTRAST] * most
    taken = (contrast > least) & (contrast < most) & (area >= least_px)
    taken &= share_on(np.concatenate([[False], ~dim])[labels[inner]]) < OVERLAP
    taken &= share_on(there[inner]) > OVERLAP
    stored = look.network.card.calibration
    if stored is not None:  # haze and reflections are dim too
        taken &= Calibration.of_card(stored).probability(own_features) >= SURE
    in_bins = tuple(slice(cut.start // BIN_PX, cut.stop // BIN_PX) for cut in inner)
    bins = _in_bins(np.where(np.concatenate([[False], taken])[own], own, 0), above[in_bins].shape)
    clear = np.unique(bins[_standing_out(above[in_bins], bins, bins > 0, 1)])
    taken &= np.isin(np.arange(1, n + 1), clear)
    if not taken.any():
        return found
    return _merged(found, inner, dim, seen, taken)


def _dim_things(
    above: np.ndarray, labels: np.ndarray, dim: np.ndarray, limits: Limits, least: float
) -> np.ndarray:
    """Where there may be dim objects, bool (Y, X).

    Where objects `dim` (n,) or what no object covers are brighter than a dark background, or where
    that is as large as a crowd.

    above : means of 2 × 2 pixels, above the background
    limits : of these, between which something is dim
    least : its least area, in bins
    """
    by_bins = _in_bins(labels, above.shape)
    left = (above > limits[0]) & (above < limits[1])
    near = ndimage.maximum_filter(by_bins > 0, 2 * (BESIDE_PX // BIN_PX) + 1)
    left &= ~near
    thick = max(1, round(THICK * np.sqrt(least)))
    left = ndimage.binary_opening(left, np.ones((thick, thick), bool))
    found = np.concatenate([[False], dim])[by_bins]
    parts, n = ndimage.label(left)
    crowd = np.bincount(parts.ravel(), minlength=n + 1) >= CROWD * least
    crowd[0] = False
    there = crowd[parts] | _standing_out(above, parts, left | found, least)
    if found.any():
        there |= _standing_out(above, np.where(found, by_bins, 0), left | found, least)
    rows, columns = (
        np.minimum(np.arange(n) // BIN_PX, k - 1)
        for n, k in zip(labels.shape, there.shape, strict=True)
    )
    return there[np.ix_(rows, columns)]


def _in_bins(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels (Y, X) at every second pixel, of that shape."""
    return labels[: BIN_PX * shape[0] : BIN_PX, : BIN_PX * shape[1] : BIN_PX]


def _standing_out(
    above: np.ndarray, parts: np.ndarray, things: np.ndarray, least: float
) -> np.ndarray:
    """Parts (Y, X), of at least that many bins, that are brighter than a dark rim; bool.

    Other `things` (Y, X) are no rim: dim objects may be in a crowd.
    """
    out = np.zeros(parts.shape, bool)
    large = np.bincount(parts.ravel()) >= least
    for i, box in enumerate(ndimage.find_objects(parts), start=1):
        if box is None or not large[i]:
            continue
        y, x = (slice(max(0, cut.start - RIM_BINS), cut.stop + RIM_BINS) for cut in box)
        own = parts[y, x] == i
        around = ndimage.binary_dilation(own, iterations=RIM_BINS) & ~things[y, x]
        rim, mean = above[y, x][around], above[y, x][own].mean()
        darker = rim < DARKER_RIM * mean
        if rim.size and darker.mean() > 0.5 and (rim > BRIGHTER_RIM * mean).mean() < RIM_SHARE:
            out[y, x] |= own
    return out


def _around(mask: np.ndarray, place: Place, scale: float) -> tuple[Place, Place]:
    """The surroundings of a mask of a region, on whole steps of the image, within the region.

    In the coordinates of the image, and in those of the region.
    """
    margin = int(np.ceil(MARGIN_PX / scale))
    cuts = []
    for axis, whole in enumerate(place):
        there = np.flatnonzero(mask.any(1 - axis)) + whole.start
        start = max(whole.start, (int(there[0]) - margin) // ALIGN_PX * ALIGN_PX)
        cuts.append(slice(start, min(whole.stop, int(there[-1]) + 1 + margin)))
    y, x = (slice(c.start - w.start, c.stop - w.start) for c, w in zip(cuts, place, strict=True))
    return (cuts[0], cuts[1]), (y, x)
