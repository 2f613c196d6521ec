"""How hard a movie is to track, in three named steps.

What makes linking hard is how far a cell moves between two frames compared with the distance to its
neighbours. All else (divisions, deaths, drift) is given per frame, so a step is the same
difficulty at any frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellpipe.simulate.lives import Habits
from cellpipe.simulate.movie import MovieDesign


@dataclass(frozen=True)
class Difficulty:
    """A way to live, in units of frames and of the spacing between cells.

    cells_per_mm2 : density; the spacing is 1 / sqrt(density)
    step : root mean square displacement per frame, as a share of the spacing, before cells push
    persistence_frames : how long a heading is kept
    cycle_frames : mean frames from birth to division
    deaths_per_frame : share of cells that begin to die in a frame
    drift : standard deviation of the stage's step (y and x alike), as a share of the spacing
    """

    name: str
    cells_per_mm2: float
    step: float
    persistence_frames: float
    cycle_frames: float = 60.0
    deaths_per_frame: float = 0.002
    drift: float = 0.0

    @property
    def spacing_um(self) -> float:
        return float(1000.0 / self.cells_per_mm2**0.5)

    @property
    def step_um(self) -> float:
        return self.step * self.spacing_um

    def design(
        self,
        *,
        seed: int,
        n_frames: int = 40,
        shape: tuple[int, int] = (640, 640),
        time_step_s: float = 600.0,
    ) -> MovieDesign:
        """One well of such cells, of the demo's size and bleaching; see `MovieDesign`."""
        habits = Habits(
            speed_um_s=self.step_um / time_step_s,
            persistence_s=self.persistence_frames * time_step_s,
            cycle_s=self.cycle_frames * time_step_s,
            deaths_per_s=self.deaths_per_frame / time_step_s,
        )
        return MovieDesign(
            wells=("A01",),
            slowed_wells=(),
            shape=shape,
            n_frames=n_frames,
            time_step_s=time_step_s,
            cells_per_mm2=self.cells_per_mm2,
            habits=habits,
            drift_um=self.drift * self.spacing_um,
            walled=True,
            seed=seed,
        )


# Nuclei are 12 to 16 µm wide: spacings of 35, 25 and 22 µm are loose, dense and crowded.
DIFFICULTIES = {
    level.name: level
    for level in (
        Difficulty("easy", 800, step=0.08, persistence_frames=1, drift=0.01),
        Difficulty("middle", 1600, step=0.20, persistence_frames=2, drift=0.04),
        Difficulty("hard", 2000, step=0.32, persistence_frames=3, drift=0.10),
    )
}
