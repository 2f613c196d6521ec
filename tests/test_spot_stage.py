"""Jumps of the stage are found in movies of spots without cells, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.dynamics.stage import without_stage
from cellpipe.quality.movies import stage_not_sought
from cellpipe.track import link_particles
from cellpipe.track.spot_stage import stage_of_spots

LIMITS = {"max_distance_um": 2.0, "max_gap_frames": 1}
N_T, SIDE_UM = 20, 40.0


def movie(n: int, seed: int = 0, *, jump=(0.0, 0.0), drift=0.0, fresh=False, n_t=N_T):
    """Diffusing spots, a tenth of them missing; the stage jumps before frame 10."""
    rng = np.random.default_rng(seed)
    at, rows = rng.uniform(0, SIDE_UM, (n, 2)), []
    for t in range(n_t):
        at = rng.uniform(0, SIDE_UM, (n, 2)) if fresh else at + rng.normal(0, 0.2, at.shape) + drift
        seen = at + (np.array(jump) if t >= 10 else 0.0)
        kept = (rng.random(n) > 0.1) & (seen > 0).all(axis=1) & (seen < SIDE_UM).all(axis=1)
        rows += [("B02", 1, t, y, x, k) for k, (y, x) in enumerate(seen) if kept[k]]
    spots = pd.DataFrame(rows, columns=["well", "field", "t", "y_um", "x_um", "true"])
    fields = pd.DataFrame({"well": "B02", "field": 1, "t": range(n_t), "movie_flag": ""})
    return fields, spots


def jumps(fields: pd.DataFrame) -> pd.Series:
    return np.hypot(fields["stage_jump_y_um"].fillna(0), fields["stage_jump_x_um"].fillna(0))


@pytest.mark.parametrize("jump", [(4.0, 3.0), (-12.0, 9.0)])
@pytest.mark.parametrize("n", [20, 60])
def test_a_jump_is_found_and_tracks_go_on(n, jump) -> None:
    fields, spots = movie(n, jump=jump)
    found = stage_of_spots(fields, spots, **LIMITS)
    assert found["stage_from"].eq("spots").all()
    row = found.set_index("t").loc[10]
    assert [row["stage_jump_y_um"], row["stage_jump_x_um"]] == pytest.approx(jump, abs=0.4)
    assert (jumps(found) > 0).sum() == 1
    as_imaged = link_particles(spots, **LIMITS)
    steady = link_particles(without_stage(spots, found, "jumps"), **LIMITS)

    def across(linked: pd.DataFrame) -> float:
        """Share of the spots of frame 9 that are seen in 10 and have one track there."""
        a, b = (linked[linked["t"] == t].set_index("true")["track_id"] for t in (9, 10))
        both = a.index.intersection(b.index)
        return float((a[both] == b[both]).mean())

    assert across(as_imaged) < 0.2
    assert across(steady) > 0.9


@pytest.mark.parametrize("n", [15, 40, 150])
@pytest.mark.parametrize("of", [{}, {"drift": 0.2}, {"fresh": True}, {"n_t": 4}])
def test_there_is_none_where_there_is_none(n, of) -> None:
    for seed in range(3):
        found = stage_of_spots(*movie(n, seed, **of), **LIMITS)
        assert not jumps(found).any()


def test_too_few_spots_are_named_and_cells_come_first() -> None:
    fields, spots = movie(5, jump=(4.0, 3.0))
    few = stage_of_spots(fields, spots, **LIMITS)
    assert few["stage_from"].eq("too few spots").all()
    (row,) = stage_not_sought({}, {"fields": few})
    assert "B02" in row["where"]
    told = fields.assign(**{f"stage_{w}_{a}_um": 0.0 for w in ("shift", "jump") for a in "yx"})
    found = stage_of_spots(told, movie(40, jump=(4.0, 3.0))[1], **LIMITS)
    assert found["stage_from"].eq("cells").all()
    assert not jumps(found).any()
    assert not list(stage_not_sought({}, {"fields": found}))
    two = told.assign(stage_shift_y_um=np.where(told["t"] == 0, 0.0, np.nan))  # of two cells
    assert stage_of_spots(two, movie(40)[1], **LIMITS)["stage_from"].eq("spots").all()
    still = fields[fields["t"] == 0]
    assert stage_of_spots(still, spots[spots["t"] == 0], **LIMITS)["stage_from"].eq("").all()
