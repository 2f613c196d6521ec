"""Measuring objects: intensities and shapes, all objects of a frame at once."""
