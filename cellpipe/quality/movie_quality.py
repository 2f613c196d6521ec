"""Frames of a movie without information: repeated, out of focus, empty; and frames that are lost.

    t            0   1   2   3   4   5   6   7   8   9
    pixels       a   b   b   c   d   ~   ~   e           f   b twice: the camera repeated it
    movie_flag           ▲           ▲   ▲               ▲   ~: blurred against the frames around

A repeated frame looks like a cell at rest, and a blurred one like cells that leave: both make
speeds and tracks wrong, and no single image shows it. Time continues through lost frames and
through repeated ones; speeds and mean squared displacements take neither for motion.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cellpipe.image.units import label

WINDOW_FRAMES = 31  # of the running median that a frame's focus is compared with
# Chosen on simulated and real movies: blurred by 2 px or more, focus falls to a third or less; in
# living ones, mitoses included, to no less than 0.7 of the value around it.
FOCUS_RATIO = 0.5
FOCUS_DEVIATIONS = 5.0
FAR_UM = 10.0  # that the cells of a field go together, from which on it is reported
MANY_CELLS = 20
SAME_RATIO = 0.5  # of the difference that noise alone makes between two exposures
_MAD = 1.4826  # median absolute deviation → standard deviation


def movie_quality(frames: pd.DataFrame) -> pd.DataFrame:
    """Name the frames that should not be trusted, movie by movie.

    Parameters
    ----------
    frames : DataFrame
        One row per well, field and t, with the figures of `image_quality` and n_nuclei. Rows
        without figures (quarantined frames) are left unchanged.

    Returns
    -------
    DataFrame
        The same rows, without `sample`, with

        repeats_t : int32, the frame of the same field that this one repeats, pixel by pixel or
            to less than half of its noise; -1 for none
        lost_before : int32, frames without an image between this one and the one before
        movie_flag : "", or "repeats frame 3", "out of focus", "no nuclei", "after 3 lost frames",
            joined by ", "

        Fields of one frame have nothing to be compared with, and get no flag.
    """
    found = frames.assign(repeats_t=np.int32(-1), lost_before=np.int32(0), movie_flag="")
    if not {"digest", "sample", "focus", "n_nuclei"} <= set(frames):
        return found
    known = found[found["digest"].notna()].sort_values("t", kind="stable")
    for _, rows in known.groupby(["well", "field"], sort=False):
        if len(rows) < 2:
            continue
        repeats = repeated_frames(rows)
        lost = np.diff(rows["t"].to_numpy(int), prepend=int(rows["t"].iloc[0]) - 1) - 1
        flags = [[f"repeats frame {t}"] if t >= 0 else [] for t in repeats.tolist()]
        for said, here in (
            ("out of focus", out_of_focus(rows["focus"].to_numpy(float))),
            ("no nuclei", _suddenly_none(rows["n_nuclei"].to_numpy(float))),
        ):
            for flag, is_so in zip(flags, here.tolist(), strict=True):
                flag += [said] if is_so else []
        for flag, n in zip(flags, lost.tolist(), strict=True):
            flag += [f"after {n} lost frame{'s' if n > 1 else ''}"] if n else []
        found.loc[rows.index, "lost_before"] = lost.astype(np.int32)
        found.loc[rows.index, "repeats_t"] = repeats
        found.loc[rows.index, "movie_flag"] = [", ".join(flag) for flag in flags]
    return found.drop(columns="sample")


def repeated_frames(rows: pd.DataFrame) -> np.ndarray:
    """For each frame of one movie, the t of the first frame that it repeats; -1 for none.

    `rows`, sorted by t, have t, digest, sample, noise_sigma and flag. Two exposures of the same
    scene differ by noise: by √2 of its sigma or more. Frames in a row that differ by less than
    half of that are one exposure, written (or compressed) twice. Where there is no noise, only
    the same pixels count; flat frames are all alike, and repeat nothing.
    """
    t, digest = rows["t"].to_numpy(), rows["digest"].tolist()
    flat = (rows["flag"] == "flat").to_numpy()
    noise = rows["noise_sigma"].to_numpy(float)
    sample = [np.frombuffer(s, "<f4").astype(float) for s in rows["sample"]]
    first: dict[str, int] = {}
    repeats = np.full(len(rows), -1, np.int32)
    for k in range(len(rows)):
        if flat[k]:
            continue
        if digest[k] in first:
            repeats[k] = first[digest[k]]
        elif (
            k and not flat[k - 1] and _same_exposure(sample[k - 1], sample[k], noise[k - 1 : k + 1])
        ):
            repeats[k] = repeats[k - 1] if repeats[k - 1] >= 0 else t[k - 1]
        first.setdefault(digest[k], int(repeats[k]) if repeats[k] >= 0 else int(t[k]))
    return repeats


def _same_exposure(before: np.ndarray, after: np.ndarray, noise: np.ndarray) -> bool:
    if before.shape != after.shape:
        return False
    difference = float(np.sqrt(np.mean((after - before) ** 2)))
    return difference < SAME_RATIO * np.sqrt(2) * float(noise.min())


def out_of_focus(focus: np.ndarray) -> np.ndarray:
    """Frames whose focus falls to less than half of the values around them, bool (N,).

    `focus` (N,) in order of time. The running median holds as long as fewer than half of its 31
    frames are lost; a movie whose focus changes by itself has to fall farther, 5 deviations.
    """
    if len(focus) == 0 or not (focus > 0).any():
        return np.zeros(len(focus), bool)
    log = np.log(np.maximum(focus, 1e-6 * focus.max()))
    around = pd.Series(log).rolling(WINDOW_FRAMES, center=True, min_periods=1).median().to_numpy()
    deviation = log - around
    usual = _MAD * float(np.median(np.abs(deviation)))
    return deviation < -max(-np.log(FOCUS_RATIO), FOCUS_DEVIATIONS * usual)


def _suddenly_none(n_nuclei: np.ndarray) -> np.ndarray:
    """Frames without any nucleus, in a movie that has some in most frames."""
    return (n_nuclei == 0) & (np.median(n_nuclei) > 0)


def lost_frames(seen: Sequence[int]) -> list[range]:
    """The holes between frames that have images, in order."""
    return [range(a + 1, b) for a, b in itertools.pairwise(sorted(seen)) if b - a > 1]


def spans(holes: Sequence[range], most: int = 6) -> str:
    """Frames as text: "9 to 11, 15"; of many holes the first ones."""
    words = [f"{h[0]} to {h[-1]}" if len(h) > 1 else str(h[0]) for h in holes]
    return ", ".join(words[:most]) + (" …" if len(words) > most else "")


def in_repeated_frames(points: pd.DataFrame, fields: pd.DataFrame) -> np.ndarray:
    """Whether each of `points` (well, field, t) is of a frame that repeats another, bool (N,)."""
    frames = fields.loc[fields["repeats_t"] >= 0, ["well", "field", "t"]]
    if frames.empty or points.empty:
        return np.zeros(len(points), bool)
    place = pd.MultiIndex.from_frame(points[["well", "field", "t"]].astype({"well": object}))
    return place.isin(pd.MultiIndex.from_frame(frames.astype({"well": object})))


def name_jumps(fields: pd.DataFrame) -> pd.DataFrame:
    """`fields` with "stage jumps by 12.3 µm" among the flags of frames before which it did."""
    if "stage_jump_y_um" not in fields:
        return fields
    far = np.hypot(*fields[["stage_jump_y_um", "stage_jump_x_um"]].fillna(0).to_numpy(float).T)
    said = [label(f"stage jumps by {um:.1f} µm") if um > 0 else "" for um in far]
    flags = [", ".join(filter(None, both)) for both in zip(fields["movie_flag"], said, strict=True)]
    return fields.assign(movie_flag=flags)


def shared_jumps(fields: pd.DataFrame) -> list[str]:
    """Lines of frames before which the stage jumps in several fields at once, as a stage does."""
    if "stage_jump_y_um" not in fields:
        return []
    jumps = fields[fields["movie_flag"].str.contains("stage jumps", regex=False)]
    shared = jumps.groupby("t").size()
    seen = fields.groupby("t").size()
    return [
        f"frame {t}: the stage jumps before it in {n} of {seen[t]} fields"
        for t, n in shared[shared > 1].items()
    ]


def common_movement(fields: pd.DataFrame) -> list[str]:
    """A line where all cells of a field go far together without a jump: drift, or migration.

    Far is more than `FAR_UM` over the movie, or, frame by frame, more than each cell by itself.
    Of fields with fewer than `MANY_CELLS` nothing is said: a few cells share a way by chance.
    """
    if not {"stage_shift_y_um", "cell_step_um"} <= set(fields) or fields.empty:
        return []
    if "stage_from" in fields:  # of spots, MSDs are freed of drift anyway
        fields = fields[fields["stage_from"].eq("cells")]
    steady = fields[["well", "field", "cell_step_um", "n_nuclei"]].copy()
    for axis in "yx":
        steady[axis] = fields[f"stage_shift_{axis}_um"] - fields[f"stage_jump_{axis}_um"]
    steady["shift"] = np.hypot(steady["y"], steady["x"])
    groups = steady.groupby(["well", "field"])
    whole = groups[["y", "x"]].sum()
    usual = groups[["shift", "cell_step_um", "n_nuclei"]].median()
    far_um = np.hypot(whole["y"], whole["x"])
    shaken = usual["shift"] > usual["cell_step_um"]
    those = ((far_um > FAR_UM) | shaken) & (usual["n_nuclei"] >= MANY_CELLS)
    if not those.any():
        return []
    well, field = far_um.where(those).idxmax()
    place = (well, field)
    how_far = label(
        f"{far_um[place]:.0f} µm over the movie, {usual['shift'][place]:.1f} µm per frame while"
        f" each cell moves {usual['cell_step_um'][place]:.1f} µm"
    )
    return [
        f"the cells of {int(those.sum())} of {len(those)} fields move far together ({well} field"
        f" {field}: {how_far}): the stage drifts, or they migrate; speeds include this unless"
        " track.stage is 'all'"
    ]


def summary(frames: pd.DataFrame, max_gap_frames: int | None = None) -> list[str]:
    """One line per field with flagged frames: "B03 field 1: frames 3, 6, 9 repeat …".

    `max_gap_frames` of tracks, where cells are linked: longer holes end every track.
    """
    lines = []
    flagged = frames[frames["movie_flag"].ne("")] if "movie_flag" in frames else frames.iloc[:0]
    for (well, field), rows in flagged.groupby(["well", "field"], sort=True):
        said = []
        for kind, words in (
            ("repeats frame", "repeat an earlier frame"),
            ("out of focus", "out of focus"),
            ("no nuclei", "without nuclei"),
            ("stage jumps", "the stage jumps before"),
            ("cells step", "cells step much farther than usual to"),
            ("are followed", "far fewer cells than usual continue to"),
            ("order of frames", "not in the order in which cells move"),
        ):
            ts = rows.loc[rows["movie_flag"].str.contains(kind, regex=False), "t"].tolist()
            if ts:
                shown = ", ".join(map(str, ts[:12])) + (" …" if len(ts) > 12 else "")
                said.append(f"{words}: {shown}")
        if "lost_before" in rows:
            said += _lost(rows, max_gap_frames)
        lines.append(f"{well} field {field}: {'; '.join(said)}")
    return lines


def _lost(rows: pd.DataFrame, max_gap_frames: int | None) -> list[str]:
    """What is said of the lost frames of one field."""
    after = rows[rows["lost_before"] > 0].sort_values("t")
    both = zip(after["t"].tolist(), after["lost_before"].tolist(), strict=True)
    holes = [range(t - n, t) for t, n in both]
    said = [f"lost (no image): {spans(holes)}"] if holes else []
    if max_gap_frames is not None:
        ends = [hole for hole in holes if len(hole) > max_gap_frames]
        said += [f"all tracks end before {spans(ends)} (track.max_gap_frames)"] if ends else []
    return said
