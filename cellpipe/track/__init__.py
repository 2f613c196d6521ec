"""Cells and particles over time: who is who in the next frame, and who divided.

`link_cells` follows cells through divisions, `link_particles` follows spots, `track_table`
makes one row per track. The theory is in `events`, `motion` and `assignment`.
"""

from __future__ import annotations

from cellpipe.track.cells import link_cells
from cellpipe.track.lineage import track_table
from cellpipe.track.particles import link_particles

__all__ = ["link_cells", "link_particles", "track_table"]
