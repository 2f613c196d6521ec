"""From tracks to wells: what moves, divides, diffuses or is held, so that a plate is ranked by it.

tracks, spot_tracks (one row per track) ──► counts, medians      ┐
msd (one row per well and lag)          ──► D, exponent of all   ├─ one row per well
                                            tracks together      ┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellpipe.dynamics.diffusion import CONFINED_P
from cellpipe.dynamics.msd_fits import fit_line, fit_power_law
from cellpipe.profiles.certainty import median_errors

if TYPE_CHECKING:
    import pandas as pd

PATH_FIGURES = ("speed_um_s", "velocity_um_s", "straightness", "lifetime_s", "displacement_um")
TRACK_FIGURES = (*PATH_FIGURES, "cycle_time_s")
ENSEMBLE_FIGURES = ("diffusion_um2_s", "msd_exponent")
TRACK_READOUTS = (
    "n_tracks",
    "n_divisions",
    "divisions_per_track",
    *(f"median_{figure}" for figure in TRACK_FIGURES),
    *ENSEMBLE_FIGURES,
)
PARTICLE_READOUTS = (
    "n_spot_tracks",
    *(f"spot_median_{figure}" for figure in PATH_FIGURES),
    "spot_fraction_confined",
    *(f"spot_{figure}" for figure in ENSEMBLE_FIGURES),
)


def aggregate_tracks(tracks: pd.DataFrame) -> pd.DataFrame:
    """Dynamics of cells per well of a movie plate, one row per well that has tracks.

    Of what several fields show, tracks with `counted` and divisions of tracks with `end_counted`
    are taken, where there are such columns.

    Returns
    -------
    DataFrame
        plate well n_tracks n_divisions divisions_per_track, and the medians of speed, velocity,
        straightness, lifetime, displacement and cycle time, as median_<column>
    """
    import pandas as pd

    place = ["plate", "well"]
    divisions = _counted(tracks, "end_counted").groupby(place, sort=True)["divides"].sum()
    tracks = _counted(tracks, "counted")
    by_well = tracks.groupby(place, sort=True)
    out = pd.DataFrame({"n_tracks": by_well.size().astype("int32")})
    out["n_divisions"] = divisions.reindex(out.index, fill_value=0).astype("int32")
    out["divisions_per_track"] = out["n_divisions"] / out["n_tracks"]
    for column in TRACK_FIGURES:
        out[f"median_{column}"] = by_well[column].median().astype("float64")
        errors = median_errors(tracks[column], tracks["well"])
        out[f"median_{column}_se"] = errors.reindex(out.index.get_level_values("well")).to_numpy()
    return out.reset_index()


def aggregate_particles(particles: pd.DataFrame) -> pd.DataFrame:
    """Dynamics of spots per well, one row per well that has spot tracks.

    Tracks of one frame are left out: most are noise that resembled a spot once.

    Returns
    -------
    DataFrame
        plate well n_spot_tracks, the medians of speed, velocity, straightness, lifetime and
        displacement as spot_median_<column>, spot_fraction_confined (of tracks long enough to
        classify)
    """
    import pandas as pd

    seen_again = _counted(particles[particles["n_frames"] > 1], "counted")
    by_well = seen_again.groupby(["plate", "well"], sort=True)
    out = pd.DataFrame({"n_spot_tracks": by_well.size().astype("int32")})
    for column in PATH_FIGURES:
        out[f"spot_median_{column}"] = by_well[column].median().astype("float64")
        errors = median_errors(seen_again[column], seen_again["well"])
        errors = errors.reindex(out.index.get_level_values("well"))
        out[f"spot_median_{column}_se"] = errors.to_numpy()
    known = seen_again[seen_again["confinement_p"].notna()]
    confined = known.assign(confined=known["confinement_p"] < CONFINED_P)
    out["spot_fraction_confined"] = confined.groupby(["plate", "well"])["confined"].mean()
    return out.reset_index()


def _counted(tracks: pd.DataFrame, column: str) -> pd.DataFrame:
    return tracks[tracks[column].astype(bool)] if column in tracks else tracks


def ensemble_motion(msd: pd.DataFrame) -> pd.DataFrame:
    """D and exponent of all tracks of a well together, from `ensemble_msd` by plate and well.

    Returns
    -------
    DataFrame
        plate well diffusion_um2_s msd_exponent; NaN where no track is long enough
    """
    import pandas as pd

    rows = [
        {
            "plate": plate,
            "well": well,
            "diffusion_um2_s": fit_line(of_well).diffusion,
            "msd_exponent": fit_power_law(of_well).exponent,
        }
        for (plate, well), of_well in msd.groupby(["plate", "well"], sort=True)
    ]
    return pd.DataFrame(rows, columns=["plate", "well", *ENSEMBLE_FIGURES])
