"""Figures as a paper prints them: tables in, matplotlib figures (or RGB arrays) out.

One style, colours that colour-blind readers can distinguish, and the same bytes for the same
tables (`figure_bytes`). matplotlib is imported when a figure is plotted, not before.
"""

from cellpipe.figures.classes import confusion_matrix, feature_importance
from cellpipe.figures.curves import dose_response_curve
from cellpipe.figures.evaluation import picture_of_errors, precision_curve
from cellpipe.figures.motion import msd_plot, spaghetti_plot, well_groups
from cellpipe.figures.plates import control_distributions, plate_heat_map
from cellpipe.figures.style import figure_bytes
from cellpipe.figures.thumbnails import thumbnail_with_outlines
from cellpipe.figures.tracks import lineage_tree, track_paths

__all__ = [
    "confusion_matrix",
    "control_distributions",
    "dose_response_curve",
    "feature_importance",
    "figure_bytes",
    "lineage_tree",
    "msd_plot",
    "picture_of_errors",
    "plate_heat_map",
    "precision_curve",
    "spaghetti_plot",
    "thumbnail_with_outlines",
    "track_paths",
    "well_groups",
]
