"""Movies that fade: objects and background come back to the level of the first frame."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_light import cells

from cellpipe.correct.bleaching import over_time
from cellpipe.correct.light import ChannelLight

SHAPE, N_T = (96, 96), 40
PLACE = (slice(0, 96), slice(0, 96))


def movies(
    signal: np.ndarray, background: np.ndarray, n: int = 3, seed: int = 0, cover: float = 0.2
) -> list[np.ndarray]:
    """Fields (T, Y, X), float32, of cells that fade with `signal` over a `background`."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        truth = cells(rng, SHAPE, cover * (1 + k / 4))
        frames = [
            s * np.roll(truth, 2 * t, 1) + b
            for t, (s, b) in enumerate(zip(signal, background, strict=True))
        ]
        noise = 5 * rng.standard_normal((len(frames), *SHAPE))
        found.append((np.stack(frames) + noise).astype(np.float32))
    return found


def levels(frame: np.ndarray) -> tuple[float, float]:
    return float(np.percentile(frame, 20)), float(np.percentile(frame, 95))


T = np.arange(N_T)
FADES = 0.3 + 0.7 * np.exp(-T / 15)


def test_what_fades_is_as_bright_as_in_the_first_frame() -> None:
    shown = movies(FADES, 150 - T.astype(float))
    found = over_time([each[::3] for each in shown], T[::3].tolist(), N_T)
    assert "corrected: objects -6" in found.words
    own = ChannelLight("dna", gain=found.gain.tolist(), offset=found.offset.tolist())
    assert own.acts
    for t in (10, 20, 39):
        even = own.corrected(shown[0][t], PLACE, SHAPE, t)
        for seen, first in zip(levels(even), levels(shown[0][0]), strict=True):
            assert seen == pytest.approx(first, rel=0.08)


@pytest.mark.parametrize("background", [np.full(N_T, 150.0), 150.0 - T / 10])
def test_what_does_not_fade_is_left_as_it_is(background: np.ndarray) -> None:
    found = over_time(movies(np.ones(N_T), background), T.tolist(), N_T)
    assert len(found.gain) == 0
    assert "not corrected: objects" in found.words


def test_a_background_that_fades_is_corrected_where_there_are_no_objects() -> None:
    background = 100 + 50 * np.exp(-T / 10)
    shown = movies(np.zeros(N_T), background)
    found = over_time(shown, T.tolist(), N_T)
    assert (found.gain == 1).all()
    level = [np.median(frame) for frame in shown[0]] + found.offset
    assert np.ptp(level) < 5
    assert "no objects that could be followed, background -4" in found.words


def test_frames_that_flicker_are_no_bleaching() -> None:
    rng = np.random.default_rng(4)
    found = over_time(movies(rng.uniform(0.5, 1.5, N_T), np.full(N_T, 100.0)), T.tolist(), N_T)
    assert len(found.gain) == 0
    assert "not corrected" in found.words


def test_few_frames_and_fields_without_objects_are_not_judged() -> None:
    assert (
        "cannot be judged from 3 frames"
        in over_time(movies(FADES[:3], FADES[:3]), [0, 1, 2], 3).words
    )
    empty = over_time(movies(FADES, np.full(N_T, 100.0), cover=0.0), T.tolist(), N_T)
    assert len(empty.gain) == 0
    assert "no objects" in empty.words
    assert "not corrected" in empty.words
    assert len(over_time([], T.tolist(), N_T).gain) == 0
