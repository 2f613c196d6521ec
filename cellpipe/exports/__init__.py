"""Tracks, tables and labels as other tools read them: one module per format."""
