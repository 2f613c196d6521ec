"""Cells and particles over time: which is which in the next frame, and which divided.

`link_cells` follows cells through divisions, `link_particles` follows spots, `track_table`
makes one row per track, `stage_shifts` reports how far the stage moved. `motion`, `look`,
`divisions` and `chances` give the gain of a link, a division, an end and a start, `stage` what
all cells do together, `frames` and `events` choose among them, `assignment` and `packing` solve it.
If a network is given, `learned` lets it score each candidate by the features of `clues`.

Why the cells' linker is our own: on the same detections (`studies/tracks/track.py`; simulated
movies, seeds 1 to 3, every cell detected; LNK / CT / division F1 ±1 frame)

                               easy                middle              hard
    cellpipe                   .999 .997 .998      .995 .942 .978      .968 .708 .949
    cellpipe, positions only   .999 .991 .989      .992 .911 .941      .923 .480 .799
    laptrack                   .999 .985 .980      .983 .795 .828      .803 .171 .372
    btrack                     .979 .611 .000      .936 .372 .022      not finished
    trackpy                    .979 .618 none      .965 .523 none      .696 .093 none
    nearest neighbour          .980 .618 none      .951 .396 none      .685 .080 none

With 2.5 % missed and 1 % false detections, of which perfect links score 1 / .94 / 1: at the
middle difficulty cellpipe .989 .859 .939, laptrack .957 .605 .560, trackpy .953 .560. CPU seconds
of 20 middle frames of 1,000, 10,000 and 50,000 cells: cellpipe .54, 3.0, 15.5, trackpy 1.5, 7.3,
49.5. cellpipe used areas and intensities, the others use positions only. Its constants were chosen
on other seeds of the same simulator and on T98G. `studies/tracks` has all of it, and what was
tried and not kept.
"""

from __future__ import annotations

from cellpipe.track.cells import link_cells
from cellpipe.track.lineage import track_table
from cellpipe.track.particles import crowded_fields, link_particles, particle_table
from cellpipe.track.stage import stage_shifts

__all__ = [
    "crowded_fields",
    "link_cells",
    "link_particles",
    "particle_table",
    "stage_shifts",
    "track_table",
]
