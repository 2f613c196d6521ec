"""Fields whose grey values differ from those of the rest of their plate, or occur in two places.

A field that was exposed, amplified or exported in another way gives objects, areas and means like
any other. What it cannot hide is its level, the steps between its grey values (`image.levels`), and
that no two exposures have the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.quality.fields import places
from cellpipe.wells import row_and_column

Row = dict[str, str]
FEWEST = 4  # fields, for one to be compared with the others
TIMES = 2.0  # the usual background: autofluorescence and density make less of a difference
DEVIATIONS = 6.0  # healthy fields of eight plates, real and simulated, are within 4.2
STEPS = 0.15  # relative
GAIN = 1.3  # times as high from some well on
WITHIN = 6.0  # deviations of the wells before and after, by which both are apart
APART = 0.1  # logarithms of both channels together, by which two fields of a well are not alike
LIGHT = 0.85  # exponent of noise over level: 1 where a gain changed, 0.5 where the light did
_MAD = 1.4826


def odd_levels(inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Fields whose background is far from that of the other fields, channel by channel."""
    for channel, fields in _by_channel(tables):
        level = _log_level(fields, channel)
        usual, spread = _usual(level)
        # cells and haze raise a background, nothing lowers it below the camera's own: levels above
        # the usual one, which differ more, do not make one far below it usual
        below = min(spread, _MAD * float(np.median(usual - level[level <= usual])))
        least, most = (max(np.log(TIMES), DEVIATIONS * side) for side in (below, spread))
        odd = fields[(level < usual - least) | (level > usual + most)]
        if len(fields) < FEWEST or odd.empty:
            continue
        seen = odd[f"{channel}_background"]
        typical = fields[f"{channel}_background"].median()
        yield {
            "kind": "another level",
            "where": f"channel {channel}: {places(odd)}",
            "seen": f"background of {_range(seen)} in {len(odd)} of {len(fields)} fields or frames,"
            f" where the others have {typical:.4g}",
            "likely_cause": "another exposure, gain or offset; values that were inverted or "
            "rescaled when they were exported; another channel; a compound that fluoresces",
            "do": "compare these images with others; export them again as the camera wrote them, "
            "or leave them out",
        }


def flat_images(inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Images of one grey value in channels that have others elsewhere.

    Where grounds of one grey value are usual on the plate (`quality.blank`), a well without cells
    looks like this without any fault, and cannot be distinguished from a closed shutter.
    """
    for channel, fields in _by_channel(tables):
        mean, low = (fields[f"{channel}_{name}"] for name in ("mean", "background"))
        flat = ((fields[f"{channel}_noise"] == 0) & (mean == low)).to_numpy()
        if not flat.any() or flat.all():
            continue
        blank = f"{channel}_blank"
        clipped = flat & fields[blank].eq(0).to_numpy() if blank in fields else flat & False
        if clipped.any():
            yield {
                "kind": "background clipped",
                "where": f"channel {channel}: {places(fields[clipped])}",
                "seen": f"one grey value ({_range(low[clipped])}) in {int(clipped.sum())} of "
                f"{len(flat)} fields or frames; on most of this plate, the background between "
                "cells has one grey value as well",
                "likely_cause": "wells without cells, whose background was clipped by the camera "
                "or an export; a closed shutter would look the same",
                "do": "raise the camera's offset, or export without clipping: dim cells lose "
                "intensity too; if these wells should contain cells, look at their images",
            }
        flat = flat & ~clipped
        if flat.any():
            yield {
                "kind": "blank image",
                "where": f"channel {channel}: {places(fields[flat])}",
                "seen": f"one grey value ({_range(low[flat])}) in {int(flat.sum())} of {len(flat)} "
                "fields or frames",
                "likely_cause": "a shutter that was closed, or files that were written empty",
                "do": "these images contain no signal: leave these fields out, or image them again",
            }


def odd_steps(inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Fields whose grey values have another step than those of the rest: not as exposed."""
    for channel, fields in _by_channel(tables):
        steps = fields[f"{channel}_step"].to_numpy(float)
        if not np.isfinite(steps).any():
            continue
        usual = float(np.nanmedian(steps))
        apart = np.abs(steps / usual - 1) > STEPS  # NaN is not
        if not apart.any():
            continue
        yield {
            "kind": "rescaled values",
            "where": f"channel {channel}: {places(fields[apart])}",
            "seen": f"grey values come in steps of {_range(steps[apart])} in {int(apart.sum())} of "
            f"{len(fields)} fields or frames, of {usual:.3g} in the others",
            "likely_cause": "values that were multiplied or stretched when they were exported",
            "do": "export the images as the camera wrote them; until then intensities of these "
            "fields cannot be compared with those of others",
        }


def gain_changes(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """A channel that is brighter or darker from some well on, with its noise: another gain.

    More light makes noise grow less than the level does, so a treatment is not taken for it.
    """
    for channel, fields in _by_channel(tables):
        by_column = fields.assign(_column=[row_and_column(well)[1] for well in fields["well"]])
        orders = (fields, by_column.sort_values("_column", kind="stable"))
        found = [(ordered, k) for ordered in orders for k in _new_gains(ordered, channel)]
        if not found:
            continue
        ordered, k = found[0]
        level, first = _log_level(ordered, channel), ordered["well"].iloc[k]
        times = float(np.exp(np.median(level[k:]) - np.median(level[:k])))
        yield {
            "kind": "gain changed",
            "where": f"channel {channel}: from {first} on ({places(ordered[k:])})",
            "seen": f"background and noise are {times:.2g} times those of the wells before",
            "likely_cause": "another gain, binning or scale of the camera from there on",
            "do": "image these wells again, or analyse both parts as plates of their own",
        }


def _new_gains(ordered: pd.DataFrame, channel: str) -> list[int]:
    """Rows, first ones of a well, from which on the gain is another."""
    level, noise = _log_level(ordered, channel), _log_noise(ordered, channel)
    starts = np.flatnonzero(ordered["well"].ne(ordered["well"].shift()).to_numpy())[1:]
    return [int(k) for k in starts if _is_gain(level, noise, int(k))]


def _is_gain(level: np.ndarray, noise: np.ndarray, k: int) -> bool:
    """Whether all of a channel is louder from field k on than before, level and noise alike."""
    if min(k, len(level) - k) < FEWEST:
        return False
    step = float(np.median(level[k:]) - np.median(level[:k]))
    louder = float(np.median(noise[k:]) - np.median(noise[:k]))
    if abs(step) < np.log(GAIN) or louder / step < LIGHT:
        return False
    low, high = (level[:k], level[k:]) if step > 0 else (level[k:], level[:k])
    spread = max(_usual(low)[1], _usual(high)[1])
    return bool(low.max() < high.min() and step**2 > (WITHIN * spread) ** 2)


def same_pixels(inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Images that occur in two places: of two wells, fields or channels, pixel by pixel."""
    parts = []
    for channel, fields in _by_channel(tables):
        seen = fields[fields[f"{channel}_noise"] > 0]  # flat ones are all alike
        own = seen[["well", "field", "t"]].assign(channel=channel, digest=seen[f"{channel}_digest"])
        parts.append(own)
    if not parts:
        return
    images = pd.concat(parts, ignore_index=True)
    twice = images[images.duplicated("digest", keep=False)]
    pairs, wells = [], []
    for _, same in twice.groupby("digest", sort=False):
        if len(same[["well", "field", "channel"]].drop_duplicates()) < 2:
            continue  # a frame that repeats another, which `movie_quality` names
        pairs.append(" = ".join(_place(row) for row in same.head(3).itertuples()))
        wells.append(same)
    if pairs:
        yield {
            "kind": "same pixels",
            "where": places(pd.concat(wells)),
            "seen": f"{len(pairs)} images occur in more than one place: {'; '.join(pairs[:4])}"
            + (" …" if len(pairs) > 4 else ""),
            "likely_cause": "files that were copied or named wrongly: two exposures are never "
            "identical",
            "do": "find the images that belong there, or leave these fields out",
        }


def exchanged_channels(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Fields in which two channels resemble each other's on the rest of the plate."""
    by_channel = dict(_by_channel(tables))
    for one, other in combinations(by_channel, 2):
        both = by_channel[one].index.intersection(by_channel[other].index)  # the same fields
        if len(both) < FEWEST:
            continue
        rows = by_channel[one].loc[both]
        a, b = _signature(rows, one), _signature(rows, other)
        odd = _like_each_other(a, b)
        turned = _turned_in_a_well(rows, a, b, odd)
        if turned.any() and turned.mean() < 0.5:
            yield {
                "kind": "exchanged channels",
                "where": f"channels {one} and {other}: {places(rows[turned])}",
                "seen": f"of fields or frames of a well that follow each other, one has the "
                f"levels of {other} as {one}, and those of {one} as {other}",
                "likely_cause": "files of two channels that were exchanged in one of them",
                "do": "look at the images; correct the names of the files, then run again",
            }
        if odd.any() and odd.mean() < 0.5:
            rows = rows[odd]
            yield {
                "kind": "exchanged channels",
                "where": f"channels {one} and {other}: {places(rows)}",
                "seen": f"in {int(odd.sum())} of {len(odd)} fields or frames {one} looks like "
                f"{other} elsewhere on the plate, and {other} like {one}",
                "likely_cause": "files of two channels that were exchanged",
                "do": "look at the images; correct the names of the files, then run again",
            }


def _like_each_other(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Fields of two channels, each more like the other one of the plate than like itself.

    Levels go with the number of cells; the evidence is by how much one channel is the brighter one
    of the same field, and whether that is turned round. A treatment turns one channel, not both.
    """
    brighter = a[:, 2] - b[:, 2]
    usual, spread = _usual(brighter)
    spread = max(spread, 0.03)
    as_named, exchanged = np.abs(brighter - usual), np.abs(brighter + usual)
    turned = (as_named > 6 * spread) & (exchanged < as_named / 3)
    own = np.stack([_distance(a, a), _distance(b, b)])
    others = np.stack([_distance(a, b), _distance(b, a)])
    both = (others < 1.5 * own).all(axis=0) & (others.sum(axis=0) < own.sum(axis=0))
    return turned & both


def _turned_in_a_well(
    fields: pd.DataFrame, a: np.ndarray, b: np.ndarray, named_already: np.ndarray
) -> np.ndarray:
    """Fields or frames whose channels are those of the one before or after, exchanged; bool (N,).

    Wells without cells differ from all others of a plate, and are alike among themselves to less
    than their channels are: by level, by noise and by mean.
    """
    named, crossed = (
        np.abs(a[1:] - one[:-1]) + np.abs(b[1:] - other[:-1]) for one, other in ((a, b), (b, a))
    )
    well = fields["well"].to_numpy()
    pairs = (well[1:] == well[:-1]) & ~named_already[1:] & ~named_already[:-1]
    pairs &= ((named > APART) & (crossed < 0.4 * named)).all(axis=1)
    pairs &= crossed.sum(axis=1) < 0.15 * named.sum(axis=1)
    turned = np.zeros(len(fields), bool)
    turned[1:] |= pairs
    turned[:-1] |= pairs
    return turned


def _signature(fields: pd.DataFrame, channel: str) -> np.ndarray:
    """Logarithms of a channel's level, noise and mean, of each field, shape (N, 3)."""
    mean = np.log(np.maximum(fields[f"{channel}_mean"].to_numpy(float), 0) + _unit(fields, channel))
    return np.stack([_log_level(fields, channel), _log_noise(fields, channel), mean], axis=1)


def _distance(fields: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """How far each row of `fields` is from the typical row of `plate`, in its deviations."""
    typical = np.median(plate, axis=0)
    spread = np.maximum(_MAD * np.median(np.abs(plate - typical), axis=0), 0.05)
    return np.sqrt(np.mean(((fields - typical) / spread) ** 2, axis=1))


def _by_channel(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Channels with their figures, and the rows of the fields that have them, in plate order."""
    fields = tables.get("fields")
    for column in [] if fields is None else [str(c) for c in fields if str(c).endswith("_step")]:
        channel = column.removesuffix("_step")
        if fields is not None and f"{channel}_background" in fields:
            yield channel, fields[fields[f"{channel}_background"].notna()]


def _log_level(fields: pd.DataFrame, channel: str) -> np.ndarray:
    """Logarithm of the background, with its noise: around 0 a level has no meaning."""
    background = np.maximum(fields[f"{channel}_background"].to_numpy(float), 0)
    noise = fields[f"{channel}_noise"].to_numpy(float)
    return np.log(background + 3 * noise + _unit(fields, channel))


def _log_noise(fields: pd.DataFrame, channel: str) -> np.ndarray:
    return np.log(fields[f"{channel}_noise"].to_numpy(float) + 0.1 * _unit(fields, channel))


def _unit(fields: pd.DataFrame, channel: str) -> float:
    """What counts as little light: a grey value, or the usual noise of images from 0 to 1."""
    noise = fields[f"{channel}_noise"].to_numpy(float)
    noise = noise[noise > 0]
    return min(1.0, float(np.median(noise))) if len(noise) else 1.0


def _usual(values: np.ndarray) -> tuple[float, float]:
    """Median and robust deviation."""
    if not len(values):
        return 0.0, 0.0
    typical = float(np.median(values))
    return typical, _MAD * float(np.median(np.abs(values - typical)))


def _range(values: Sequence[float] | np.ndarray | pd.Series) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _place(row: Any) -> str:
    return f"{row.well} field {row.field} frame {row.t} {row.channel}"
