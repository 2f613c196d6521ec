"""Doubts about the data of a plate, for readers of its results: `warnings.plate_warnings`."""
