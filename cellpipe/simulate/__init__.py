"""Plates and movies whose truth is known: arrays and tables, seeded, no paths.

``plate`` simulates static fields, ``movie`` fields of living cells; both use ``shapes``
(outlines), ``optics`` (blur, shading, camera) and, for the movie, ``lives`` (cells that move,
divide and leave). ``difficulty`` names three movies for trackers, ``detections`` returns what would
be found in a movie, without simulating its pixels. ``well`` cuts fields that overlap out of one
scene, where a stage with errors went. The same design and seed give the same bytes.
"""

from __future__ import annotations

from cellpipe.simulate.detections import Errors, detect
from cellpipe.simulate.difficulty import DIFFICULTIES, Difficulty
from cellpipe.simulate.movie import Movie, MovieDesign, movie_map, simulate_movie
from cellpipe.simulate.plate import Field, PlateDesign, plate_map, simulate_field

# Increase it whenever a simulation changes, so that folders of an older version are recognised.
VERSION = 6

__all__ = [
    "DIFFICULTIES",
    "VERSION",
    "Difficulty",
    "Errors",
    "Field",
    "Movie",
    "MovieDesign",
    "PlateDesign",
    "detect",
    "movie_map",
    "plate_map",
    "simulate_field",
    "simulate_movie",
]
