"""Plates and movies whose truth is known: arrays and tables, seeded, no paths.

``plate`` draws static fields, ``movie`` draws fields of living cells; both stand on ``shapes``
(outlines), ``optics`` (blur, shading, camera) and, for the movie, ``lives`` (who moves, divides
and leaves). ``difficulty`` names three movies for trackers, ``detections`` tells what would be
found in a movie without drawing it. The same design and seed give the same bytes.
"""

from __future__ import annotations

from cellpipe.simulate.detections import Errors, detect
from cellpipe.simulate.difficulty import DIFFICULTIES, Difficulty
from cellpipe.simulate.movie import Movie, MovieDesign, draw_movie, movie_map
from cellpipe.simulate.plate import Field, PlateDesign, draw_field, plate_map

# Raise it whenever a drawing changes, so that drawn folders are known to be old.
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
    "draw_field",
    "draw_movie",
    "movie_map",
    "plate_map",
]
