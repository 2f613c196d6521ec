"""A stage that jumps is found from all cells together, taken out for links and speeds, and named.

t          5       6       7       8
field    ·  ·    ·  ·   ·  ·     ·  ·        at frame 7 the whole field is elsewhere
          ·  ·    ·  ·     ·  ·    ·  ·
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from drawn_cells import crowd

from cellpipe.dynamics.stage import without_stage
from cellpipe.errors import BadConfig
from cellpipe.simulate import DIFFICULTIES, Errors, detect
from cellpipe.track import link_cells, stage_shifts, track_table
from cellpipe.track.cells import without_stage as cells_without_stage
from cellpipe.track.chances import chances
from cellpipe.track.detections import from_table
from cellpipe.track.lineage import links_of

COLUMNS = ["t", "label", "y_um", "x_um", "area_um2", "dna_mean"]
LIMITS = {"max_distance_um": 15.0, "max_gap_frames": 2}
JUMP_T = 7
JUMPED = ["stage_jump_y_um", "stage_jump_x_um"]


@cache
def living(name: str = "easy", seed: int = 1004, n_frames: int = 14) -> pd.DataFrame:
    design = DIFFICULTIES[name].design(seed=seed, n_frames=n_frames, shape=(500, 500))
    return detect(design, "A01", Errors(missed=0.01, false=0.005))


def seen_from(cells: pd.DataFrame, jump_um: np.ndarray, back: bool = False) -> pd.DataFrame:
    """What a view of 245 µm sees that jumps at JUMP_T (and, the frame after, back again)."""
    moved = cells["t"] == JUMP_T if back else cells["t"] >= JUMP_T
    at = cells[["y_um", "x_um"]].to_numpy() + np.where(moved.to_numpy()[:, None], jump_um, 0)
    inside = ((at >= 40) & (at < 285)).all(axis=1)
    return cells.assign(y_um=at[:, 0], x_um=at[:, 1])[inside].reset_index(drop=True)


def jumps_of(cells: pd.DataFrame) -> pd.DataFrame:
    shifts = stage_shifts(cells, **LIMITS).set_index("t")
    return shifts.loc[shifts[JUMPED].ne(0).any(axis=1), JUMPED]


def share_of_links(cells: pd.DataFrame) -> tuple[float, float]:
    """Recall and precision of links, of all frames."""
    found = link_cells(cells[COLUMNS], **LIMITS)
    truth, links = (
        set(zip(*links_of(cells[["t"]].assign(**tracks[ids])), strict=True))
        for tracks in (cells, found)
        for ids in [["track_id", "parent_track_id"]]
    )
    return len(truth & links) / len(truth), len(truth & links) / len(links)


@pytest.mark.parametrize("far_um", [5.0, 10.0, 20.0, 40.0])
def test_links_are_as_good_as_without_the_jump_and_it_is_named(far_um: float) -> None:
    jump = far_um * np.array([0.6, -0.8])
    still, jumped = seen_from(living(), np.zeros(2)), seen_from(living(), jump)
    for with_jump, without in zip(share_of_links(jumped), share_of_links(still), strict=True):
        assert with_jump >= without - 0.01
    found = jumps_of(jumped)
    assert found.index.tolist() == [JUMP_T]
    # the stage of these movies drifts by 0.35 µm a frame besides
    np.testing.assert_allclose(found.to_numpy()[0], jump, atol=1.5)
    assert jumps_of(still).empty


def test_a_frame_that_lies_elsewhere_is_two_jumps() -> None:
    jumped = seen_from(living(), np.array([18.0, 18.0]), back=True)
    found = jumps_of(jumped)
    assert found.index.tolist() == [JUMP_T, JUMP_T + 1]
    assert found.to_numpy().sum(axis=0) == pytest.approx([0, 0], abs=2)
    assert share_of_links(jumped)[0] >= share_of_links(seen_from(living(), np.zeros(2)))[0] - 0.015


@pytest.mark.parametrize("name", list(DIFFICULTIES))
@pytest.mark.parametrize("seed", [1005, 1006])
def test_ordinary_movies_have_no_jump(name: str, seed: int) -> None:
    cells = living(name, seed)
    assert jumps_of(cells).empty
    some = cells["t"].isin([0, 1, 2, 3, 6, 7, 8, 11, 12, 13])  # and none where frames are lost
    assert jumps_of(cells[some]).empty


def test_few_cells_and_a_lattice_do_not_jump_and_few_cells_can() -> None:
    rng = np.random.default_rng(8)
    side = np.arange(30) * 9.0
    lattice = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    few = rng.uniform(0, 200, (6, 2))
    for start, step in ((lattice, 0.3), (few, 1.0)):
        frames = [start + rng.normal(0, step, start.shape) for _ in range(12)]
        cells = pd.concat(
            [pd.DataFrame(at, columns=["y_um", "x_um"]).assign(t=t) for t, at in enumerate(frames)]
        )
        cells["label"] = cells.groupby("t").cumcount() + 1
        assert jumps_of(cells.reset_index(drop=True)).empty
    moved = cells.assign(y_um=cells["y_um"] + np.where(cells["t"] >= JUMP_T, 40, 0))
    assert jumps_of(moved.reset_index(drop=True)).index.tolist() == [JUMP_T]


def test_cells_that_migrate_together_are_no_jump_and_stay_as_they_are() -> None:
    cells = crowd(np.random.default_rng(9), n=150, n_frames=14)
    cells["x_um"] += 4.0 * cells["t"]
    place = {"well": "B02", "field": 1}
    cells = cells.assign(**place, track_id=cells["cell"] + 1, parent_track_id=0)
    shifts = stage_shifts(cells, **LIMITS).assign(**place)
    assert (shifts[JUMPED] == 0).all(axis=None)
    assert shifts["stage_shift_x_um"].iloc[1:].to_numpy() == pytest.approx(np.full(13, 4), abs=0.5)
    pd.testing.assert_frame_equal(without_stage(cells, shifts, "jumps"), cells)
    pd.testing.assert_frame_equal(without_stage(cells, shifts, "off"), cells)
    held = without_stage(cells, shifts, "all")
    ways = [track_table(points, 300)["displacement_um"].median() for points in (cells, held)]
    assert ways[0] > 40
    assert ways[1] < 10


def test_speeds_are_those_of_a_stage_at_rest_and_positions_stay() -> None:
    cells = crowd(np.random.default_rng(10), n=150, n_frames=14)
    place = {"well": "B02", "field": 1}
    cells = cells.assign(**place, track_id=cells["cell"] + 1, parent_track_id=0)
    jumped = cells.copy()
    jumped.loc[jumped["t"] >= JUMP_T, ["y_um", "x_um"]] += (25.0, -10.0)
    shifts = stage_shifts(jumped, **LIMITS).assign(**place)
    other = cells.assign(field=2)  # a field at rest beside it is left alone
    both = pd.concat([jumped, other], ignore_index=True)
    before = both.copy()
    steady = without_stage(both, shifts, "jumps")
    pd.testing.assert_frame_equal(both, before)
    speed = track_table(steady, 300).groupby("field")["speed_um_s"].median()
    truth = track_table(cells, 300)["speed_um_s"].median()
    assert speed.to_numpy() == pytest.approx([truth, truth], rel=0.02)
    assert track_table(jumped, 300)["speed_um_s"].median() > 1.5 * truth
    with pytest.raises(BadConfig, match=r"track\.stage"):
        without_stage(both, shifts, "some")


def test_a_movie_of_few_frames_jumps_only_farther_than_a_cell_goes() -> None:
    cells = crowd(np.random.default_rng(12), n=100, n_frames=3)
    for far_um, jumps in ((8.0, []), (22.0, [2])):
        moved = cells.assign(y_um=cells["y_um"] + np.where(cells["t"] == 2, far_um, 0))
        assert jumps_of(moved).index.tolist() == jumps


def test_a_jump_over_most_of_the_view_is_found() -> None:
    jumped = seen_from(living(), np.array([-110.0, 40.0]))
    found = jumps_of(jumped)
    assert found.index.tolist() == [JUMP_T]
    np.testing.assert_allclose(found.to_numpy()[0], (-110.0, 40.0), atol=2)
    assert share_of_links(jumped)[1] >= 0.99


@pytest.mark.parametrize("far_um", [4.0, 12.0, 30.0])
def test_a_stage_that_goes_back_and_forth_is_taken_out_of_every_step(far_um: float) -> None:
    """The half of the steps that goes one way is not what is usual."""
    still = seen_from(living(), np.zeros(2))
    shaken = still.assign(y_um=still["y_um"] + far_um * (still["t"] % 2))
    assert jumps_of(shaken).index.tolist() == list(range(1, 14))
    place = {"well": "B02", "field": 1}
    shifts = stage_shifts(shaken, **LIMITS).assign(**place)
    speeds = [
        track_table(without_stage(cells.assign(**place), shifts, stage), 300)["speed_um_s"]
        for cells, stage in ((shaken, "jumps"), (still, "off"))
    ]
    assert speeds[0].median() == pytest.approx(speeds[1].median(), rel=0.15)
    recall, precision = share_of_links(shaken)
    assert recall >= share_of_links(still)[0] - 0.01
    assert precision >= 0.99


def test_a_stage_without_aim_is_followed() -> None:
    where = np.random.default_rng(3).uniform(-40, 40, (14, 2))
    still = seen_from(living(), np.zeros(2))
    at = still[["y_um", "x_um"]].to_numpy() + where[still["t"]]
    inside = ((at >= 60) & (at < 265)).all(axis=1)
    cells = still.assign(y_um=at[:, 0], x_um=at[:, 1])[inside].reset_index(drop=True)
    assert min(share_of_links(cells)) >= 0.9
    assert len(jumps_of(cells)) >= 12  # one may be too far to be seen


def test_cells_that_a_jump_brings_and_takes_are_known_at_its_two_frames_alone() -> None:
    jumped = seen_from(living(), np.array([0.0, 20.0]))
    cells, _ = from_table(jumped[COLUMNS])
    moved = cells_without_stage(cells, LIMITS["max_distance_um"])
    assert moved.came_in is not None
    assert moved.went_out is not None
    assert set(cells.t[moved.came_in]) == {JUMP_T}
    assert set(cells.t[moved.went_out]) == {JUMP_T - 1}
    x_um = cells.position_um[:, 1]
    assert x_um[moved.came_in].max() < 40 + 22  # the view begins at 40 and ends at 285
    assert x_um[moved.went_out].min() > 285 - 22
    costs = chances(moved, sigma_um=1.0, max_distance_um=LIMITS["max_distance_um"])
    assert costs.start[moved.came_in].max() < costs.start[~moved.came_in].min() - 1
    assert costs.end[moved.went_out].max() < costs.end[~moved.went_out].min() - 1


def walking(seed: int, n: int, step_um: float, drift_um: np.ndarray) -> pd.DataFrame:
    """Cells that wander, each for itself, seen by a view of 300 µm whose stage moves by
    `drift_um` (T, 2) before each frame; `n` of them are in the view."""
    rng = np.random.default_rng(seed)
    at, frames = rng.uniform(-150, 450, (4 * n, 2)), []
    for t, moved in enumerate(np.cumsum(drift_um, axis=0)):
        at = at + rng.normal(0, step_um, at.shape)
        seen = at + moved
        seen = seen[((seen > 0) & (seen < 300)).all(axis=1) & (rng.random(len(at)) > 0.05)]
        frames.append(pd.DataFrame({"t": t, "y_um": seen[:, 0], "x_um": seen[:, 1]}))
    cells = pd.concat(frames, ignore_index=True)
    return cells.assign(label=cells.groupby("t").cumcount() + 1)


def far_um(cells: pd.DataFrame) -> np.ndarray:
    """How far the stage was found to go over the movie, (2,)."""
    shifts = stage_shifts(cells, **LIMITS)
    return shifts[["stage_shift_y_um", "stage_shift_x_um"]].fillna(0).sum().to_numpy()


@pytest.mark.parametrize(
    ("n", "step_um", "um", "off_um"),
    [(60, 1.0, 0.3, 4.0), (30, 1.0, 0.3, 6.0), (6, 0.3, 0.5, 6.0), (100, 0.5, 0.1, 2.0)],
)
def test_drift_that_no_single_frame_shows_is_found_from_all(n, step_um, um, off_um) -> None:
    """Every step is within its error, and was left out: of 18 µm over the movie, 4 to 8 were found.
    The mean of n cells wanders by itself."""
    off = []
    for seed in range(4):
        drift = np.tile([um, 0.0], (60, 1))
        found = far_um(walking(seed, n, step_um, drift))
        assert jumps_of(walking(seed, n, step_um, drift)).empty
        off.append(found - [59 * um, 0])
    assert np.abs(off).max() < off_um
    assert abs(np.mean(off, axis=0)[0]) < off_um / 2


def test_drift_of_a_part_of_a_movie_and_none() -> None:
    """A plate that cools settles in the first 40 of 120 frames."""
    for seed in range(3):
        drift = np.where(np.arange(120)[:, None] < 40, [0.6, -0.4], 0.0)
        shifts = stage_shifts(walking(seed, 60, 1.0, drift), **LIMITS).set_index("t")
        by_frame = shifts[["stage_shift_y_um", "stage_shift_x_um"]]
        assert by_frame.loc[1:39].sum().to_numpy() == pytest.approx([23.4, -15.6], abs=5)
        assert by_frame.loc[60:].sum().to_numpy() == pytest.approx([0, 0], abs=5)
        assert np.abs(far_um(walking(seed, 60, 1.0, np.zeros((60, 2))))).max() < 2


def test_of_too_few_cells_the_shift_is_unknown_and_not_0() -> None:
    cells = walking(1, 30, 0.5, np.zeros((20, 2)))
    few = cells[(cells["t"] < 10) | (cells["label"] <= 2)]
    shifts = stage_shifts(few, **LIMITS).set_index("t")
    unknown = shifts["stage_shift_y_um"].isna()
    assert unknown[unknown].index.tolist() == list(range(10, 20))
    assert shifts.loc[0, "stage_shift_y_um"] == 0
    assert (shifts[JUMPED] == 0).all(axis=None)
