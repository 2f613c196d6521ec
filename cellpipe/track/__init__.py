"""Cells and particles over time: who is who in the next frame, and who divided.

`link_cells` follows cells through divisions, `link_particles` follows spots; `track_table` and
`particle_table` make one row per track, with how it moved (`cellpipe.dynamics`). The theory of
linking is in `motion`, `frames` and `events`; `assignment` solves it.

Why the cells' linker is our own: on the same detections (`benchmarks/track.py`; 20 frames of
10,000 crowded cells with persistent steps and drift, 1 % divisions, 2 % missed, 1 % false; one
thread; links' precision / recall, division F1, CPU seconds)

    cellpipe  .988 / .987   .84    1.5      50,000 cells a frame:  8.7 s
    laptrack  .942 / .951   .30   48.5
    trackpy   .967 / .958   none  12.1      50,000 cells a frame: 99.5 s

cellpipe used the cells' areas, the others know positions only. On positions alone it stays ahead of
laptrack and ties with trackpy on the easy and the middle movie. Seconds are of
single runs on a busy machine: read them as orders of magnitude.
"""

from __future__ import annotations

from cellpipe.track.cells import link_cells
from cellpipe.track.lineage import track_table
from cellpipe.track.particles import link_particles, particle_table

__all__ = ["link_cells", "link_particles", "particle_table", "track_table"]
