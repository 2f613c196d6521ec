"""Frames planted into a drawn movie, repeated, blurred or empty, are named; the others are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from tifffile import imread

from cellpipe.image.quality import image_quality
from cellpipe.quality.movie_quality import (
    common_movement,
    movie_quality,
    name_jumps,
    shared_jumps,
    summary,
)
from cellpipe.report.record import doubted_frames, quality

N_FRAMES = 24


def light(t: int) -> np.ndarray:
    """Twelve nuclei on their way, without noise, float (128, 160)."""
    image = np.full((128, 160), 100.0)
    y, x = np.mgrid[:128, :160]
    for k in range(12):
        row, column = 15 + 32 * (k // 4) + 0.4 * t, 15 + 38 * (k % 4) + 0.6 * t * (-1) ** k
        image += 400 * (np.hypot(y - row, x - column) < 7 + 0.5 * (k % 3))
    return gaussian_filter(image, 1.0)


def exposed(light: np.ndarray, seed: int, sigma: float = 12.0) -> np.ndarray:
    noise = sigma * np.random.default_rng(seed).standard_normal(light.shape)
    return np.clip(light + noise, 0, 65535).astype(np.uint16)


def movie() -> list[np.ndarray]:
    return [exposed(light(t), seed=t) for t in range(N_FRAMES)]


def figures(frames: list[np.ndarray], n_nuclei: dict[int, int] | None = None) -> pd.DataFrame:
    counts = n_nuclei or {}
    rows = [
        {"plate": "P", "well": "B03", "field": 1, "t": t, "n_nuclei": counts.get(t, 12)}
        for t in range(len(frames))
    ]
    return pd.DataFrame(rows).join(pd.DataFrame([image_quality(frame) for frame in frames]))


def flags(found: pd.DataFrame) -> dict[int, str]:
    flagged = found[found["movie_flag"] != ""]
    return dict(zip(flagged["t"], flagged["movie_flag"], strict=True))


def test_a_sound_movie_has_no_flag() -> None:
    found = movie_quality(figures(movie()))
    assert flags(found) == {}
    assert (found["repeats_t"] == -1).all()
    assert "sample" not in found


def test_copies_and_a_frozen_camera_are_named_with_the_frame_they_repeat() -> None:
    frames = movie()
    frames[5] = frames[4]  # written twice
    frames[10] = frames[11] = frames[12] = frames[9]  # frozen for three frames
    frames[20] = frames[2]  # copied from long ago
    found = movie_quality(figures(frames))
    frozen = dict.fromkeys((10, 11, 12), "repeats frame 9")
    assert flags(found) == {5: "repeats frame 4", 20: "repeats frame 2", **frozen}
    assert found.set_index("t")["repeats_t"].to_dict()[12] == 9


def test_a_copy_through_lossy_compression_is_a_copy_and_a_second_exposure_is_not() -> None:
    frames = movie()
    grain = np.random.default_rng(7).integers(-3, 4, frames[6].shape)
    frames[7] = (frames[6].astype(int) + grain).astype(np.uint16)  # a quarter of the noise
    frames[16] = exposed(light(15), seed=99)  # nothing moved, but it was exposed again
    assert flags(movie_quality(figures(frames))) == {7: "repeats frame 6"}


@pytest.mark.parametrize("sigma_px", [2.0, 4.0])
def test_five_frames_out_of_focus(sigma_px: float) -> None:
    frames = movie()
    for t in range(8, 13):
        frames[t] = exposed(gaussian_filter(light(t), sigma_px), seed=t)
    assert flags(movie_quality(figures(frames))) == dict.fromkeys(range(8, 13), "out of focus")


def test_frames_without_nuclei_and_flat_frames() -> None:
    frames = movie()
    frames[3] = frames[4] = np.zeros_like(frames[3])  # the shutter stayed closed
    found = movie_quality(figures(frames, {3: 0, 4: 0}))
    assert set(flags(found)) == {3, 4}
    assert all("no nuclei" in flag and "repeats" not in flag for flag in flags(found).values())
    assert found.loc[[3, 4], "flag"].tolist() == ["flat", "flat"]
    nothing = movie_quality(figures(movie(), dict.fromkeys(range(N_FRAMES), 0)))
    assert flags(nothing) == {}  # an empty well is no fault of its frames


def test_fields_are_not_compared_and_one_frame_has_no_flag() -> None:
    one = figures(movie()[:1])
    two = pd.concat([one, one.assign(field=2)], ignore_index=True)
    assert flags(movie_quality(two)) == {}


def test_quarantined_frames_stay_without_figures() -> None:
    table = figures(movie())
    measured = [c for c in table if c not in ("plate", "well", "field", "t")]
    table[measured] = table[measured].astype(object)
    table.loc[6, measured] = np.nan
    found = movie_quality(table)
    assert len(found) == N_FRAMES
    assert flags(found) == {7: "after 1 lost frame"}
    nothing = movie_quality(pd.DataFrame(columns=["plate", "well", "field", "t"]))
    assert nothing.empty


def test_lost_frames_are_named_and_time_goes_on() -> None:
    table = figures(movie())
    found = movie_quality(table[~table["t"].isin([9, 10, 11, 20])])
    assert flags(found) == {12: "after 3 lost frames", 21: "after 1 lost frame"}
    assert found.set_index("t")["lost_before"].to_dict()[12] == 3
    assert summary(found) == ["B03 field 1: lost (no image): 9 to 11, 20"]
    (line,) = summary(found, max_gap_frames=2)
    assert line.endswith("all tracks end before 9 to 11 (track.max_gap_frames)")
    assert "end" not in summary(found, max_gap_frames=3)[0]


def test_jumps_of_the_stage_are_named_by_field_and_by_plate() -> None:
    one = movie_quality(figures(movie())).assign(stage_jump_y_um=0.0, stage_jump_x_um=0.0)
    one.loc[8, ["stage_jump_y_um", "stage_jump_x_um"]] = 3.0, -4.0
    two = name_jumps(pd.concat([one, one.assign(field=2)], ignore_index=True))
    assert flags(two) == {8: "stage jumps by 5.0 µm"}
    assert summary(two)[1] == "B03 field 2: the stage jumps before: 8"
    assert shared_jumps(two) == ["frame 8: the stage jumps before it in 2 of 2 fields"]
    assert shared_jumps(name_jumps(one)) == []
    assert doubted_frames(two)[0] == shared_jumps(two)[0]


def test_cells_that_go_far_together_are_said_to() -> None:
    still = movie_quality(figures(movie())).assign(cell_step_um=1.0, stage_jump_y_um=0.0)
    still = still.assign(stage_jump_x_um=0.0, stage_shift_y_um=0.0, stage_shift_x_um=0.0)
    assert common_movement(still.assign(stage_shift_x_um=0.9)) == []  # twelve nuclei tell little
    still["n_nuclei"] = 40
    (line,) = common_movement(still.assign(stage_shift_x_um=0.9))
    assert "1 of 1 fields" in line
    assert (
        "B03 field 1: 22 µm over the movie, 0.9 µm per frame while each cell moves 1.0 µm" in line
    )
    shaken = still.assign(stage_shift_y_um=np.where(still["t"] % 2, 4.0, -4.0))
    assert "4.0 µm per frame" in common_movement(shaken)[0]
    assert common_movement(still.assign(stage_shift_x_um=0.1)) == []
    jumps = still.assign(stage_shift_x_um=0.9, stage_jump_x_um=0.8)
    assert common_movement(jumps) == []  # jumps are named by themselves
    assert common_movement(movie_quality(figures(movie()))) == []


def test_report_names_them() -> None:
    frames = movie()
    frames[5] = frames[4]
    found = movie_quality(figures(frames))
    assert summary(found) == ["B03 field 1: repeat an earlier frame: 5"]
    assert doubted_frames(found) == summary(found)
    table = quality(found)[1]
    assert table is not None
    assert table.rows[0][:4] == ["B03", "1", "5", "repeats frame 4"]
    assert table.columns[2] == "frame"
    assert doubted_frames(None) == []


@pytest.mark.data
def test_the_histone_movie_s_repeated_frames(real_data: Path) -> None:
    folder = real_data / "tracking-drosophila-histone/Sequence1"
    frames = [imread(path)[..., 1] for path in sorted(folder.glob("*.tif"))]  # GFP: green
    found = movie_quality(figures(frames))
    assert flags(found) == {t: f"repeats frame {t - 1}" for t in (3, 6, 9, 12, 15, 18)}


@pytest.mark.data
def test_real_movies_without_a_known_fault_have_no_flag(real_data: Path) -> None:
    mitocheck = sorted((real_data / "tracking-mitocheck-movie").glob("*.tif"))
    t98g = sorted((real_data / "tracking-t98g-phase/images").glob("*.tif"))
    migration = real_data / "tracking-cancer-migration-crop/cancer_cell_migration_crop.tif"
    for frames in ([imread(p) for p in mitocheck], [imread(p) for p in t98g], imread(migration)):
        assert flags(movie_quality(figures(list(frames)))) == {}
