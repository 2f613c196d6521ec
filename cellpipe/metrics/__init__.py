"""Scores against truth: of labels, of points, of tracks."""
