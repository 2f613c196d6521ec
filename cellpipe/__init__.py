"""cellpipe: from microscope plates to cells, classes, tracks, hits and figures."""

__version__ = "0.1.0"
